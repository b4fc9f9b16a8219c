"""Pictures of before come out the same, to the rounding of a CPU; so do the gallery's."""

import dataclasses
from pathlib import Path
from unittest.mock import MagicMock, Mock

import numpy as np
import pytest
from PIL import Image
from runs import finished

import vqclip_nb as vq
from docs import gallery
from vqclip_nb.recipe import read_recipe

KEPT = Path(__file__).parent / "kept"
THEN = dict(  # every default of that time
    learning_rate=0.2, total_iter=6, noise_factor=0.22, crops=4, height=64, width=64,
    weight_decay=0.1, ema_decay=0.0, show_step=2, start="noise", prior=0.0, start_strength=1.0,
    keep_edges=0.0, keep_colours=0.0, loosen=0.0, finish=False,
)  # fmt: skip
CASES = {
    "plain": dict(include=["a fox"]),
    "two": dict(include=["a fox", "a strawberry on a blue background"]),
    "exclude_extras": dict(
        include=["a castle"], exclude="a house", extras="a 3d render", w2=0.5, beta=0.7
    ),
    "weighted": dict(include=["a fox:2 | a tree:-0.5"]),
    "report": dict(
        include=["a pineapple in a bowl"], exclude="a watermelon", learning_rate=0.5,
        crop_method="report", quantize=False,
    ),
    "relu_every": dict(include=["a frog"], activation="relu", activation_at="every step"),
    "softmax": dict(include=["a frog"], activation="softmax", crop_method="report"),
    "ema": dict(include=["an owl"], ema_decay=0.9, learning_rate=0.1),
    "start": dict(include=["a sunflower"], init_image="start.png"),
    "picture_prompt": dict(include=["a fox:1 | start.png:0.5"]),
    "wide": dict(include=["a rocket"], width=96, noise_factor=0.0, crops=40),
}  # fmt: skip


@pytest.fixture(autouse=True)
def start_picture(tmp_path, monkeypatch):
    """A ramp of colours, as start.png in the folder of now."""
    ramp = np.add.outer(np.arange(96) * 2, np.arange(80) * 1.5)[..., None]
    monkeypatch.chdir(tmp_path)
    Image.fromarray((ramp * np.array([1, 0.5, 0.2]) % 256).astype(np.uint8)).save("start.png")


def differs(run: vq.Run, path: Path) -> float:
    """Mean difference of the last picture from the one that was kept, of 255."""
    kept = np.asarray(Image.open(path), float)
    return np.abs(np.asarray(run.image, float) - kept).mean()


@pytest.mark.parametrize("name", CASES)
def test_settings_of_then_paint_the_picture_of_then(pair, name):
    run = finished(vq.Run(pair, vq.Settings(**THEN | CASES[name])))
    assert differs(run, KEPT / f"{name}.png") < 1


def test_steering_and_branches_do_too(pair):
    run = vq.Run(pair, vq.Settings(**THEN | dict(include=["a fox"], total_iter=8)))
    for frame in run:
        if frame.iteration == 2:
            run.change(learning_rate=0.05, include=["a fox on a red background"])
        if frame.iteration == 5:
            run.change(crops=6, noise_factor=0.1)
    branch = finished(run.branch(run.frames[1], include=["an owl"], learning_rate=0.3))
    assert differs(run, KEPT / "steered.png") < 1 and differs(branch, KEPT / "branched.png") < 1


# -- the gallery: painted by the code beside each picture

FOLDER = gallery.IMAGES / "gallery"
# Each uses a part of the loop that no other one does.
PAINTED = "octopus house butterfly bear strawberry parrot cat_and_house whale frog".split()
# Of 255, in the mean; on the machine that painted them it is 0.
TOLERANCE = 4


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n != "octopus")) for n in PAINTED]
)
def test_a_picture_is_painted_again(name, pair):
    path = FOLDER / f"{name}.png"
    again = vq.replay(path, pair)
    assert differs(again, path) <= TOLERANCE, "python -m docs.gallery paints it anew"


@pytest.mark.parametrize("name", gallery.PICTURES)
def test_the_code_of_a_picture_is_its_recipe(name, monkeypatch):
    """The lines are run with a run that paints nothing."""
    run = MagicMock()
    run.__iter__.return_value = [vq.Frame(i, 0, 0.0, 0.0, False, b"") for i in range(40)]
    monkeypatch.setattr(vq, "Run", Mock(return_value=run))
    monkeypatch.chdir(FOLDER)
    exec(gallery.code(name), {"vq": vq, "pair": None})
    run.save_png.assert_called_once_with(f"{name}.png")
    recipe, (_, asked) = read_recipe(f"{name}.png"), vq.Run.call_args.args
    for field, value in dataclasses.asdict(asked).items():
        stored = recipe["settings"][field]
        if value is not None and not str(stored).startswith("data:"):
            assert stored == value, field
    assert [c for _, c in recipe["changes"]] == [c.kwargs for c in run.change.call_args_list]


def test_the_page_is_up_to_date_and_small():
    assert (Path(gallery.__file__).with_name("gallery.md")).read_text("utf8") == gallery.page()
    files = [*FOLDER.iterdir(), *(gallery.IMAGES / "rows").iterdir()]
    assert {*gallery.PICTURES} <= {f.stem for f in files} <= {*gallery.PICTURES, *gallery.ROWS}
    assert sum(f.stat().st_size for f in files) < 3_000_000
