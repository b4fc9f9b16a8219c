"""How a picture looks: attributes with a strength, a palette, and a style picture."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets as w

from ..attributes import ATTRIBUTES, Attribute, parse_attributes
from ..models.pair import Pair
from ..palettes import COLOURS, parse_colour
from ..prompts import knows_attribute
from .callbacks import Callbacks
from .chips import swatches
from .controls import Controls, labelled
from .numbers import Number
from .tiles import PictureUpload

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
        sized = "from -1, small, to 1, big"
        self.strength = Number(
            amount,
            0.0 if self.sized else 1.0,
            sized if self.sized else "from -1 to 1; 0 is nothing, below 0 pushes away",
            low=-1,
            slider=True,
        )
        for control in (self.word, self.strength):
            calls.on(control, changed)
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
