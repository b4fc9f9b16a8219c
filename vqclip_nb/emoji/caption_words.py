"""The words of captions: those that the pair learned, and those that the grammar reads."""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .. import palettes

if TYPE_CHECKING:
    from .drawings import Thing


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


# What leads to a place.
LED = (
    "in front of|in the (?:middle|centre|center|back|corner|heart|air) of|on (?:the )?(?:edge|bank"
    "|side|top) of|next to|out of|inside of|outside of|above|across|along|around|at|behind|beside"
    "|by|climbing(?: up)?|crossing|down|from|in|inside|into|near|on|outside|over|past|through|to"
    "|towards?|under|up"
)
# Of drawings that fill a picture, by what leads to them and a name: "the hill" is a place behind
# any of `LED`, "in the barn" behind "in", and "kitchen" at the beginning of a text too.
BACKDROP_NAMES: dict[tuple[str, str], str] = {}
ONLY_ALONE = set[tuple[str, str]]()  # where a text names no other: "in the snow"
for _head, _words in read_rows("backdrops.txt"):
    _kind, _, _label = _head.rpartition(" = ")
    for _name in (_label, *_words):
        _found = re.fullmatch(rf"(?:({LED}) )?the (.+)", _name)
        _key = (_found[1] or "any", _found[2]) if _found else ("", _name)
        BACKDROP_NAMES.setdefault(_key, _label)
        ONLY_ALONE |= {_key} if _kind and BACKDROP_NAMES[_key] == _label != _name else set()
BACKDROPS = frozenset(BACKDROP_NAMES.values())  # their labels
STYLE_WORDS = _phrases("styles")  # of a style: what a caption begins with
MEDIA_WORDS = _phrases("media of a layer")  # of a medium of `media.MEDIA`: how a prompt asks for it
COLOURS = {name: palettes.COLOURS[name] for name in TABLES["backgrounds"]}
SIZES, MATERIALS = TABLES["sizes"], TABLES["materials"]
COUNTS = {word: int(count) for word, count in TABLES["counts"].items()}
MORE = WORDS["more"] | {str(i) for i in range(13, 101)}  # drawn as the largest of `COUNTS`
MOST = max(COUNTS.values())  # of one thing in a picture
AS_MOST = f"drawn as {MOST}"
OF_A_KIND = {*SIZES, *MORE, *" ".join(COUNTS).split()}  # what says something of all of them
RELATIONS = TABLES["relations"]  # between two things: how the first then stands to the second
WORN = TABLES["worn"]  # where on who wears it
HOLDERS = WORDS["holders"]  # of what they hold more than one: "a bowl of apples"
BODY = WORDS["body"]  # what a drawing shows or does not: "a cat with yellow eyes"
WITHOUT = ("without", "no", "not")  # what follows is not asked for
MOODS = TABLES["moods"]  # of what has no face: one is drawn on it
FACED = frozenset().union(*(WORDS[of] for of in ("faced", "bearers", "doers", "mounts", "people")))
PATTERNS = TABLES["pattern"], TABLES["pattern behind"]  # in front of a thing and behind it
READ = frozenset(
    word
    for table in (RELATIONS, COUNTS, SIZES, MATERIALS, COLOURS, MOODS, *PATTERNS)
    for phrase in table
    for word in phrase.split()
)
NOT_DRAWN = "not drawn"
TWO_TONE = "black-and-white"  # of a thing, not of the whole picture
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


def one_word(label: str) -> str:
    """A drawing's name as one word of a text, which no rule takes apart: "cat_on_roof_"."""
    return f"{label.replace(' ', '_')}_"


def with_spaces(word: str) -> str:
    """What `one_word` made one word."""
    return word.replace("_", " ").strip()


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


def relation_of(thing: Thing, before: Sequence[Thing], relations: Sequence[str]) -> str:
    """How the things before one stand to it; relations: of those."""
    joint, last = thing.led, thing.said.split()[-1]
    how = RELATIONS.get(joint, "beside")
    if how == "in" and last in HOLDERS:
        heap = before[-1].count > (1 if last == "bowl" else 2)
        return "standing in" if last in WORDS["vases"] else "heaped in" if heap else "held in"
    worn = joint == "and" and relations[-1:] and relations[-1] in WORN.values()
    if last in WORN and (joint in ("wearing", "with", "in") or worn):
        return WORN[last]
    owner = before[-1].said.split()[-1]
    if last in WORDS["standing around"] and joint in ("with", "in", "by", "near", "among"):
        return "amid" if owner in WORDS["far away"] else "among"  # trees before mountains
    if joint == "with" and owner in WORDS["tables"]:
        return "below"
    if joint == "with" and owner in WORDS["dishes"] and last in ("candle", "candles"):
        return "lit with"
    if joint == "with" and owner in WORDS["dishes"] and last in WORDS["toppings"]:
        return "topped with"
    owners = {owner, *singulars(owner)}
    shelters = last in WORDS["umbrellas"] and owners & (WORDS["bearers"] | WORDS["people"])
    if shelters and (how in ("below", "holding") or joint == "with"):
        return "sheltered by"
    held = how == "holding" or joint == "with"
    if held and last in WORDS["on a string"] and owners & (WORDS["bearers"] | WORDS["people"]):
        return "on a string"
    if joint == "with" and last in WORDS["held"] and owner in WORDS["bearers"]:
        return "holding"
    if joint == "over" and last == "bridge" and owner in WORDS["crossing"]:
        return "on"
    if joint == "between" and thing.count == 1:
        return "beside"  # "between a dog and a mouse"
    if how == "flying" and last not in WORDS["on a string"]:  # "a girl flying a dragon"
        return "riding"
    if last in ("tree", "trees") and (how == "in" or joint in WORDS["below"]):
        return "on" if how == "in" else "in front of"
    if how == "on" and last in WORDS["mounts"]:
        return "riding"
    if how == "on" and last in WORDS["tables"]:
        return "on a table"
    if (how == "on" and last in WORDS["flat"]) or (how == "in" and last in WORDS["nets"]):
        return "served on"
    if how == "in" and last in WORDS["seats"]:
        return "on"
    scenic = joint in ("", "and", "with") and thing.name != "star"  # "a sheriff with a star"
    above = in_the_sky(thing.name) and (how in ("below", "facing") or scenic)
    return "under" if above and not all(in_the_sky(t.name) for t in before) else how


def in_the_sky(name: str) -> bool:
    """Whether a thing is: "full moon", "cloud with rain"."""
    whole = name.partition(" with ")[0]
    star = whole.endswith(" star")  # not "rock star"
    return whole in WORDS["sky"] or (whole.split()[-1] in WORDS["sky"] and not star)


def second_colour(rest: list[str]) -> str:
    """The colour behind "and", where a thing follows: of "orange and white cat"."""
    for length in (2, 1):
        colour = " ".join(rest[1 : 1 + length])
        if rest[:1] == ["and"] and colour in palettes.COLOURS and goes_on(rest[1 + length :]):
            return colour
    return ""


def goes_on(rest: list[str]) -> bool:
    """Whether a colour word has something to colour: "an orange cat", not "a cat and an orange"."""
    if rest[:1] == [","]:  # "a red, round ball", but not "an orange, a ball"
        return len(rest) > 1 and rest[1] not in SKIPPED and rest[1] not in COUNTS
    stands = any(" ".join(rest[:n]) in RELATIONS for n in (1, 2, 3))
    return bool(rest) and not stands and rest[0] != "of"
