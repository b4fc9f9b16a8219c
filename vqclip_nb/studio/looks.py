"""How a picture looks and what it starts from: attributes, a palette, a style picture; a drawing
that the pair knows, or a picture of one's own."""

import contextlib
import html
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
from .widgets import SIDE, Number, Offer, Offers, Tile, jpeg, labelled, row, set_options, set_shown

NONE = "as it is"
# Each colour once, by the first of its names.
SWATCHES = {c: v for c, v in COLOURS.items() if c == next(n for n in COLOURS if COLOURS[n] == v)}
# What people read: of the choice of a word, and of its strength.
WORDS = {
    "colour": ("colour", "colour amount"),
    "size": ("size", "size amount"),
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

    image: the picture, a start cropped to the shape of the next run's.
    """

    def __init__(self, name: str, controls: Controls) -> None:
        self.name, self.controls = name, controls
        self.image: Image.Image | None = None
        calls, self.messages = controls.calls, controls.calls.messages
        words, self.use = PICTURES[name]
        help = f"a picture file to {self.use}"
        self.upload = calls.upload(words, help, "image/*", f"vq-{name}", self._take)
        remove, help = f"✕ remove {label(name)}", f"do not {self.use} this picture"
        self.tile = Tile(calls, lambda: controls.set(**{name: ""}), remove, help)
        self.box = w.VBox([self.upload, self.tile])
        set_shown(self.controls[name], False)  # a picture as text says nothing to people
        for other in (name, *(("height", "width") if name == "init_image" else ())):
            calls.watch(self.controls[other], self.show)
        calls.guard(self.show)

    def show(self) -> None:
        """The picture, if there is one."""
        source = self.controls[self.name].value
        if self.messages.public and not source.startswith("data:"):
            source = ""  # refused where the controls are checked, and never opened
        set_shown(self.tile, bool(source))
        self.image = open_image(source) if source else None
        if self.image and self.name == "init_image":
            sides = [self.controls[name] for name in ("width", "height")]
            if not any(side.wrong() for side in sides):
                self.image = ImageOps.fit(self.image, [side.value for side in sides])
        if self.image:
            self.tile.picture.value = jpeg(self.image, SIDE)

    def _take(self, name: str, content: bytes) -> None:
        try:
            image = open_image(content)
        except ValueError as e:
            raise ValueError(f"{name}: {e}") from e
        image.thumbnail((MOST, MOST))
        self.controls.set(**{self.name: to_data_url(to_tensor(image))})
        if self.name == "init_image" or not self.messages.lines.get("now"):
            self.messages.say("now", f"Press Run to {self.use} {name}.")


class Looks:
    """A word of each kind of attribute and how strongly the prompt takes it on, swatches for the
    palette, and the style picture."""

    def __init__(self, controls: Controls) -> None:
        self.controls, self.calls = controls, controls.calls
        self.words, self.amounts = dict[str, w.Dropdown](), dict[str, Number]()
        self.rows = list[w.Widget]()  # each word, then its amount
        help = "from -1 to 1; 0 is nothing, below 0 pushes away"
        for kind, (word, amount) in WORDS.items():
            taken = f"a {kind} that the prompt takes on"
            self.words[kind] = labelled(w.Dropdown, word, taken, options=[NONE])
            self.amounts[kind] = Number(amount, 1.0, help, low=-1, high=1, slider=True)
            self.rows += (self.words[kind], self.amounts[kind])
        for control in self.rows:
            self.calls.on(control, self._take_attributes)
        self.swatches = swatches(SWATCHES, self.calls, "{} in the palette", self._toggle_swatch)
        self.palette = row(*self.swatches.values(), css="vq-chips")
        self.style = PictureUpload("style_image", controls)
        set_shown(controls["attributes"], False)  # the words and amounts say the same
        for name in ("attributes", "palette", "style_image"):
            self.calls.watch(controls[name], self.show)
        self.follow()

    def follow(self) -> None:
        """Offer what the pair knows."""
        clip = self.controls.pair.clip
        with self.calls.quietly():
            for kind, choice in self.words.items():
                words = SWATCHES if kind == "colour" else ATTRIBUTES[kind]
                known = [word for word in words if knows_attribute(clip, Attribute(word))]
                set_options(choice, [NONE, *known])
        self.calls.guard(self.show)

    def show(self) -> None:
        """What the settings say; weights are of use only with what they weigh."""
        value = self.controls.value
        with contextlib.suppress(ValueError), self.calls.quietly():  # said where it is checked
            found = {a.kind: a for a in parse_attributes(value("attributes"))}
            for kind, choice in self.words.items():
                attribute = found.get(kind, Attribute(NONE))
                set_options(choice, choice.options, attribute.word)
                self.amounts[kind].value = attribute.strength
        palette = {_meant(text) for text in value("palette")}
        mark_chosen(self.swatches, [c for c in self.swatches if _meant(c) in palette])
        self.controls["palette_weight"].disabled = not palette
        self.controls["style_image_weight"].disabled = not value("style_image")

    def _take_attributes(self) -> None:
        found = []
        for kind, choice in self.words.items():
            amount = self.amounts[kind].value  # a text where that is no number, which is refused
            amount = amount if isinstance(amount, str) else f"{amount:g}"
            if choice.value != NONE:
                found.append(f"{choice.value}: {amount or 'nothing'}")
        self.controls.set(attributes=found)

    def _toggle_swatch(self, colour: str) -> None:
        palette = self.controls.value("palette")
        others = [other for other in palette if _meant(other) != _meant(colour)]
        self.controls.set(palette=others if others != palette else [*palette, colour])


def _meant(text: str) -> Colour | None:
    """The colour that a text of the palette means; None for one that is half typed."""
    try:
        return parse_colour(text)
    except ValueError:
        return None


class StartPicker:
    """A picture from a file as the start; or, where the pair has a library, which of its drawings
    a prompt starts from, with others to choose."""

    def __init__(self, controls: Controls) -> None:
        self.controls, self.calls = controls, controls.calls
        self.found: Start | None = None
        self.own = PictureUpload("init_image", controls)
        self.note = w.HTML()
        help = "what else it can start from"
        self.ask = self.calls.button("Other drawings", help, self._show_others)
        self.others = Offers(self.calls, OTHERS, tiles=True, css="vq-tiles")
        self.box = w.VBox([self.note, self.ask, self.others, self.own.box])
        for name in ON:
            self.calls.watch(controls[name], self.show)
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
        self.others.offer([])

    def _find(self) -> Start | None:
        try:
            return self.controls.pair.start(*asked(self.controls.pair, self.controls.settings))
        except ValueError:  # a prompt without a weight: said when it is used
            return None

    def _show_others(self) -> None:
        offers = []
        for other in self.controls.pair.library.alternatives(self.found)[:OTHERS]:
            choose = partial(self._choose, to_data_url(other.picture))
            picture, words = to_pil(other.picture[0]), in_words(other.description)
            offers.append(Offer(words, "start from this drawing", choose, picture))
        self.others.offer(offers)

    def _choose(self, picture: str) -> None:
        self.controls.set(init_image=picture)
        self.calls.messages.say("now", "Press Run to start from this drawing.")
