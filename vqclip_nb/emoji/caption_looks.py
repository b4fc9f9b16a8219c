"""The words of a caption that say how a thing looks and how many there are."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ..palettes import COLOURS
from ..reading import COLOUR
from .caption_words import (
    AS_MOST,
    BODY,
    COUNTS,
    FACED,
    MATERIALS,
    MOODS,
    MORE,
    MOST,
    NOT_DRAWN,
    PATTERNS,
    SIZES,
    TABLES,
    TWO_TONE,
    WORDS,
    goes_on,
    second_colour,
    singulars,
)
from .drawings import COLOURFUL, RAINBOW, Scene, Thing

WHITE = re.compile(
    rf"\b(?:[a-z]+[ -]and[ -])?white (?:and (?:{COLOUR}) )?([a-z]+)\b(?!['’]s)", re.IGNORECASE
)
OF_A_PLACE = ("beside", "among", "in front of", "under")  # how what a place brings stands


class LooksReader:
    """What is known of a caption that is read word by word, and the rules of how things look.

    things: those found, in their order; relations: in front of each but the first; left_out: words
    that are not drawn, each with what is said of it. Each rule takes a phrase and the words behind
    it, and says whether it read the phrase, or as a number how many more words.
    """

    def __init__(
        self,
        words: list[str],
        name_of: Callable[[str], str | None],
        longest: int,
        several: Callable[[str], bool],
        shows: Callable[[str, str], bool],
    ) -> None:
        self.words, self.name_of, self.longest = words, name_of, longest
        self.several, self.shows = several, shows
        self.things, self.relations = list[Thing](), list[str]()
        self.left_out = dict[str, str]()
        self.at = 0
        self.look: dict[str, Any] = {}  # of the next thing
        self.said: list[str] = []  # the words for it
        self.spelt: set[str] = set()  # things so far that were written as words
        self.joint, self.own = "", ""  # words in front of the next thing; the last thing's own word
        self.touching = self.of = False  # nothing since the last thing, and nothing but "of"
        self.strange = False  # a word since then may be the thing that is meant
        self.part = False  # of the last thing's body something was said

    def _two_colours(self, phrase: str, rest: list[str]) -> int:
        second = second_colour(rest) if phrase in COLOURS else ""
        if phrase == TWO_TONE and goes_on(rest):
            self.look |= {"colour": "black", "pattern": ("patches", "white")}
            self.said.append(phrase)
            return 1
        if second:
            how, _ = self.look.get("pattern", ("patches", ""))
            self.look |= {"colour": phrase, "pattern": (how, second)}
            self.said += [phrase, second]
        return 2 + len(second.split()) if second else 0

    def _look(self, phrase: str, rest: list[str]) -> bool:
        if phrase in COLOURS and goes_on(rest):
            self.look["colour"] = phrase
        elif phrase in MATERIALS and goes_on(rest) and self._of_that(phrase, rest):
            self.look.setdefault("colour", MATERIALS[phrase])  # "a red wooden chair" is red
        elif phrase == RAINBOW and goes_on(rest) and self.name_of(rest[0]):
            self.look["colour"] = RAINBOW
        elif phrase in SIZES and rest:
            self.look["size"] = SIZES[phrase]
        elif phrase in MOODS and goes_on(rest) and not self.touching:
            self.look["mood"] = MOODS[phrase]
        else:
            return False
        self.said.append(phrase)
        return True

    def _of_that(self, material: str, rest: list[str]) -> bool:
        """Whether something is of a material: "a stone house", but not "a stone lying there"."""
        return any(map(self.name_of, rest[:2])) or not self.name_of(material)

    def _colourful(self, phrase: str, rest: list[str]) -> bool:
        if phrase not in WORDS["colourful"] or not (self.touching or goes_on(rest)):
            return False
        if self.touching and self.things[-1].count > 1:  # "five balloons in different colours"
            self._change_last(colour=COLOURFUL)
        else:
            self.look["colour"] = COLOURFUL
            self.said.append(phrase)
        return True

    def _pattern(self, phrase: str, rest: list[str]) -> bool:
        """ "A striped cat", "a red and white striped shirt", "a cup with blue dots"."""
        how, behind = PATTERNS[0].get(phrase), PATTERNS[1].get(phrase)
        if not (how or behind):
            return False
        _, second = self.look.get("pattern", ("", ""))
        if how and goes_on(rest):
            self.look["pattern"] = how, second
            self.said.append(phrase)
            return True
        if not behind or not self.things or self.joint != "with" or self.things[-1].pattern[0]:
            return False
        own = self.look.get("colour", "")
        self._change_last(pattern=(behind, second or own), **({"colour": own} if second else {}))
        self.part, self.touching, self.joint = True, True, ""
        self.look.clear()
        self.said.clear()
        return True

    def _turned(self, phrase: str, rest: list[str]) -> bool:
        """ "The roses are red", but not "there are red flowers"."""
        verb, _, colour = phrase.partition(" ")
        if not self.things or verb not in WORDS["turned"] or colour not in COLOURS:
            return False
        if goes_on(rest) and self.name_of(rest[0]):
            return False
        self._change_last(colour=colour)
        return True

    def _count(self, phrase: str, rest: list[str]) -> bool:
        more = phrase in MORE or (phrase.isdigit() and len(phrase) > 2)
        if phrase not in COUNTS and not (more and rest and not self.touching):
            return False
        self.look["count"], self.touching = COUNTS.get(phrase, MOST), False
        self.said.append(phrase)
        if more:
            self.left_out[phrase] = AS_MOST
        return True

    def _part_of_body(self, phrase: str, rest: list[str]) -> bool:
        """ "With claws", "on one leg", "at her feet", "with a carrot nose"."""
        if phrase not in BODY or not self.things:
            return False
        if self.touching and self.things[1:] and self.things[-1].led == "with":
            self.left_out[f"{self.things.pop().said} {phrase}"] = NOT_DRAWN
            self.relations.pop()
            self.touching, self.part = False, True
            return True
        owned = {*self.words[: self.at][-1:]} & {"his", "her", "its", "their", "both", *COUNTS}
        if self.joint != "with" and not owned:
            return False
        told = NOT_DRAWN
        if phrase == "wings" and self._last_is(FACED) and not self._last_is(WORDS["winged"]):
            self.things.append(Thing("wing", self.look.get("colour", ""), said=phrase, led="with"))
            self.relations.append("on the back")
            self.joint, self.touching = "", True
            self.look.clear()
            self.said.clear()
            return True
        if phrase in WORDS["all over"] and "colour" in self.look and not self.things[-1].colour:
            self._change_last(colour=self.look["colour"])
            told = "its colour is that of the whole"
        self.left_out[" ".join([*self.said, phrase])] = told
        self.part, self.touching, self.joint = self.part or self.joint == "with", True, ""
        self.look.clear()
        self.said.clear()
        return True

    def _colour_left_over(self, phrase: str, rest: list[str]) -> bool:
        """The violet of "blue and violet", which is no flower."""
        before = self.words[max(self.at - 2, 0) : self.at]
        if phrase not in COLOURS or before[1:] != ["and"] or before[0] not in COLOURS:
            return False
        self.left_out[phrase], self.joint = NOT_DRAWN, ""
        return True

    def _colour_behind(self, phrase: str, rest: list[str]) -> bool:
        """ "A cat, black"."""
        if phrase not in COLOURS or not self.things or self.things[-1].colour or self.strange:
            return False
        if self.words[self.at - 1] == "and":  # "strawberry and mint"
            return False
        self._change_last(colour=phrase)
        return True

    def _change_last(self, **how: Any) -> None:
        self.things[-1] = replace(self.things[-1], **how)

    def _mood_behind(self, phrase: str, rest: list[str]) -> bool:
        """ "A cloud with a smile", "a cloud crying"."""
        mood = TABLES["moods behind"].get(phrase) or MOODS.get(phrase)
        if not (mood and self.touching) or self.things[-1].mood:
            return False
        self._change_last(mood=mood)
        self._without_a_face(phrase)
        return True

    def _without_a_face(self, phrase: str) -> None:
        """Leave out the mood of the last thing if it has a face, which is drawn as it is."""
        if self.things[-1].mood and self._last_is(FACED):
            self.left_out[phrase] = NOT_DRAWN
            self._change_last(mood="")

    def _last_is(self, some: frozenset[str]) -> bool:
        """Whether the last thing is one of `some`: a black cat, a cat."""
        words = {*self.things[-1].name.split(), *self.things[-1].said.split()}
        return not some.isdisjoint({*words, *(one for word in words for one in singulars(word))})

    def _drop_look(self) -> None:
        """Words for a look that have found no thing are left out."""
        self.left_out |= dict.fromkeys(self.said, NOT_DRAWN)
        self.look.clear()
        self.said.clear()


def once(scene: Scene, asked: str) -> Scene:
    """A scene in which what its place brings with it is that which the caption `asked` for: of "a
    kitchen with a red fridge" the red one alone."""
    for i, thing in enumerate(scene.things):
        plain = thing.count == 1 and not (thing.colour or thing.size)
        for j, other in enumerate(scene.things[i + 1 :], i + 1):
            named = {other.name, *singulars(other.name)}
            both = thing.said in asked and thing.said not in (other.said, *singulars(other.said))
            same = thing.name in named and not both and max(map(asked.count, named)) < 2
            if plain and same and scene.relations[j - 1] in OF_A_PLACE:
                things, relations = [*scene.things], [*scene.relations]
                things[i] = replace(other, name=thing.name)
                del things[j], relations[j - 1]
                return replace(scene, things=tuple(things), relations=tuple(relations))
    return scene


def by_itself(thing: Thing, concept: Mapping[str, Any]) -> dict[str, Any]:
    """What need not be drawn of a thing's look: a zebra has its stripes."""
    kind, second = thing.pattern
    names = {concept["label"].lower(), *concept["label"].lower().split()}
    if {thing.colour, second} == {"black", "white"} and names & WORDS["two-coloured"]:
        return {"colour": "", "pattern": ("", "")}
    if thing.mood and concept["label"] == "crescent moon":
        return {"name": "full moon"}  # has room for a face
    usual = second in ("", "black", "white", "brown", "orange", "yellow", thing.colour)
    return {"pattern": ("", "")} if kind and usual and names & WORDS["patterned"] else {}


def naturally_two_coloured(white: re.Match) -> bool:
    """Whether a match of `WHITE` is of two colours that its thing has anyhow: a panda's."""
    own = WORDS["two-coloured"] | WORDS["patterned"]
    two = " and " in white[0] or TWO_TONE in white[0]
    return two and not own.isdisjoint((white[1], *singulars(white[1])))
