"""The words of a caption, one after the other: things, how they look, and how two of them stand."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..palettes import COLOURS
from .caption_words import (
    ARTICLES,
    BODY,
    COUNTS,
    HOLDERS,
    MATERIALS,
    MORE,
    NOT_DRAWN,
    OF,
    RELATIONS,
    SIZES,
    SKIPPED,
    WORDS,
    goes_on,
    relation_of,
    second_colour,
)
from .drawings import COLOURFUL, Thing
from .shorthand import TOKEN

FLOWER_POT = "bucket"  # the drawing that is most like one
AS_SIX = "drawn as six"
CLOCK, CLOCK_TIME = frozenset(("clock", "watch")), re.compile(r"\d{1,2}:\d\d")
AHEAD = 8  # words behind a phrase that say how it is read


class CaptionReader:
    """Reads the words of a caption from left to right.

    things: those found, in their order; relations: in front of each but the first; left_out: words
    that are not drawn, each with what is said of it.
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

    def read(self) -> None:
        while self.at < len(self.words):
            self.at += self._phrase() or self._unknown()
        self._drop_look()
        if self.joint:
            self.left_out[self.joint] = NOT_DRAWN

    def _phrase(self) -> int:
        """How many words the longest phrase from here on has that says something; 0 for none."""
        rules = (
            *(self._two_colours, self._look, self._colourful, self._turned, self._count),
            *(self._of, self._on_top, self._relation, self._act, self._part_of_body),
            *(self._colour_left_over, self._thing, self._colour_behind),
        )
        ahead = self.words[self.at : self.at + max(self.longest, 3)]
        if "," in ahead[1:]:  # which no phrase has
            ahead = ahead[: ahead.index(",", 1)]
        for length in range(len(ahead), 0, -1):
            phrase = " ".join(ahead[:length])
            rest = self.words[self.at + length :][:AHEAD]
            for rule in rules:
                if taken := rule(phrase, rest):
                    return length - 1 + taken
        return 0

    # Each rule takes a phrase and the words behind it, and says whether it read the phrase, or as
    # a number how many more words.

    def _two_colours(self, phrase: str, rest: list[str]) -> int:
        second = second_colour(rest) if phrase in COLOURS else ""
        if {phrase, second} == {"black", "white"}:
            self.left_out[f"{phrase} and {second}"] = NOT_DRAWN
        elif second:
            self.look["colour"] = phrase
            self.left_out[second] = "not drawn, one colour is"
        return 2 + len(second.split()) if second else 0

    def _look(self, phrase: str, rest: list[str]) -> bool:
        if phrase in COLOURS and goes_on(rest):
            self.look["colour"] = phrase
        elif phrase in MATERIALS and goes_on(rest) and self._of_that(phrase, rest):
            self.look.setdefault("colour", MATERIALS[phrase])  # "a red wooden chair" is red
        elif phrase in SIZES and rest:
            self.look["size"] = SIZES[phrase]
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
        self.look["count"], self.touching = COUNTS.get(phrase, max(COUNTS.values())), False
        self.said.append(phrase)
        if more:
            self.left_out[phrase] = AS_SIX
        return True

    def _of(self, phrase: str, rest: list[str]) -> bool:
        if phrase in OF:
            self.of = self.touching
        return phrase in OF

    def _on_top(self, phrase: str, rest: list[str]) -> bool:
        """ "Books with an apple on top"."""
        found = phrase == "on top" and self.touching and rest[:1] != ["of"]
        if found and self.relations:
            self.relations[-1] = "below"
        return bool(found and self.relations)

    def _relation(self, phrase: str, rest: list[str]) -> bool:
        if phrase not in RELATIONS:
            return False
        idle = RELATIONS.get(self.joint) == "holding" and RELATIONS[phrase] != "beside"
        if not self.joint or self.strange or idle:  # "playing in the park" is in the park
            self.joint = phrase
        if self.part and self.joint == "and":
            self.joint = "with"
        self.touching = False
        if self.strange:
            self._drop_look()
        self.strange = False
        return True

    def _act(self, phrase: str, rest: list[str]) -> bool:
        """What something does: "a child building a house"."""
        one_word = phrase.endswith("ing") and " " not in phrase
        acts = one_word and rest[:1] != [] and rest[0] in (*ARTICLES, "his", "her", "its")
        if not self.touching or not (phrase in WORDS["doing"] or acts):
            return False
        self.left_out[phrase], self.touching = NOT_DRAWN, False
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
        self.part, self.touching = self.part or self.joint == "with", True
        self.said, self.joint = [" ".join([*self.said, phrase])], ""
        self._drop_look()
        return True

    def _colour_left_over(self, phrase: str, rest: list[str]) -> bool:
        """The violet of "blue and violet", which is no flower."""
        before = self.words[max(self.at - 2, 0) : self.at]
        if phrase not in COLOURS or before[1:] != ["and"] or before[0] not in COLOURS:
            return False
        self.left_out[phrase], self.joint = NOT_DRAWN, ""
        return True

    def _thing(self, phrase: str, rest: list[str]) -> bool:
        name = self.name_of(phrase) if phrase not in SKIPPED else None
        if not name:
            return False
        if CLOCK_TIME.fullmatch(phrase) and self.things:
            self._show_time(phrase, name)
            return True
        look, is_emoji, plural = self.look, bool(TOKEN.fullmatch(phrase)), self.several(phrase)
        if phrase == "pot" and self.joint == "in" and any(w in self.own for w in WORDS["plants"]):
            name = FLOWER_POT
            look.setdefault("colour", "brown")
        if self._fills_the_last(phrase, name, plural):
            self.joint, self.touching = "full of", False
            look |= {"count": look.get("count", 3)} if plural else {}
        if plural:
            look.setdefault("count", 3 if look.get("colour") == COLOURFUL else 2)
        if look.get("colour") == COLOURFUL and look.get("count", 1) == 1:
            del look["colour"]  # a thing alone has its own colours
            self.left_out |= dict.fromkeys(WORDS["colourful"] & {*self.said}, NOT_DRAWN)
        shown = is_emoji and any({*one.split()} <= {*name.lower().split()} for one in self.spelt)
        if shown and (self.touching or self.strange) and not self.said:
            pass  # "a fox 🦊" is one, and so is "a heart ❤️"
        elif self.touching and not is_emoji and (self.of or not self.said):
            self.left_out[self.own] = NOT_DRAWN
            self._change_last(name=name, said=f"{self.things[-1].said} {phrase}", **look)
            if self.relations:  # "with a party hat"
                *before, last = self.things
                self.relations[-1] = relation_of(last, before, self.relations[:-1])
        else:
            thing = Thing(name, said=name if is_emoji else phrase, led=self.joint, **look)
            if self.things:
                self.relations.append(relation_of(thing, self.things, self.relations))
            self.things.append(thing)
        self.spelt |= set() if is_emoji else {name}
        self.joint, self.own, self.touching = "", phrase, True
        self.of = self.strange = self.part = False
        look.clear()
        self.said.clear()
        return True

    def _show_time(self, phrase: str, name: str) -> None:
        """ "A clock at 10:30", but not "a fox at 5:30"."""
        for i, thing in enumerate(self.things):
            if CLOCK & {*thing.name.split()}:
                self.things[i] = replace(thing, name=name)
                break
        else:
            self.left_out[phrase] = NOT_DRAWN
        self.joint = ""

    def _fills_the_last(self, phrase: str, name: str, plural: bool) -> bool:
        """Whether the last thing holds this one: "a bowl of apples", "a bowl with soup", but not "a
        bowl with a spoon"."""
        if self.own not in HOLDERS:
            return False
        if self.of and self.touching and (plural or phrase.endswith("ies")):
            return True
        whole = bool(self.things) and self.shows(self.things[-1].name, name)
        return self.joint == "with" and not whole and phrase not in WORDS["tools"]

    def _colour_behind(self, phrase: str, rest: list[str]) -> bool:
        """ "A cat, black"."""
        if phrase not in COLOURS or not self.things or self.things[-1].colour or self.strange:
            return False
        self._change_last(colour=phrase)
        return True

    def _unknown(self) -> int:
        """A word that no rule reads."""
        word = self.words[self.at]
        if word in (",", *ARTICLES):
            if self.strange or word in ("a", "an"):
                self._drop_look()
            if self.strange and self.words[self.at - 1] != "of":
                self.joint = ""  # "on a rooftop, the moon" is not on the moon
            self.strange = False
        elif word not in SKIPPED:
            self.left_out[word], self.strange = NOT_DRAWN, True
            if word.endswith(("'s", "’s", "s'")):
                self._drop_look()  # "the white rabbit's watch" is not white
        self.touching &= word in SKIPPED and word not in (*ARTICLES, "at", "to")
        return 1

    def _change_last(self, **how: Any) -> None:
        self.things[-1] = replace(self.things[-1], **how)

    def _drop_look(self) -> None:
        """Words for a look that have found no thing are left out."""
        self.left_out |= dict.fromkeys(self.said, NOT_DRAWN)
        self.look.clear()
        self.said.clear()
