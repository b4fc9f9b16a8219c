"""How a picture looks and what it starts from: attributes, a palette, a style picture; a drawing
that the pair knows, or a picture of one's own."""

from __future__ import annotations

import contextlib
import html
from collections.abc import Callable
from functools import partial

import ipywidgets as w
from PIL import Image, ImageOps

from ..attributes import ATTRIBUTES, Attribute, parse_attributes
from ..emoji.drawings import Start
from ..images import open_image, to_data_url, to_pil, to_tensor
from ..palettes import COLOURS, Colour, parse_colour
from ..prompts import knows_attribute
from ..settings import KNOBS, label
from .chips import in_words, mark_chosen, swatches
from .controls import Controls
from .tries import asked
from .widgets import SIDE, Number, Tile, jpeg, labelled, row, set_options, set_shown, tip

NONE = "as it is"
# Each colour once, by the first of its names.
SWATCHES = {c: v for c, v in COLOURS.items() if c == next(n for n in COLOURS if COLOURS[n] == v)}
# What people read: of the choice of a word, and of its strength.
WORDS = {
    "colour": ("colour", "colour amount"),
    "size": ("", "size"),
    "style": ("drawn as", "amount"),
}
# Of the pictures among the settings: what the button for a file reads, and what it is for.
PICTURES = {
    "init_image": ("start from a picture", "start from"),
    "style_image": ("style picture", "paint in the style of"),
}
MOST = 1024  # longer side of a picture from a file, in pixels
OTHERS = 6  # drawings to choose from
# The drawing depends on these.
ON = ("start", "init_image", "include", "extras", "regions", "attributes", "drawing")


class PictureUpload:
    """The setting `name`, a picture file, as a button and a tile.

    changed: called with `name`. image: the picture, a start cropped to the shape of the next run's.
    """

    def __init__(self, name: str, controls: Controls, changed: Callable[[str], None]) -> None:
        self.name, self.controls, self.changed = name, controls, changed
        self.image: Image.Image | None = None
        self.calls = calls = controls.calls
        words, self.use = PICTURES[name]
        help = f"a picture file to {self.use}"
        self.upload = calls.upload(words, help, "image/*", f"vq-{name}", self._take)
        self.tile = Tile(calls, lambda: self.set(""), f"✕ remove {label(name)}")
        tip(self.tile.button, f"do not {self.use} this picture")
        self.box = w.VBox([self.upload, self.tile])
        set_shown(controls[name], False)  # a picture as text says nothing to people
        for other in (name, *(("height", "width") if name == "init_image" else ())):
            calls.watch(controls[other], self.show)
        calls.guard(self.show)

    def show(self) -> None:
        """The picture, if there is one."""
        source = self.controls[self.name].value
        if self.calls.messages.public and not source.startswith("data:"):
            source = ""  # refused where the controls are checked, and never opened
        set_shown(self.tile, bool(source))
        self.image = open_image(source) if source else None
        if self.image and self.name == "init_image":
            sides = [self.controls[name] for name in ("width", "height")]
            if not any(side.wrong() for side in sides):
                self.image = ImageOps.fit(self.image, [side.value for side in sides])
        if self.image:
            self.tile.picture.value = jpeg(self.image, SIDE)

    def set(self, source: str) -> None:
        """Another picture, as a data URL, or none."""
        self.controls.set(**{self.name: source})
        self.changed(self.name)

    def _take(self, name: str, content: bytes) -> None:
        try:
            image = open_image(content)
        except ValueError as e:
            raise ValueError(f"{name}: {e}") from e
        image.thumbnail((MOST, MOST))
        self.set(to_data_url(to_tensor(image)))
        if self.name == "init_image" or not self.calls.messages.lines.get("now"):
            self.calls.messages.say("now", f"Press Run to {self.use} {name}.")


class AttributeRow(w.VBox):
    """A choice of one word of a kind, and how strongly the prompt takes it on.

    Where the kind is size there is no choice: below 0 is small.
    """

    def __init__(self, kind: str, controls: Controls, changed: Callable[[], None]) -> None:
        self.kind, self.sized = kind, kind == "size"
        choice, amount = WORDS[kind]
        taken = f"a {kind} that the prompt takes on"
        self.word = labelled(w.Dropdown, choice, taken, options=[NONE])
        help, self.usual = "from -1 to 1; 0 is nothing, below 0 pushes away", 1.0
        if self.sized:
            help, self.usual = "from -1, small, to 1, big", 0.0
        self.strength = Number(amount, self.usual, help, low=-1, high=1, slider=True)
        for control in (self.word, self.strength):
            controls.calls.on(control, changed)
        super().__init__([self.strength] if self.sized else [self.word, self.strength])

    @property
    def setting(self) -> list[str]:
        """The attribute as in `Settings.attributes`; empty for none."""
        word, strength = self.word.value, self.strength.value
        if isinstance(strength, str):  # refused where the setting is checked
            return [f"{'big' if self.sized else word}: {strength or 'nothing'}"]
        if self.sized:
            word, strength = ("big" if strength > 0 else "small"), abs(strength)
        nothing = not strength if self.sized else word == NONE
        return [] if nothing else [f"{word}: {strength:g}"]

    def set(self, texts: list[str]) -> None:
        """Show the attribute of this kind among those of the settings."""
        own = [a for a in parse_attributes(texts) if a.kind == self.kind]
        word, strength = (own[0].word, own[0].strength) if own else (NONE, self.usual)
        if self.sized:
            self.strength.value = -strength if word == "small" else strength
            return
        if word not in self.word.options:
            self.word.options = (*self.word.options, word)
        self.word.value, self.strength.value = word, strength


