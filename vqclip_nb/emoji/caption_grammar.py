"""What a caption says: things, their colour and size, how two of them stand, style and background.

A small grammar for captions of the kind that the emoji pair learned. It reads words, not meanings:
what it does not know it passes over.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ..palettes import COLOURS
from ..reading import split_background
from .signs import TOKEN

SIZES = {
    **dict.fromkeys(("big", "large", "huge", "giant", "enormous"), "big"),
    **dict.fromkeys(("small", "little", "tiny", "mini"), "small"),
}
COUNTS = {
    **{word: i for i, word in enumerate("two three four five six".split(), 2)},
    **{str(i): i for i in range(2, 7)},
    **{"pair of": 2, "couple of": 2, "several": 3, "many": 6, "lots of": 6},
}
RELATIONS = {  # words between two things, and how these stand; "wears": the second on the first
    **dict.fromkeys(("next to", "and", "beside", "with", "near", "by", "behind"), "beside"),
    **dict.fromkeys(("above", "over"), "above"),
    **dict.fromkeys(("below", "under", "beneath", "underneath"), "below"),
    **dict.fromkeys(("on", "on top of", "atop", "onto", "riding", "sitting on"), "on"),
    **dict.fromkeys(("in", "inside", "into", "inside of"), "in"),
    **dict.fromkeys(("wearing", "in front of"), "wears"),
    **dict.fromkeys("playing holding carrying eating chasing watching reading".split(), "beside"),
}
WITHOUT = ("without", "with no", "but no", "and no", "but not", "and not")  # the next is left out
READ = frozenset(
    word
    for table in (RELATIONS, COUNTS, SIZES, COLOURS)
    for phrase in table
    for word in phrase.split()
)
ARTICLES = ("a", "an", "the")
MOST = 2  # things in a picture
SENTENCE_END = re.compile(r"(?<=\w\w)[.!?]+(?=\s|$)|[;\n]+")
OF = ("of", "of a", "of an", "of the")
SKIPPED = frozenset("a an the some its their his her my your this that is are at to".split())


@dataclass(frozen=True)
class Thing:
    """One thing of a scene: its name as the library knows it, tint, size and number.

    tint, zoom: another colour or size, and how far it has gone there from its own, in [0, 1].
    said: the words of the caption for it.
    """

    name: str
    colour: str = ""  # a key of COLOURS; empty: as drawn
    size: str = ""  # "big", "small" or empty
    count: int = 1
    tint: tuple[str, float] = ("", 0.0)
    zoom: tuple[str, float] = ("", 0.0)
    said: str = field(default="", compare=False)


@dataclass(frozen=True)
class Scene:
    """What a caption asks for. `relation` is one of RELATIONS' values where there are two things.

    background: colour words, one, or two for a gradient; empty where none was named. left_out:
    words for more things than a picture holds.
    """

    things: tuple[Thing, ...]
    relation: str = ""
    style: str = ""
    background: tuple[str, ...] = ()
    left_out: tuple[str, ...] = field(default=(), compare=False)


def parse(
    text: str,
    styles: Mapping[str, Sequence[str]],
    name_of: Callable[[str], str | None],
    longest: int,
) -> Scene | None:
    """Read a caption; None if it names nothing that the library can draw.

    styles: words of each style, as in {"line": ["a line drawing of"]}. name_of: a phrase of up to
    `longest` words to the thing it names, or None. Of more than two things the first two count.
    """
    style, text = split_style(text.lower(), styles)
    text = SENTENCE_END.sub(" , ", text).strip(" ,")
    text = " ".join(re.findall(rf"[\w'’.-]*\w|,|{TOKEN.pattern}", text))
    background, text = split_background(text)
    things, relations = _things(text.split(), name_of, longest)
    if not things:
        return None
    relation = relations[0] if len(things) > 1 else ""
    return Scene(
        tuple(things[:MOST]), relation, style, background, tuple(t.said for t in things[MOST:])
    )


def split_style(text: str, styles: Mapping[str, Sequence[str]]) -> tuple[str, str]:
    """The style a caption names, and the caption without those words."""
    words = {w.removeprefix("a ").removeprefix("an "): s for s in styles for w in styles[s]}
    for phrase in sorted(words, key=len, reverse=True):
        alone = re.escape(phrase.removesuffix(" of"))  # "a fox, a line drawing"
        known = rf"(?:^|\ban? |(?<=,) ?){re.escape(phrase)}\b|\s*,\s*(an? )?{alone}\s*(?=,|$)"
        if found := re.search(known, text, re.IGNORECASE):
            rest = (text[: found.start()] + text[found.end() :]).split()
            return words[phrase], " ".join(rest)
    return "", text


def _things(
    words: list[str], name_of: Callable[[str], str | None], longest: int
) -> tuple[list[Thing], list[str]]:
    """Things in their order, and the relation in front of each but the first."""
    things: list[Thing] = []
    relations: list[str] = []
    colour, size, count, relation, at, left_out = "", "", 1, "", 0, False
    touching = False  # nothing since the last thing: "chocolate cake" is one thing
    while at < len(words):
        for length in range(min(max(longest, 3), len(words) - at), 0, -1):
            phrase = " ".join(words[at : at + length])
            rest = words[at + length :]
            if phrase in COLOURS and _goes_on(rest):
                colour = phrase
            elif phrase in SIZES and rest:
                size = SIZES[phrase]
            elif phrase in COUNTS:
                count, touching = COUNTS[phrase], False
            elif phrase in OF:
                touching = bool(things)
            elif phrase in WITHOUT and things:
                left_out, touching = True, False
            elif phrase in RELATIONS:
                relation, touching, left_out = relation or RELATIONS[phrase], False, False
            elif name := name_of(phrase) if phrase not in SKIPPED else None:
                is_emoji = bool(TOKEN.fullmatch(phrase))
                if left_out or (is_emoji and touching and things[-1].name == name):
                    pass  # "a fox 🦊" is one
                elif touching and not is_emoji:
                    last = things[-1]
                    colour, size = colour or last.colour, size or last.size
                    said = f"{last.said} {phrase}"
                    things[-1] = Thing(name, colour, size, max(count, last.count), said=said)
                else:
                    relations += [relation or "beside"] if things else []
                    said = name if is_emoji else phrase
                    things.append(Thing(name, colour, size, count, said=said))
                colour, size, count, relation, touching = "", "", 1, "", True
            else:
                continue
            at += length - 1
            break
        else:
            touching = touching and words[at] in SKIPPED and words[at] not in ARTICLES
            left_out = left_out and words[at] != ","
        at += 1
    return things, relations


def _goes_on(rest: list[str]) -> bool:
    """Whether a colour word has something to colour: "an orange cat", not "a cat and an orange"."""
    if rest[:1] == [","]:  # "a red, round ball", but not "an orange, a ball"
        return len(rest) > 1 and rest[1] not in SKIPPED and rest[1] not in COUNTS
    return bool(rest) and rest[0] not in RELATIONS and rest[0] not in ("on", "in", "of")
