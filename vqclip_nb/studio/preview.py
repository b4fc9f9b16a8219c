"""The large picture: as it forms, as it was in earlier frames, its curves, and how far it is."""

import time

import ipywidgets as w
from PIL import Image

from ..frames import Frame
from ..show import Curves, Figure, total_steps
from .controls import Controls
from .widgets import BLANK, Number, duration, jpeg, set_shown, tip

OFTEN, SELDOM = 0.1, 1.0  # seconds between two pictures, at least and at most
SHARE = 15  # wait so many times as long as showing kept its thread busy: all in all 5 % of the time
CURVES_OFTEN, CURVES_SHARE = 1.0, 100  # seconds between two drawings, and times as long as one took


class Preview:
    def __init__(self, controls: Controls) -> None:
        self.controls, self.quietly = controls, controls.calls.quietly
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

    def begin(self) -> None:
        """Show another run from now on."""
        run, self._curves_due = self.controls.run, 0.0
        self._figure = Figure(figsize=(6.4, 1.9))
        self._curves = Curves(self._figure.add_axes((0.09, 0.24, 0.87, 0.7)))
        if not run.history:
            set_shown(self.curves, False)
        self._follow()
        if run.last:
            self.show(force=True)
        else:
            self.progress(0, 1, "starting")

    @property
    def frame(self) -> Frame | None:
        """The frame that is looked at: the newest, or the kept one nearest to the slider."""
        run, back = self.controls.run, self.back
        if run is None or back.wrong() or back.value >= back.high or not run.frames:
            return run and run.last
        return self._kept(back.value)[1]

    def show(self, *, force: bool = False) -> None:
        """Progress at every step; the picture at most ten times a second, at least once a second,
        and in between as 5 % of the time allows; with `force` at once, and what stopped
        has no time left."""
        run, began = self.controls.run, time.monotonic()
        if run is None or run.last is None:
            return
        steps, total = len(run.history), total_steps(run)
        left = "" if run.done or force else f" · {duration(run.seconds_left)} left"
        self.progress(min(steps, total), total, f"step {steps} of {total}{left}")
        if force or began > self._due:
            busy = time.thread_time()  # not what other programs take of the time meanwhile
            self.picture.value = jpeg(run.last.image if force else run.last.preview)
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
        """Say how far something is."""
        self.bar.max, self.bar.value, self.status.value = of, done, text

    def show_other(self, image: Image.Image, text: str) -> None:
        """Show a picture that is not the run's newest."""
        self.picture.value = jpeg(image)
        set_shown(self.picture)
        self.status.value = text

    def look_back(self) -> None:
        """Show the kept frame nearest to the number."""
        if self.controls.run.frames:
            steps, frame = self._kept(self.back.value)
            with self.quietly():
                self.back.value = steps
            of = total_steps(self.controls.run)
            self.show_other(frame.image, f"looking back at step {steps} of {of}")

    def _kept(self, steps: int) -> tuple[int, Frame]:
        """The kept frame nearest to so many steps, and its own."""
        run = self.controls.run
        frames = ((run.steps_before(frame) + 1, frame) for frame in run.frames)
        return min(frames, key=lambda pair: abs(pair[0] - steps))

    def _follow(self) -> None:
        """Move the way back to the newest step."""
        run = self.controls.run
        with self.quietly():
            self.back.high = self.back.slider.max = self.back.value = len(run.history)
            self.back.disabled = not run.frames
