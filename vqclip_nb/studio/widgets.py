"""What the Studio's parts are made of: rows, numbers, clickable thumbnails, scripts of the page."""

from __future__ import annotations

import html
import io
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import ipywidgets as w
import traitlets
from PIL import Image

if TYPE_CHECKING:
    from .callbacks import Callbacks

SIDE = 256  # longer side of a small picture, in pixels
BLANK = Image.new("RGB", (64, 64), "#d8d8d8")
HERE = Path(__file__).parent


def row(*widgets: w.Widget, css: str) -> w.HBox:
    """Widgets side by side."""
    return w.HBox(widgets).add_class(css)


def column(*widgets: w.Widget, css: str) -> w.VBox:
    """Widgets one below the other."""
    return w.VBox(widgets).add_class(css)


def widgets_of(part: Any) -> set[w.Widget]:
    """All widgets that a part of the Studio holds, shown or not."""
    found, seen, ahead = set[w.Widget](), set[int](), [part]
    while ahead:
        part = ahead.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, dict):
            ahead += part.values()
        elif isinstance(part, list | tuple | set):
            ahead += part
        elif isinstance(part, w.Widget):
            found.add(part)
            ahead += [getattr(part, name) for name in part.keys]
        if type(part).__module__.startswith(__package__):
            ahead += vars(part).values()
    return found


def set_shown(widget: w.Widget, on: bool = True) -> None:
    """Show a widget, or take its place away."""
    widget.layout.display = "" if on else "none"


def set_class(widget: w.Widget, css: str, on: bool) -> None:
    """Give a widget a class, or take it away."""
    (widget.add_class if on else widget.remove_class)(css)


def set_options(dropdown: w.Dropdown, options: Sequence[str], chosen: str = "") -> None:
    """What there is to choose, and what is chosen, which may be none of it; by default as it is."""
    chosen = chosen or dropdown.value
    dropdown.options = tuple(dict.fromkeys([*options, chosen]))
    dropdown.value = chosen


def labelled(
    kind: type[w.Widget], description: str, help: str, width: str = "112px", **traits: Any
) -> w.Widget:
    """A control with its help, its label so wide that those below each other end in one line."""
    control = kind(description=description, **traits).add_class("vq-control")
    if kind is not w.Checkbox:
        control.style.description_width = width
    tip(control, help)
    return control


def script(name: str) -> str:
    """HTML that runs a script of this folder as soon as a page shows it; `this` is its image."""
    code = (HERE / f"{name}.js").read_text("utf8")
    return f'<img alt="" src="data:," onerror="{html.escape(code)}">'


def duration(seconds: float) -> str:
    """Seconds in words: "50 s", "12 min"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


# -- what ipywidgets 7 and 8 do differently


def tip(control: w.Widget, text: str) -> None:
    """What shows when the pointer rests on `control`."""
    setattr(control, "tooltip" if control.has_trait("tooltip") else "description_tooltip", text)


def uploaded(value: Any) -> tuple[str, bytes]:
    """Name and content of a FileUpload's file."""
    name, file = [*value.items()][0] if isinstance(value, dict) else (value[0]["name"], value[0])
    return Path(name).name, bytes(file["content"])


def on_enter(text: w.Text, call: Callable[[], None]) -> None:
    """Call when Enter is pressed in a one-line text. `on_submit` is deprecated in 8; its message is
    the same in both."""
    text.on_msg(lambda _, content, __: call() if content.get("event") == "submit" else None)


# -- numbers


