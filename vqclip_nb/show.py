"""Matplotlib figures of frames, curves and contact sheets.

No pyplot: it is not safe outside the main thread.
"""

from __future__ import annotations

import io
import itertools
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from matplotlib import figure
from PIL import Image

from .scores import over_seeds, plus_minus
from .vqgan import picture_of

if TYPE_CHECKING:
    import pandas

    from .training import Frame, Run


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
    axes.imshow(picture_of(tensor))
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
                axes.set_title(titles[i], fontsize=4.5 * inches, y=-0.03, pad=0, va="top")
    return figure


def table(
    frame: pandas.DataFrame, *, rows: str = "activation", columns: str = "learning_rate"
) -> Figure:
    """The report's Table 1 from a frame of `grid`: a figure of a picture for each pair of settings.

    Shown is the first prompt's first seed; below it, over all prompts and seeds, the guide's
    similarity, the judge's, and the rank, each as mean ± 95 % interval over seeds. A frame that was
    read from a CSV has no pictures.
    """
    values = {s: over_seeds(frame, [rows, columns], s) for s in ("similarity", "judge", "rank")}
    images, titles = [], []
    levels = list(frame[columns].unique())
    for row, column in itertools.product(frame[rows].unique(), levels):
        cell = frame[(frame[rows] == row) & (frame[columns] == column)]
        pictures = [p for p in cell.get("picture", ()) if p and Path(p).is_file()]
        images.append(Image.open(pictures[0]) if pictures else Image.new("RGB", (8, 8), "white"))
        lines = [f"{row}, {column:g}" if isinstance(column, float) else f"{row}, {column}"]
        for score, digits in (("similarity", 3), ("judge", 3), ("rank", 0)):
            found = values[score].loc[(row, column)] if len(cell) else None
            if found is not None and found["mean"] == found["mean"]:
                lines.append(f"{score} {plus_minus(*found, digits)}")
        titles.append("\n".join(lines))
    return contact_sheet(images, titles, columns=len(levels), inches=1.9)


def intervals(
    frame: pandas.DataFrame, by: str, *, score: str = "judge", lines: str | None = None
) -> Figure:
    """A figure of a score's mean and 95 % interval over seeds for each value of the setting `by`.

    `lines` names a second setting, whose values get a colour each.
    """
    figure = Figure(figsize=(7, 3), layout="constrained")
    axes, values = figure.subplots(), list(frame[by].unique())
    for i, (name, part) in enumerate(frame.groupby(lines, sort=False) if lines else [("", frame)]):
        found = over_seeds(part, [by], score).reindex(values)
        places = [place + 0.08 * i for place in range(len(values))]
        axes.errorbar(places, found["mean"], found["interval"], fmt="o", capsize=3, label=str(name))
    axes.set_xticks(range(len(values)), [str(v) for v in values])
    axes.set(xlabel=by.replace("_", " "), ylabel=score)
    axes.grid(alpha=0.3)
    if lines:
        axes.legend(
            title=lines.replace("_", " "), fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5)
        )
    return figure


class Live:
    """One figure for a run: picture, loss, similarity, and a line wherever a setting was changed.

    Its artists are made once and updated, which halves the time of a redraw.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.figure = Figure(figsize=(8, 3.6), layout="constrained")
        left, right = self.figure.subplots(1, 2, width_ratios=(1, 1.2))
        left.axis("off")
        self._title = left.set_title("")
        self._image = left.imshow(Image.new("RGB", (run.size[1], run.size[0]), "lightgray"))
        (self._loss,) = right.plot([], [], color="tab:red", label="loss")
        (self._similarity,) = right.plot([], [], color="tab:blue", label="similarity")
        right.set(xlabel="step", xlim=(0, run.settings.total_iter * len(run.settings.include)))
        right.legend(loc="center right")  # between the curves, which start near zero
        right.grid(alpha=0.3)
        self._axes, self._marks = right, 0

    def update(self, frame: Frame) -> Figure:
        """Draw `frame` and the curves so far."""
        history = self.run.history
        self._image.set_data(frame.image)
        prompt = self.run.settings.include[min(frame.index, len(self.run.settings.include) - 1)]
        title = textwrap.fill(textwrap.shorten(prompt, 76, placeholder=" …"), 38)
        self._title.set_text(f"{title}\nstep {frame.iteration}, {self.run.seconds_left:.0f} s left")
        steps = range(len(history))
        self._loss.set_data(steps, [row[2] for row in history])
        self._similarity.set_data(steps, [row[3] for row in history])
        for at, _ in self.run.changes[self._marks :]:
            self._axes.axvline(at, color="gray", linestyle=":")
        self._marks = len(self.run.changes)
        self._axes.relim()
        self._axes.autoscale_view(scalex=len(history) > self._axes.get_xlim()[1])
        return self.figure


def watch(run: Run, *, every: float = 0.5) -> Run:
    """Run to the end with a live figure in the notebook, redrawn every so many seconds. For
    headless runs too.

    An interrupt stops it and keeps everything made so far.
    """
    import time

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
