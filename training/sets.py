"""The sets of drawings: what they are called, whose they are, and which things count as one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from vqclip_nb.emoji.caption_words import STYLE_WORDS

HELD_OUT = "fxemoji"
UNREAD = -1  # group of what the library alone shows: the networks never learned it
SILHOUETTES = Path(__file__).with_name("silhouettes.txt")
PEOPLE_AND_SIGNS = Path(__file__).with_name("people_and_signs.txt")
OWN_DRAWINGS = Path(__file__).with_name("own_drawings")
OWN_STYLE = "noto"  # whose look they have

# Emoji whose name another silhouette bears, or whose silhouette nobody can name.
UNLIKE = frozenset(
    ("star-struck", "pig face", "ram", "hole", "volcano", "butter", "fairy", "black flag")
)


@dataclass(frozen=True)
class Style:
    package: str
    licence: str
    words: tuple[str, ...]


_SETS = {  # package and licence
    "noto": ("@iconify-json/noto@1.2.9", "Apache-2.0"),
    "3d": ("@iconify-json/fluent-emoji@1.2.7", "MIT"),
    "flat": ("@iconify-json/fluent-emoji-flat@1.2.6", "MIT"),
    "line": ("@iconify-json/fluent-emoji-high-contrast@1.2.6", "MIT"),
    "sticker": ("@iconify-json/twemoji@1.2.5", "CC-BY-4.0"),
    HELD_OUT: ("@iconify-json/fxemoji@1.2.2", "Apache-2.0"),
    "simple": ("@iconify-json/noto-v1@1.2.5", "Apache-2.0"),
    "colourful": ("@iconify-json/emojione@1.2.3", "CC-BY-4.0"),
    "comic": ("@iconify-json/streamline-emojis@1.2.4", "CC-BY-4.0"),
    "silhouette": ("@iconify-json/game-icons@1.2.4", "CC-BY-3.0"),
}
STYLES = {name: Style(*of, STYLE_WORDS.get(name, ())) for name, of in _SETS.items()}
TRAINED = ("noto", "3d", "flat", "line", "sticker")  # what the networks learned
DRAWN = tuple(name for name in STYLES if name != HELD_OUT)  # what the library holds

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


def own_drawings() -> dict[str, Path]:
    """SVG files made for this project, by what they show: whole animals and people where emoji have
    heads, and in colour what else only a silhouette shows."""
    return {path.stem: path for path in sorted(OWN_DRAWINGS.glob("*.svg"))}


@dataclass(frozen=True)
class Unread:
    """An emoji that the library alone shows. label: emojibase's, or two names of the list, as in
    "girl + woman far away", of the head of one on the body of the other; also: other words."""

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
