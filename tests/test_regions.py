"""Regions: each part of the picture follows its own prompt, and bad ones are refused at once."""

import numpy as np
import pytest
import torch
from PIL import Image

import vqclip_nb as vq
from vqclip_nb.regions import outside, parse_region

HALVES = ["left: a red heart", "right: a green heart"]


def settings(**changes):
    usual = dict(include=["a white background"], regions=HALVES, total_iter=8, crops=6)
    usual |= dict(start="library", height=128, width=128)
    return vq.Settings(**{**usual, **changes})


def finished(pair, **changes):
    run = vq.Run(pair, settings(**changes))
    list(run)
    return run


def colours(image):
    """Mean red, green, blue of the left half's middle and of the right half's."""
    x = np.asarray(image, float)
    h, w = x.shape[:2]
    return [x[h // 3 : -h // 3, a : a + w // 6].mean((0, 1)) for a in (w // 6, w * 4 // 6)]


@pytest.fixture(scope="module")
def run(pair):
    return finished(pair)


@pytest.mark.parametrize(
    "text, message",
    [
        ("a cat", "is no region: give a place and a prompt, as 'left: a cat'"),
        ("left:", "is no region"),
        ("0 0 1: a cat", "is no region"),
        ("0 0 .5 2: a cat", "give left, top, right, bottom from 0 to 1"),
        (".5 0 .5 1: a cat", "left and top before right and bottom"),
    ],
)
def test_what_is_no_region_is_refused_and_says_what_is(text, message):
    with pytest.raises(ValueError, match=message):
        vq.Settings(include=["a cat"], regions=[text])


def test_places_are_boxes_of_the_picture_and_a_mask_is_where_it_is_white(tmp_path):
    box = parse_region("0.25, 0, 1, .5: a cat").area((100, 200))
    assert box.box == (50, 0, 200, 50) and box.size == (50, 150)
    assert parse_region("Bottom Right : a cat").area((10, 10)).box == (5, 5, 10, 10)
    mask = Image.new("L", (20, 10))
    mask.paste(255, (0, 0, 10, 10))
    mask.save(tmp_path / "m.png")
    area = parse_region(f"{tmp_path / 'm.png'}: a cat").area((10, 20))
    assert area.box == (0, 0, 10, 10) and area.inside[..., :10].all()
    Image.new("L", (20, 10)).save(tmp_path / "black.png")
    with pytest.raises(ValueError, match="has no white"):
        parse_region(f"{tmp_path / 'black.png'}: a cat").area((10, 20))
    for name in ("nothing.png", "0 cat.png"):
        with pytest.raises(FileNotFoundError):
            parse_region(f"{name}: a cat").area((10, 20))


def test_a_region_pulls_at_its_own_pixels_only():
    picture = torch.rand(1, 3, 8, 8, requires_grad=True)
    area = parse_region("left: a cat").area((8, 8))
    area.cut(picture).sum().backward()
    assert (picture.grad[..., :4] > 0).all() and (picture.grad[..., 4:] == 0).all()
    picture.grad = None
    outside(picture, [area]).sum().backward()
    assert (picture.grad[..., :4] == 0).all() and (picture.grad[..., 4:] == 1).all()


def test_each_half_shows_what_it_was_asked_for(run):
    left, right = colours(run.image)
    assert left[0] > left[1] + 60 and right[1] > right[0] + 20
    assert run.start.description.startswith("left: ")


def test_regions_steer_and_a_wrong_one_changes_nothing(pair, run):
    steered = vq.Run(pair, settings(regions=[], include=["a red heart"], loosen=1.0))
    for _ in range(2):
        steered.step()
    with pytest.raises(ValueError, match="is no region"):
        steered.change(regions=["nowhere"])
    with pytest.raises(FileNotFoundError):
        steered.change(regions=["gone.png: a cat"])
    steered.change(include=["a white background"], regions=HALVES)
    list(steered)
    left, right = colours(steered.image)
    assert left[0] > left[1] + 40 and right[1] > right[0]