class Looks:
    """Sliders for attributes, swatches for the palette, and the style picture."""

    def __init__(self, controls: Controls, changed: Callable[[str], None]) -> None:
        self.controls, self.changed = controls, changed
        self.calls = calls = controls.calls
        self.rows = [AttributeRow(kind, controls, self._attribute) for kind in ATTRIBUTES]
        self.swatches = swatches(SWATCHES, calls, "{} in the palette", self._swatch)
        self.palette = row(*self.swatches.values(), css="vq-chips")
        self.style = PictureUpload("style_image", controls, changed)
        set_shown(controls["attributes"], False)  # the rows say the same
        for name in ("attributes", "palette", "style_image"):
            calls.watch(controls[name], self.show)
        self.follow()

    def follow(self) -> None:
        """Offer what the pair knows."""
        clip = self.controls.pair.clip
        with self.calls.quietly():
            for one in self.rows:
                words = SWATCHES if one.kind == "colour" else ATTRIBUTES[one.kind]
                known = [word for word in words if knows_attribute(clip, Attribute(word))]
                set_options(one.word, [NONE, *known])
        self.calls.guard(self.show)

    def show(self) -> None:
        """What the settings say; weights are of use only with what they weigh."""
        value = self.controls.value
        with contextlib.suppress(ValueError), self.calls.quietly():  # said where it is checked
            for one in self.rows:
                one.set(value("attributes"))
        palette = {_meant(text) for text in value("palette")}
        mark_chosen(self.swatches, [c for c in self.swatches if _meant(c) in palette])
        self.controls["palette_weight"].disabled = not palette
        self.controls["style_image_weight"].disabled = not value("style_image")

    def _attribute(self) -> None:
        self.controls.set(attributes=[text for one in self.rows for text in one.setting])
        self.changed("attributes")

    def _swatch(self, colour: str) -> None:
        palette = self.controls.value("palette")
        others = [other for other in palette if _meant(other) != _meant(colour)]
        self.controls.set(palette=others if others != palette else [*palette, colour])
        self.changed("palette")


def _meant(text: str) -> Colour | None:
    """The colour that a text of the palette means; None for one that is half typed."""
    try:
        return parse_colour(text)
    except ValueError:
        return None


class StartPicker:
    """A picture from a file as the start; or, where the pair has a library, which of its drawings
    a prompt starts from, with others to choose."""

    def __init__(self, controls: Controls, changed: Callable[[str], None]) -> None:
        self.controls, self.found = controls, None
        self.calls = calls = controls.calls
        self.own = PictureUpload("init_image", controls, changed)
        self.note = w.HTML()
        self.ask = calls.button("Other drawings", "what else it can start from", self._show_others)
        self.tiles = [Tile(calls, partial(self._choose, i)) for i in range(OTHERS)]
        self.others: list[str] = []
        self.drawings = row(*self.tiles, css="vq-tiles")
        self.box = w.VBox([self.note, self.ask, self.drawings, self.own.box])
        for name in ON:
            calls.watch(controls[name], self.show)
        self.follow()

    def follow(self) -> None:
        """Offer the starts that the pair has."""
        pair, start = self.controls.pair, self.controls["start"]
        starts = KNOBS["start"].choices
        has = [s for s in starts if s == "noise" or getattr(pair, s, None) is not None]
        with self.calls.quietly():
            set_options(start, has)
        set_shown(start, len(start.options) > 1)
        self.calls.guard(self.show)

    def show(self) -> None:
        """Say which drawing of the pair's library the prompt would start from. Strength and lines
        are of use only with a picture at the start."""
        controls = self.controls
        picture, start = (controls[name].value for name in ("init_image", "start"))
        for name in ("start_strength", "keep_edges"):
            controls[name].disabled = not picture and start == "noise"
        chosen = start == "library" and not picture and controls.pair.library is not None
        chosen = chosen and not controls.wrong()
        self.found = self._find() if chosen else None
        said = "no drawing for this prompt: it starts from noise"
        if self.found is not None:
            said = f"starts from: {html.escape(in_words(self.found.description))}"
        self.note.value = f"<span class='vq-title'>{said}</span>" if chosen else ""
        set_shown(self.ask, self.found is not None and not controls.value("regions"))
        set_shown(self.drawings, False)

    def _find(self) -> Start | None:
        try:
            return self.controls.pair.start(*asked(self.controls.pair, self.controls.settings))
        except ValueError:  # a prompt without a weight: said when it is used
            return None

    def _show_others(self) -> None:
        others = self.controls.pair.library.alternatives(self.found)[:OTHERS]
        set_shown(self.drawings)
        for i, tile in enumerate(self.tiles):
            set_shown(tile, i < len(others))
        for tile, other in zip(self.tiles, others, strict=False):
            picture, words = to_pil(other.picture[0]), in_words(other.description)
            tile.set(picture, words, "start from this drawing")
        self.others = [to_data_url(other.picture) for other in others]

    def _choose(self, i: int) -> None:
        self.controls.set(init_image=self.others[i])
        self.calls.messages.say("now", "Press Run to start from this drawing.")
