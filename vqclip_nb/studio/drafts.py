"""Several cheap pictures to choose from: other seeds, or others like one that is there."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import ipywidgets as w
from PIL import Image

from ..images import to_data_url, to_tensor
from ..models.pair import Pair
from ..run import Run
from ..settings import PRESETS, Settings
from .callbacks import Callbacks
from .tiles import BLANK, Tile

DRAFTS = 6
LIKE = 0.15  # start strength of "more like this"


def draft_settings(settings: Settings, like: Image.Image | None = None) -> list[Settings]:
    """What each draft paints: the first prompt, few steps, a seed of its own; `like` gives the
    picture that all of them start from."""
    cheap = {k: min(v, getattr(settings, k)) for k, v in PRESETS["draft"].items()}
    first, start = 0, {}
    if settings.start == "prior" and like is None:  # what it draws can be seen at once
        cheap |= dict(total_iter=1, start_strength=1.0)
    if like is not None:  # another seed than that of the picture itself
        first, start = 1, dict(init_image=to_data_url(to_tensor(like)), start_strength=LIKE)
    return [
        settings.replace(
            seed=(settings.seed + first + i) % 2**32, include=settings.include[:1], **cheap, **start
        )
        for i in range(DRAFTS)
    ]


class Drafts:
    """Tiles in the picture's place; a click on one calls `pick` with its run, and "Back to the
    picture" calls `leave`."""

    def __init__(
        self, calls: Callbacks, pick: Callable[[Run], None], leave: Callable[[], None]
    ) -> None:
        self.runs: list[Run] = []
        self.tiles = [Tile(calls, lambda i=i: pick(self.runs[i])) for i in range(DRAFTS)]
        for tile in self.tiles:
            tile.button.disabled = True
        self.back = calls.button("Back to the picture", "leave the drafts", leave)
        sheet = w.HBox([tile.box for tile in self.tiles])
        sheet.add_class("vq-sheet")
        self.box = w.VBox([sheet, self.back])
        self.box.add_class("vq-drafts")
        self.hide()

    def hide(self) -> None:
        self.box.layout.display = "none"

    @property
    def shown(self) -> bool:
        return self.box.layout.display != "none"

    def paint(
        self, pair: Pair, settings: list[Settings], say: Callable[[int, str], None]
    ) -> Iterator[None]:
        """Paint the drafts one after the other, a step at a time."""
        self.runs = []
        for tile in self.tiles:
            tile.button.disabled = True
            tile.show(BLANK, "…", "not painted yet")
        self.box.layout.display = ""
        for i, (tile, one) in enumerate(zip(self.tiles, settings, strict=True), 1):
            say(i - 1, f"draft {i} of {DRAFTS} …")
            run = Run(pair, one)
            while not run.done:
                run.step()
                yield
            self.runs.append(run)
            tile.show(run.image, f"seed {one.seed}", "paint this one in full")
            tile.button.disabled = False
        say(DRAFTS, "Click the draft that you like: it is painted in full.")


def finished(draft: Run, settings: Settings) -> Run:
    """A run that goes on from a draft's last picture, with the steps and views of `settings`."""
    steps = dict(total_iter=settings.total_iter, crops=settings.crops)
    return draft.branch(draft.frames[-1], include=settings.include, **steps)
