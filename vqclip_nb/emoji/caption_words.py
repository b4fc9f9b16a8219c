"""The words of captions: those that the pair learned, and those that the grammar reads."""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from pathlib import Path

from .. import palettes


def read_rows(table: str) -> list[tuple[str, list[str]]]:
    """The lines "head: word, word" of a file of this folder."""
    text = Path(__file__).with_name(table).read_text(encoding="utf8")
    rows = (line.partition(": ") for line in text.splitlines())
    return [(head, words.split(", ")) for head, _, words in rows]


USUAL_COLOURS = "usual_colours.txt"  # of what only a silhouette shows
# Of grammar.txt, with heads "table" or "table = meaning", each table's words with what they mean.
TABLES: dict[str, dict[str, str]] = defaultdict(dict)
for _head, _words in read_rows("grammar.txt"):
    _table, _, _meaning = _head.partition(" = ")
    TABLES[_table] |= dict.fromkeys(_words, _meaning)
WORDS = {table: frozenset(words) for table, words in TABLES.items()}


def _phrases(table: str) -> dict[str, tuple[str, ...]]:
    """What a table's words mean, each with all words for it."""
    meanings = TABLES[table]
    return {m: tuple(w for w in meanings if meanings[w] == m) for m in meanings.values()}


STYLE_WORDS = _phrases("styles")  # of a style: what a caption begins with
MEDIA_WORDS = _phrases("media of a layer")  # of a medium of `media.MEDIA`: how a prompt asks for it
COLOURS = {name: palettes.COLOURS[name] for name in TABLES["backgrounds"]}
SIZES, MATERIALS = TABLES["sizes"], TABLES["materials"]
COUNTS = {word: int(count) for word, count in TABLES["counts"].items()}
MORE = WORDS["more"] | {str(i) for i in range(7, 101)}  # numbers of which six are drawn: it is said
OF_A_KIND = {*SIZES, *MORE, *" ".join(COUNTS).split()}  # what says something of all of them
RELATIONS = TABLES["relations"]  # between two things: how the first then stands to the second
BODY = WORDS["body"]  # what a drawing shows or does not: "a cat with yellow eyes"
WITHOUT = ("without", "no", "not")  # what follows is not asked for
READ = frozenset(
    word
    for table in (RELATIONS, COUNTS, SIZES, MATERIALS, palettes.COLOURS)
    for phrase in table
    for word in phrase.split()
)
NOT_DRAWN = "not drawn"
ARTICLES = ("a", "an", "the")
# Of whom something is a part: "on a pirate's shoulder".
PART = re.compile(
    r"(\b(?:on|in|over|by) (?:(?:an?|the|his|her|my) )?(?:[\w-]+ )?[\w-]+)['’]s? "
    r"(?:shoulders?|head|back|lap|hands?|nose|arms?|wrist)\b"
)
OF = ("of", "of a", "of an", "of the")
SKIPPED = WORDS["skipped"]
# Words that carry no picture: never reported as unknown.
SMALL_WORDS = WORDS["small words"]


def article(noun: str) -> str:
    """`noun` with a or an, or bare where it is a plural."""
    last = noun.split(" with ")[0].split(" in ")[0]
    if last.endswith("s") and not last.endswith(("ss", "us", "is")):
        return noun
    vowel = noun[0].lower() in "aeiou" and not noun.startswith(("uni", "one"))
    return ("an " if vowel else "a ") + noun


@functools.lru_cache(4096)
def singulars(word: str) -> tuple[str, ...]:
    """What a word or phrase may be the plural of, likeliest first."""
    found = [
        word.removesuffix(end) + one for end, one in TABLES["plurals"].items() if word.endswith(end)
    ]
    for end, one in (("ies", "y"), ("ves", "f"), ("ves", "fe"), ("s", ""), ("es", "")):
        if word.endswith(end) and len(word) > len(end) + 1 and not word.endswith("ss"):
            found.append(word.removesuffix(end) + one)
    return tuple(found)
