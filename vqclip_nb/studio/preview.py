"""The picture: as it forms, as it was, and how far it is."""

from __future__ import annotations

import time

import ipywidgets as w
from PIL import Image

from ..frames import Frame
from ..run import Run
from ..show import Curves, Figure
from .callbacks import Callbacks, tip
from .controls import Number
from .tiles import BLANK, jpeg

OFTEN, SELDOM = 0.1, 1.0  # seconds between two pictures, at least and at most
SHARE = 15  # wait so many times as long as showing kept its thread busy: all in all 5 % of the time
CURVES_OFTEN, CURVES_SHARE = 1.0, 100  # seconds between two drawings, and times as long as one took


class CurvesImage:
    """The curves of a run as a picture."""

    def __init__(self) -> None:
        self.box = w.Image(format="png", layout=w.Layout(display="none"))
        self.box.add_class("vq-curves")
        self._run: Run | None = None
        self._due = 0.0

    def adopt(self, run: Run) -> None:
        """Show `run` from now on."""
        self._figure = Figure(figsize=(6.4, 1.9))
        self._curves = Curves(self._figure.add_axes((0.09, 0.24, 0.87, 0.7)))
        self._run, self._due = run, 0.0
        if not run.history:
            self.box.layout.display = "none"

    def show(self, *, force: bool = False) -> None:
        """Draw the curves so far, at most once a second."""
        run, began = self._run, time.monotonic()
        if run is None or not run.history or not (force or began > self._due):
            return
        self._curves.update(run)
        self.box.value, self.box.layout.display = self._figure._repr_png_(), ""
        self._due = began + max(CURVES_OFTEN, CURVES_SHARE * (time.monotonic() - began))


class Preview:
    """One large picture with its progress, its curves and the way back through its frames.

    seconds: spent on showing so far.
    """

    def __init__(self, calls: Callbacks) -> None:
        self.calls = calls
        self.run: Run | None = None
        self.seconds = self._due = 0.0
        self.picture = w.Image(format="jpeg", value=jpeg(BLANK.resize((512, 512))))
        self.picture.add_class("vq-picture")
        self.bar = w.IntProgress(min=0, max=1, value=0)
        self.bar.add_class("vq-bar")
        self.status, self.curves = w.HTML(), CurvesImage()
        self.status.add_class("vq-status")
        self.back = Number(
            "look back",
            0,
            "the picture as it was after so many steps",
            high=0,
            whole=True,
            slider=True,
        )
        self.full = w.ToggleButton(description="Full size")
        tip(self.full, "the picture as large as the page allows; press again for the controls")
        self.full.add_class("vq-button")

    def adopt(self, run: Run) -> None:
        """Show `run` from now on."""
        self.run = run
        self.curves.adopt(run)
        self._follow()
        if run.last:
            self.show(run.last, force=True)
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

    def show(self, frame: Frame | None = None, *, force: bool = False) -> None:
        """Progress at every step; the picture at most ten times a second, at least once a second,
        and in between as 5 % of the time allows; with `force` at once, and what stopped
        has no time left."""
        run, began = self.run, time.monotonic()
        frame = frame or run.last
        if frame is None:
            return
        steps, total = len(run.history), run.settings.total_iter * len(run.settings.include)
        with self.calls.quietly():
            self.bar.max, self.bar.value = total, min(steps, total)
        left = "" if run.done or force else f" · {_duration(run.seconds_left)} left"
        self.status.value = f"step {steps} of {total}{left}"
        if force or began > self._due:
            busy = time.thread_time()  # not what other programs take of the time meanwhile
            self.picture.value = jpeg(frame.image if force else frame.preview)
            self._follow()
            busy = time.thread_time() - busy
            self._due = began + max(OFTEN, min(SELDOM, SHARE * busy))
        self.curves.show(force=force)
        self.seconds += time.monotonic() - began

    def progress(self, done: int, of: int, text: str) -> None:
        """Say how far something other than the picture is."""
        self.bar.max, self.bar.value, self.status.value = of, done, text

    def show_other(self, image: Image.Image, text: str) -> None:
        """Show a picture that is no frame of the run."""
        self.picture.value, self.picture.layout.display = jpeg(image), ""
        self.status.value = text

    def look_back(self) -> None:
        """Show the kept frame nearest to the number."""
        if not self.run.frames:
            return
        steps, frame = self._kept(self.back.value)
        with self.calls.quietly():
            self.back.value = steps
        self.picture.value = jpeg(frame.image)
        total = self.run.settings.total_iter * len(self.run.settings.include)
        self.status.value = f"looking back at step {steps} of {total}"

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


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
