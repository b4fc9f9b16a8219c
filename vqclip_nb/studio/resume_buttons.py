"""Unfinished runs, offered to be continued."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets as w

from .autosave import OFFERED, Saved
from .callbacks import Callbacks


class ResumeButtons:
    """Up to `OFFERED` buttons. find: the unfinished runs of now; resume: goes on with one."""

    def __init__(
        self, calls: Callbacks, find: Callable[[], list[Saved]], resume: Callable[[Saved], None]
    ) -> None:
        self.find, self.resume = find, resume
        self.found: list[Saved] = []
        self._slots = [
            calls.button("", "it was not finished", lambda i=i: self._take(i))
            for i in range(OFFERED)
        ]
        self.box = w.HBox()
        for css in ("vq-chips", "vq-long"):
            self.box.add_class(css)

    def look(self) -> None:
        """Offer what is there now."""
        self.found = self.find()
        slots = self._slots[: len(self.found)]
        for slot, saved in zip(slots, self.found, strict=True):
            slot.description = saved.title
        self.box.children = slots

    def _take(self, i: int) -> None:
        try:
            self.resume(self.found[i])
        finally:
            self.look()
