"""Matplotlib figures of frames, curves and contact sheets.

No pyplot: it is not safe outside the main thread.
"""

from __future__ import annotations

import io
import textwrap
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from matplotlib import figure
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from PIL import Image

from .images import to_pil
from .reading import readable

if TYPE_CHECKING:
    from .frames import Frame
    from .run import Run


PLAIN = {"parse_math": False}  # of people's words, in which "$" is no formula


def total_steps(run: Run) -> int:
    """Steps of all pictures of a run."""
    return run.settings.total_iter * len(run.settings.include)


class Figure(figure.Figure):
    """A matplotlib figure that notebooks show whether or not pyplot's inline backend is active."""

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.savefig(file, format="png", dpi=80)
        return file.getvalue()


def show_from_tensor(tensor: torch.Tensor) -> Figure:
    """A figure of a picture (3, h, w) in [0, 1]."""
    figure = Figure(figsize=(5, 5 * tensor.shape[1] / tensor.shape[2]))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.imshow(to_pil(tensor))
    axes.axis("off")
    return figure


def contact_sheet(
    images: Sequence[Image.Image],
    titles: Sequence[str] = (),
    *,
    columns: int = 8,
    inches: float = 1.6,
) -> Figure:
    """A figure of pictures in rows, each with its title below."""
    rows = -(-len(images) // columns)
    titles = ["\n".join(textwrap.fill(line, 27) for line in t.split("\n")) for t in titles]
    lines = max((title.count("\n") + 1 for title in titles), default=0)
    height = rows * inches * (1 + 0.08 * lines)
    figure = Figure(figsize=(columns * inches, height), layout="constrained")
    for i, axes in enumerate(figure.subplots(rows, columns, squeeze=False).flat):
        axes.axis("off")
        if i < len(images):
            axes.imshow(images[i])
            if i < len(titles):
                axes.set_title(titles[i], fontsize=4.5 * inches, y=-0.03, pad=0, va="top", **PLAIN)
    return figure


class Curves:
    """Loss and similarity of a run, and a line wherever a setting was changed.

    The artists are made once and updated, which halves the time of a redraw.
    """

    def __init__(self, axes: Axes) -> None:
        self.axes, self._marks = axes, 0
        (self._loss,) = axes.plot([], [], color="tab:red", label="loss")
        (self._similarity,) = axes.plot([], [], color="tab:blue", label="similarity")
        axes.set_xlabel("step")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(loc="center right")  # between the curves, which start near zero
        axes.grid(alpha=0.3)

    def update(self, run: Run) -> None:
        """Draw all steps so far."""
        steps = range(1, len(run.history) + 1)
        self._loss.set_data(steps, [row[2] for row in run.history])
        self._similarity.set_data(steps, [row[3] for row in run.history])
        for at, _ in run.changes[self._marks :]:
            self.axes.axvline(at, color="gray", linestyle=":")
        self._marks = len(run.changes)
        self.axes.set_xlim(0, max(total_steps(run), len(run.history)))
        self.axes.relim()
        self.axes.autoscale_view(scalex=False)


class Live:
    """One figure for a run: its picture and its curves."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.figure = Figure(figsize=(8, 3.6), layout="constrained")
        left, right = self.figure.subplots(1, 2, width_ratios=(1, 1.2))
        left.axis("off")
        self._title = left.set_title("", **PLAIN)
        self._image = left.imshow(Image.new("RGB", (run.size[1], run.size[0]), "lightgray"))
        self._curves = Curves(right)

    def update(self, frame: Frame) -> Figure:
        """Draw `frame` and the curves so far."""
        self._image.set_data(frame.image if self.run.done else frame.preview)
        prompt = self.run.settings.include[min(frame.index, len(self.run.settings.include) - 1)]
        title = textwrap.fill(textwrap.shorten(readable(prompt), 76, placeholder=" …"), 38)
        step, left = frame.iteration + 1, self.run.seconds_left
        self._title.set_text(f"{title}\nstep {step}, {left:.0f} s left")
        self._curves.update(self.run)
        return self.figure


def watch(run: Run, *, every: float = 0.5) -> Run:
    """Run to the end with a live figure in the notebook, redrawn every so many seconds. For
    headless runs too.

    An interrupt stops it and keeps everything made so far.
    """
    from IPython.display import display

    live, handle, drawn = Live(run), None, 0.0
    try:
        for frame in run:
            if time.monotonic() - drawn >= every or run.done:
                figure = live.update(frame)
                if handle is None:
                    handle = display(figure, display_id=True)
                else:
                    handle.update(figure)
                drawn = time.monotonic()
    except KeyboardInterrupt:
        print(f"stopped after {len(run.history)} steps; everything so far is kept")
    return run
