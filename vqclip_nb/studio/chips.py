"""Styles, backgrounds, shapes and pairs to choose instead of type."""

from __future__ import annotations

import difflib
import logging
import re
from collections.abc import Callable, Collection, Mapping, Sequence

import ipywidgets as w

from ..emoji.caption_words import COLOURS, MEDIA_WORDS, STYLE_WORDS, article
from ..loading import available_pairs, load_pair
from ..models.pair import Pair
from ..prompts import unknown_words
from ..weights import WeightsError
from .callbacks import Callbacks
from .controls import labelled
from .tiles import ButtonRow

log = logging.getLogger(__name__)
# Prompts that are shown first.
FIRST = "a pineapple on a white background"
EXAMPLES = {
    "pineapple": FIRST,
    "sunflower": "a sunflower on a blue background",
    "fire": "a fire on a black background",
    "rocket": "a rocket on a dark blue background",
    "pink elephant": "a pink elephant",
    "3d strawberry": "a 3d render of a strawberry on a pink background",
}
NEAR, MOST_UNKNOWN = 3, 3  # known things offered for each unknown word, and unknown ones
ALIKE = 0.75  # how much of their letters they share at least (difflib's ratio)
SHAPES = {"square": (1, 1), "portrait": (3, 4), "landscape": (4, 3), "wide": (16, 9)}
_BACKGROUND = re.compile(
    rf"\s+on an? ({'|'.join(sorted(COLOURS, key=len, reverse=True))}) background$", re.IGNORECASE
)
LOOKS = {**STYLE_WORDS, **MEDIA_WORDS}
_STYLES = {words: name for name, several in LOOKS.items() for words in several}


def _short(words: str) -> str:
    """ "a line drawing of" as a chip says it."""
    return re.sub(r"^an? | of$", "", words)


def in_words(description: str) -> str:
    """What a library's drawing is called, with its style as the chips say it."""
    styles = {name: _short(words[0]) for name, words in STYLE_WORDS.items()}
    return re.sub(rf"(?<=, )({'|'.join(styles)})\b", lambda found: styles[found[1]], description)


def style_of(prompt: str) -> str:
    """The name of the style or medium that a prompt begins with; empty for none."""
    return next((n for words, n in _STYLES.items() if prompt.lower().startswith(f"{words} ")), "")


def background_of(prompt: str) -> str:
    """The colour of the background that a prompt ends with; empty for none."""
    found = _BACKGROUND.search(prompt)
    return found[1].lower() if found else ""


def with_style(prompt: str, name: str) -> str:
    """A prompt in another style; "" for none."""
    for words in _STYLES:
        if prompt.lower().startswith(f"{words} "):
            prompt = prompt[len(words) + 1 :]
    return f"{LOOKS[name][0]} {prompt}" if name else prompt


def with_background(prompt: str, colour: str) -> str:
    """A prompt on another background; "" for none."""
    prompt = _BACKGROUND.sub("", prompt)
    return f"{prompt} on {article(colour)} background" if colour else prompt


def size_of(shape: str, side: int, factor: int) -> tuple[int, int]:
    """Height and width in a shape, with about the pixels of a square of `side`, in the generator's
    steps of `factor` pixels."""
    across, down = SHAPES[shape]
    scale = side / (across * down) ** 0.5
    height, width = (max(factor, round(n * scale / factor) * factor) for n in (down, across))
    return height, width


def swatches(
    colours: Mapping[str, tuple[int, int, int]],
    calls: Callbacks,
    help: str,
    chosen: Callable[[str], None],
) -> dict[str, w.Button]:
    """A round button for each colour; `chosen` is called with its name. help: with {} for it."""
    buttons = {}
    for name, rgb in colours.items():
        button = calls.button(name, help.format(name), lambda name=name: chosen(name))
        button.add_class("vq-swatch")
        button.style.button_color = "rgb({}, {}, {})".format(*rgb)
        buttons[name] = button
    return buttons


class NearWords(ButtonRow):
    """For words of the prompt that a pair does not know: known things that are spelt like them,
    to click. changed: called with the new prompt."""

    def __init__(self, calls: Callbacks, prompt: w.Text, changed: Callable[[str], None]) -> None:
        super().__init__(calls, NEAR * MOST_UNKNOWN, "put this word in its place", self._take)
        self.prompt, self.changed = prompt, changed
        self.found: list[tuple[str, str]] = []

    def offer(self, unknown: Sequence[str], known: Collection[str]) -> None:
        """Offer the nearest of the known things."""
        self.found = [
            (word, near)
            for word in unknown[:MOST_UNKNOWN]
            for near in difflib.get_close_matches(word, known, NEAR, ALIKE)
        ]
        self.show([f"{word} → {near}" for word, near in self.found])

    def _take(self, i: int) -> None:
        word, near = self.found[i]
        pattern = rf"\b{re.escape(word)}\b"
        self.changed(re.sub(pattern, near, self.prompt.value, flags=re.IGNORECASE))


