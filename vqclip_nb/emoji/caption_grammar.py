"""What a caption says: things, their colour and size, how two of them stand, style and background.

A small grammar for captions of the kind that the emoji pair learned. It reads words, not meanings:
what it does not know it passes over.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from ..reading import split_background
from .caption_reader import AS_SIX, CaptionReader
from .caption_words import COUNTS, in_the_sky
from .drawings import Scene
from .shorthand import TOKEN

SENTENCE_END = re.compile(r"(?<=\w\w)[.!?]+(?=\s|$)|[;\n]+")
OTHER_WAY = {"on": "below", "above": "below", "below": "on", "served on": "below"}
TOO_MANY = "not drawn, a picture holds three"
SCENIC = ("above", "among", "in front of")  # how what is in the sky stands to what is below
MOST = 3  # things in a picture


def parse(
    text: str,
    styles: Mapping[str, Sequence[str]],
    name_of: Callable[[str], str | None],
    longest: int,
    several: Callable[[str], bool],
    shows: Callable[[str, str], bool],
) -> Scene | None:
    """Read a caption; None if it names nothing that the library can draw.

    styles: words of each style, as in {"line": ["a line drawing of"]}. name_of: a phrase of up to
    `longest` words to the thing it names, or None. several: whether such a phrase is a plural, of
    which two are drawn. shows: whether the drawing of one thing has another in it, as a pizza has
    pepperoni. Of more than `MOST` things the first count.
    """
    style, text = split_style(text.lower(), styles)
    text = SENTENCE_END.sub(" , ", text).strip(" ,")
    text = " ".join(re.findall(rf"\d+:\d\d|[\w'’.-]*\w|,|{TOKEN.pattern}", text))
    background, text = split_background(text)
    words = CaptionReader(text.split(), name_of, longest, several, shows)
    words.read()
    things, relations, left_out = words.things, words.relations, words.left_out
    if not things:
        return None
    for i in range(len(things) - 1, 0, -1):
        whole, part = things[i - 1], things[i]
        plain = part.led == "with" and part.count == 1 and not (part.colour or part.size)
        if plain and part.name != whole.name and shows(whole.name, part.name):
            del things[i], relations[i - 1]
    if len(things) > 1 and in_the_sky(things[0].name) and not in_the_sky(things[1].name):
        plain = relations[0] == "beside" and things[1].led in ("", "and", "with")
        if relations[0] in SCENIC or (plain and not things[0].name.startswith("star")):
            at = min(len(things), MOST) - 1  # "a rainbow over a hill", "sun, sea"
            things.insert(at, things.pop(0))
            relations.insert(at, "under")
            del relations[0]
    left_out |= dict.fromkeys((t.said for t in things[MOST:]), TOO_MANY)
    if max((t.count for t in things[:MOST]), default=0) < max(COUNTS.values()):
        left_out = {word: told for word, told in left_out.items() if told != AS_SIX}
    if relations[1:2] == ["full of"]:  # first what is full, then who has it or stands there
        things[:MOST] = things[1], things[2], things[0]
        relations[:2] = "full of", OTHER_WAY.get(relations[0], "beside")
    return Scene(tuple(things[:MOST]), tuple(relations[: MOST - 1]), style, background, left_out)


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
