"""Work in short pieces, so that the controls are heard in between."""

from __future__ import annotations

import contextlib
import html
import sys
import threading
import time
from collections.abc import Iterator

import ipywidgets as w

from .callbacks import Callbacks

TICK = 0.05  # seconds of work between two looks at the controls
REST = 0.002  # seconds in which another thread can have the lock
PRESS = """
(function wait(image, tries) {
  var box = image.closest('.vq-timer'), play = box && box.querySelector('button');
  if (play) play.click();
  else if (tries) setTimeout(wait, 100, image, tries - 1);
})(this, 100)
"""


def in_a_kernel() -> bool:
    """Whether this is a notebook's kernel, with a page that can show what a thread paints."""
    ipython = sys.modules.get("IPython")
    return getattr(ipython and ipython.get_ipython(), "kernel", None) is not None


class Timer:
    """A timer of the page that the kernel starts and stops; `clock.value` counts its ticks.

    Version 8 starts a Play when its `playing` is set. Version 7 starts one only by its own button:
    there a script presses it, as soon as the page shows it.
    """

    def __init__(self) -> None:
        self.clock = w.Play(min=0, max=2**31 - 1, interval=100)
        self._press = w.HTML()
        self.box = w.HBox([self.clock, self._press], layout=w.Layout(display="none"))
        self.box.add_class("vq-timer")
        self.on = False

    def turn(self, on: bool) -> None:
        """Start or stop; to stop a timer that is stopped makes sure of it."""
        self.on = on
        if self.clock.has_trait("playing"):
            self.clock.playing = on
        elif on:
            self._press.value = f'<img alt="" src="data:," onerror="{html.escape(PRESS)}">'
        else:
            self._press.value, self.clock._playing = "", False
            self.clock.send_state("_playing")  # here it may be false already, there it is not


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
