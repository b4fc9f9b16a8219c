"""The loop from hand-made parts minimises what it is given, and says which part does not fit."""

import dataclasses

import pytest
import torch

import vqclip_nb as vq
from vqclip_nb import loop
from vqclip_nb.latents import Latent
from vqclip_nb.loop import Diverged, Optimization

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


@pytest.mark.parametrize("ema_decay", [0.0, 0.9])
def test_its_state_goes_on_bit_for_bit(ema_decay):
    one = by_hand(ema_decay)
    for _ in range(5):
        one.step()
    state = one.state_dict()
    other = by_hand(ema_decay)
    other.load_state_dict(state)
    for optimization in (one, other):
        for _ in range(5):
            optimization.step()
    assert all(torch.equal(v, other.state_dict()[k]) for k, v in one.state_dict().items())
    assert one.iteration == other.iteration == 10


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


def test_judging_few_crops_at_a_time_changes_nothing_but_memory(pair, small, monkeypatch):
    moved = {}
    clip = dataclasses.replace(pair.clip, dropout=0.0)  # which is drawn anew each time
    pair = dataclasses.replace(pair, clip=clip)
    for at_once in (100, 3):
        monkeypatch.setattr(loop, "CLIP_BATCH", at_once)
        run = vq.Run(pair, small(crops=8, exclude="a blue car", extras="at night"))
        frame = run.step()
        grad = run.painting.optimization.latent.data.grad
        moved[at_once] = torch.cat([torch.tensor([frame.loss, frame.similarity]), grad.flatten()])
    torch.testing.assert_close(moved[3], moved[100], rtol=1e-3, atol=1e-6)


def test_it_goes_on_after_an_interrupt_that_left_gradients_off():
    optimization, other = by_hand(), by_hand()
    with torch.no_grad():  # as an interrupt at its edge leaves it
        steps = [optimization.step().loss for _ in range(3)]
        assert not torch.is_grad_enabled()
    assert steps == [other.step().loss for _ in range(3)]
