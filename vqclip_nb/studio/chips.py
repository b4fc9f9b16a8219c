"""Examples, styles, backgrounds and shapes to choose instead of type."""

import difflib
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial

import ipywidgets as w

from ..emoji.caption_words import COLOURS, MEDIA_WORDS, STYLE_WORDS, article
from ..prompts import unknown_words
from .callbacks import Callbacks
from .controls import Controls
from .widgets import Offer, Offers, labelled, row, set_class, set_shown

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
LOOKS = {**STYLE_WORDS, **MEDIA_WORDS}
_STYLES = {words: name for name, several in LOOKS.items() for words in several}
_PARTS = re.compile(
    rf"(?:({'|'.join(sorted(_STYLES, key=len, reverse=True))})\s+)?(.*?)"
    rf"(?:\s+on an? ({'|'.join(sorted(COLOURS, key=len, reverse=True))}) background)?",
    re.IGNORECASE | re.DOTALL,
)


def _short(words: str) -> str:
    """ "a line drawing of" as a chip says it."""
    return re.sub(r"^an? | of$", "", words)


def in_words(description: str) -> str:
    """What a library's drawing is called, with its style as the chips say it."""
    styles = {name: _short(words[0]) for name, words in STYLE_WORDS.items()}
    return re.sub(rf"(?<=, )({'|'.join(styles)})\b", lambda found: styles[found[1]], description)


def parts(prompt: str) -> tuple[str, str, str]:
    """The words of the style or medium that a prompt begins with, what it shows, and the colour of
    the background that it ends with; empty for none."""
    words, shown, colour = _PARTS.fullmatch(prompt.strip()).groups("")
    return words, shown, colour.lower()


def joined(words: str, shown: str, colour: str) -> str:
    """A prompt of such parts."""
    ground = f"on {article(colour)} background" if colour else ""
    return " ".join(filter(None, (words, shown, ground)))


def style_of(prompt: str) -> str:
    """The name of the style or medium that a prompt begins with; empty for none."""
    return _STYLES.get(parts(prompt)[0].lower(), "")


def with_style(prompt: str, name: str) -> str:
    """A prompt in another style; "" for none."""
    _, shown, colour = parts(prompt)
    return joined(LOOKS[name][0] if name else "", shown, colour)


def swatches(
    colours: Mapping[str, tuple[int, int, int]],
    calls: Callbacks,
    help: str,
    chosen: Callable[[str], None],
) -> dict[str, w.Button]:
    """A round button for each colour; `chosen` is called with its name. help: with {} for it."""
    buttons = {n: calls.button(n, help.format(n), partial(chosen, n)) for n in colours}
    for name, button in buttons.items():
        button.add_class("vq-swatch").style.button_color = "rgb({}, {}, {})".format(*colours[name])
    return buttons


def mark_chosen(buttons: Mapping[str, w.Button], chosen: Collection[str]) -> None:
    """Mark those buttons and no others."""
    for name, button in buttons.items():
        set_class(button, "vq-chosen", name in chosen)


class Chips:
    """Buttons that change the prompt: examples; styles and backgrounds, for a pair that learned
    their words; and, for words that it does not know, drawings that are spelt like them."""

    def __init__(self, controls: Controls) -> None:
        self.controls, calls = controls, controls.calls
        self.styles = {
            name: calls.button(_short(words[0]), words[0], partial(self._toggle_style, name))
            for name, words in LOOKS.items()
        }
        help = "on a {} background"
        self.backgrounds = swatches(COLOURS, calls, help, self._toggle_background)
        examples = [
            calls.button(name, text, partial(controls.take, include=text))
            for name, text in EXAMPLES.items()
        ]
        for button in (*examples, *self.styles.values()):
            button.add_class("vq-chip")
        self.examples, rows = row(*examples, css="vq-chips"), []
        for title, buttons in (("look", self.styles), ("background", self.backgrounds)):
            titled = w.HTML(f"<span class='vq-title'>{title}</span>")
            rows.append(w.VBox([titled, row(*buttons.values(), css="vq-chips")]))
        self.box = w.VBox(rows)
        self.near = Offers(calls, NEAR * MOST_UNKNOWN, css="vq-chips").add_class("vq-long")
        controls.suggest = self.offer
        controls["include"].observe(lambda _: self.mark(), "value")
        self.follow()
        self.mark()

    def follow(self) -> None:
        """Show what the pair knows, and nothing for one that reads any words."""
        pair = self.controls.pair
        set_shown(self.box, pair.clip.vocabulary is not None)
        drawn = {*pair.library.styles, *MEDIA_WORDS} if pair.library else ()
        for name, button in self.styles.items():
            set_shown(button, name in drawn or not unknown_words(pair, LOOKS[name][0]))
        for colour, button in self.backgrounds.items():
            set_shown(button, not unknown_words(pair, colour))

    def mark(self) -> None:
        """Mark the chips that the prompt has."""
        prompt = self.controls["include"].value
        mark_chosen(self.styles, [style_of(prompt)])
        mark_chosen(self.backgrounds, [parts(prompt)[2]])

    def _toggle_style(self, name: str) -> None:
        prompt = self.controls["include"].value
        wanted = "" if style_of(prompt) == name else name
        self.controls.take(include=with_style(prompt, wanted))

    def _toggle_background(self, colour: str) -> None:
        words, shown, before = parts(self.controls["include"].value)
        self.controls.take(include=joined(words, shown, "" if before == colour else colour))

    def offer(self, unknown: Sequence[str]) -> None:
        """Offer the nearest of the known things for each unknown word."""
        library = self.controls.pair.library
        known = {concept["label"] for concept in library.concepts} if library else ()
        help = "put this word in its place"
        self.near.offer(
            [
                Offer(f"{word} → {near}", help, partial(self._replace, word, near))
                for word in unknown[:MOST_UNKNOWN]
                for near in difflib.get_close_matches(word, known, NEAR, ALIKE)
            ]
        )

    def _replace(self, word: str, near: str) -> None:
        prompt = self.controls["include"].value
        word = rf"\b{re.escape(word)}\b"
        self.controls.take(include=re.sub(word, near, prompt, flags=re.IGNORECASE))


def shape_chooser(controls: Controls) -> w.Dropdown:
    """A choice of shapes, with about the pixels of the pair's own square, in the generator's steps
    of pixels."""
    help = "of the next picture; all have about as many pixels"
    chooser = labelled(w.Dropdown, "shape", help, options=[*SHAPES, "as set below"])

    def choose() -> None:
        if chooser.value in SHAPES:
            pair, (across, down) = controls.pair, SHAPES[chooser.value]
            factor = pair.vqgan.downsample_factor
            unit = pair.defaults["height"] / (across * down) ** 0.5 / factor
            height, width = (max(1, round(n * unit)) * factor for n in (down, across))
            controls.set(width=width, height=height)

    controls.calls.on(chooser, choose)
    return chooser
