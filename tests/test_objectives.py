"""Each term gives the answer that one can work out by hand; sums and multiples are objectives."""

import math

import numpy as np
import pytest
import torch

import vqclip_nb as vq
from vqclip_nb.objectives import (
    Step,
    areas,
    edges,
    palette,
    prompt,
    pull,
    report,
    smoothness,
    symmetry,
)

E = torch.eye(3)[:, None]  # three encodings (1, 3) at right angles


def step(picture=None, encodings=None, z=None) -> Step:
    picture = torch.zeros(1, 3, 4, 4) if picture is None else picture
    z = torch.zeros(1, 2, 1, 1) if z is None else z
    encodings = torch.tensor([[1.0, 0, 0], [0, 0, 2.0]]) if encodings is None else encodings
    return Step(z, z, picture, picture, encodings)


def halves(left: float, right: float) -> torch.Tensor:
    picture = torch.full((1, 3, 16, 16), left)
    picture[..., 8:] = right
    return picture


def test_the_loss_is_the_reports():
    assert report(E[0])(step()).item() == pytest.approx(-0.5)
    loss = report(E[0], None, E[2], alpha=2, beta=0.5)
    assert loss(step()).item() == pytest.approx(-2 * 0.5 + 0.5 * 0.5)
    both = report(E[0], E[1], w1=3, w2=4)
    assert both(step(encodings=torch.tensor([[3.0, 4.0, 0]]))).item() == pytest.approx(-1)


def test_a_prompt_is_near_what_points_its_way():
    assert prompt(E[0])(step()).item() == pytest.approx(-0.5)  # one crop of two
    quarter = math.pi / 2
    spherical = prompt(E[0], distance="spherical")(step()).item()
    assert spherical == pytest.approx((0 + quarter**2 / 2) / 2, rel=1e-3)
    with pytest.raises(ValueError, match="cosine or spherical"):
        prompt(E[0], distance="far")
    with pytest.raises(ValueError, match="bind"):
        prompt("a fox")(step())
    with pytest.raises(ValueError, match="has 5 numbers.*have 3"):
        prompt(torch.zeros(1, 5))(step())


def test_what_the_picture_itself_is():
    flat, split = torch.full((1, 3, 16, 16), 0.3), halves(0.0, 1.0)
    assert smoothness()(step(flat)).item() == 0
    assert smoothness()(step(split)).item() == pytest.approx(1 / 15)  # one edge among 15
    assert symmetry()(step(flat)).item() == 0
    assert symmetry()(step(split)).item() == 1
    assert palette((0, 0, 0), (1, 1, 1))(step(split)).item() == 0
    assert palette((0, 0, 0))(step(split)).item() == pytest.approx(3 / 2)  # white is √3 away
    assert pull(torch.ones(1, 2, 1, 1))(step()).item() == 1
    with pytest.raises(ValueError, match="pull"):
        pull(torch.ones(1, 2, 3, 3))(step())
    with pytest.raises(ValueError, match="at least one"):
        palette()


def disc(colour, ground, size=(64, 64)) -> torch.Tensor:
    y, x = torch.meshgrid(*(torch.linspace(-1, 1, s) for s in size), indexing="ij")
    inside = ((x**2 + y**2) < 0.4).float()
    a, b = (torch.tensor(c)[:, None, None] for c in (colour, ground))
    return (a * inside + b * (1 - inside))[None]


def test_edges_hold_shapes_and_free_what_is_flat():
    start = disc([0.8, 0.2, 0.2], [1.0, 1.0, 1.0])
    keep = edges(start)
    assert keep(step(start)).item() == 0
    assert keep(step(start - 0.1)).item() < 1e-6  # another brightness
    moved = keep(step(start.roll(12, 3))).item()
    assert moved > 0.01 and keep(step(torch.full_like(start, 0.5))).item() > 0.01
    for size in ((1, 1), (2, 3), (31, 64)):
        assert edges(torch.rand(1, 3, *size))(step(torch.rand(1, 3, *size))).isfinite()


def test_areas_hold_colours_and_free_what_is_small():
    start = disc([0.8, 0.2, 0.2], [0.5, 0.5, 0.5])
    keep = areas(start)
    assert keep(step(start)).item() == 0
    assert keep(step(start + 0.1)).item() == pytest.approx(0.1, rel=1e-3)
    checks = torch.ones(64, 64)
    checks[::2, ::2] = checks[1::2, 1::2] = -1
    assert keep(step(start + 0.2 * checks)).item() < 1e-6


def test_objectives_add_and_scale_like_numbers():
    scene = step(halves(0.0, 1.0))
    a, b = prompt(E[0]), smoothness()
    value = (a - 0.5 * b * 2 + (-b) + (lambda s: s.picture.mean()))(scene)
    expected = a(scene) - 2 * b(scene) + 0.5
    torch.testing.assert_close(value, expected)
    assert sum([a, b])(scene) == (a + b)(scene) and (a / 2)(scene) == (a * np.float32(0.5))(scene)
    with pytest.raises(TypeError, match="give a number"):
        a * "2"
    with pytest.raises(TypeError, match="no objective"):
        a + 3


def test_a_run_takes_another_objective_and_its_prompts_are_texts(pair, small, painted):
    want = prompt("a red apple") - 0.5 * prompt("snow") + 0.1 * smoothness()
    run = vq.Run(pair, small(total_iter=15), objective=want)
    losses = [f.loss for f in run]
    assert losses[-1] < losses[0] - 0.1
    smooth = vq.Run(pair, small(total_iter=15), objective=3 * smoothness())
    list(smooth)
    rough, even = (
        smoothness()(step(run.painting.optimization.picture()))
        for run in (painted(total_iter=15), smooth)
    )
    assert even < 0.5 * rough


def test_every_part_of_a_run_can_be_swapped(pair, small, painted):
    plain = painted()
    whole = lambda picture, generator: torch.nn.functional.interpolate(picture, (64, 64))  # noqa: E731
    swapped = dict(
        crops=whole,
        latent=torch.zeros(1, 32, 8, 8),
        optimizer=lambda parameters: torch.optim.SGD(parameters, lr=5, momentum=0.9),
        objective=prompt("a red apple", distance="spherical"),
    )
    for name, part in swapped.items():
        run = vq.Run(pair, small(), **{name: part})
        list(run)
        assert run.frames[-1].pixels != plain.frames[-1].pixels, name
    with pytest.raises(ValueError, match=r"latent has shape \(1, 2, 3, 4\)"):
        vq.Run(pair, small(), latent=torch.zeros(1, 2, 3, 4))
    with pytest.raises(ValueError, match=r"crops of shape \(1, 3, 32, 32\)"):
        small_views = lambda picture, generator: picture[..., :32, :32]  # noqa: E731
        vq.Run(pair, small(), crops=small_views).step()
    with pytest.raises(ValueError, match="objective"):
        vq.Run(pair, small(), objective=lambda s: s.picture).step()
