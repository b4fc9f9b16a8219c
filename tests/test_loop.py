"""The loop from hand-made parts minimises what it is given, and says which part does not fit."""

import dataclasses
import itertools

import numpy as np
import pytest
import torch

import vqclip_nb as vq
from vqclip_nb import memory
from vqclip_nb.latents import Latent
from vqclip_nb.loop import Diverged, Optimization
from vqclip_nb.memory import SAVINGS
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


def test_it_needs_no_pair_no_text_and_no_setting_to_reach_what_is_wanted():
    optimization = by_hand()
    losses = [optimization.step().loss for _ in range(60)]
    assert losses[-1] < 0.2 * losses[0]
    red, green, blue = optimization.picture()[0].mean((1, 2))
    assert red > 0.9 and green < 0.1 and blue < 0.1


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


def test_what_is_no_number_is_noticed_in_that_step():
    with pytest.raises(Diverged, match="objective gave nan in step 0"):
        by_hand(objective=lambda step: step.encodings.mean() * float("nan")).step()
    with pytest.raises(Diverged, match="latent ran away"):
        by_hand(lr=float("inf")).step()


def test_a_latent_of_another_shape_is_refused():
    state = by_hand().state_dict() | {"z": torch.zeros(1, 3, 4, 4)}
    with pytest.raises(ValueError, match=r"latent .*\(1, 3, 4, 4\)"):
        by_hand().load_state_dict(state)


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
    without_dropout, small, monkeypatch, when
):
    settings = small(crops=9, ema_decay=0.9)
    wanted = vq.Run(without_dropout, settings)
    for _ in range(3):
        wanted.step()
    monkeypatch.setattr(memory, "free_bytes", lambda device: 1e12)  # two calls of each network
    owner = {"decode": without_dropout.vqgan, "encode_crops": without_dropout.clip}
    owner, calls = owner.get(when, torch.autograd), itertools.count()
    real = getattr(owner, when)

    def full(*given, **how):
        if next(calls) in (4, 5):
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return real(*given, **how)

    monkeypatch.setattr(owner, when, full)
    run = vq.Run(without_dropout, settings)
    with pytest.warns(UserWarning) as told:
        for _ in range(3):
            run.step()
    words = [str(one.message) for one in told if one.category is UserWarning]
    assert len(words) == 2 and "8 crops are judged at a time; the picture is the same" in words[0]
    assert run.history == [pytest.approx(row, abs=1e-4) for row in wanted.history]
    shown, other = (np.asarray(one.image).astype(int) for one in (run, wanted))
    assert abs(shown - other).max() <= 3


def test_memory_that_no_saving_helps_is_an_error_that_says_what_to_lower(
    without_dropout, small, monkeypatch
):
    run = vq.Run(without_dropout, small())
    first = run.step()

    def full(*given, **how):
        raise MemoryError

    with monkeypatch.context() as patch, pytest.warns(UserWarning) as told:
        patch.setattr(without_dropout.vqgan, "decode", full)
        with pytest.raises(MemoryError, match="height and width"):
            run.step()
    assert any("one at a time, the decoder computes twice" in str(one.message) for one in told)
    assert run.last is first and run.step().iteration == 1


def test_where_dropout_draws_for_other_lots_no_equal_picture_is_promised(pair, small):
    builder = PartBuilder(pair, small(), (64, 64), {})
    with pytest.warns(UserWarning, match="the memory is full: .*; the picture differs a little"):
        assert builder.save_memory()


def test_the_memory_that_is_free_chooses_how_a_step_is_made(pair, monkeypatch):
    chosen = []
    for megabytes in (1e6, 500, 100, 10):
        monkeypatch.setattr(memory, "free_bytes", lambda device, n=megabytes: n * 1e6)
        chosen.append(memory.choose_saving(pair, (256, 256), 32, torch.float32))
    assert chosen == [SAVINGS[i] for i in (0, 0, 1, 2)]
    monkeypatch.setattr(memory, "free_bytes", lambda device: 1e12)
    assert memory.choose_saving(pair, (256, 256), 32, torch.float32) == SAVINGS[0]
    monkeypatch.setattr(memory, "LOT", 1e6)  # a large guide's crops, on a CPU: no faster at once
    assert memory.choose_saving(pair, (256, 256), 32, torch.float32) == SAVINGS[1]


def test_it_goes_on_after_an_interrupt_that_left_gradients_off():
    optimization, other = by_hand(), by_hand()
    with torch.no_grad():  # as an interrupt at its edge leaves it
        steps = [optimization.step().loss for _ in range(3)]
        assert not torch.is_grad_enabled()
    assert steps == [other.step().loss for _ in range(3)]