def parse_number(text: str) -> float | None:
    """The number in "1e3", "1,000", "1 000", ".5" or "0,5"; None if there is none."""
    text = re.sub(r"[\s_]", "", text)
    if re.fullmatch(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?", text):
        text = text.replace(",", "")
    try:
        value = float(text.replace(",", ".", 1))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


class Number(w.HBox):
    """A number that is typed, moved with a slider if it has one, or both.

    value: the number, or the text as it was typed where that is none. The text field counts: page
    front-ends round a slider to its steps. log: the slider moves in powers of ten.
    """

    value = traitlets.Any()
    disabled = traitlets.Bool()

    def __init__(
        self,
        description: str,
        value: float,
        help: str,
        *,
        low: float,
        high: float,
        log: bool = False,
        whole: bool = False,
        slider: bool = False,
        width: str = "112px",
    ) -> None:
        self.description, self.low, self.high = description, low, high
        self.powers, self.whole, self.slider = log, whole, None
        if slider:
            kind, ends = w.IntSlider if whole else w.FloatSlider, dict(min=low, max=high)
            if log:
                kind, ends = w.FloatLogSlider, dict(min=math.log10(low), max=math.log10(high))
            how = dict(readout=False, value=low, **ends, step=1 if kind is w.IntSlider else 0.01)
            self.slider = labelled(kind, description, help, width, **how)
        name = "" if slider else description
        self.text = labelled(w.Text, name, help, width, continuous_update=False)
        self.text.add_class("vq-number")
        super().__init__([self.slider, self.text] if slider else [self.text])
        self.add_class("vq-row")
        self.observe(lambda _: self._show(), "value")
        self.value = value
        self.text.observe(lambda change: self._typed(change["new"]), "value")
        if slider:
            self.slider.observe(lambda change: self._slid(change["new"]), "value")
        for control in self.children:
            traitlets.dlink((self, "disabled"), (control, "disabled"))

    def wrong(self) -> str:
        """What is wrong with the value; empty if nothing is."""
        value, said = self.value, ""
        if isinstance(value, str):
            said = f"{value[:30]!r} is no number" if value.strip() else "it is empty"
        elif self.whole and value != int(value):
            said = f"{value:.12g} is not whole"
        elif not self.low <= value <= self.high:
            said = f"{value:.12g} is out of range"
        allowed = f"allowed is {self.low:g} to {self.high:.10g}"
        return said and f"{self.description}: {said}; {allowed}."

    def _typed(self, text: str) -> None:
        number = parse_number(text)
        if number is not None and number == int(number) and self.whole:
            number = int(number)
        self.value = text if number is None else number

    def _slid(self, value: float) -> None:
        least = 0.5 if self.whole and not self.powers else 0.0051  # less: the page rounded it
        place = math.log10 if self.powers else float
        if abs(place(value) - place(self._inside())) > least:
            value = float(f"{value:.3g}") if self.powers else round(value, 2)
            self.value = round(value) if self.whole else min(max(value, self.low), self.high)

    def _inside(self) -> float:
        """The nearest number that the slider can show."""
        number = self.low if isinstance(self.value, str) else self.value
        return min(max(number, self.low), self.high)

    def _show(self) -> None:
        typed = isinstance(self.value, str)
        if typed or parse_number(self.text.value) != self.value:
            self.text.value = self.value if typed else f"{self.value:.10g}"
        if self.slider and not typed:
            self.slider.value = self._inside()


# -- pictures and buttons


def jpeg(image: Image.Image, side: int = 0) -> bytes:
    """A picture as JPEG without loss of colour detail, made no larger than `side` if given."""
    if side:
        image = image.copy()
        image.thumbnail((side, side))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=92, subsampling=0)
    return file.getvalue()


class Tile(w.VBox):
    """A picture, blank at first, with a caption; a click anywhere on it calls `call`."""

    def __init__(
        self, calls: Callbacks, call: Callable[[], None], caption: str = "", help: str = ""
    ) -> None:
        self.picture = w.Image(format="jpeg", value=jpeg(BLANK))
        self.button = calls.button(caption, help, call)
        super().__init__([self.picture, self.button])
        self.add_class("vq-tile")

    def show(self, image: Image.Image, caption: str, help: str) -> None:
        """Another picture in the same place."""
        self.picture.value = jpeg(image, SIDE)
        self.button.description = caption
        tip(self.button, help)


class Offer(NamedTuple):
    """What a button or, with a picture, a tile reads and does."""

    text: str
    help: str
    act: Callable[[], None]
    picture: Image.Image | None = None


class Offers(w.HBox):
    """What can be chosen now, at most so many: a tile for each if `tiles`, else a button.

    They are made once, for ipywidgets keeps every widget that was ever made.
    """

    def __init__(self, calls: Callbacks, most: int, *, tiles: bool = False, css: str) -> None:
        self._acts: list[Callable[[], None]] = []
        acts = [lambda i=i: self._acts[i]() for i in range(most)]
        self._made = [Tile(calls, act) if tiles else calls.button("", "", act) for act in acts]
        super().__init__()
        self.add_class(css)

    def offer(self, offers: Sequence[Offer]) -> None:
        """Show these and no others."""
        self._acts, self.children = [one.act for one in offers], self._made[: len(offers)]
        for widget, offer in zip(self.children, offers, strict=True):
            if offer.picture:
                widget.show(offer.picture, offer.text, offer.help)
            else:
                widget.description = offer.text
                tip(widget, offer.help)
