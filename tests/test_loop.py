"""The loop from hand-made parts minimises what it is given, and says which part does not fit."""

import dataclasses
import math
from unittest.mock import patch

import numpy as np
import pytest
import torch
from runs import after_steps, finished

import vqclip_nb as vq
from vqclip_nb import memory, objectives
from vqclip_nb.latents import Latent
from vqclip_nb.loop import Diverged, Optimization
from vqclip_nb.memory import SAVINGS
from vqclip_nb.objectives import areas, edges, palette, prompt, pull, report, smoothness, symmetry
from vqclip_nb.parts import PartBuilder

PARTS = dict(
    synthesize=lambda z: (z.sigmoid(), z),
    crops=lambda picture, generator: (
        picture.expand(4, -1, -1, -1) + 0.1 * torch.randn(4, 1, 1, 1, generator=generator)
    ),
    encode=lambda crops, generator: crops.mean((2, 3)),
    objective=lambda step: (step.encodings - torch.tensor([1.0, 0, 0])).square().mean(),
)


def by_hand(ema_decay: float = 0.0, lr: float = 0.1, **changes) -> Optimization:
    latent = Latent(torch.zeros(1, 3, 2, 2))
    optimizer = torch.optim.AdamW([latent.data], lr=lr)
    return Optimization(latent, **{**PARTS, **changes}, optimizer=optimizer, ema_decay=ema_decay)


def test_it_needs_no_pair_no_text_and_no_setting_nor_gradients_that_are_on():
    optimization = by_hand()
    losses = [optimization.step().loss for _ in range(60)]
    assert losses[-1] < 0.2 * losses[0]
    red, green, blue = optimization.picture()[0].mean((1, 2))
    assert red > 0.9 and green < 0.1 and blue < 0.1
    optimization, other = by_hand(), by_hand()
    with torch.no_grad():  # as an interrupt at its edge leaves it
        steps = [optimization.step().loss for _ in range(3)]
        assert not torch.is_grad_enabled()
    assert steps == [other.step().loss for _ in range(3)]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (dict(objective=lambda step: step.encodings.mean(0)), r"objective .* \(3,\)"),
        (dict(objective=lambda step: 3.0), "objective gave 3.0"),
        (dict(objective=lambda step: torch.tensor(1.0)), "objective does not depend"),
        (dict(crops=lambda picture, generator: picture[0]), r"crops .* \(3, 2, 2\)"),
        (dict(encode=lambda crops, generator: crops.mean((1, 2, 3))), r"encode .* \(4,\)"),
    ],
)
def test_a_part_that_does_not_fit_is_named(changes, words):
    with pytest.raises(ValueError, match=words):
        by_hand(**changes).step()


def test_what_is_no_number_or_of_another_shape_is_refused():
    with pytest.raises(Diverged, match="objective gave nan in step 0"):
        by_hand(objective=lambda step: step.encodings.mean() * float("nan")).step()
    with pytest.raises(Diverged, match="latent ran away"):
        by_hand(lr=float("inf")).step()
    with pytest.raises(ValueError, match=r"latent .*\(1, 3, 4, 4\)"):
        by_hand().load_state_dict(by_hand().state_dict() | {"z": torch.zeros(1, 3, 4, 4)})


@pytest.fixture
def without_dropout(pair):
    """The pair, without what is drawn anew for each lot of crops."""
    return dataclasses.replace(pair, clip=dataclasses.replace(pair.clip, dropout=0.0))


