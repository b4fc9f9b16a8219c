"""Loss and similarity over the steps as a matplotlib figure below the picture."""

from __future__ import annotations

import io
import time

import ipywidgets as w
from matplotlib.figure import Figure

from ..run import Run

REST, SHARE = 1.0, 100  # seconds between two drawings, and times as long as one took


class Curves:
    """One figure; its artists are made once and updated."""

    def __init__(self) -> None:
        self.figure = Figure(figsize=(6.4, 1.9), dpi=80)
        self._axes = axes = self.figure.add_axes((0.09, 0.24, 0.89, 0.7))
        (self._loss,) = axes.plot([], [], color="tab:red", label="loss")
        (self._similarity,) = axes.plot([], [], color="tab:blue", label="cosine similarity")
        axes.set_xlabel("step")
        axes.grid(alpha=0.3)
        axes.legend(loc="center right")
        self._marks: list = []
        self._run: Run | None = None
        self._due = 0.0
        self.box = w.Image(format="png", layout=w.Layout(display="none"))
        self.box.add_class("vq-curves")

    def adopt(self, run: Run) -> None:
        """Show `run` from now on."""
        self._run, self._due = run, 0.0
        while self._marks:
            self._marks.pop().remove()
        if not run.history:
            self.box.layout.display = "none"

    def show(self, *, force: bool = False) -> None:
        """Draw the curves so far, at most once a second."""
        run, began = self._run, time.monotonic()
        if run is None or not run.history or not (force or began > self._due):
            return
        steps = range(1, len(run.history) + 1)
        self._loss.set_data(steps, [row[2] for row in run.history])
        self._similarity.set_data(steps, [row[3] for row in run.history])
        for at, _ in run.changes[len(self._marks) :]:
            self._marks.append(self._axes.axvline(at, color="gray", linestyle=":"))
        total = run.settings.total_iter * len(run.settings.include)
        self._axes.set_xlim(0, max(total, len(run.history)))
        self._axes.relim()
        self._axes.autoscale_view(scalex=False)
        file = io.BytesIO()
        self.figure.savefig(file, format="png", pil_kwargs={"compress_level": 1})
        self.box.value, self.box.layout.display = file.getvalue(), ""
        self._due = began + max(REST, SHARE * (time.monotonic() - began))
