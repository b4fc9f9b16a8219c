"""A recipe gives its picture back, however the picture was made and whatever file holds it."""

import dataclasses
import json
import warnings

import numpy as np
import pytest
import torch
from crafting import noisy, picture
from PIL import Image
from runs import after_steps, assert_same, finished

import vqclip_nb as vq

ASKED = {
    "plain": dict(include=["a red apple", "a blue heart"]),
    "formed": dict(include="a key", prior=0.8),
    "picture": dict(init_image="start.png", start_strength=0.7, keep_edges=2.0),
    "prompt": dict(include="a fox:1 | wanted.png:0.3", exclude="snow", extras="a drawing"),
    "regions": dict(regions=["left: a heart", "mask.png: a green heart"], style_image="style.png"),
}


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
    return after_steps(vq.Run(pair, small(total_iter=9, ema_decay=0.9)), 6)


def resumed(pair, small, tmp):
    run = after_steps(vq.Run(pair, small(total_iter=8)), 3)
    run.change(include="a blue heart", ema_decay=0.9)
    return vq.Run.resume(after_steps(run, 1).save(tmp / "run.state"), pair)


def from_the_library(pair, small, tmp):
    own = dict(start="library", start_strength=0.3, keep_edges=40, keep_colours=5, drawing=1)
    run = vq.Run(pair, small(["a red fox on a blue background", "two dogs"], **own))
    for frame in run:
        if frame.iteration == 3 and frame.index == 0:
            run.change(include=["an owl next to a tree", "a cat"], loosen=0.6)
    return run


def diverged(pair, small, tmp):
    with pytest.warns(UserWarning, match="ran away|gave nan|gave inf"):
        run = finished(vq.Run(pair, small(learning_rate=10, weight_decay=10, total_iter=200)))
    assert 0 < len(run.history) < 200 and np.isfinite(run.history).all()
    assert run.done and np.asarray(run.image).std() > 0 and run.frames[-1] is run.last
    return run


def tried(pair, small, tmp):
    asked = small(start="prior", keep_edges=5, tries=2, total_iter=4)
    run = after_steps(vq.Run(pair, asked), 1)
    run.change(learning_rate=0.1)
    return run


WAYS = [steered, branched, stopped, resumed, from_the_library, tried, diverged]


@pytest.mark.parametrize("way", [*ASKED, *WAYS])
def test_replay_gives_the_same_bytes(pair, small, tmp_path, monkeypatch, way):
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate(("start", "wanted", "style")):
        noisy(f"{name}.png", seed)
    Image.linear_gradient("L").point(lambda v: 255 * (v > 128)).save("mask.png")
    run = vq.Run(pair, small(**ASKED[way])) if way in ASKED else way(pair, small, tmp_path)
    if way is not stopped:
        list(run)
    kinds = ("png", "gif", "mp4") if way == "plain" else ("png",)
    files = [getattr(run, f"save_{kind}")(tmp_path / f"made.{kind}") for kind in kinds]
    for given in {*tmp_path.glob("*.png")} - {*files}:
        given.unlink()  # all is in the recipe
    with warnings.catch_warnings(action="error" if way is not diverged else "ignore"):
        for file in files:
            assert_same(vq.replay(file, pair), run)
    assert vq.open_recipe(files[0]) == run.first


def test_parts_of_ones_own_are_asked_for(pair, small, tmp_path):
    part = torch.zeros(1, 32, 8, 8)
    run = finished(vq.Run(pair, small(total_iter=2), latent=part))
    file = run.save_png(tmp_path / "a.png")
    with pytest.raises(ValueError, match="parts of its own: give latent"):
        vq.replay(file, pair)
    assert vq.replay(file, pair, latent=part).frames[-1].pixels == run.frames[-1].pixels


def with_recipe(path, pair, /, **recipe):
    recipe = {"made_by": "vqclip_nb", "hashes": pair.hashes} | recipe
    path.write_bytes(picture(recipe=json.dumps(recipe)))
    return path


