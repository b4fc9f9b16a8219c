"""What people say, as the grammar of captions reads it: "my dog Rex" as "my dog", "red and blue
balloons" as "a red balloon and a blue balloon", "a snowy village" as one on a snowy day."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..palettes import COLOURS
from ..reading import COLOUR, GROUND, SCENERY, any_of, split_background
from .backdrops import BACKDROP_WORDS, with_backdrops
from .caption_looks import WHITE, naturally_two_coloured
from .caption_words import (
    OF_A_KIND,
    RELATIONS,
    SIZES,
    SMALL_WORDS,
    TABLES,
    TWO_TONE,
    WITHOUT,
    WORDS,
    singulars,
)
from .drawing_names import WORD, Found, find_names, with_names
from .shorthand import (
    FIELD,
    SKY,
    TOKEN,
    Replaced,
    each_coloured,
    made_plain,
)

if TYPE_CHECKING:
    from .vocabulary import Vocabulary

OPEN = (" of", " with", " on", " over")  # ends of phrases that go on with a thing
JOINTS = frozenset(word for phrase in (*RELATIONS, *WITHOUT) for word in phrase.split())
JOINED = re.compile(r"(?<=[^\W\d_])\s*[&+/–]\s*(?=[^\W\d_])")  # "fox & cat", "fox/cat"
WEATHER = re.compile(
    r"\b(snowy|rainy|sunny|cloudy|stormy|foggy|misty) "
    r"(?!day|night|morning|evening|weather|side|sk(?:y|ies)|"
    rf"(?:{COLOUR}) (?:and (?:{COLOUR}) )?background)(\w+)",
    re.IGNORECASE,
)
# "a rainy day in the city" is the city on one.
DAY_SOMEWHERE = re.compile(
    r"^\s*(?:an? )?(snowy|rainy|stormy|foggy|misty|sunny) (day|morning)"
    r" ((?:in|at|on) (?:an?|the) [\w ]+)$",
    re.IGNORECASE,
)
# "a goldfish in a bowl", but not of soup, nor three of them.
FISH_BOWL = re.compile(
    r"(^\s*|\b(?:an?|my|the) )(?:(?:orange|golden|gold|fat|little) )?(?:gold)?fish in "
    r"(?:an?|the|its|my) (?:(?:round|glass|small|little) )?bowl\b(?! of)",
    re.IGNORECASE,
)
# "A flying pig", "a boy reading under a tree".
ALONE_DOING = re.compile(
    r"\b(flying(?= *(?:$|,))|reading(?= *(?:$|,|(?:under|in|on|by|at|near|next|to|with)\b)))"
)
INSTEAD = {"flying": "above two clouds on a light blue background"}
INSTEAD |= {"reading": "holding an open book"}
STRAW = re.compile(r"\bwith an? straw(?=\s*(?:$|,))", re.IGNORECASE)  # of a drink
# "A sleeping cat"; "a man is swimming", "a girl walking her dog".
DONE = re.compile(r"[a-z]+ing|asleep|sleepy")
DOERS = WORDS["bearers"] | WORDS["doers"] | WORDS["mounts"] | WORDS["people"]
DOING_FIRST = re.compile(rf"\b([a-z]+ing|sleepy) ((?:{TWO_TONE} )?[a-z]+)\b", re.IGNORECASE)
PEOPLE_DOING = TABLES["people doing"]
PERSON_DOING = re.compile(
    rf"\b({any_of(WORDS['people'])})(?: (?:is|are))? ({any_of(PEOPLE_DOING)})\b"
    rf"( (?!(?:{any_of(WORDS['between'])})\b)(?=[a-z]))?",
    re.IGNORECASE,
)
# What is worn, where a place is named in between: "a crab on the beach with sunglasses".
WORN = re.compile(
    rf"\s*(?:with|wearing|in)\s+(?:[\w-]+\s+){{0,3}}?(?:{'|'.join(TABLES['worn'])})\b",
    re.IGNORECASE,
)
TIMES = TABLES["times"]
TIME = re.compile(rf",\s*({'|'.join(TIMES)})\s*(?=,|$)", re.IGNORECASE)  # "a village, evening"
# "on a pirates shoulder", "on the cat's head".
ON_A_BODY = re.compile(
    r"\bon (an?|the|my|his|her) (\w*[^\Ws])['’]?s (shoulder|head|back)s?"
    r"(?=\s*(?:$|[,.]|and\b|with\b|in\b|on\b|at\b|under\b))",
    re.IGNORECASE,
)
PALE = " on a light blue background"  # on which white things are seen
# "my dog Rex".
NAME = re.compile(r"\b((?:my|our|your|his|her|their) (?:\w+ )?([a-z]+)) ([A-Z][a-z]+)\b")
PLACED = re.compile(r"\b(?:at|in|by|on)\s+(?:(?:an?|the)\s+)?\w+", re.IGNORECASE)
ADDED = re.compile(  # what a place brings with it: "next to a cactus on a light blue background"
    r"(?:next to|in front of|among|below|a(?=\s))\s+(?:(?:an?|two)\s+)?([a-z -]+?)\s+(?=on an? )"
)


ROYAL = re.compile(
    rf"\b({any_of(WORDS['bearers'] - WORDS['people'])}) (?:king|queen|prince|princess)\b(?!['’])",
    re.IGNORECASE,
)  # "a frog king"


def rephrased(text: str, words: Vocabulary, said: Replaced) -> str:
    """A text as the grammar reads it, in the phrases that the pair knows. said: takes up what was
    replaced by what, "" for what was left out."""
    rules = _Rules(words, said)
    text = ROYAL.sub(rules.royal, NAME.sub(rules.named, JOINED.sub(" and ", text)))
    text = made_plain(text, said)
    text = PERSON_DOING.sub(rules.person_doing, DOING_FIRST.sub(rules.doing_behind, text))
    text = ALONE_DOING.sub(rules.doing_alone, text)
    text = each_coloured(text, words.thing)
    text = STRAW.sub(lambda found: rules.drop(found[0].lower(), ""), text)
    text = FISH_BOWL.sub(rules.bowl, text)
    text = DAY_SOMEWHERE.sub(rules.day_somewhere, text)
    text = TIME.sub(lambda found: f", {TIMES[found[1].lower()]}", text)
    for word, behind in WEATHER.findall(text):  # "a rainy street" is one on a rainy day
        whole = f"{word} {behind}".lower()
        day = words.phrases.get(f"on a {word.lower()} day")
        placed = re.search(rf"\b(?:on|in|through|down) (?:an?|the|my) {whole}\b", text.lower())
        known = whole in {*words.phrases, *words.nearest}
        if day and whole not in BACKDROP_WORDS and (placed or not known):
            text = f"{re.sub(rf'{word} (?={behind})', '', text, count=1)} {day}"
            said[word.lower()] = day
    text = with_names(text, rules.names(text), said)
    unplaced, text = text, with_backdrops(text, words, said, SMALL_WORDS | JOINTS)
    has_place = text != unplaced
    text = ON_A_BODY.sub(rules.on_a_body, text)
    text = FIELD.sub(rules.field, text)
    text = SCENERY.sub(rf"on a \2 background above \1{GROUND}", text)
    if rules.thing_in(SKY.sub(" ", text)):
        text = SKY.sub(r" on a \1 background", text)
    at = 0
    while words.any_phrase and (found := words.any_phrase.search(text, at)):
        new = rules.phrase(found)
        at = found.start() + len(found[0].split()[0] if new is None else new)
        text = text if new is None else text[: found.start()] + new + text[found.end() :]
    return text if has_place else rules.seen(text)


class _Rules:
    """What stands for a match of a pattern; the match itself where the pattern does not fit."""

    def __init__(self, words: Vocabulary, said: Replaced) -> None:
        self.words, self.said = words, said

    def thing(self, word: str) -> bool:
        return self.words.thing(word.lower())

    def thing_in(self, text: str) -> bool:
        return any(map(self.thing, WORD.findall(PLACED.sub(" ", text))))

    def names(self, text: str) -> Iterator[Found]:
        return find_names(text, self.words, SMALL_WORDS | JOINTS)

    def in_a_name(self, found: re.Match) -> bool:
        """Whether a match is a part of a drawing's name."""
        end = found.start() + len(found[0].rstrip())
        return any(n.start <= found.start() and end <= n.end for n in self.names(found.string))

    def drop(self, word: str, kept: str) -> str:
        self.said[word] = ""
        return kept

    def named(self, found: re.Match) -> str:
        whose, thing, name = found.groups()
        plain = {thing, name.lower()} & {*SMALL_WORDS, *JOINTS, *COLOURS, *SIZES}
        one = f"{thing} {name}".lower() in {n.lower() for n in self.words.names}
        if plain or one or not self.thing(thing) or not self.words.reads(name.lower()):
            return found[0]
        return self.drop(name, whose)

    def royal(self, found: re.Match) -> str:
        if self.in_a_name(found):  # "a frog king"
            return found[0]
        alone = "crown" not in found.string and len(ROYAL.findall(found.string)) == 1
        new = f"{found[1]} wearing a crown" if alone else found[1]
        self.said[found[0].lower()] = new
        return new

    def doing_behind(self, found: re.Match) -> str:
        """ "Cat sleeping" of "sleeping cat"."""
        act, who = found.groups()
        words, whole = self.words, found[0].lower()
        acts = act.lower() in {*PEOPLE_DOING, *INSTEAD} or act.lower() in words.phrases
        known = whole in {*words.names, *words.phrases, *words.nearest} or self.in_a_name(found)
        return f"{who} {act}" if acts and not known and self.doer(who) else found[0]

    def doer(self, text: str) -> bool:
        """Whether a text ends with somebody who may do something: not "a fishing village"."""
        named = [word for word in WORD.findall(text.lower()) if word not in SMALL_WORDS][-1:]
        return any(not DOERS.isdisjoint((word, *singulars(word))) for word in named)

    def doing_alone(self, found: re.Match) -> str:
        before = found.string[: found.start()]
        whole = " ".join([*before.lower().split()[-1:], found[1]])
        if not self.doer(before) or whole in self.words.phrases or self.in_a_name(found):
            return found[0]
        self.said[found[1]] = INSTEAD[found[1]]
        return INSTEAD[found[1]]

    def person_doing(self, found: re.Match) -> str:
        """The drawing of who does it: a swimmer of "woman swimming"."""
        who, act, what = found.groups()
        if self.in_a_name(found):  # "old man fishing"
            return found[0]
        label = PEOPLE_DOING[act.lower()]
        if who.lower() in WORDS["women"]:
            label = TABLES["hers"].get(label, label)
        if label == f"{who} {act}".lower():
            return found[0]
        self.said[f"{who} {act}".lower()] = label
        counted = {*found.string[: found.start()].lower().split()[-1:]} & OF_A_KIND
        several = who.lower() in WORDS["several people"] and not counted
        several = several and label not in WORDS["several in one"]
        return f"{'two ' if several else ''}{label}{' and ' if what else ''}"

    def bowl(self, found: re.Match) -> str:
        self.said[found[0][len(found[1]) :].lower()] = "fish bowl"
        return f"{found[1]}fish bowl"

    def day_somewhere(self, found: re.Match) -> str:
        weather, day, where = found.groups()
        return f"a sun {where}" if weather.lower() == "sunny" else f"{where} on a {weather} {day}"

    def seen(self, text: str) -> str:
        """A text whose white things do not stand on white."""
        found = (m for m in WHITE.finditer(text) if self.thing(m[1]))
        white = next((m for m in found if not naturally_two_coloured(m)), None)
        if not white or white[0].lower() in self.words.names or split_background(text.lower())[0]:
            return text
        said = white[0].replace(TWO_TONE, "black and white")
        self.said[said] = f"{said}{PALE}"
        return f"{text}{PALE}"

    def on_a_body(self, found: re.Match) -> str:
        if not self.thing(found[2]):
            return found[0]
        return self.drop(found[3], f"on {found[1]} {found[2]}")

    def field(self, found: re.Match) -> str:
        """ "A field of tulips" of "tulip field"."""
        grown = found[1].lower()
        if grown in {*COLOURS, *SIZES, *SMALL_WORDS} or not self.thing(grown):
            return found[0]
        plural = grown if grown.endswith("s") else f"{re.sub('(?<![aeiou])y$', 'ie', grown)}s"
        inside = found[0].split()[0].lower() not in ("a", "an", "the", grown)
        return f"{'in ' if inside else ''}a field of {plural}"

    def phrase(self, found: re.Match) -> str | None:
        """What stands for a phrase of the table; None where it is a part of another name."""
        words, phrase, text = self.words, found[0].lower(), found.string.lower()
        new = words.phrases[phrase]
        behind = WORD.match(text[found.end() :].lstrip())
        longer = f"{phrase.split()[-1]} {behind[0]}" if behind else ""
        compound = False  # "a forest elf"
        whole = " background" in new and not phrase.endswith(OPEN)
        if behind and whole:
            joint = behind[0] in SMALL_WORDS or behind[0] in JOINTS
            compound = not joint and not behind[0].endswith("ing") and words.reads(behind[0])
        rest = text[found.end() :]
        owner = rest.startswith(("'s", "’s"))  # "a fisherman's boat"
        idle = DONE.fullmatch(phrase) and not self.doer(text[: found.start()])
        family = "family" in phrase and phrase.split()[-1] in ("family", "three", "four")
        others = f"{text[: found.start()]} {rest}"
        if family and (rest.startswith(" of ") or self.thing_in(PLACED.sub(" ", others))):
            return None  # "a family of ducks", "my family and my dog"
        of = whole and rest.startswith(" of ")
        if owner or idle or of or compound or {longer, *singulars(longer)} & words.names:
            return None  # "on ice cream" is not on ice
        before = text[: found.start()].split()[-1:]
        if before and before[0] in COLOURS and new.split()[:1] and new.split()[0] in COLOURS:
            new = new.partition(" ")[2]  # "a white cherry blossom tree"
        if new == phrase:
            return found[0]
        if added := ADDED.match(new):  # "a cactus in the desert" is one
            others = f"{text[: found.start()]} {text[found.end() :]}"
            others = TOKEN.sub(lambda sign: words.emoji.label(sign[0]), others)
            worn = WORN.match(text[found.end() :]) and not new.startswith(("a ", "below "))
            own = {added[1].removesuffix("s"), *WORDS.get(f"in place of {added[1]}", ())}
            if worn or re.search(rf"\b(?:{any_of(own)})(?:s|ses)?\b", others):
                new = new[added.end() :]
        self.said[phrase.replace(TWO_TONE, "black and white")] = new
        return new
