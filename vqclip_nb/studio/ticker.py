"""Work in short pieces, so that the controls are heard in between."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator

from .callbacks import Callbacks
from .compat import Timer

TICK = 0.05  # seconds of work between two looks at the controls
REST = 0.002  # seconds in which another thread can have the lock


def in_a_kernel() -> bool:
    """Whether this is a notebook's kernel, with a page that can show what a thread paints."""
    ipython = sys.modules.get("IPython")
    return getattr(ipython and ipython.get_ipython(), "kernel", None) is not None


class Ticker:
    """What is being done (`job`), one step at a time, always under the lock.

    In a notebook a thread takes the steps: painting goes on while the page is reloaded or another
    cell runs. Colab's page does not show what a thread changes (googlecolab/colabtools#3373): there
    a timer of the page asks for the steps. `to_the_end` takes the same steps in one blocking call.
    Without a page whoever shows the Studio calls `tick`.
    """

    def __init__(self, calls: Callbacks) -> None:
        self.calls = calls
        self.job: Iterator[None] | None = None
        self.playing = False
        self.timer = Timer() if "google.colab" in sys.modules else None
        if self.timer:
            calls.on(self.timer.clock, self.tick)
        self._blocking = False
        self._thread: threading.Thread | None = None

    def play(self, on: bool) -> None:
        self.playing = on
        if self.timer:
            self.timer.turn(on and not self._blocking)
        elif on and not self._blocking and self._thread is None and in_a_kernel():
            self._thread = threading.Thread(target=self._work, daemon=True)
            self._thread.start()

    def begin(self, job: Iterator[None]) -> None:
        self.job = job
        self.play(True)

    def end(self) -> None:
        self.job = None
        self.play(False)

    def tick(self) -> None:
        """Work for `TICK` seconds, one step at least."""
        if self.timer and not self.playing:  # a tick that was on its way when it was stopped
            self.timer.turn(False)
        until = time.perf_counter() + TICK
        while self.playing and self.job is not None:
            job = self.job
            if next(job, "done") == "done" and self.job is job:  # it may have begun another
                self.end()
            if time.perf_counter() > until:
                break

    def _work(self) -> None:
        while True:
            with self.calls.lock:
                if not self.playing or self._blocking:
                    self._thread = None
                    return
                self.calls.guard(self.tick)
            time.sleep(REST)

    @contextlib.contextmanager
    def blocking(self) -> Iterator[None]:
        """What is begun inside is done by `to_the_end`, by no thread."""
        self._blocking = True
        try:
            yield
        finally:
            self._blocking = False

    def to_the_end(self) -> None:
        """Tick until the job is done or paused."""
        while self.playing:
            with self.calls.lock, self.calls.listening():
                self.tick()
            time.sleep(REST)  # lets a callback on another thread have the lock
