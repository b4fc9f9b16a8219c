"""The words of captions: those that the pair learned, and those that the grammar reads."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

from .. import palettes

STYLE_WORDS = {  # style: what a caption begins with
    "noto": ("a cartoon of", "a drawing of"),
    "3d": ("a 3d render of", "a 3d model of"),
    "flat": ("a flat icon of", "clip art of"),
    "line": ("a line drawing of", "a black and white drawing of"),
    "sticker": ("a sticker of", "an emoji of"),
    "simple": ("a simple picture of", "a simple drawing of"),
    "colourful": ("an illustration of", "a colourful picture of"),
    "comic": ("a comic of", "a comic drawing of"),
    "silhouette": ("a silhouette of", "a shadow of"),
}
MEDIA_WORDS = {  # medium of `media.MEDIA`: how a prompt asks for it
    "oil painting": ("an oil painting of",),
    "watercolour": ("a watercolour of",),
    "pencil drawing": ("a pencil drawing of",),
    "pixel art": ("pixel art of",),
    "stained glass": ("stained glass of",),
    "neon": ("a neon sign of",),
    "low poly": ("low poly art of",),
    "black and white": ("a black and white photo of",),
    "crayon drawing": ("a crayon drawing of",),
    "linocut": ("a linocut of",),
    "paper cut-out": ("a paper cut-out of",),
}
_BACKGROUNDS = (
    "white, black, gray, red, orange, yellow, green, blue, purple, pink, brown, turquoise, "
    "light blue, dark blue, light green, dark green, light gray, beige"
)
COLOURS = {name: palettes.COLOURS[name] for name in _BACKGROUNDS.split(", ")}  # of backgrounds


def article(noun: str) -> str:
    """`noun` with a or an, or bare where it is a plural."""
    last = noun.split(" with ")[0].split(" in ")[0]
    if last.endswith("s") and not last.endswith(("ss", "us", "is")):
        return noun
    vowel = noun[0].lower() in "aeiou" and not noun.startswith(("uni", "one"))
    return ("an " if vowel else "a ") + noun


def _read_tables() -> dict[str, dict[str, str]]:
    """Each table of grammar.txt, of lines "table: word, word" and "table = meaning: word, word":
    its words with what they mean."""
    tables: dict[str, dict[str, str]] = defaultdict(dict)
    text = Path(__file__).with_name("grammar.txt").read_text(encoding="utf8")
    for line in text.splitlines():
        head, _, words = line.partition(": ")
        table, _, meaning = head.partition(" = ")
        tables[table] |= dict.fromkeys(words.split(", "), meaning)
    return tables


TABLES = _read_tables()
WORDS = {table: frozenset(words) for table, words in TABLES.items()}
SIZES, MATERIALS = TABLES["sizes"], TABLES["materials"]
COUNTS = {word: int(count) for word, count in TABLES["counts"].items()}
MORE = WORDS["more"] | {str(i) for i in range(7, 101)}  # numbers of which six are drawn: it is said
RELATIONS = TABLES["relations"]  # between two things: how the first then stands to the second
WORN = TABLES["worn"]  # where on who wears it
BODY = WORDS["body"]  # what a drawing shows or does not: "a cat with yellow eyes"
HOLDERS = WORDS["holders"]  # of what they hold more than one: "a bowl of apples"
FLOWER_POT = "bucket"  # the drawing that is most like one
WITHOUT = ("without", "no", "not")  # what follows is not asked for
OTHER_WAY = {"on": "below", "above": "below", "below": "on", "served on": "below"}
READ = frozenset(
    word
    for table in (RELATIONS, COUNTS, SIZES, MATERIALS, palettes.COLOURS)
    for phrase in table
    for word in phrase.split()
)
NOT_DRAWN, TOO_MANY = "not drawn", "not drawn, a picture holds three"
AS_SIX = "drawn as six"
CLOCK, CLOCK_TIME = frozenset(("clock", "watch")), re.compile(r"\d{1,2}:\d\d")
ARTICLES = ("a", "an", "the")
MOST = 3  # things in a picture
# Of whom something is a part: "on a pirate's shoulder".
PART = re.compile(
    r"(\b(?:on|in|over|by) (?:(?:an?|the|his|her|my) )?(?:[\w-]+ )?[\w-]+)['’]s? "
    r"(?:shoulders?|head|back|lap|hands?|nose|arms?|wrist)\b"
)
OF = ("of", "of a", "of an", "of the")
SKIPPED = WORDS["skipped"]
TWO_TONE = "black and white"
TWO_TONE_WORDS = (TWO_TONE, "white and black")
# Of a thing, not of the whole picture.
TWO_TONES = re.compile(
    rf"\b{TWO_TONE} (?!photo|picture|image|drawing|painting|film|art|style|sketch)\w", re.IGNORECASE
)
# Words that carry no picture: never reported as unknown.
SMALL_WORDS = WORDS["small words"]
