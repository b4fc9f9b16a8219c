"""The clock: work in short pieces, so that the controls are heard in between."""

from __future__ import annotations

import time
from collections.abc import Iterator

from .callbacks import Callbacks
from .compat import Timer

TICK = 0.15  # seconds of work between two looks at the controls


class Player:
    """What is being done (`job`), one step at a time, always under the lock.

    A front-end timer asks for work; each tick takes about `TICK` seconds of it and returns.
    `to_the_end` takes the same ticks in one blocking call.
    """

    def __init__(self, calls: Callbacks) -> None:
        self.calls = calls
        self.job: Iterator[None] | None = None
        self.timer = Timer()
        calls.on(self.timer.clock, self.tick)

    @property
    def playing(self) -> bool:
        return self.timer.on

    def play(self, on: bool) -> None:
        self.timer.turn(on)

    def begin(self, job: Iterator[None]) -> None:
        self.job = job
        self.play(True)

    def end(self) -> None:
        self.job = None
        self.play(False)

    def tick(self) -> None:
        """Work for `TICK` seconds."""
        if not self.playing:  # a tick that was on its way, or a timer that did not hear the stop
            return self.timer.turn(False)
        until = time.perf_counter() + TICK
        while self.playing and self.job is not None and time.perf_counter() < until:
            job = self.job
            if next(job, "done") == "done" and self.job is job:  # it may have begun another
                self.end()

    def to_the_end(self) -> None:
        """Tick until the job is done or paused."""
        while self.playing:
            with self.calls.lock, self.calls.listening():
                self.tick()
            time.sleep(0.001)  # lets a callback on another thread have the lock
