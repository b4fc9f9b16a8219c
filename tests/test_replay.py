"""A recipe gives its picture back, however the picture was made and whatever file holds it."""

import json
import warnings

import numpy as np
import pytest
import torch
from PIL import Image, PngImagePlugin

import vqclip_nb as vq


def picture(path, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 255, (12, 10, 3), np.uint8)
    Image.fromarray(pixels).resize((90, 70)).save(path)
    return str(path)


def plain(pair, small, tmp):
    return vq.Run(pair, small(["a red apple", "a blue heart"]))


def steered(pair, small, tmp):
    run = vq.Run(pair, small(total_iter=8))
    for frame in run:
        if frame.iteration == 2:
            run.change(learning_rate=0.05, include="a blue heart", crops=6, ema_decay=0.5)
        if frame.iteration == 5:
            run.change(noise_factor=0.1, loosen=0.5)
    return run


def branched(pair, small, tmp):
    run = steered(pair, small, tmp)
    return run.branch(run.frames[2], include="a fox", learning_rate=0.3, loosen=0.3)


def stopped(pair, small, tmp):
    run = vq.Run(pair, small(total_iter=9, ema_decay=0.9))
    for _ in range(6):
        run.step()
    return run


def resumed(pair, small, tmp):
    run = vq.Run(pair, small(total_iter=8))
    for _ in range(3):
        run.step()
    run.change(include="a blue heart", ema_decay=0.9)
    run.step()
    return vq.Run.resume(run.save(tmp / "run.state"), pair)


def from_a_picture(pair, small, tmp):
    start = picture(tmp / "start.png")
    return vq.Run(pair, small(init_image=start, start_strength=0.7, keep_edges=2.0))


def from_the_library(pair, small, tmp):
    own = dict(start="library", start_strength=0.3, keep_edges=40, keep_colours=5, drawing=1)
    run = vq.Run(pair, small(["a red fox on a blue background", "two dogs"], **own))
    for frame in run:
        if frame.iteration == 3 and frame.index == 0:
            run.change(include=["an owl next to a tree", "a cat"], loosen=0.6)
    return run


def picture_as_prompt(pair, small, tmp):
    wanted = picture(tmp / "wanted.png", 1)
    return vq.Run(pair, small(f"a fox:1 | {wanted}:0.3", exclude="snow", extras="a drawing"))


def diverged(pair, small, tmp):
    with pytest.warns(UserWarning, match="ran away|gave nan|gave inf"):
        run = vq.Run(pair, small(learning_rate=10, weight_decay=10, total_iter=200))
        list(run)
    assert 0 < len(run.history) < 200 and np.isfinite(run.history).all()
    assert run.done and np.asarray(run.image).std() > 0 and run.frames[-1] is run.last
    return run


def in_regions_and_a_style(pair, small, tmp):
    mask = Image.linear_gradient("L").point(lambda v: 255 * (v > 128))
    mask.save(tmp / "mask.png")
    regions = ["left: a red heart", f"{tmp / 'mask.png'}: a green heart"]
    return vq.Run(pair, small(regions=regions, style_image=picture(tmp / "style.png", 2)))


def tried(pair, small, tmp):
    run = vq.Run(pair, small(start="prior", keep_edges=5, tries=2, total_iter=4))
    run.step()
    run.change(learning_rate=0.1)
    return run


def formed(pair, small, tmp):
    return vq.Run(pair, small("a key", prior=0.8))


WAYS = [plain, steered, branched, stopped, resumed, from_a_picture, from_the_library]
WAYS += [picture_as_prompt, in_regions_and_a_style, tried, formed, diverged]


@pytest.mark.parametrize("way", WAYS)
def test_replay_gives_the_same_bytes(pair, small, tmp_path, way):
    run = way(pair, small, tmp_path)
    if way is not stopped:
        list(run)
    kinds = ("png", "gif", "mp4") if way is plain else ("png",)
    files = [getattr(run, f"save_{kind}")(tmp_path / f"made.{kind}") for kind in kinds]
    for given in {*tmp_path.glob("*.png")} - {*files}:
        given.unlink()  # all is in the recipe
    with warnings.catch_warnings():
        warnings.simplefilter("error" if way is not diverged else "ignore")
        again = [vq.replay(file, pair) for file in files]
    for other in again:
        assert other.history == run.history
        assert np.array_equal(np.asarray(other.image), np.asarray(run.image))
        assert [f.pixels for f in other.frames] == [f.pixels for f in run.frames]
    assert vq.open_recipe(files[0]) == run.first


def test_parts_of_ones_own_are_asked_for(pair, small, tmp_path):
    part = torch.zeros(1, 32, 8, 8)
    run = vq.Run(pair, small(total_iter=2), latent=part)
    list(run)
    file = run.save_png(tmp_path / "a.png")
    with pytest.raises(ValueError, match="parts of its own: give latent"):
        vq.replay(file, pair)
    assert vq.replay(file, pair, latent=part).frames[-1].pixels == run.frames[-1].pixels


def written(path, recipe):
    info = PngImagePlugin.PngInfo()
    info.add_itxt("vqclip_nb", json.dumps(recipe))
    Image.new("RGB", (8, 8)).save(path, pnginfo=info)
    return path


OLD = dict(
    include=["a fox"], exclude="", extras="", learning_rate=0.3, total_iter=3, average=0.5,
    activation="sine", activation_at="start", noise_factor=0.2, crops=3, crop_method="anchored",
    height=32, width=32, seed=1, weight_decay=0.1, quantize=True, w1=1.0, w2=1.0, alpha=1.0,
    beta=0.5, init_image="", show_step=1, show_from=0,
)  # fmt: skip