def test_a_step_with_less_memory_is_the_same_step(without_dropout, small, monkeypatch):
    moved = []
    for saving in SAVINGS:
        monkeypatch.setattr(memory, "choose_saving", lambda *about, saving=saving: saving)
        asked = dict(exclude="a blue car", extras="at night", regions=["left: a cat"])
        run = vq.Run(without_dropout, small(crops=9, **asked))
        frame = run.step()
        grad = run.painting.optimization.latent.data.grad
        moved.append(torch.cat([torch.tensor([frame.loss, frame.similarity]), grad.flatten()]))
    for other in moved[1:]:
        torch.testing.assert_close(other, moved[0], rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("when", ["decode", "encode_crops", "backward"])
def test_when_memory_ends_the_step_is_taken_again_with_less(
    without_dropout, small, monkeypatch, fail, when
):
    settings = small(crops=9, ema_decay=0.9)
    wanted = after_steps(vq.Run(without_dropout, settings), 3)
    monkeypatch.setattr(memory, "free_bytes", lambda device: 1e12)  # two calls of each network
    owner = {"decode": without_dropout.vqgan, "encode_crops": without_dropout.clip}
    full = torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
    fail(owner.get(when, torch.autograd), when, full, 4, 5)
    with pytest.warns(UserWarning) as told:
        run = after_steps(vq.Run(without_dropout, settings), 3)
    words = [str(one.message) for one in told if one.category is UserWarning]
    assert len(words) == 2 and "8 crops are judged at a time; the picture is the same" in words[0]
    assert run.history == [pytest.approx(row, abs=1e-4) for row in wanted.history]
    shown, other = (np.asarray(one.image).astype(int) for one in (run, wanted))
    assert abs(shown - other).max() <= 3


def test_memory_that_no_saving_helps_is_an_error_that_says_what_to_lower(without_dropout, small):
    run = vq.Run(without_dropout, small())
    first = run.step()
    full = patch.object(without_dropout.vqgan, "decode", side_effect=MemoryError)
    with full, pytest.warns(UserWarning) as told:
        with pytest.raises(MemoryError, match="height and width"):
            run.step()
    assert any("one at a time, the decoder computes twice" in str(one.message) for one in told)
    assert run.last is first and run.step().iteration == 1


def test_the_memory_that_is_free_chooses_how_a_step_is_made(pair, monkeypatch, small):
    chosen = []
    for megabytes in (1e6, 500, 100, 10):
        monkeypatch.setattr(memory, "free_bytes", lambda device, n=megabytes: n * 1e6)
        chosen.append(memory.choose_saving(pair, (256, 256), 32, torch.float32))
    assert chosen == [SAVINGS[i] for i in (0, 0, 1, 2)]
    with pytest.warns(UserWarning, match="the memory is full: .*; the picture differs a little"):
        assert PartBuilder(pair, small(), (64, 64), {}).save_memory()


# -- objectives: each term gives the answer that one can work out by hand

E = torch.eye(3)[:, None]  # three encodings (1, 3) at right angles
BLACK, TWO_CROPS = torch.zeros(1, 3, 4, 4), torch.tensor([[1.0, 0, 0], [0, 0, 2.0]])


def step(picture=BLACK, encodings=TWO_CROPS) -> objectives.Step:
    z = torch.zeros(1, 2, 1, 1)
    return objectives.Step(z, z, picture, picture, encodings)


def halves(left: float, right: float) -> torch.Tensor:
    picture = torch.full((1, 3, 16, 16), left)
    picture[..., 8:] = right
    return picture


def test_losses_are_those_of_the_formulas():
    assert report(E[0])(step()).item() == pytest.approx(-0.5)
    loss = report(E[0], None, E[2], alpha=2, beta=0.5)
    assert loss(step()).item() == pytest.approx(-2 * 0.5 + 0.5 * 0.5)
    both = report(E[0], E[1], w1=3, w2=4)
    assert both(step(encodings=torch.tensor([[3.0, 4.0, 0]]))).item() == pytest.approx(-1)
    assert prompt(E[0])(step()).item() == pytest.approx(-0.5)  # one crop of two
    spherical = prompt(E[0], distance="spherical")(step()).item()
    assert spherical == pytest.approx((math.pi / 2) ** 2 / 4, rel=1e-3)
    flat, split = torch.full((1, 3, 16, 16), 0.3), halves(0.0, 1.0)
    black_and_white = palette((0, 0, 0), (1, 1, 1))
    for term, seen, value in (
        (smoothness(), flat, 0),
        (smoothness(), split, 1 / 15),  # one edge among 15
        (symmetry(), flat, 0),
        (symmetry(), split, 1),
        (black_and_white, split, 0),
        (palette((0, 0, 0)), split, 3 / 2),  # white is √3 away
        (pull(torch.ones(1, 2, 1, 1)), split, 1),
    ):
        assert term(step(seen)).item() == pytest.approx(value)
    assert black_and_white(step(halves(0.0, 0.0))).item() > 0.5  # one is missing


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda: prompt(E[0], distance="far"), "cosine or spherical"),
        (lambda: prompt("a fox")(step()), "bind"),
        (lambda: prompt(torch.zeros(1, 5))(step()), "has 5 numbers.*have 3"),
        (lambda: pull(torch.ones(1, 2, 3, 3))(step()), "pull"),
        (lambda: palette(), "at least one"),
    ],
)
def test_terms_that_do_not_fit_are_refused(wrong, words):
    with pytest.raises(ValueError, match=words):
        wrong()


def test_edges_hold_shapes_and_areas_colours():
    start = torch.ones(1, 3, 64, 64)
    start[..., 16:40, 16:40] = torch.tensor([0.8, 0.2, 0.2]).view(3, 1, 1)
    keep = edges(start)
    assert keep(step(start)).item() == 0
    assert keep(step(start - 0.1)).item() < 1e-6  # another brightness
    assert keep(step(start.roll(12, 3))).item() > 0.01
    assert keep(step(torch.full_like(start, 0.5))).item() > 0.01
    for size in ((1, 1), (2, 3), (31, 64)):
        assert edges(torch.rand(1, 3, *size))(step(torch.rand(1, 3, *size))).isfinite()
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


def test_every_part_of_a_run_can_be_swapped(pair, small, painted):
    plain = painted()
    swapped = dict(
        crops=lambda picture, generator: torch.nn.functional.interpolate(picture, (64, 64)),
        latent=torch.zeros(1, 32, 8, 8),
        optimizer=lambda parameters: torch.optim.SGD(parameters, lr=5, momentum=0.9),
        objective=prompt("a red apple", distance="spherical"),
    )
    for name, part in swapped.items():
        run = finished(vq.Run(pair, small(), **{name: part}))
        assert run.frames[-1].pixels != plain.frames[-1].pixels, name
    with pytest.raises(ValueError, match=r"latent has shape \(1, 2, 3, 4\)"):
        vq.Run(pair, small(), latent=torch.zeros(1, 2, 3, 4))
    with pytest.raises(ValueError, match="objective"):
        vq.Run(pair, small(), objective=lambda s: s.picture).step()
