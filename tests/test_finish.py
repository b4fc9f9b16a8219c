"""The last picture of the emoji pair, drawn anew at twice its size and with clean edges."""

import dataclasses

import torch
import torch.nn.functional as F
from PIL import Image, ImageSequence
from runs import finished as finished_run

import vqclip_nb as vq
from vqclip_nb.finish import finished as sharpened
from vqclip_nb.images import to_tensor

FORMED = dict(prior=1.0, start_strength=0.2, total_iter=10, finish=True)


def paint(pair, small, prompt="a fox", **changes):
    return finished_run(vq.Run(pair, small(prompt, **{**FORMED, **changes})))


def test_the_last_picture_has_twice_as_many_pixels_and_those_before_it_do_not(pair, small):
    run = paint(pair, small)
    assert {frame.image.size for frame in run.frames[:-1]} == {(64, 64)}
    assert run.image.size == (128, 128)
    plain = paint(pair, small, finish=False)
    assert plain.image.size == (64, 64)
    difference = to_tensor(run.image.resize((64, 64))) - to_tensor(plain.image)
    assert 0.001 < difference.abs().mean() < 0.05  # the same picture, drawn otherwise


def test_each_prompt_has_its_own_finished_picture(pair, small):
    run = paint(pair, small, ["a fox", "a house"], total_iter=6)
    sizes = [frame.image.size for frame in run.frames if frame.iteration == 5]
    assert sizes == [(128, 128)] * 2


def test_a_film_has_frames_of_one_size(pair, small, tmp_path):
    run = paint(pair, small)
    with Image.open(run.save_gif(tmp_path / "a.gif")) as film:
        assert {frame.size for frame in ImageSequence.Iterator(film)} == {(64, 64)}
    run.save_mp4(tmp_path / "a.mp4")
    with Image.open(run.save_png(tmp_path / "a.png")) as picture:
        assert picture.size == (128, 128)


def test_a_picture_in_a_medium_keeps_its_strokes(pair, small):
    assert paint(pair, small, "a fox in watercolour").image.size == (64, 64)


def test_it_can_be_turned_off_while_the_picture_forms(pair, small):
    run = vq.Run(pair, small("a fox", **FORMED))
    run.step()
    run.change(finish=False)
    assert finished_run(run).image.size == (64, 64)


def test_a_pair_finishes_only_where_its_defaults_or_the_settings_say_so(pair):
    bare = dataclasses.replace(pair, make_wing=None)
    asked = dict(include="a fox", total_iter=1, start="noise", height=32, width=32)
    sizes = [
        finished_run(vq.Run(bare, vq.Settings(**asked | more))).image.size
        for more in ({}, {"finish": True})
    ]
    assert sizes == [(32, 32), (64, 64)]


def test_edges_become_sharp_and_stay_in_place(pair):
    """A disc through the VQGAN and back: fewer of its pixels are in between."""
    at = torch.linspace(-1, 1, 512)
    inside = (at[:, None] ** 2 + at**2 < 0.5).float()
    disc = 1 - inside * torch.tensor([0.1, 0.7, 0.8])[:, None, None]
    with torch.no_grad():
        soft = pair.vqgan.synthesize(pair.vqgan.encode(F.avg_pool2d(disc[None], 2)))
    made, enlarged = sharpened(soft), F.interpolate(soft, scale_factor=2, mode="bicubic")

    def between(picture):
        return float(((picture[0, 2] > 0.35) & (picture[0, 2] < 0.85)).float().mean())

    assert between(made) < 0.5 * between(enlarged)
    assert (made - disc).abs().mean() < (enlarged - disc).abs().mean()


def test_specks_go_and_shading_stays():
    shaded = torch.linspace(0.2, 0.8, 64).expand(1, 3, 64, 64)
    specks = 0.02 * torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    made = sharpened(shaded + specks)
    wanted = F.interpolate(shaded, scale_factor=2, mode="bicubic")
    assert (made - wanted)[..., 8:-8, 8:-8].abs().mean() < 0.3 * specks.abs().mean()
