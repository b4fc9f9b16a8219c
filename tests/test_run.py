"""The loop paints what was asked, the same way each time, and loses nothing on the way."""

import dataclasses
import warnings

import numpy as np
import pytest
import torch
from runs import after_steps, assert_same, finished

import vqclip_nb as vq
import vqclip_nb.objectives
import vqclip_nb.parts
from vqclip_nb.latents import FUNCTIONS, Latent, noise


def test_report_preset_runs_as_described(pair):
    s = vq.Settings.preset(
        "report", include="Pineapple in a bowl", exclude="watermark", total_iter=21, crops=3
    ).replace(height=60, width=70, show_from=10)
    strange = "watermark: not known"  # the emoji pair knows no watermark
    with pytest.warns(match="60×70 becomes 56×64"), pytest.warns(match=strange):
        run = vq.Run(pair, s)
    frames = [f for f in run if f.shown]
    assert [f.iteration for f in frames] == [10, 20]
    assert run.image.size == (64, 56) and run.image.mode == "RGB"
    with warnings.catch_warnings(action="error"):
        assert vq.Run(pair, vq.Settings(include="a fox", height=None, width=32)).size == (256, 32)


@pytest.mark.parametrize(
    ("optimizer", "words"),
    [
        ("AdamW", "optimizer='AdamW': give a function"),
        (torch.optim.SGD([torch.zeros(1)], lr=1), "give a function that makes one"),
        (torch.optim.LBFGS, "LBFGS needs several losses a step"),
        (lambda parameters: "AdamW", "str is no optimizer of torch's"),
        (lambda parameters: torch.optim.SGD([torch.zeros(1)], lr=1), "does not hold the latent"),
    ],
    ids=["name", "instance", "LBFGS", "no optimizer", "of another tensor"],
)
def test_optimizers_that_cannot_be_used_are_refused_at_once(pair, small, optimizer, words):
    with pytest.raises(ValueError, match=words):
        vq.Run(pair, small(), optimizer=optimizer)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_activations_act_at_the_start_or_in_every_step(name):
    draw = 0.5 * torch.randn(1, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    expected = {
        "sine": draw.sin(),
        "none": draw,
        "relu": draw.clamp(min=0),
        "leaky relu": torch.where(draw > 0, draw, 0.2 * draw),
        "tanh": draw.tanh(),
        "sigmoid": 1 / (1 + (-draw).exp()),
        "softmax": draw.exp() / draw.exp().sum(1, keepdim=True),
    }[name]
    for at, stored in (("start", expected), ("every step", draw)):
        how = dict(activation=name, at=at)
        latent = Latent(noise(draw.shape, generator=torch.Generator().manual_seed(0), **how), **how)
        torch.testing.assert_close(latent.data.detach(), stored)
        torch.testing.assert_close(latent().detach(), expected)


def test_changes_take_effect_on_the_next_step_or_ask_for_a_restart(pair, small, painted):
    run = after_steps(vq.Run(pair, small(total_iter=4)), 1)
    apple = run.encodings.include[0]
    run.change(learning_rate=0.7, noise_factor=0, include="a blue heart")
    assert not torch.equal(run.encodings.include[0], apple)
    assert run.painting.optimization.optimizer.param_groups[0]["lr"] == 0.7
    assert run.changes[0][0] == 1 and run.changes[0][1]["include"] == ["a blue heart"]
    with pytest.raises(ValueError, match="seed, activation|activation, seed"):
        run.change(seed=3, activation="tanh")
    with pytest.raises(ValueError, match="0.001 to 10"):
        run.change(learning_rate=0)
    assert run.settings.learning_rate == 0.7
    pictures = after_steps(vq.Run(pair, small(["a fox", "an owl"], total_iter=1)), 1)
    with pytest.raises(ValueError, match="picture 2 is forming"):
        pictures.change(include="an owl")
    list(run)
    assert run.frames[-1].pixels != painted(total_iter=4).frames[-1].pixels
    with pytest.warns(UserWarning, match="every picture is finished: this change has no effect"):
        run.change(learning_rate=0.1)


def test_a_branch_repeats_the_first_try_while_memory_keeps_it(painted):
    run = painted(total_iter=8, ema_decay=0.9)
    first = list(run.frames)
    same = finished(run.branch(run.frames[-2]))
    assert same.history == run.history and same.frames[-1].pixels == run.frames[-1].pixels
    changed = finished(run.branch(run.frames[1], include="a blue heart"))
    assert changed.frames[0].pixels == run.frames[0].pixels
    assert changed.frames[-1].pixels != run.frames[-1].pixels
    assert run.frames == first
    run = painted(total_iter=80, show_step=1, crops=1, height=16, width=16)
    assert len(run.frames) == 80 and sum(bool(f.state) for f in run.frames) <= 65
    with pytest.raises(ValueError, match="can no longer be continued"):
        run.branch(next(f for f in run.frames if not f.state))


def test_a_start_from_the_library_needs_a_library(pair):
    other = dataclasses.replace(pair, vqgan_hash="0")
    assert other.library is None
    assert vq.Run(other, vq.Settings(include=["a fox"])).settings.start == "noise"
    with pytest.raises(ValueError, match="has no library of drawings"):
        vq.Run(other, vq.Settings(include=["a fox"], start="library"))


@pytest.fixture
def three(small):
    return lambda **changes: small(**dict(tries=3, seed=5) | changes)


def test_the_guides_favourite_of_three_is_painted_as_its_own_seed_would_be(pair, painted, three):
    run = after_steps(vq.Run(pair, three()), 1)
    alone = [painted(seed=5 + i) for i in range(3)]
    early = [np.mean([row[3] for row in other.history[:3]]) for other in alone]
    assert np.allclose(run.tried, early) and len(set(early)) == 3
    best = alone[int(np.argmax(early))]
    assert run.painting.seed == best.settings.seed
    assert_same(finished(run), best)


def test_every_picture_and_prompt_has_its_own_tries_and_the_time_left_counts_them(pair, three):
    run, chosen = vq.Run(pair, three(include=["a red apple", "a blue heart"])), []
    for frame in run:
        if frame.iteration == 0:
            chosen.append(tuple(run.tried))
            done = (frame.index + 1) * 10 + frame.index * 5  # of 9 steps ahead and 6 each
            assert run.seconds_left == pytest.approx(run.seconds / done * (30 - done))
    assert len({*chosen}) == 2 and run.seconds_left == 0
    run = vq.Run(pair, three())
    run.change(include=["a blue heart"])
    assert_same(finished(run), finished(vq.Run(pair, three(include=["a blue heart"]))))


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_a_saved_run_and_a_branch_go_on_with_the_same_try(pair, three, tmp_path, steps):
    run = after_steps(vq.Run(pair, three()), steps)
    again = vq.Run.resume(run.save(tmp_path / "run.state"), pair)
    assert_same(finished(again), finished(run))
    branch = finished(run.branch(run.frames[min(steps, 1)]))
    assert branch.history == run.history and branch.image.tobytes() == run.image.tobytes()
    assert again.painting.seed == branch.painting.seed == run.painting.seed


def test_an_interrupt_keeps_the_tries_that_are_done(pair, three, fail):
    whole, run = finished(vq.Run(pair, three())), vq.Run(pair, three())
    fail(type(pair.clip), "encode_crops", KeyboardInterrupt, 5)
    with pytest.raises(KeyboardInterrupt):
        run.step()
    assert len(run.tried) == 1 and run.iteration == 0 and not run.history
    assert_same(finished(run), whole)
