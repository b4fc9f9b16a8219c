"""Every run so far: look at it again, name it, compare it with others."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import ipywidgets as w

from ..reading import readable
from ..run import Run
from ..settings import Settings, label
from ..show import contact_sheet
from .callbacks import Callbacks
from .compat import tip
from .tiles import SIDE, Tile, jpeg


def differences(settings: Settings, first: Settings) -> str:
    """The settings in which one differs from another, in words."""
    now, then = dataclasses.asdict(settings), dataclasses.asdict(first)
    changed = [name for name in now if now[name] != then[name]]
    return ", ".join(f"{label(n)} {readable(_text(now[n]))[:60]}" for n in changed)


def _text(value: object) -> str:
    return ", ".join(value) if isinstance(value, list) else f"{value}"


class HistoryItem:
    """A run with its small picture, its name, and a box to tick for comparing."""

    def __init__(
        self, run: Run, name: str, calls: Callbacks, open_item: Callable[[HistoryItem], None]
    ) -> None:
        self.run = run
        self.tile = Tile(calls, lambda: open_item(self), name, f"look at {name} again")
        self.name = w.Text(value=name, description="name", style={"description_width": "initial"})
        w.dlink((self.name, "value"), (self.tile.button, "description"))
        self.compare = w.Checkbox(description="compare", indent=False)
        tip(self.name, "name of this try")
        tip(self.compare, "tick two or more to see them side by side, or to morph through them")
        self.box = w.VBox([self.tile.box, self.name, self.compare])
        self.box.add_class("vq-try")


class History:
    """The tries, in the order they were begun; `compared` shows the ticked ones side by side."""

    def __init__(self, calls: Callbacks, open_item: Callable[[HistoryItem], None]) -> None:
        self.calls, self._open = calls, open_item
        self.items: list[HistoryItem] = []
        self.box = w.HBox()
        self.box.add_class("vq-tiles")
        self.compared = w.Image(format="png", layout=w.Layout(display="none"))
        self.compared.add_class("vq-compared")

    def add(self, run: Run, name: str = "") -> None:
        """Take a run in, unless it is here."""
        if all(item.run is not run for item in self.items):
            name = name or f"try {len(self.items) + 1}"
            item = HistoryItem(run, name, self.calls, self._open)
            self.calls.on(item.compare, self.show_compared)
            self.calls.on(item.name, self.show_compared)
            self.items.append(item)
        self.show()

    def show(self) -> None:
        """The newest picture of every run that has one."""
        seen = [item for item in self.items if item.run.image is not None]
        for item in seen:
            item.tile.picture.value = jpeg(item.run.image, SIDE)
        self.box.children = [item.box for item in seen]

    @property
    def ticked(self) -> list[HistoryItem]:
        return [t for t in self.items if t.compare.value and t.run.image is not None]

    def show_compared(self) -> None:
        """The ticked runs side by side, each with its name and what was set differently."""
        ticked = self.ticked
        if len(ticked) < 2:
            self.compared.layout.display = "none"
            return
        first = ticked[0].run.settings
        titles = [
            f"{t.name.value}, similarity {t.run.similarity:.3f}\n"
            f"{differences(t.run.settings, first)}"
            for t in ticked
        ]
        sheet = contact_sheet([t.run.image for t in ticked], titles, columns=len(ticked), inches=3)
        self.compared.value = sheet._repr_png_()
        self.compared.layout.max_width = f"{260 * len(ticked)}px"
        self.compared.layout.display = ""