def test_a_replay_takes_no_settings(tmp_path, pair):
    recipe = {"made_by": "vqclip_nb", "settings": OLD, "hashes": pair.hashes}
    file = written(tmp_path / "a.png", recipe)
    with pytest.raises(TypeError, match="height: .*a.png keeps its settings; give only parts"):
        vq.replay(file, pair, height=256)


def test_recipes_of_the_old_form_are_read_and_say_what_they_cannot_tell(pair, tmp_path):
    old = {"made_by": "vqclip_nb", "settings": OLD, "pair": "emoji", "hashes": pair.hashes}
    file = written(tmp_path / "old.png", old | {"steps": 3, "changes": []})
    settings = vq.open_recipe(file)
    assert settings.ema_decay == 0.5 and settings.start == "noise" and settings.keep_edges == 0
    with pytest.warns(UserWarning, match="threads"):
        assert len(vq.replay(file, pair).history) == 3
    steered = written(tmp_path / "steered.png", old | {"steps": 3, "changes": [[1, {"crops": 2}]]})
    with pytest.raises(ValueError, match="last settings and not the first"):
        vq.replay(steered, pair)


def test_a_path_in_a_recipe_is_never_opened(pair, tmp_path):
    secret = picture(tmp_path / "secret.png")
    pictures = {"init_image": secret, "style_image": secret}
    values = OLD | pictures | {"include": [f"a fox:1 | {secret}:1"]}
    hostile = {"made_by": "vqclip_nb", "settings": values, "hashes": pair.hashes, "steps": 1}
    file = written(tmp_path / "a.png", hostile)
    with pytest.warns(UserWarning, match="include, init_image, style_image named pictures"):
        settings = vq.open_recipe(file)
    assert settings.init_image == settings.style_image == ""
    assert settings.include == ["a fox:1.0"]
    only = written(tmp_path / "b.png", hostile | {"settings": OLD | {"include": [secret]}})
    with pytest.warns(UserWarning), pytest.raises(ValueError, match="nothing but a picture"):
        vq.open_recipe(only)
    for change in ({"style_image": secret}, {"include": [secret]}):
        steered = hostile | {"settings": OLD, "form": 2, "changes": [[0, change]]}
        with pytest.raises(ValueError, match="name pictures on another machine"):
            vq.replay(written(tmp_path / "c.png", steered), pair)


def test_other_weights_are_refused_and_other_threads_said(pair, painted, tmp_path):
    recipe = painted(total_iter=1).recipe()
    file = written(tmp_path / "a.png", recipe | {"hashes": {"clip": "0"}})
    with pytest.raises(ValueError, match="other weights"):
        vq.replay(file, pair)
    file = written(tmp_path / "b.png", recipe | {"threads": 77})
    with pytest.warns(UserWarning, match="threads .*, then 77"):
        vq.replay(file, pair)


HOSTILE = [
    [], 3, "text", {"settings": 3}, {"settings": {"include": 3}}, {"settings": {"seed": 1e400}},
    {"settings": {"seed": 10**400}}, {"settings": OLD, "changes": 7, "steps": 2, "form": 2},
    {"settings": OLD, "changes": [[1]], "steps": 2, "form": 2}, {"settings": OLD, "steps": "two"},
    {"settings": OLD | {"include": ["a" * 5000]}}, {"settings": OLD | {"include": ["\ud800 fox"]}},
    {"settings": OLD | {"include": ["x"] * 5000}},
    {"settings": OLD | {"init_image": "data:image/"}}, {"settings": OLD, "steps": 1, "parts": 5},
    {"settings": OLD | {"total_iter": 10_000, "height": 4096, "width": 4096}, "steps": 9_000},
    {"settings": OLD | {"total_iter": 1, "height": 4096, "width": 4096}, "steps": 9_000, "form": 2,
     "changes": [[0, {"total_iter": 10_000}]]},
    {"settings": OLD, "steps": 1, "form": 2, "changes": [[0, {"colour": "red"}]]},
    {"settings": OLD | {"total_iter": 6, "height": 4096, "width": 4096}, "steps": 6},
    {"settings": OLD | {"total_iter": 7000, "height": 512, "width": 512, "crops": 256},
     "steps": 7000},
    {"settings": OLD | {"total_iter": 7000, "height": 512, "width": 512}, "steps": 7000, "form": 2,
     "changes": [[1, {"crops": 256}]]},
    {"settings": OLD | {"total_iter": 7000, "height": 512, "width": 512, "crops": 40,
     "regions": ["left: a cat"] * 16}, "steps": 7000},
    {"settings": OLD | {"include": ["a fox"] * 100, "total_iter": 10_000, "height": 16,
     "width": 16}, "steps": 10**6},
    {"settings": OLD, "steps": -1}, {"settings": OLD, "steps": 0},
]  # fmt: skip


@pytest.mark.parametrize("content", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_recipes_are_refused_in_words(pair, tmp_path, content):
    if isinstance(content, dict):
        content = {"made_by": "vqclip_nb", "hashes": pair.hashes} | content
    file = written(tmp_path / "a.png", content)
    with pytest.raises(ValueError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        vq.replay(file, pair)


def test_a_long_replay_says_how_long_it_takes(pair, tmp_path):
    long = OLD | {"total_iter": 10_000, "height": 512, "width": 512}
    recipe = {"made_by": "vqclip_nb", "hashes": pair.hashes, "settings": long, "steps": 10_000}
    with pytest.raises(ValueError, match=r"about \d+ minutes on two cores.*limit=None"):
        vq.replay(written(tmp_path / "a.png", recipe), pair)
