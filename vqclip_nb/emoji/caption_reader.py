"""What a caption says: things, their colour and size, how two of them stand, style and background.

A small grammar for captions of the kind that the emoji pair learned. It reads words, not meanings:
what it does not know it passes over.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from ..reading import GROUND, WEATHERS, split_background
from .backdrops import THINGS, behind_all, by_night, on_water
from .caption_looks import LooksReader
from .caption_words import (
    ARTICLES,
    AS_MOST,
    BACKDROPS,
    HOLDERS,
    MOODS,
    MOST,
    NOT_DRAWN,
    OF,
    RELATIONS,
    SKIPPED,
    TABLES,
    TWO_TONE,
    WORDS,
    in_the_sky,
    relation_of,
    singulars,
    with_spaces,
)
from .drawings import COLOURFUL, TWO_COLOURS, Scene, Thing
from .shorthand import TOKEN, WHOLE

CLOCK, CLOCK_TIME = frozenset(("clock", "watch")), re.compile(r"\d{1,2}:\d\d")
AHEAD = 8  # words behind a phrase that say how it is read
SENTENCE_END = re.compile(r"(?<=\w\w)[.!?]+(?=\s|$)|[;\n]+")
OTHER_WAY = {"on": "below", "above": "below", "below": "on", "served on": "below"}
# Whose "on it" is on top of it, not on its side.
CARRYING = ("surfaces", "bearers", "mounts", "seats", "crossing", "afloat")
SCENIC = ("above", "among", "in front of")  # how what is in the sky stands to what is below
MOONS = ["moon"], ["moons"]
STARS = (*MOONS, ["star"], ["stars"])  # over a place, which is dark then


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
    pepperoni. Of more than `THINGS` things the first count.
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
    if any(word in WORDS["afloat"] for thing in things for word in thing.said.split()[-1:]):
        background = on_water(background)
    for i in range(len(things) - 1, 0, -1):
        whole, part = things[i - 1], things[i]
        plain = part.led == "with" and part.count == 1 and not (part.colour or part.size)
        if plain and part.name != whole.name and shows(whole.name, part.name):
            del things[i], relations[i - 1]
    placed = any(thing.name in BACKDROPS for thing in things)
    if any(thing.said.split()[-1:] in (STARS if placed else MOONS) for thing in things):
        background = by_night(background, placed)
    if len(things) > 1 and in_the_sky(things[0].name) and not in_the_sky(things[1].name):
        plain = relations[0] == "beside" and things[1].led in ("", "and", "with")
        if relations[0] in SCENIC or (plain and not things[0].name.startswith("star")):
            at = min(len(things), THINGS) - 1  # "a rainbow over a hill", "sun, sea"
            things.insert(at, things.pop(0))
            relations.insert(at, "under")
            del relations[0]
    things, relations, others = behind_all(things, relations)
    left_out |= others
    if placed and background and background[0] not in WEATHERS:
        if not background[-1].endswith((GROUND, "blue")):  # which are no news of a place by day
            left_out[" ".join(background)] = "not drawn, a place is behind"
        background = ()
    if max((t.count for t in things), default=0) < MOST:
        left_out = {word: told for word, told in left_out.items() if told != AS_MOST}
    if relations[1:2] == ["full of"]:  # first what is full, then who has it or stands there
        things[:3] = things[1], things[2], things[0]
        relations[:2] = "full of", OTHER_WAY.get(relations[0], "beside")
    return Scene(tuple(things), tuple(relations), style, background, left_out)


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


class CaptionReader(LooksReader):
    """Reads the words of a caption from left to right."""

    def read(self) -> None:
        while self.at < len(self.words):
            self.at += self._phrase() or self._unknown()
        self._drop_look()
        if self.joint:
            self.left_out[self.joint] = NOT_DRAWN

    def _phrase(self) -> int:
        """How many words the longest phrase from here on has that says something; 0 for none."""
        rules = (
            *(self._two_colours, self._look, self._colourful, self._pattern, self._turned),
            *(
                self._count,
                self._of,
                self._on_top,
                self._within,
                self._manner,
                self._relation,
                self._act,
            ),
            *(self._part_of_body, self._colour_left_over, self._thing, self._colour_behind),
            self._mood_behind,
        )
        ahead = self.words[self.at : self.at + max(self.longest, 3)]
        if "," in ahead[1:]:  # which no phrase has
            ahead = ahead[: ahead.index(",", 1)]
        for length in range(len(ahead), 0, -1):
            phrase = with_spaces(" ".join(ahead[:length]))
            rest = self.words[self.at + length :][:AHEAD]
            for rule in rules:
                if taken := rule(phrase, rest):
                    return length - 1 + taken
        return 0

    def _of(self, phrase: str, rest: list[str]) -> bool:
        self.of = self.touching if phrase in OF else self.of
        return phrase in OF

    def _on_top(self, phrase: str, rest: list[str]) -> bool:
        """ "Books with an apple on top", "a snail with a house on its back"."""
        own = phrase != "on top"  # on its back
        found = phrase in WORDS["on top"] and self.touching and rest[:1] != ["of"]
        on_head = "head" in phrase and self.relations[-1:] == ["round the neck"]  # a bow
        borne = own and self.relations[-1:] not in (["beside"], ["bearing"])
        if not found or not self.relations or (borne and not on_head):
            return False
        self.relations[-1] = "wearing" if on_head else "bearing" if own else "below"
        return True

    def _within(self, phrase: str, rest: list[str]) -> bool:
        """ "A box with a kitten in it", "a shirt with a heart on it"."""
        inside = phrase in WORDS["in it"]
        if not (inside or phrase in WORDS["on it"]) or self.relations[-1:] != ["beside"]:
            return False
        owner = self.things[-2].said.split()[-1]
        below = any(owner in WORDS[table] for table in CARRYING)
        within = "topped with" if owner in WORDS["dishes"] else "full of"
        self.relations[-1] = within if inside else "below" if below else "topped with"
        return True

    def _manner(self, phrase: str, rest: list[str]) -> bool:
        """ "Seven mushrooms in a circle", "a dog jumping", "two cats fighting"."""
        if not self.touching:
            return False
        several = self.things[-1].count
        if phrase in TABLES["arranged"] and several > 1:
            self._change_last(layout=TABLES["arranged"][phrase])
        elif phrase in WORDS["jumping"]:
            self._change_last(jumps=True)
        elif phrase in TABLES["together"] and several == 2:
            self._change_last(count=1)
            self.things.append(self.things[-1])
            self.relations.append(TABLES["together"][phrase])
        elif phrase in TABLES["together"] and self.relations[-1:] == ["beside"]:
            self.relations[-1] = TABLES["together"][phrase]
        else:
            return False
        return True

    def _relation(self, phrase: str, rest: list[str]) -> bool:
        if phrase not in RELATIONS:
            return False
        idle = RELATIONS.get(self.joint) == "holding" and RELATIONS[phrase] != "beside"
        if not self.joint or self.strange or idle:  # "playing in the park" is in the park
            self.joint = phrase
        self.joint = "with" if self.part and self.joint == "and" else self.joint
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

    def _thing(self, phrase: str, rest: list[str]) -> bool:
        name = self.name_of(phrase) if phrase not in SKIPPED else None
        if not name:
            return False
        if CLOCK_TIME.fullmatch(phrase) and self.things:
            return self._show_time(phrase, name)
        look, is_emoji, plural = self.look, bool(TOKEN.fullmatch(phrase)), self.several(phrase)
        if phrase == "pot" and self.joint == "in" and any(w in self.own for w in WORDS["plants"]):
            name = "bucket"  # the drawing that is most like a flower pot
            look.setdefault("colour", "brown")
        if self._fills_the_last(phrase, name, plural):
            self.joint, self.touching = "full of", False
            look |= {"count": look.get("count", 3)} if plural else {}
        if plural:
            look.setdefault("count", 3 if look.get("colour") == COLOURFUL else 2)
        if look.get("pattern", ("", ""))[0] in TWO_COLOURS:
            look["pattern"] = self._two_coloured(phrase), look["pattern"][1]
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
        for word in self.said:
            if word in MOODS:
                self._without_a_face(word)
        self.spelt |= set() if is_emoji else {name}
        self.joint, self.own, self.touching = "", phrase, True
        self.of = self.strange = self.part = False
        look.clear()
        self.said.clear()
        return True

    def _two_coloured(self, phrase: str) -> str:
        """How things have two colours: "patches" on each, as on shoes and animals, or "each second"
        of several has the other."""
        forms = {phrase, *singulars(phrase)}
        coat = "white" in self.said and forms & (WORDS["bearers"] | WORDS["mounts"])
        whole = coat or TWO_TONE in self.said or phrase in WHOLE
        return "patches" if whole or self.look.get("count", 1) == 1 else "each second"

    def _show_time(self, phrase: str, name: str) -> bool:
        """ "A clock at 10:30", but not "a fox at 5:30"."""
        for i, thing in enumerate(self.things):
            if CLOCK & {*thing.name.split()}:
                self.things[i] = replace(thing, name=name)
                break
        else:
            self.left_out[phrase] = NOT_DRAWN
        self.joint = ""
        return True

    def _fills_the_last(self, phrase: str, name: str, plural: bool) -> bool:
        """Whether the last thing holds this one: "a bowl of apples", "a bowl with soup", but not "a
        bowl with a spoon"."""
        if self.own not in HOLDERS:
            return False
        if self.of and self.touching and (plural or phrase.endswith("ies")):
            return True
        whole = bool(self.things) and self.shows(self.things[-1].name, name)
        return self.joint == "with" and not whole and phrase not in WORDS["tools"]

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
            if word.endswith(("'s", "’s", "s'")):  # "the white rabbit's watch" is not white
                self._drop_look()
        self.touching &= word in SKIPPED and word not in (*ARTICLES, "at", "to")
        return 1
