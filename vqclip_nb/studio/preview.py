"""The picture: as it forms, as it was, and how far it is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import ipywidgets as w
from PIL import Image

from ..frames import Frame
from ..show import Curves, Figure, total_steps
from .callbacks import Callbacks
from .widgets import BLANK, Number, duration, jpeg, set_shown, tip

if TYPE_CHECKING:
    from ..run import Run

OFTEN, SELDOM = 0.1, 1.0  # seconds between two pictures, at least and at most
SHARE = 15  # wait so many times as long as showing kept its thread busy: all in all 5 % of the time
CURVES_OFTEN, CURVES_SHARE = 1.0, 100  # seconds between two drawings, and times as long as one took


class Preview:
    """One large picture with its progress, its curves and the way back through its frames."""

    def __init__(self, calls: Callbacks) -> None:
        self.calls = calls
        self.run: Run | None = None
        self._due = self._curves_due = 0.0
        blank = jpeg(BLANK.resize((512, 512)))
        self.picture = w.Image(format="jpeg", value=blank).add_class("vq-picture")
        self.bar = w.IntProgress(min=0, max=1, value=0).add_class("vq-bar")
        self.status = w.HTML().add_class("vq-status")
        self.curves = w.Image(format="png").add_class("vq-curves")
        set_shown(self.curves, False)
        back, how = "the picture as it was after so many steps", dict(whole=True, slider=True)
        self.back = Number("look back", 0, back, low=0, high=0, width="80px", **how)
        self.full = w.ToggleButton(description="Full size").add_class("vq-button")
        tip(self.full, "the picture as large as the page allows; press again for the controls")

    def adopt(self, run: Run) -> None:
        """Show `run` from now on."""
        self.run, self._curves_due = run, 0.0
        self._figure = Figure(figsize=(6.4, 1.9))
        self._curves = Curves(self._figure.add_axes((0.09, 0.24, 0.87, 0.7)))
        if not run.history:
            set_shown(self.curves, False)
        self._follow()
        if run.last:
            self.show(force=True)
        else:
            self.bar.value, self.status.value = 0, "starting"

    @property
    def frame(self) -> Frame | None:
        """The frame that is looked at: the newest, or the kept one nearest to the slider."""
        if self.run is None:
            return None
        run, back = self.run, self.back
        if back.wrong() or back.value >= back.high or not run.frames:
            return run.last
        return self._kept(back.value)[1]

    def show(self, *, force: bool = False) -> None:
        """Progress at every step; the picture at most ten times a second, at least once a second,
        and in between as 5 % of the time allows; with `force` at once, and what stopped
        has no time left."""
        run, frame, began = self.run, self.run.last, time.monotonic()
        if frame is None:
            return
        steps, total = len(run.history), total_steps(run)
        with self.calls.quietly():
            self.bar.max, self.bar.value = total, min(steps, total)
        left = "" if run.done or force else f" · {duration(run.seconds_left)} left"
        self.status.value = f"step {steps} of {total}{left}"
        if force or began > self._due:
            busy = time.thread_time()  # not what other programs take of the time meanwhile
            self.picture.value = jpeg(frame.image if force else frame.preview)
            self._follow()
            busy = time.thread_time() - busy
            self._due = began + max(OFTEN, min(SELDOM, SHARE * busy))
        if run.history and (force or began > self._curves_due):
            drawn = time.monotonic()
            self._curves.update(run)
            self.curves.value = self._figure._repr_png_()
            set_shown(self.curves)
            took = time.monotonic() - drawn
            self._curves_due = drawn + max(CURVES_OFTEN, CURVES_SHARE * took)

    def progress(self, done: int, of: int, text: str) -> None:
        """Say how far something other than the picture is."""
        self.bar.max, self.bar.value, self.status.value = of, done, text

    def show_other(self, image: Image.Image, text: str) -> None:
        """Show a picture that is no frame of the run."""
        self.picture.value = jpeg(image)
        set_shown(self.picture)
        self.status.value = text

    def look_back(self) -> None:
        """Show the kept frame nearest to the number."""
        if not self.run.frames:
            return
        steps, frame = self._kept(self.back.value)
        with self.calls.quietly():
            self.back.value = steps
        self.picture.value = jpeg(frame.image)
        self.status.value = f"looking back at step {steps} of {total_steps(self.run)}"

    def _kept(self, steps: int) -> tuple[int, Frame]:
        """The kept frame nearest to so many steps, and its own."""
        at = {(row[0], row[1]): i for i, row in enumerate(self.run.history, 1)}
        frames = [(at[f.index, f.iteration], f) for f in self.run.frames]
        return min(frames, key=lambda pair: abs(pair[0] - steps))

    def _follow(self) -> None:
        """Move the way back to the newest step."""
        steps = len(self.run.history)
        with self.calls.quietly():
            self.back.high = self.back.slider.max = steps
            self.back.value = steps
            self.back.disabled = not self.run.frames
