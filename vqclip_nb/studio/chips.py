"""Styles, backgrounds, shapes and pairs to choose instead of type, and a pair that is downloaded
while another one paints."""

from __future__ import annotations

import difflib
import logging
import re
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial

import ipywidgets as w

from ..emoji.caption_words import COLOURS, MEDIA_WORDS, STYLE_WORDS, article
from ..loading import available_pairs, download_pair, download_progress, load_pair
from ..models.pair import Pair
from ..prompts import unknown_words
from ..weights import WeightsError
from .callbacks import Callbacks, Clock
from .controls import Controls
from .widgets import ButtonRow, duration, labelled, row, set_class, set_shown

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
LOOK, OVER = 0.5, 10.0  # seconds between two looks, and that the speed is measured over
SHAPES = {"square": (1, 1), "portrait": (3, 4), "landscape": (4, 3), "wide": (16, 9)}
_BACKGROUND = re.compile(
    rf"\s+on an? ({'|'.join(sorted(COLOURS, key=len, reverse=True))}) background$", re.IGNORECASE
)
LOOKS = {**STYLE_WORDS, **MEDIA_WORDS}
_STYLES = {words: name for name, several in LOOKS.items() for words in several}
_STYLE = re.compile(rf"^({'|'.join(sorted(_STYLES, key=len, reverse=True))})\s+", re.IGNORECASE)


def _short(words: str) -> str:
    """ "a line drawing of" as a chip says it."""
    return re.sub(r"^an? | of$", "", words)


def in_words(description: str) -> str:
    """What a library's drawing is called, with its style as the chips say it."""
    styles = {name: _short(words[0]) for name, words in STYLE_WORDS.items()}
    return re.sub(rf"(?<=, )({'|'.join(styles)})\b", lambda found: styles[found[1]], description)


def style_of(prompt: str) -> str:
    """The name of the style or medium that a prompt begins with; empty for none."""
    found = _STYLE.search(prompt)
    return _STYLES[found[1].lower()] if found else ""


def background_of(prompt: str) -> str:
    """The colour of the background that a prompt ends with; empty for none."""
    found = _BACKGROUND.search(prompt)
    return found[1].lower() if found else ""


def with_style(prompt: str, name: str) -> str:
    """A prompt in another style; "" for none."""
    prompt = _STYLE.sub("", prompt)
    return f"{LOOKS[name][0]} {prompt}" if name else prompt


