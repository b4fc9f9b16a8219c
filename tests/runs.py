"""What tests of runs share."""

from itertools import islice

import vqclip_nb as vq


def after_steps(run: vq.Run, steps: int | None) -> vq.Run:
    """The run, so many steps later."""
    list(islice(run, steps))
    return run


def finished(run: vq.Run) -> vq.Run:
    return after_steps(run, None)


def assert_same(run: vq.Run, other: vq.Run) -> None:
    """Both took the same steps to the same pictures."""
    assert other.history == run.history
    assert [f.pixels for f in other.frames] == [f.pixels for f in run.frames]
    assert other.image.tobytes() == run.image.tobytes()
