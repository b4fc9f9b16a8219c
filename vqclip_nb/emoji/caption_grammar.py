"""What a caption says: things, their colour and size, how two of them stand, style and background.

A small grammar for captions of the kind that the emoji pair learned. It reads words, not meanings:
what it does not know it passes over.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..palettes import COLOURS
from ..reading import split_background
from .caption_words import (
    ARTICLES,
    BODY,
    COUNTS,
    MATERIALS,
    MORE,
    NOT_DRAWN,
    OF,
    RELATIONS,
    SIZES,
    SKIPPED,
    TABLES,
    WORDS,
)
from .drawings import COLOURFUL, Scene, Thing
from .signs import TOKEN

SENTENCE_END = re.compile(r"(?<=\w\w)[.!?]+(?=\s|$)|[;\n]+")
WORN = TABLES["worn"]  # where on who wears it
HOLDERS = WORDS["holders"]  # of what they hold more than one: "a bowl of apples"
FLOWER_POT = "bucket"  # the drawing that is most like one
OTHER_WAY = {"on": "below", "above": "below", "below": "on", "served on": "below"}
TOO_MANY, AS_SIX = "not drawn, a picture holds three", "drawn as six"
CLOCK, CLOCK_TIME = frozenset(("clock", "watch")), re.compile(r"\d{1,2}:\d\d")
MOST = 3  # things in a picture
AHEAD = 8  # words behind a phrase that say how it is read


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
    things, relations, left_out = _things(text.split(), name_of, longest, several, shows)
    if not things:
        return None
    for i in range(len(things) - 1, 0, -1):
        whole, part = things[i - 1], things[i]
        plain = part.led == "with" and part.count == 1 and not (part.colour or part.size)
        if plain and part.name != whole.name and shows(whole.name, part.name):
            del things[i], relations[i - 1]
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


def _things(
    words: list[str],
    name_of: Callable[[str], str | None],
    longest: int,
    several: Callable[[str], bool],
    shows: Callable[[str, str], bool],
) -> tuple[list[Thing], list[str], dict[str, str]]:
    """Things in their order, the relation in front of each but the first, and what is left out."""
    things: list[Thing] = []
    relations: list[str] = []
    left_out: dict[str, str] = {}
    look: dict[str, Any] = {}  # of the next thing
    said: list[str] = []  # the words for it
    spelt: set[str] = set()  # things so far that were written as words
    joint, own, at = "", "", 0  # own: the last thing's own word
    # touching: nothing since the last thing: "chocolate cake" is one; of: nor but "of"; strange:
    # a word since then may be the thing that is meant.
    # part: of the last thing's body something was said.
    touching = of = strange = part = False
    while at < len(words):
        for length in range(min(max(longest, 3), len(words) - at), 0, -1):
            phrase = " ".join(words[at : at + length])
            rest = words[at + length : at + length + AHEAD]
            if phrase in COLOURS and (second := _second_colour(rest)):
                if {phrase, second} == {"black", "white"}:
                    left_out[f"{phrase} and {second}"] = NOT_DRAWN
                else:
                    look["colour"], left_out[second] = phrase, "not drawn, one colour is"
                at += 1 + len(second.split())
            elif phrase in COLOURS and _goes_on(rest):
                look["colour"] = phrase
                said.append(phrase)
            elif phrase in WORDS["colourful"] and (touching or _goes_on(rest)):
                if touching and things[-1].count > 1:  # "five balloons in different colours"
                    things[-1] = replace(things[-1], colour=COLOURFUL)
                else:
                    look["colour"] = COLOURFUL
                    said.append(phrase)
            elif phrase in MATERIALS and _goes_on(rest):
                look.setdefault("colour", MATERIALS[phrase])  # "a red wooden chair" is red
                said.append(phrase)
            elif phrase in SIZES and rest:
                look["size"] = SIZES[phrase]
                said.append(phrase)
            elif (
                things
                and words[at] in WORDS["turned"]
                and phrase.partition(" ")[2] in COLOURS
                and not (_goes_on(rest) and name_of(rest[0]))  # "there are red flowers"
            ):
                things[-1] = replace(things[-1], colour=phrase.partition(" ")[2])
            elif phrase in COUNTS or (_more(phrase) and rest and not touching):
                look["count"], touching = COUNTS.get(phrase, max(COUNTS.values())), False
                said.append(phrase)
                left_out |= {phrase: AS_SIX} if _more(phrase) else {}
            elif phrase in OF:
                of = touching
            elif phrase == "on top" and relations and touching and rest[:1] != ["of"]:
                relations[-1] = "below"  # "books with an apple on top"
            elif phrase in RELATIONS:
                joint, touching = (joint if joint and not strange else phrase), False
                joint = "with" if part and joint == "and" else joint
                if strange:
                    _drop(look, said, left_out)
                strange = False
            elif touching and (phrase in WORDS["doing"] or _acts(phrase, rest)):
                left_out[phrase], touching = NOT_DRAWN, False
            elif phrase in BODY and touching and things[1:] and things[-1].led == "with":
                left_out[f"{things.pop().said} {phrase}"] = NOT_DRAWN  # "with a carrot nose"
                relations.pop()
                touching, part = False, True
            elif phrase in BODY and _is_part(joint, words[:at], things):
                part, touching = part or joint == "with", True
                said, joint = [" ".join([*said, phrase])], ""
                _drop(look, said, left_out)
            elif phrase in COLOURS and words[at - 1 : at] == ["and"] and words[at - 2] in COLOURS:
                left_out[phrase], joint = NOT_DRAWN, ""  # "blue and violet" is no flower
            elif name := name_of(phrase) if phrase not in SKIPPED else None:
                is_emoji, plural = bool(TOKEN.fullmatch(phrase)), several(phrase)
                if CLOCK_TIME.fullmatch(phrase) and things:  # "a clock at 10:30", "a fox at 5:30"
                    clocks = [i for i, t in enumerate(things) if CLOCK & {*t.name.split()}][:1]
                    left_out |= {} if clocks else {phrase: NOT_DRAWN}
                    for i in clocks:
                        things[i] = replace(things[i], name=name)
                    joint, at = "", at + 1
                    break
                if phrase == "pot" and joint == "in" and any(w in own for w in WORDS["plants"]):
                    name = FLOWER_POT
                    look.setdefault("colour", "brown")
                whole = bool(things) and shows(things[-1].name, name)  # a bowl with a spoon
                if own in HOLDERS and (
                    (of and touching and (plural or phrase.endswith("ies")))
                    or (joint == "with" and not whole and phrase not in WORDS["tools"])
                ):
                    joint, touching = "full of", False
                    look |= {"count": look.get("count", 3)} if plural else {}
                if plural:
                    look.setdefault("count", 3 if look.get("colour") == COLOURFUL else 2)
                if look.get("colour") == COLOURFUL and look.get("count", 1) == 1:
                    del look["colour"]  # a thing alone has its own colours
                    left_out |= dict.fromkeys(WORDS["colourful"] & {*said}, NOT_DRAWN)
                shown = is_emoji and any({*one.split()} <= {*name.lower().split()} for one in spelt)
                if shown and (touching or strange) and not said:
                    pass  # "a fox 🦊" is one, and so is "a heart ❤️"
                elif touching and not is_emoji and (of or not said):
                    left_out[own] = NOT_DRAWN
                    both = f"{things[-1].said} {phrase}"
                    things[-1] = replace(things[-1], name=name, said=both, **look)
                    if relations:  # "with a party hat"
                        relations[-1] = _stands(things[-1].led, phrase, things[:-1], relations[:-1])
                else:
                    relations += [_stands(joint, phrase, things, relations)] if things else []
                    own = name if is_emoji else phrase
                    things.append(Thing(name, said=own, led=joint, **look))
                spelt |= set() if is_emoji else {name}
                joint, own, touching, of, strange, part = "", phrase, True, False, False, False
                look.clear()
                said.clear()
            elif phrase in COLOURS and things and not things[-1].colour and not strange:
                things[-1] = replace(things[-1], colour=phrase)  # "a cat, black"
            else:
                continue
            at += length - 1
            break
        else:
            word = words[at]
            if word in (",", *ARTICLES):
                if strange or word in ("a", "an"):
                    _drop(look, said, left_out)
                if strange and words[at - 1] != "of":
                    joint = ""  # "on a rooftop, the moon" is not on the moon
                strange = False
            elif word not in SKIPPED:
                left_out[word], strange = NOT_DRAWN, True
                if word.endswith(("'s", "’s", "s'")):
                    _drop(look, said, left_out)  # "the white rabbit's watch" is not white
            touching = touching and word in SKIPPED and word not in (*ARTICLES, "at", "to")
        at += 1
    _drop(look, said, left_out)
    left_out |= {joint: NOT_DRAWN} if joint else {}
    return things, relations, left_out


def _stands(joint: str, thing: str, before: Sequence[Thing], relations: Sequence[str]) -> str:
    """How the things before one stand to it, given the words between them."""
    how, last = RELATIONS.get(joint, "beside"), thing.split()[-1]
    if how == "in" and last in HOLDERS:
        heap = last == "bowl" and before[-1].count > 1
        return "standing in" if last in WORDS["vases"] else "heaped in" if heap else "held in"
    worn = joint == "and" and relations[-1:] and relations[-1] in WORN.values()
    if last in WORN and (joint in ("wearing", "with", "in") or worn):
        return WORN[last]
    if last in WORDS["backdrops"] and joint in ("with", "in", "by", "near"):
        return "among"
    owner = before[-1].said.split()[-1]
    if joint == "with" and owner in WORDS["tables"]:
        return "below"
    if joint == "with" and owner in WORDS["dishes"] and last in WORDS["toppings"]:
        return "topped with"
    if joint == "with" and last in WORDS["held"] and owner in WORDS["bearers"]:
        return "holding"
    if joint == "over" and last == "bridge" and owner in WORDS["crossing"]:
        return "on"
    if how == "on" and last in WORDS["mounts"]:
        return "riding"
    if how == "on" and last in WORDS["flat"]:
        return "served on"
    if how == "in" and last in WORDS["seats"]:
        return "on"
    if how == "in" and thing in WORDS["places"]:
        return "beside"  # of a forest one tree is drawn, which holds nothing
    over = last in WORDS["sky"] and joint in ("", "and", "with")
    return "under" if over and not any({*t.said.split()} & WORDS["sky"] for t in before) else how


def _is_part(joint: str, before: Sequence[str], things: Sequence[Thing]) -> bool:
    """Whether a word for a part of a body is one: "with claws", "on one leg", "at her feet"."""
    owned = {*before[-1:]} & {"his", "her", "its", "their", "both", *COUNTS}
    return bool(things) and (joint == "with" or bool(owned))


def _drop(look: dict[str, Any], said: list[str], left_out: dict[str, str]) -> None:
    """Words for a look that have found no thing are left out."""
    left_out |= dict.fromkeys(said, NOT_DRAWN)
    look.clear()
    said.clear()


def _second_colour(rest: list[str]) -> str:
    """The colour behind "and", where a thing follows: of "orange and white cat"."""
    for length in (2, 1):
        colour = " ".join(rest[1 : 1 + length])
        if rest[:1] == ["and"] and colour in COLOURS and _goes_on(rest[1 + length :]):
            return colour
    return ""


def _acts(phrase: str, rest: list[str]) -> bool:
    """Whether a word is what something does: "a child building a house"."""
    one_word = phrase.endswith("ing") and " " not in phrase
    return one_word and rest[:1] != [] and rest[0] in (*ARTICLES, "his", "her", "its")


def _more(phrase: str) -> bool:
    return phrase in MORE or (phrase.isdigit() and len(phrase) > 2)


def _goes_on(rest: list[str]) -> bool:
    """Whether a colour word has something to colour: "an orange cat", not "a cat and an orange"."""
    if rest[:1] == [","]:  # "a red, round ball", but not "an orange, a ball"
        return len(rest) > 1 and rest[1] not in SKIPPED and rest[1] not in COUNTS
    stands = any(" ".join(rest[:n]) in RELATIONS for n in (1, 2, 3))
    return bool(rest) and not stands and rest[0] != "of"
