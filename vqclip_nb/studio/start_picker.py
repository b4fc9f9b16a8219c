"""What a picture starts from: a picture of one's own, or a drawing that the pair knows."""

from __future__ import annotations

import html
from collections.abc import Callable

import ipywidgets as w

from ..images import to_data_url, to_pil
from ..models.pair import Pair, Start
from ..regions import parse_region
from ..settings import STARTS
from .chips import in_words
from .controls import Controls
from .tiles import PictureUpload, Tile

OTHERS = 6  # drawings to choose from
ON = (
    "start",
    "init_image",
    "include",
    "extras",
    "regions",
    "attributes",
    "drawing",
)  # the drawing depends


class StartPicker:
    """A picture from a file as the start; or, where the pair has a library, which of its drawings
    a prompt starts from, with others to choose."""

    def __init__(self, pair: Pair, controls: Controls, changed: Callable[[str], None]) -> None:
        self.controls = controls
        self.calls = calls = controls.calls
        self.own = PictureUpload(
            "init_image", "start from a picture", "start from", controls, changed
        )
        self.note = w.HTML()
        self.ask = calls.button("Other drawings", "what else it can start from", self._show_others)
        self.tiles = [Tile(calls, lambda i=i: self._choose(i)) for i in range(OTHERS)]
        self.others: list[str] = []
        self.drawings = w.HBox([tile.box for tile in self.tiles])
        self.drawings.add_class("vq-tiles")
        self.box = w.VBox([self.note, self.ask, self.drawings, self.own.box])
        for name, call in (
            ("init_image", self.show),
            ("start", self.show),
            *((name, self.show_drawing) for name in ON),
        ):
            controls[name].observe(lambda _, call=call: calls.guard(call), "value")
        self.follow(pair)
        calls.guard(self.show)

    def follow(self, pair: Pair) -> None:
        """Offer the starts that `pair` has."""
        self.pair, self.found, start = pair, None, self.controls["start"]
        has = [s for s in STARTS if s == "noise" or getattr(pair, s, None) is not None]
        with self.calls.quietly():
            chosen = start.value
            start.options = tuple(dict.fromkeys([*has, chosen]))
            start.value = chosen
        start.layout.display = "" if len(start.options) > 1 else "none"
        self.calls.guard(self.show_drawing)

    def show(self) -> None:
        """Strength and lines are of use only with a picture at the start."""
        source = self.controls["init_image"].value
        blank = not source and self.controls["start"].value == "noise"
        for name in ("start_strength", "keep_edges"):
            self.controls[name].disabled = blank

    def show_drawing(self) -> None:
        """Say which drawing of the pair's library the prompt would start from."""
        library = getattr(self.pair, "library", None)
        chosen = library is not None and self.controls["start"].value == "library"
        chosen = chosen and not self.controls.wrong() and not self.controls["init_image"].value
        self.found = self._find() if chosen else None
        said = "no drawing for this prompt: it starts from noise"
        if self.found is not None:
            said = f"starts from: {html.escape(in_words(self.found.description))}"
        self.note.value = f"<span class='vq-title'>{said}</span>" if chosen else ""
        one = self.found is not None and not self.controls.value("regions")
        self.ask.layout.display = "" if one else "none"
        self.drawings.layout.display = "none"

    def _find(self) -> Start | None:
        try:
            s = self.controls.settings
            regions = [parse_region(text) for text in s.regions]
            reading = self.pair.read(s.include[0], s.extras, regions)
            return self.pair.start(reading, s, (self.pair.facts.size,) * 2, s.seed)
        except ValueError:  # a prompt without a weight: said when it is used
            return None

    def _show_others(self) -> None:
        others = self.pair.library.alternatives(self.found)[: len(self.tiles)]
        self.drawings.layout.display = ""
        for i, tile in enumerate(self.tiles):
            tile.box.layout.display = "" if i < len(others) else "none"
        for tile, other in zip(self.tiles, others, strict=False):
            tile.show(
                to_pil(other.picture[0]), in_words(other.description), "start from this drawing"
            )
        self.others = [to_data_url(other.picture) for other in others]

    def _choose(self, i: int) -> None:
        self.controls.set(init_image=self.others[i])
        self.calls.messages.say("now", "Press Run to start from this drawing.")
