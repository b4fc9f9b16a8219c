"""Runs that were cut off, offered to be gone on with."""

from __future__ import annotations

import ipywidgets as w

from .autosave import OFFERED, Saved
from .callbacks import Callbacks
from .painter import Painter


class Offers:
    """Up to `OFFERED` buttons."""

    def __init__(self, calls: Callbacks, painter: Painter) -> None:
        self.painter = painter
        self.found: list[Saved] = []
        self._slots = [
            calls.button("", "it was cut off", lambda i=i: self._take(i)) for i in range(OFFERED)
        ]
        self.box = w.HBox()
        for css in ("vq-chips", "vq-long"):
            self.box.add_class(css)

    def look(self) -> None:
        """Offer what is there now."""
        self.found = self.painter.autosave.sessions.others(self.painter.pair)
        slots = self._slots[: len(self.found)]
        for slot, saved in zip(slots, self.found, strict=True):
            slot.description = saved.title
        self.box.children = slots

    def _take(self, i: int) -> None:
        try:
            self.painter.resume(self.found[i])
        finally:
            self.look()
