"""Figures of a frame of `grid`: the report's Table 1, and scores with their intervals."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from ..images import open_image
from ..show import PLAIN, Figure, contact_sheet
from .scores import over_seeds, plus_minus

if TYPE_CHECKING:
    import pandas


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
        images.append(open_image(pictures[0]) if pictures else Image.new("RGB", (8, 8), "white"))
        lines = [f"{row}, {column:g}" if isinstance(column, float) else f"{row}, {column}"]
        for score, digits in (("similarity", 3), ("judge", 3), ("rank", 0)):
            found = values[score].loc[(row, column)] if len(cell) else None
            if found is not None and found["mean"] == found["mean"]:
                lines.append(f"{score} {plus_minus(found['mean'], found['interval'], digits)}")
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
    axes.set_xticks(range(len(values)), [str(v) for v in values], **PLAIN)
    axes.set(xlabel=by.replace("_", " "), ylabel=score)
    axes.grid(alpha=0.3)
    if lines:
        legend = axes.legend(
            title=lines.replace("_", " "), fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5)
        )
        for text in legend.get_texts():
            text.set(**PLAIN)
    return figure
