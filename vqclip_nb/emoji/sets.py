"""The sets of drawings: what they are called, whose they are, and which things count as one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ..models import scene

HELD_OUT = "fxemoji"
UNREAD = -1  # group of what the library alone shows: the networks never learned it
SILHOUETTES = Path(__file__).with_name("silhouettes.txt")
PEOPLE_AND_SIGNS = Path(__file__).with_name("people_and_signs.txt")

# Emoji whose name another silhouette bears, or whose silhouette nobody can name.
UNLIKE = frozenset(
    ("star-struck", "pig face", "ram", "hole", "volcano", "butter", "fairy", "black flag")
)


@dataclass(frozen=True)
class Style:
    package: str
    licence: str
    words: tuple[str, ...]


STYLES = {
    "noto": Style("@iconify-json/noto@1.2.9", "Apache-2.0", ("a cartoon of", "a drawing of")),
    "3d": Style("@iconify-json/fluent-emoji@1.2.7", "MIT", ("a 3d render of", "a 3d model of")),
    "flat": Style(
        "@iconify-json/fluent-emoji-flat@1.2.6", "MIT", ("a flat icon of", "clip art of")
    ),
    "line": Style(
        "@iconify-json/fluent-emoji-high-contrast@1.2.6",
        "MIT",
        ("a line drawing of", "a black and white drawing of"),
    ),
    "sticker": Style("@iconify-json/twemoji@1.2.5", "CC-BY-4.0", ("a sticker of", "an emoji of")),
    HELD_OUT: Style("@iconify-json/fxemoji@1.2.2", "Apache-2.0", ()),
    "simple": Style(
        "@iconify-json/noto-v1@1.2.5", "Apache-2.0", ("a simple picture of", "a simple drawing of")
    ),
    "colourful": Style(
        "@iconify-json/emojione@1.2.3",
        "CC-BY-4.0",
        ("an illustration of", "a colourful picture of"),
    ),
    "comic": Style(
        "@iconify-json/streamline-emojis@1.2.4", "CC-BY-4.0", ("a comic of", "a comic drawing of")
    ),
    "silhouette": Style(
        "@iconify-json/game-icons@1.2.4", "CC-BY-3.0", ("a silhouette of", "a shadow of")
    ),
}
TRAINED = ("noto", "3d", "flat", "line", "sticker")  # what the networks learned
DRAWN = tuple(name for name in STYLES if name != HELD_OUT)  # what the library holds

TAUGHT = (  # background words of the captions
    "white, black, gray, red, orange, yellow, green, blue, purple, pink, brown, turquoise, "
    "light blue, dark blue, light green, dark green, light gray, beige"
)
COLOURS = {name: scene.COLOURS[name] for name in TAUGHT.split(", ")}

# Concepts that no eye tells apart count as one; the pattern's replacement is their common name.
MERGED = (
    (re.compile(r".*(o’clock|-thirty)$"), "clock face"),
    (re.compile(r"(new|full|.*(quarter|gibbous|crescent)) moon( face)?$"), "moon"),
    (re.compile(r"globe (showing .*|with meridians)$"), "globe"),
    (re.compile(r"(open|closed) mailbox .*"), "mailbox"),
    (re.compile(r"speaker .* volume|muted speaker$"), "speaker"),
    (re.compile(r"magnifying glass .*"), "magnifying glass"),
    (re.compile(r"sun behind .*cloud$"), "sun behind cloud"),
    (re.compile(r"(outbox|inbox) tray$"), "tray"),
    (re.compile(r"(yen|dollar|euro|pound) banknote$"), "banknote"),
    (re.compile(r"hourglass .*"), "hourglass"),
    (re.compile(r"(1st|2nd|3rd) place medal|sports medal$"), "medal"),
)


def merged_name(label: str) -> str:
    """The name a concept is trained and scored under."""
    for pattern, name in MERGED:
        if pattern.match(label):
            return name
    return label


def silhouettes() -> dict[str, str]:
    """Things that no emoji shows and a silhouette does, each with the name of its icon: nouns that
    WordNet counts as physical, and plain pairs of words, chosen by eye from game-icons. A line of
    the file is "name" or "name: icon"."""
    lines = (s.partition(": ") for s in SILHOUETTES.read_text(encoding="utf8").splitlines())
    return {name: icon or name.replace(" ", "-") for name, _, icon in lines}


@dataclass(frozen=True)
class Unread:
    """An emoji that the library alone shows. label: emojibase's; also: other words for it."""

    label: str
    also: tuple[str, ...]


def people_and_signs() -> dict[str, Unread]:
    """People, hands, parts of the body, signs and flags by the name that people type. A line of the
    file is "name: label" or "name: label; word, word"."""
    found = {}
    for line in PEOPLE_AND_SIGNS.read_text(encoding="utf8").splitlines():
        name, _, rest = line.partition(": ")
        label, _, also = rest.partition("; ")
        found[name] = Unread(label, tuple(also.split(", ")) if also else ())
    return found
