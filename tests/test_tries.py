"""Several seeds are tried and the guide's favourite is painted: the same however it is reached."""

import numpy as np
import pytest

import vqclip_nb as vq
from vqclip_nb.tries import steps_ahead


@pytest.fixture
def three(small):
    return lambda **changes: small(**dict(tries=3, seed=5) | changes)


def finished(run):
    list(run)
    return run


def same(a, b):
    return a.history == b.history and np.array_equal(np.asarray(a.image), np.asarray(b.image))


def test_the_guides_favourite_of_three_is_painted_as_its_own_seed_would_be(pair, painted, three):
    run = vq.Run(pair, three())
    run.step()
    alone = [painted(seed=5 + i) for i in range(3)]
    early = [np.mean([row[3] for row in other.history[:3]]) for other in alone]
    assert np.allclose(run.tried, early) and len(set(early)) == 3
    best = alone[int(np.argmax(early))]
    assert run.painting.seed == best.settings.seed
    assert same(finished(run), best)


def test_every_picture_has_its_own_tries_and_the_time_left_counts_them(pair, three):
    run = vq.Run(pair, three(include=["a red apple", "a blue heart"]))
    ahead, chosen = steps_ahead(run.settings), []
    assert ahead == 9
    for frame in run:
        if frame.iteration == 0:
            chosen.append((frame.index, tuple(run.tried)))
            done = (frame.index + 1) * (ahead + 1) + frame.index * 5
            expected = run.seconds / done * (2 * (ahead + 6) - done)
            assert run.seconds_left == pytest.approx(expected)
    assert [index for index, _ in chosen] == [0, 1] and chosen[0][1] != chosen[1][1]
    assert run.seconds_left == 0


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_a_saved_run_goes_on_with_the_same_try(pair, three, tmp_path, steps):
    run = vq.Run(pair, three())
    for _ in range(steps):
        run.step()
    again = vq.Run.resume(run.save(tmp_path / "run.state"), pair)
    assert same(finished(again), finished(run))
    assert again.painting.seed == run.painting.seed


def test_a_branch_goes_on_with_the_same_try(pair, three):
    run = finished(vq.Run(pair, three()))
    for frame in run.frames[:2]:
        branch = run.branch(frame)
        assert same(finished(branch), run) and branch.painting.seed == run.painting.seed


def test_an_interrupt_keeps_the_tries_that_are_done(pair, three, monkeypatch):
    whole, run = finished(vq.Run(pair, three())), vq.Run(pair, three())
    encode, left = type(pair.clip).encode_crops, [5]

    def cut(self, *given, **how):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return encode(self, *given, **how)

    monkeypatch.setattr(type(pair.clip), "encode_crops", cut)
    with pytest.raises(KeyboardInterrupt):
        run.step()
    assert len(run.tried) == 1 and run.iteration == 0 and not run.history
    left[0] = 5 + 1  # the two tries that are left, and the first step needs one more
    with pytest.raises(KeyboardInterrupt):
        run.step()
    assert len(run.tried) == 3
    monkeypatch.undo()
    assert same(finished(run), whole)


def test_another_prompt_before_the_first_step_is_what_is_tried(pair, three):
    run = vq.Run(pair, three())
    run.change(include=["a blue heart"])
    assert same(finished(run), finished(vq.Run(pair, three(include=["a blue heart"]))))