class Chips:
    """Buttons that change the prompt: styles and backgrounds, for a pair that learned their words.

    changed: called with the new prompt.
    """

    def __init__(
        self, pair: Pair, calls: Callbacks, prompt: w.Text, changed: Callable[[str], None]
    ) -> None:
        self.prompt, self.changed = prompt, changed
        self.styles = {
            name: calls.button(_short(words[0]), words[0], lambda name=name: self._style(name))
            for name, words in LOOKS.items()
        }
        self.backgrounds = swatches(COLOURS, calls, "on a {} background", self._ground)
        for button in self.styles.values():
            button.add_class("vq-chip")
        self.boxes = {
            "look": w.HBox(list(self.styles.values())),
            "background": w.HBox(list(self.backgrounds.values())),
        }
        for box in self.boxes.values():
            box.add_class("vq-chips")
        self.box = w.VBox(
            [
                w.VBox([w.HTML(f"<span class='vq-title'>{name}</span>"), box])
                for name, box in self.boxes.items()
            ]
        )
        prompt.observe(lambda _: self.mark(), "value")
        self.follow(pair)
        self.mark()

    def follow(self, pair: Pair) -> None:
        """Show what `pair` knows, and nothing for one that reads any words."""
        closed = pair.clip.vocabulary is not None
        self.box.layout.display = "" if closed else "none"
        drawn = {*pair.library.styles, *MEDIA_WORDS} if pair.library else ()
        for name, button in self.styles.items():
            known = closed and (name in drawn or not unknown_words(pair, LOOKS[name][0]))
            button.layout.display = "" if known else "none"
        for colour, button in self.backgrounds.items():
            known = closed and not unknown_words(pair, colour)
            button.layout.display = "" if known else "none"

    def mark(self) -> None:
        """Mark the chips that the prompt has."""
        chosen = ((self.styles, style_of), (self.backgrounds, background_of))
        for buttons, find in chosen:
            now = find(self.prompt.value)
            for name, button in buttons.items():
                (button.add_class if name == now else button.remove_class)("vq-chosen")

    def _style(self, name: str) -> None:
        prompt = self.prompt.value.strip()
        self.changed(with_style(prompt, "" if style_of(prompt) == name else name))

    def _ground(self, colour: str) -> None:
        prompt = self.prompt.value.strip()
        self.changed(with_background(prompt, "" if background_of(prompt) == colour else colour))


def shape_chooser(calls: Callbacks, chosen: Callable[[str], None]) -> w.Dropdown:
    """A choice of shapes; `chosen` is called with its name."""
    options = ["square", *[name for name in SHAPES if name != "square"], "as set below"]
    chooser = w.Dropdown(options=options, description="shape")
    labelled(chooser, "of the next picture; all have about as many pixels")
    calls.on(chooser, lambda: chosen(chooser.value) if chooser.value in SHAPES else None)
    return chooser


class PairChoice:
    """Which pair paints the next picture."""

    def __init__(self, pair: Pair, calls: Callbacks, *, public: bool = False) -> None:
        self.pair, self.calls, self.messages = pair, calls, calls.messages
        names = list(dict.fromkeys([pair.name, *(() if public else available_pairs())]))
        self.control = labelled(
            w.Dropdown(options=names, description="pair"),
            "the networks: emoji ships with the package, others are downloaded",
        )
        load = "Press Run to load this pair and paint with it."
        calls.on(self.control, lambda: self.messages.say("now", load))

    def choose(self, name: str | None) -> bool:
        """Set the control, without loading; whether there is such a pair."""
        known = name in self.control.options
        with self.calls.quietly():
            self.control.value = name if known else self.pair.name
        return known

    def load(self) -> Pair | None:
        """The chosen pair; None, and said why, if it cannot be had."""
        name = self.control.value
        if name == self.pair.name:
            return self.pair
        self.messages.say(
            "now", f"Loading {name}; the first time it is downloaded, which can take minutes …"
        )
        try:
            self.pair = load_pair(name)
        except WeightsError as e:
            log.info("not loaded", exc_info=True)
            tried = "\n" in str(e).strip()  # one line for each place that was tried
            why = "it could not be downloaded" if tried else str(e)
            self.choose(self.pair.name)
            self.messages.say(
                "problem",
                f"{name} is not here: {why}. Check the connection and choose it again, or go on "
                f"with {self.pair.name}.",
                "error",
            )
            return None
        finally:
            self.messages.clear("now")
        return self.pair