def with_background(prompt: str, colour: str) -> str:
    """A prompt on another background; "" for none."""
    prompt = _BACKGROUND.sub("", prompt)
    return f"{prompt} on {article(colour)} background" if colour else prompt


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
    their words; and, for words that it does not know, drawings that are spelt like them.

    changed: called with the new prompt.
    """

    def __init__(self, controls: Controls, changed: Callable[[str], None]) -> None:
        self.controls, self.changed = controls, changed
        calls, toggle_style = controls.calls, partial(self._toggle, style_of, with_style)
        toggle_ground = partial(self._toggle, background_of, with_background)
        self.styles = {
            name: calls.button(_short(words[0]), words[0], partial(toggle_style, name))
            for name, words in LOOKS.items()
        }
        self.backgrounds = swatches(COLOURS, calls, "on a {} background", toggle_ground)
        examples = [calls.button(n, text, partial(changed, text)) for n, text in EXAMPLES.items()]
        for button in (*examples, *self.styles.values()):
            button.add_class("vq-chip")
        self.examples, rows = row(*examples, css="vq-chips"), []
        for title, buttons in (("look", self.styles), ("background", self.backgrounds)):
            titled = w.HTML(f"<span class='vq-title'>{title}</span>")
            rows.append(w.VBox([titled, row(*buttons.values(), css="vq-chips")]))
        self.box = w.VBox(rows)
        self.near = ButtonRow(calls, NEAR * MOST_UNKNOWN, "put this word in its place")
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
        mark_chosen(self.backgrounds, [background_of(prompt)])

    def _toggle(
        self, find: Callable[[str], str], change: Callable[[str, str], str], name: str
    ) -> None:
        prompt = self.controls["include"].value.strip()
        self.changed(change(prompt, "" if find(prompt) == name else name))

    def offer(self, unknown: Sequence[str]) -> None:
        """Offer the nearest of the known things for each unknown word."""
        library = self.controls.pair.library
        known = {concept["label"] for concept in library.concepts} if library else ()
        self.near.offer(
            [
                (f"{word} → {near}", partial(self._replace, word, near))
                for word in unknown[:MOST_UNKNOWN]
                for near in difflib.get_close_matches(word, known, NEAR, ALIKE)
            ]
        )

    def _replace(self, word: str, near: str) -> None:
        prompt = self.controls["include"].value
        self.changed(re.sub(rf"\b{re.escape(word)}\b", near, prompt, flags=re.IGNORECASE))


def shape_chooser(controls: Controls, changed: Callable[[str], None]) -> w.Dropdown:
    """A choice of shapes, with about the pixels of the pair's own square, in the generator's steps
    of pixels; `changed` is called with "height"."""
    help = "of the next picture; all have about as many pixels"
    chooser = labelled(w.Dropdown, "shape", help, options=[*SHAPES, "as set below"])

    def choose() -> None:
        if chooser.value in SHAPES:
            pair, (across, down) = controls.pair, SHAPES[chooser.value]
            factor = pair.vqgan.downsample_factor
            unit = pair.defaults["height"] / (across * down) ** 0.5 / factor
            height, width = (max(1, round(n * unit)) * factor for n in (down, across))
            controls.set(height=height, width=width)
            changed("height")

    controls.calls.on(chooser, choose)
    return chooser


class Pairs:
    """Which pair paints the next picture; one can be fetched on a thread while another one paints.

    start: called when the person wants to paint with what has arrived. control: the choice. box: a
    line that says how far the download is, then a button, hidden as long as there is none.
    """

    def __init__(self, controls: Controls, start: Callable[[], None]) -> None:
        self.controls, self.start = controls, start
        self.calls, self.messages = calls, messages = controls.calls, controls.calls.messages
        published = () if messages.public else available_pairs()
        names = list(dict.fromkeys([controls.pair.name, *published]))
        help = "the networks: emoji ships with the package, others are downloaded"
        self.control = labelled(w.Dropdown, "pair", help, options=names)
        load = "Press Run to load this pair and paint with it."
        calls.on(self.control, lambda: messages.say("now", load))
        self.line, self.button = messages.at["download"], calls.button("", "", self._press)
        self.clock = Clock(calls, self.look, LOOK)
        self.box = w.VBox([self.line, self.button, self.clock.box])
        set_shown(self.box, False)
        self._wanted, self._thread = "", threading.Thread()
        self._error: Exception | None = None
        self._seen: list[tuple[float, int]] = []

    def choose(self, name: str | None) -> bool:
        """Set the control, without loading; whether there is such a pair."""
        known = name in self.control.options
        with self.calls.quietly():
            self.control.value = name if known else self.controls.pair.name
        return known

    def load(self) -> Pair | None:
        """The chosen pair; None, and said why, if it cannot be had."""
        name, now = self.control.value, self.controls.pair
        if self.downloading and name == self._wanted:  # to load it would wait for it
            self.choose(now.name)
            return now
        if name == now.name:
            return now
        wait = "the first time it is downloaded, which can take minutes …"
        self.messages.say("now", f"Loading {name}; {wait}")
        try:
            return load_pair(name)
        except WeightsError as e:
            log.info("not loaded", exc_info=True)
            self.choose(now.name)
            # It has one line for each place that was tried.
            why = "it could not be downloaded" if "\n" in str(e).strip() else str(e)
            what = "Check the connection and choose it again, or go on with"
            self.messages.say("problem", f"{name} is not here: {why}. {what} {now.name}.", "error")
            return None
        finally:
            self.messages.clear("now")

    @property
    def downloading(self) -> bool:
        return self._thread.is_alive()

    def download(self, name: str) -> None:
        """Begin to fetch the published pair of that name."""
        self._wanted, self._error, self._seen = name, None, []
        self._thread = threading.Thread(target=self._fetch, daemon=True)
        self._thread.start()
        set_shown(self.box)
        self.look()
        self.clock.turn(True)

    def look(self) -> None:
        """Say how far the download is."""
        name, (done, whole) = self._wanted, download_progress(self._wanted)
        self._seen = [*self._seen, (time.monotonic(), done)][-round(OVER / LOOK) :]
        (began, first), (now, _) = self._seen[0], self._seen[-1]
        speed = (done - first) / max(now - began, 1e-3)
        text, kind = f"{name}: {done / whole:.0%} of {whole / 1e6:,.0f} MB", "note"
        if done == whole:
            text += ", being checked"
        elif speed > 0:
            left = duration((whole - done) / speed)
            text += f", {speed / 1e6:.2g} MB a second, {left} left"
        text += ". The pair that is here paints meanwhile."
        over = not self.downloading
        if over:
            text = f"{name} is here."
            if self._error:
                text, kind = f"{self._error}\nThe pair that is here goes on painting.", "error"
            self.button.description = "Try again" if self._error else f"Paint with {name}"
            self.clock.turn(False)
        set_shown(self.button, over)
        self.messages.say("download", text, kind)

    def _press(self) -> None:
        if self._error:
            return self.download(self._wanted)
        set_shown(self.box, False)
        self.choose(self._wanted)
        self.start()

    def _fetch(self) -> None:
        try:
            download_pair(self._wanted)
        except Exception as e:  # shown by `look`
            self._error = e
