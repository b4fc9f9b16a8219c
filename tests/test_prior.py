"""The prior over codes: who sees whom, what sampling keeps, and that it learns what it is shown."""

import pytest
import torch

from training.train_prior import masked_loss
from vqclip_nb.emoji.prior import ATTENTION, Prior, attention_mask

SMALL = dict(side=4, width=64, layers=2, heads=2, text_width=8, encoding=8, head_width=16)


def words(n, *, seed=0):
    """Captions that differ: tokens, keep and encodings."""
    generator = torch.Generator().manual_seed(seed)
    encoding = torch.nn.functional.normalize(torch.randn(n, 8, generator=generator), dim=-1)
    return torch.randn(n, 3, 8, generator=generator), torch.ones(n, 3, dtype=torch.bool), encoding


@pytest.fixture(scope="module")
def taught():
    """A prior that has seen two grids of 16 codes, each with its caption."""
    torch.manual_seed(0)
    prior, generator = Prior(10, **SMALL), torch.Generator().manual_seed(0)
    grids = torch.randint(10, (2, 4, 4), generator=generator)
    optimizer = torch.optim.AdamW(prior.parameters(), lr=3e-3)
    tokens, keep, encoding = words(2)
    losses = []
    for _ in range(150):
        said = torch.rand(16, 1, generator=generator) > 0.2
        caption = (tokens.repeat(8, 1, 1), keep.repeat(8, 1) & said, encoding.repeat(8, 1))
        loss = masked_loss(prior, grids.repeat(8, 1, 1), caption, generator, 0.0)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < 0.3 < 2 < losses[0]
    return prior.eval(), grids


def test_attention_patterns_on_a_grid_of_four():
    full, local, strided = (attention_mask(4, p) for p in ATTENTION)
    assert full.all() and full.shape == (16, 16)
    assert local[0].nonzero()[:, 0].tolist() == [0, 1, 2, 4, 5, 6, 8, 9, 10]
    assert local[5].nonzero()[:, 0].tolist() == [*range(16)]
    assert strided[5].nonzero()[:, 0].tolist() == [1, 4, 5, 6, 7, 9, 13]
    with pytest.raises(ValueError, match="'wide' is not known: choose of full, local, strided"):
        attention_mask(4, "wide")
    with pytest.raises(ValueError, match="side=5: give a multiple of patch=2"):
        Prior(10, 5)


def test_it_draws_the_grid_that_the_caption_asks_for(taught):
    prior, grids = taught
    seeds = [torch.Generator().manual_seed(s) for s in (0, 1, 2, 2)]
    drawn = torch.stack([prior.sample(words(2), generator=g) for g in seeds])
    assert (drawn == grids).float().mean() > 0.9
    assert (drawn == grids.flip(0)).float().mean() < 0.5
    assert torch.equal(drawn[2], drawn[3])


def test_sampling_keeps_the_codes_it_is_given_and_hears_a_push(taught):
    prior, grids = taught
    start = torch.full((1, 4, 4), prior.codes)
    start[0, 1] = 9 - grids[0, 1]
    one = [x[:1] for x in words(2)]
    calls = []

    def push(index, logits):
        calls.append((index == prior.codes).sum().item())
        return torch.where(torch.arange(10) == 3, 1e4, 0.0)

    plain = prior.sample(one, steps=4, generator=torch.Generator(), index=start)
    assert torch.equal(plain[0, 1], start[0, 1]) and plain.max() < prior.codes
    pushed = prior.sample(one, steps=4, generator=torch.Generator(), index=start, push=push)
    assert (pushed[0, [0, 2, 3]] == 3).all() and torch.equal(pushed[0, 1], start[0, 1])
    assert calls[0] == 12 and calls == sorted(calls, reverse=True) and len(calls) == 4


def test_its_likelihood_tells_the_right_grid_from_the_other(taught):
    prior, grids = taught
    right = prior.log_likelihood(grids, words(2), generator=torch.Generator().manual_seed(0))
    wrong = prior.log_likelihood(
        grids.flip(0), words(2), generator=torch.Generator().manual_seed(0)
    )
    assert right.shape == (2,) and (right < 0).all() and (right > wrong + 1).all()
    with torch.no_grad():  # in one group every cell is read off the empty grid
        empty = prior(torch.full_like(grids, prior.codes), words(2)).log_softmax(-1)
    by_hand = empty.gather(2, grids.flatten(1)[..., None]).mean((1, 2))
    once = prior.log_likelihood(grids, words(2), steps=1, generator=torch.Generator())
    torch.testing.assert_close(once, by_hand)
