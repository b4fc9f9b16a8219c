"""Media: what a prompt names, as a layer that can be seen and that the gradient goes through."""

import numpy as np
import pytest
import torch

import vqclip_nb as vq
from vqclip_nb.emoji.caption_words import MEDIA_WORDS
from vqclip_nb.emoji.media import MEDIA
from vqclip_nb.studio.chips import with_style


@pytest.fixture(scope="module")
def picture(pair):
    return pair.library.find("a fox on a light blue background", size=(128, 96)).picture


@pytest.mark.parametrize("name", sorted(MEDIA))
def test_a_medium_is_seen_and_lets_the_gradient_through(picture, name):
    x = picture.clone().requires_grad_()
    made = MEDIA[name](x)
    assert made.shape == x.shape and 0 <= made.min() and made.max() <= 1
    assert (made - x).abs().mean() > 0.01
    [gradient] = torch.autograd.grad(made.square().sum(), x)
    assert gradient.isfinite().all() and (gradient != 0).float().mean() > 0.5
    assert torch.equal(made, MEDIA[name](x))  # the same at every step
    plain = torch.full((1, 3, 96, 248), 0.5, requires_grad=True)  # of any size, without an edge
    made = MEDIA[name](plain)
    assert made.shape == plain.shape and made.isfinite().all()
    assert torch.autograd.grad(made.square().sum(), plain)[0].isfinite().all()


def test_what_makes_a_medium_is_in_its_picture(picture):
    def colours(name):
        return len(MEDIA[name](picture)[0].flatten(1).T.mul(255).round().unique(dim=0))

    assert colours("pixel art") < 500 and colours("low poly") < 700  # of 12,288 pixels
    grey = MEDIA["black and white"](picture)
    assert torch.equal(grey[:, 0], grey[:, 1]) and MEDIA["neon"](picture).median() < 0.3
    assert MEDIA["stained glass"](picture).quantile(0.05) < 0.1  # lead
    assert colours("paper cut-out") < colours("oil painting") / 2
    tones = MEDIA["linocut"](picture).mean(1)
    assert ((tones < 0.25) | (tones > 0.75)).float().mean() > 0.7
    assert 0.05 < (tones < 0.25).float().mean() < 0.95


def test_the_studio_offers_every_medium(pair):
    assert {*MEDIA_WORDS} == {*MEDIA}
    for name in MEDIA:
        assert pair.medium(pair.read(with_style("a sticker of a fox", name))) is MEDIA[name]


def colourful(image):
    """How far the channels of a picture are apart at most, in steps of 255."""
    rgb = np.asarray(image, int)
    return (rgb.max(2) - rgb.min(2)).max()


def test_a_picture_is_painted_in_its_medium_from_the_first_frame_until_the_prompt_changes(
    pair, small
):
    run = vq.Run(pair, small(include="a black and white fox", start="library", show_step=1))
    for frame in run:
        if frame.iteration == 3:
            assert colourful(frame.image) <= 1
            run.change(include=["a fox"])
    assert colourful(frame.image) > 50
