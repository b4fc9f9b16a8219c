"""How a picture looks and what it starts from: attributes, a palette, a style picture; a drawing
that the pair knows, or a picture of one's own."""

from __future__ import annotations

import html
from collections.abc import Callable

import ipywidgets as w

from ..attributes import ATTRIBUTES, Attribute, parse_attributes
from ..images import to_data_url, to_pil
from ..models.pair import Pair, Start
from ..palettes import COLOURS, parse_colour
from ..prompts import knows_attribute
from ..regions import parse_region
from ..settings import KNOBS
from .callbacks import Callbacks
from .chips import in_words, swatches
from .controls import Controls, Number, labelled
from .tiles import PictureUpload, Tile

NONE = "as it is"
# Each colour once, by the first of its names.
SWATCHES = {c: v for c, v in COLOURS.items() if c == next(n for n in COLOURS if COLOURS[n] == v)}
# What people read: of the choice of a word, and of its strength.
WORDS = {
    "colour": ("colour", "colour amount"),
    "size": ("", "size"),
    "style": ("drawn as", "amount"),
}


class AttributeRow:
    """A choice of one word of a kind, and how strongly the prompt takes it on.

    Where the kind is size there is no choice: below 0 is small.
    """

    def __init__(self, kind: str, changed: Callable[[], None], calls: Callbacks) -> None:
        self.kind, self.sized = kind, kind == "size"
        choice, amount = WORDS[kind]
        self.word = labelled(
            w.Dropdown(options=[NONE], description=choice), f"a {kind} that the prompt takes on"
        )
        help = "from -1 to 1; 0 is nothing, below 0 pushes away"
        help = "from -1, small, to 1, big" if self.sized else help
        self.strength = Number(
            amount,
            0.0 if self.sized else 1.0,
            help,
            low=-1,
            slider=True,
        )
        for control in (self.word, self.strength):
            calls.on(control, changed)
        for control in self.strength.children:
            labelled(control, help)
        self.box = self.strength if self.sized else w.VBox([self.word, self.strength])

    def offer(self, pair: Pair) -> None:
        """The words that `pair` knows."""
        words = SWATCHES if self.kind == "colour" else ATTRIBUTES[self.kind]
        known = [word for word in words if knows_attribute(pair.clip, Attribute(word))]
        chosen = self.word.value
        self.word.options = tuple(dict.fromkeys([NONE, *known, chosen]))
        self.word.value = chosen

    @property
    def value(self) -> list[str]:
        """The attribute as in `Settings.attributes`; empty for none."""
        strength = self.strength.value
        if isinstance(strength, str):  # refused where the setting is checked
            return [f"{self.word.value if not self.sized else 'big'}: {strength or 'nothing'}"]
        if self.sized:
            word = "big" if strength > 0 else "small"
            return [f"{word}: {abs(strength):g}"] if strength else []
        return [] if self.word.value == NONE else [f"{self.word.value}: {strength:g}"]

    def show(self, texts: list[str]) -> None:
        """The attribute of this kind among those of the settings."""
        own = [a for a in parse_attributes(texts) if a.kind == self.kind]
        if self.sized:
            signed = [a.strength * (1 if a.word == "big" else -1) for a in own]
            self.strength.value = signed[0] if signed else 0.0
            return
        word, strength = (own[0].word, own[0].strength) if own else (NONE, 1.0)
        if word not in self.word.options:
            self.word.options = (*self.word.options, word)
        self.word.value, self.strength.value = word, strength


class Looks:
    """Sliders for attributes, swatches for the palette, and the style picture."""

    def __init__(self, pair: Pair, controls: Controls, changed: Callable[[str], None]) -> None:
        self.controls, self.changed = controls, changed
        self.calls = calls = controls.calls
        self.rows = [AttributeRow(kind, self._attribute, calls) for kind in ATTRIBUTES]
        self.swatches = swatches(SWATCHES, calls, "{} in the palette", self._swatch)
        self.palette = w.HBox(list(self.swatches.values()))
        self.palette.add_class("vq-chips")
        self.style = PictureUpload(
            "style_image", "style picture", "paint in the style of", controls, changed
        )
        controls["attributes"].layout.display = "none"  # the rows say the same
        for name in ("attributes", "palette", "style_image"):
            controls[name].observe(lambda _: calls.guard(self.show), "value")
        self.follow(pair)

    def follow(self, pair: Pair) -> None:
        """Offer what `pair` knows."""
        with self.calls.quietly():
            for row in self.rows:
                row.offer(pair)
        self.calls.guard(self.show)

    def show(self) -> None:
        """What the settings say; weights are of use only with what they weigh."""
        try:
            with self.calls.quietly():
                for row in self.rows:
                    row.show(self.controls.value("attributes"))
        except ValueError:  # said where the controls are checked
            pass
        palette = self.controls.value("palette")
        for colour, swatch in self.swatches.items():
            chosen = any(_same(colour, other) for other in palette)
            (swatch.add_class if chosen else swatch.remove_class)("vq-chosen")
        self.controls["palette_weight"].disabled = not palette
        self.controls["style_image_weight"].disabled = not self.controls["style_image"].value

    def _attribute(self) -> None:
        self._set(attributes=[text for row in self.rows for text in row.value])

    def _swatch(self, colour: str) -> None:
        palette = self.controls.value("palette")
        others = [other for other in palette if not _same(colour, other)]
        self._set(palette=others if others != palette else [*palette, colour])

    def _set(self, **values: list[str]) -> None:
        self.controls.set(**values)
        for name in values:
            self.changed(name)


def _same(colour: str, other: str) -> bool:
    """Whether a text of the palette means a colour; one that is half typed means none."""
    try:
        return parse_colour(colour) == parse_colour(other)
    except ValueError:
        return False


OTHERS = 6  # drawings to choose from
# The drawing depends on these.
ON = ("start", "init_image", "include", "extras", "regions", "attributes", "drawing")


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
        has = [
            s for s in KNOBS["start"].choices if s == "noise" or getattr(pair, s, None) is not None
        ]
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
