"""The picture: as it forms, as it was, and how far it is."""

from __future__ import annotations

import time

import ipywidgets as w
from PIL import Image

from ..frames import Frame
from ..run import Run
from .callbacks import Callbacks
from .compat import tip
from .controls import beside, labelled
from .curves import curves_svg
from .tiles import BLANK, jpeg

OFTEN = 0.1  # seconds between two pictures, at least
SHARE = 49  # rest so many times as long as showing took: a fiftieth of the time


class Stage:
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
        self.status, self.curves = w.HTML(), w.HTML()
        self.status.add_class("vq-status")
        # not a bounded one, which would change a wrong value in silence
        self.back = w.IntText(description="look back")
        labelled(self.back, "the picture as it was after so many steps")
        self.slide = w.IntSlider(min=0, max=0, readout=False)
        w.dlink((self.slide, "value"), (self.back, "value"))
        self.back.observe(lambda _: self._slide(), "value")
        self.way_back = beside(self.back, self.slide)
        self.full = w.ToggleButton(description="Full size")
        tip(self.full, "the picture as large as the page allows; press again for the controls")
        self.full.add_class("vq-button")

    def adopt(self, run: Run) -> None:
        """Show `run` from now on."""
        self.run = run
        self._follow()
        if run.last:
            self.show(run.last, force=True)
        else:
            self.bar.value, self.curves.value = 0, ""
            self.status.value = "starting"

    @property
    def frame(self) -> Frame | None:
        """The frame that is looked at: the newest, or the kept one nearest to the slider."""
        if self.run is None:
            return None
        at_end = self.back.value >= self.slide.max
        return self.run.last if at_end or not self.run.frames else self._kept(self.back.value)[1]

    def show(self, frame: Frame | None = None, *, force: bool = False) -> None:
        """The picture ten times a second, or as often as a fiftieth of the time allows."""
        run, began = self.run, time.monotonic()
        frame = frame or run.last
        if frame is None or not (force or began > self._due):
            return
        self.picture.value = jpeg(frame.image)
        steps, total = len(run.history), run.settings.total_iter * len(run.settings.include)
        with self.calls.quietly():
            self.bar.max, self.bar.value = total, min(steps, total)
        left = "" if run.done else f" · {_duration(run.seconds_left)} left"
        self.status.value = f"step {steps} of {total}{left}"
        self.curves.value = curves_svg(run.history, [at for at, _ in run.changes], total)
        self._follow()
        took = time.monotonic() - began
        self.seconds += took
        self._due = began + max(OFTEN, SHARE * took)

    def progress(self, done: int, of: int, text: str) -> None:
        """Say how far something other than the picture is."""
        self.bar.max, self.bar.value, self.status.value = of, done, text

    def show_other(self, image: Image.Image, text: str) -> None:
        """Show a picture that is no frame of the run."""
        self.picture.value, self.picture.layout.display = jpeg(image), ""
        self.status.value = text

    def wrong(self) -> str:
        """What keeps the step to look back at from being shown; empty if nothing does."""
        steps, most = self.back.value, self.slide.max
        inside = 0 <= steps <= most
        return "" if inside else f"look back: {steps} is out of range; allowed is 0 to {most}."

    def _slide(self) -> None:
        if not self.wrong():
            self.slide.value = self.back.value

    def look_back(self) -> None:
        """Show the kept frame nearest to the slider."""
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
        """Move the slider to the newest step."""
        steps = len(self.run.history)
        with self.calls.quietly():
            self.slide.max = steps
            self.back.value = steps
            self.back.disabled = self.slide.disabled = not self.run.frames


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
