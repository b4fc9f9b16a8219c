"""What is behind the things of a scene: places that fill a picture, "a cat in a kitchen", and
grounds that follow from what stands there."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from ..palettes import COLOURS
from ..reading import COLOUR, DUSK, GROUND, any_of
from .caption_words import (
    BACKDROP_NAMES,
    BACKDROPS,
    COUNTS,
    LED,
    MORE,
    NOT_DRAWN,
    ONLY_ALONE,
    SMALL_WORDS,
    WORDS,
    one_word,
)

if TYPE_CHECKING:
    from .drawings import Thing
    from .shorthand import Replaced
    from .vocabulary import Vocabulary

FLYING = frozenset("above over".split())
IN, OVER = "set in", "set over"  # how a thing stands to a backdrop
SAME = {"inside": "in", "into": "in", "inside of": "in"}


def _found(names: Iterable[str]) -> re.Pattern:
    return re.compile(
        rf"(?:\b(?P<led>{LED})\s+|(?P<begins>^\s*|,\s*))"
        r"(?:(?:an?|the|my|our|your|his|her|their|its|some|this)\s+)?"
        rf"(?P<looks>(?:(?:{COLOUR}) and )?(?:(?!(?:{LED}|and|of|with)\b)[\w'’-]+\s+){{0,2}}?)"
        rf"(?P<name>{any_of(names)})\b(?![-'’])"
        rf"(?!\s+of\b|\s+in (?:an?|the) (?:\w+ )?(?:{any_of(WORDS['vessels'])})\b)",
        re.IGNORECASE,
    )


BACKDROP_WORDS = {name for _, name in BACKDROP_NAMES}
ANY_BACKDROP = _found(BACKDROP_WORDS)
BACKDROP = _found({name for _, name in {*BACKDROP_NAMES} - ONLY_ALONE})
LOOKS = {*COLOURS, "dark", "light"}  # what a place may be that names a thing too
THINGS = 3  # different ones in a picture, a place apart
TOO_MANY = "not drawn, a picture holds three"
AT_SEA = {"stormy field": "stormy sea", "sunset hills": "sunset sea", "moonlit hill": "moonlit sea"}


def with_backdrops(text: str, words: Vocabulary, said: Replaced, joints: Collection[str]) -> str:
    """A text with the label of the first place in it as one word, "sandy_beach_", and without
    others. said: takes up what was replaced. joints: words that begin another part of a text."""
    phrases = [*words.any_phrase.finditer(text)] if words.any_phrase else []
    plain = {*SMALL_WORDS, *joints, *COUNTS, *MORE}
    known, placed = {*BACKDROP_NAMES} - ONLY_ALONE, list[str]()
    longer = [one.lower() for one in words.emoji.known if " " in one and one not in BACKDROP_WORDS]

    def place(found: re.Match) -> str:
        led, called = (found["led"] or "").lower(), found["name"].lower()
        keys = [(key, called) for key in (SAME.get(led, led), *(["any"] if led else []), "")]
        if led == "at":  # "at sunset" is a time
            keys = [key for key in keys if key[0] == "at" or key not in ONLY_ALONE]
        label = next((BACKDROP_NAMES[key] for key in keys if key in known), None)
        looks = found["looks"].lower().replace(" and ", " ").split()
        owner = looks[0].endswith(("'s", "’s")) if looks else False  # "in grandma's garden"
        strange = any(w in plain or (w not in LOOKS and words.thing(w)) for w in looks[owner:])
        inside = any(m.start() < found.start() and m.end() >= found.end() for m in phrases)
        upto, on = text[: found.end()].lower(), text[found.start("name") :].lower()
        for one in longer:  # "a face in clouds", "a post office", "a pool 8 ball"
            inside |= len(one) > len(called) and (upto.endswith(one) or on.startswith(one))
        if label is None or strange or inside or goes_on(found):
            return found[0]
        asked = f"{found['looks']}{called}".lower()
        if placed:  # "a street in Paris" is one place
            said[asked] = ""
            return ""
        placed.append(label)
        if not {*asked.split()} & {*label.split()}:
            said[asked] = label
        colour = re.search(rf"\b(?:{COLOUR})\b", found["looks"].lower())
        kept = colour[0].split() if colour else []
        said.update({word: "" for word in looks if word not in kept})
        return (found["begins"] or "") + " ".join(filter(None, [led, "a", *kept, one_word(label)]))

    def goes_on(found: re.Match) -> bool:
        """Whether a name is the beginning of another: "the kitchen sink", "in the dark blue sea",
        and where nothing leads to it "ocean liner"."""
        behind = re.match(r" ([\w-]+)", text[found.end() :])
        word = behind[1].lower() if behind else "ing"
        if word in {*plain, "underwater"} | WORDS["of a place"] or word.endswith("ing"):
            return False
        return not found["led"] or word in COLOURS or words.thing(word) or words.knows(word)

    if (found := BACKDROP.sub(place, text)) != text:
        return found
    known |= ONLY_ALONE
    return ANY_BACKDROP.sub(place, text)


def behind_all(
    things: Iterable[Thing], relations: Iterable[str]
) -> tuple[list[Thing], list[str], dict[str, str]]:
    """The first things of a scene, its first place behind them, how they stand, and those that are
    not drawn, with what is said of them."""
    own = list[str]()
    others: list[Thing] = []
    places: list[Thing] = []
    told: dict[str, str] = {}
    before = ""  # "a cat in a forest full of mushrooms" is not full of them
    for thing, relation in zip(things, ("", *relations), strict=True):
        if thing.name in BACKDROPS and thing.led == "with" and others:
            told[thing.said] = NOT_DRAWN  # "a house with a balcony"
        elif thing.name in BACKDROPS:
            places.append(thing)
        else:
            others.append(thing)
            filled = before in BACKDROPS and relation in ("full of", "topped with", "made of")
            own.append("beside" if filled else relation)
        before = thing.name
    if not places:
        told |= dict.fromkeys((thing.said for thing in others[THINGS:]), TOO_MANY)
        return others[:THINGS], own[1:THINGS], told
    place, *more = places
    parts = [i for i, thing in enumerate(others) if thing.said in WORDS["parts of a place"]]
    for i in reversed(parts):  # "snowy mountains with a lake"
        more.append(others.pop(i))
        own.pop(i)
    if any(thing.said.split()[-1] in WORDS["afloat"] for thing in others):
        place = replace(place, name=AT_SEA.get(place.name, place.name))
    colour = "" if place.colour == "colourful" else place.colour
    plain = dict(size="", pattern=("", ""), mood="", jumps=False)
    place = replace(place, count=1, colour=colour, **plain)
    how = [*own[1:THINGS], OVER if FLYING & {*place.led.split()} else IN] if others else []
    told |= {thing.said: NOT_DRAWN for thing in more}
    told |= dict.fromkeys((thing.said for thing in others[THINGS:]), TOO_MANY)
    return [*others[:THINGS], place], how, told


def on_water(background: tuple[str, ...]) -> tuple[str, ...]:
    """A background with the sea where it names a night, a sunset or a storm and no place."""
    *others, last = background or ("",)
    if last == f"gray{GROUND}":
        return (*others, f"dark blue{GROUND}")
    if others[:1] == ["glowing"] and last == f"{DUSK}{GROUND}":
        return (*others, f"blue{GROUND}")
    if others[:1] == ["starry"] and not last.endswith(GROUND):
        return (*background, f"blue{GROUND}")
    return background


def by_night(background: tuple[str, ...], placed: bool) -> tuple[str, ...]:
    """A background with stars where it, or a place, names no time or weather."""
    if len(background) == 2 and background[0] == "light blue" and background[1].endswith(GROUND):
        return ("starry", "dark blue", background[1])
    if placed and not background:
        return ("starry", "dark blue")
    return background
