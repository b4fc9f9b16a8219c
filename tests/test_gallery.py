"""The gallery's pictures are painted by the code beside them, and come out the same again."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import vqclip_nb as vq
from docs import gallery
from vqclip_nb.recipe import read_recipe

FOLDER = gallery.IMAGES / "gallery"
# Those that use a part of the loop that no other one does; the rest are only more things.
PAINTED = "octopus house butterfly bear strawberry parrot cat_and_house whale frog".split()
# Of 255, in the mean: nothing on the machine that painted them; elsewhere sums round otherwise.
TOLERANCE = 4


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n != "octopus")) for n in PAINTED]
)
def test_a_picture_is_painted_again(name, pair, one_thread):
    path = FOLDER / f"{name}.png"
    again = np.asarray(vq.replay(path, pair).image, float)
    differs = np.abs(again - np.asarray(Image.open(path), float)).mean()
    print(f"{name}: differs by {differs:.3f}")
    assert differs <= TOLERANCE, "python -m docs.gallery paints it anew"


@pytest.mark.parametrize("name", gallery.PICTURES)
def test_the_code_of_a_picture_is_its_recipe(name, monkeypatch):
    """The lines are run with a run that paints nothing."""
    asked, changed = [], {}

    class Run(list):
        def __init__(self, pair, settings):
            asked.append(settings)
            super().__init__(vq.Frame(i, 0, 0.0, 0.0, False, b"") for i in range(40))

        def change(self, **changes):
            changed.update(changes)

        def save_png(self, path):
            assert path == f"{name}.png"

    monkeypatch.setattr(vq, "Run", Run)
    monkeypatch.chdir(FOLDER)
    exec(gallery.code(name), {"vq": vq, "pair": None})
    recipe = read_recipe(f"{name}.png")
    for field, value in dataclasses.asdict(asked[0]).items():
        stored = recipe["settings"][field]
        if value is not None and not str(stored).startswith("data:"):
            assert stored == value, field
    assert [change for _, change in recipe["changes"]] == ([changed] if changed else [])


def test_the_page_is_up_to_date_and_small():
    assert (Path(gallery.__file__).with_name("gallery.md")).read_text("utf8") == gallery.page()
    assert len(gallery.PICTURES) == 20
    files = [*FOLDER.iterdir(), *(gallery.IMAGES / "rows").iterdir()]
    assert {*gallery.PICTURES} <= {f.stem for f in files} <= {*gallery.PICTURES, *gallery.ROWS}
    assert sum(f.stat().st_size for f in files) < 3_000_000