OLD = dict(
    include=["a fox"], exclude="", extras="", learning_rate=0.3, total_iter=3, average=0.5,
    activation="sine", activation_at="start", noise_factor=0.2, crops=3, crop_method="anchored",
    height=32, width=32, seed=1, weight_decay=0.1, quantize=True, w1=1.0, w2=1.0, alpha=1.0,
    beta=0.5, init_image="", show_step=1, show_from=0,
)  # fmt: skip


def test_recipes_of_the_old_form_are_read_and_say_what_they_cannot_tell(pair, tmp_path):
    old = dict(settings=OLD, pair="emoji", steps=3)
    file = with_recipe(tmp_path / "old.png", pair, **old, changes=[])
    settings = vq.open_recipe(file)
    assert settings.ema_decay == 0.5 and settings.start == "noise" and settings.keep_edges == 0
    with pytest.warns(UserWarning, match="threads"):
        assert len(vq.replay(file, pair).history) == 3
    with pytest.raises(TypeError, match="height: .*old.png keeps its settings; give only parts"):
        vq.replay(file, pair, height=256)
    file = with_recipe(tmp_path / "steered.png", pair, **old, changes=[[1, {"crops": 2}]])
    with pytest.raises(ValueError, match="last settings and not the first"):
        vq.replay(file, pair)
    long = dict(settings=OLD | {"total_iter": 10_000, "height": 512, "width": 512}, steps=10_000)
    with pytest.raises(ValueError, match=r"about \d+ minutes on two cores.*limit=None"):
        vq.replay(with_recipe(tmp_path / "long.png", pair, **long), pair)


def test_a_path_in_a_recipe_is_never_opened(pair, tmp_path):
    secret = noisy(str(tmp_path / "secret.png"))
    pictures = {"init_image": secret, "style_image": secret}
    values = OLD | pictures | {"include": [f"a fox:1 | {secret}:1"]}
    file = with_recipe(tmp_path / "a.png", pair, settings=values)
    with pytest.warns(UserWarning, match="include, init_image, style_image named pictures"):
        settings = vq.open_recipe(file)
    assert settings.init_image == settings.style_image == ""
    assert settings.include == ["a fox:1.0"]
    only = with_recipe(tmp_path / "b.png", pair, settings=OLD | {"include": [secret]})
    with pytest.warns(UserWarning), pytest.raises(ValueError, match="nothing but a picture"):
        vq.open_recipe(only)
    for change in ({"style_image": secret}, {"include": [secret]}):
        steered = dict(settings=OLD, form=2, steps=1, changes=[[0, change]])
        with pytest.raises(ValueError, match="name pictures on another machine"):
            vq.replay(with_recipe(tmp_path / "c.png", pair, **steered), pair)


def test_other_weights_are_refused_and_other_threads_said(pair, painted, tmp_path):
    run = painted(total_iter=1)
    with pytest.raises(ValueError, match="other weights"):
        vq.Run.resume(run.save(tmp_path / "a"), dataclasses.replace(pair, vqgan_hash="0"))
    recipe = run.recipe()
    file = with_recipe(tmp_path / "a.png", pair, **recipe | {"hashes": {"clip": "0"}})
    with pytest.raises(ValueError, match="other weights"):
        vq.replay(file, pair)
    file = with_recipe(tmp_path / "b.png", pair, **recipe | {"threads": 77})
    with pytest.warns(UserWarning, match="threads .*, then 77"):
        vq.replay(file, pair)


HOSTILE = [
    {"settings": 3}, {"settings": {"include": 3}}, {"settings": {"seed": 1e400}},
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
    file = with_recipe(tmp_path / "a.png", pair, **content)
    with pytest.raises(ValueError), warnings.catch_warnings(action="ignore"):
        vq.replay(file, pair)
