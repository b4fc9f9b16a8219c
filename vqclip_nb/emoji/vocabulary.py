"""Which words a pair with a closed vocabulary knows, and what it paints for others."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from ..palettes import COLOURS
from ..reading import GROUND, SCENERY
from .caption_words import STYLE_WORDS
from .grammar_words import RELATIONS, WITHOUT
from .signs import Emoji
from .spelling import SHORTEST, Spelling
from .styles import Styles

# Words that carry no picture: never reported as unknown.
SMALL_WORDS = frozenset(
    "a an the of in on at to and or with by for from is are it its this that some i me my we us "
    "our you your he him his she her they them their these those there as be been was were am do "
    "does did will would could should what which who among".split()
)
NOTHING = "nothing"  # in the table: words that mean no thing, though the library may have them
WORD = re.compile(r"\w[\w'’-]*")
IRREGULAR = {
    "men": "man",
    "children": "child",
    "people": "person",
    "feet": "foot",
    "teeth": "tooth",
    "cacti": "cactus",
    "mice": "mouse",
    "geese": "goose",
}
JOINTS = frozenset(word for phrase in (*RELATIONS, *WITHOUT) for word in phrase.split())
LONGEST = 3  # words of a phrase in the table
JOINED = re.compile(r"(?<=[^\W\d_])\s*[&+/]\s*(?=[^\W\d_])")  # "fox & cat", "fox/cat"
SMILEY = re.compile(r"(?<![\w:])[:;]-?[()DP](?!\w)")  # ":)" and the like
SHORT = (
    (r"(?<!\w)['‘]([^'‘’]*)['’](?!\w)", r"\1"),
    (r"\bw/o\b", "without"),
    (r"\bw/", "with "),
    (r"\.{2,}|…", ", "),
    (r"([,!?])\1+", r"\1 "),
)
_VERBS = "draw|paint|make|create|generate|design|show|give|do"
# What asks for the picture: "can you draw me", "please", at the end too.
REQUEST = re.compile(
    r"^\W*(?:(?:(?:can|could|would|will) (?:you|u|i)|please|pls|plz|hi|hey|hello"
    r"|i(?: would|['’]d)? (?:want|need|like)(?: to (?:see|have))?"
    rf"|(?:{_VERBS}|have|get)(?: (?:me|us)|(?= (?:an?|the|some|my|our|your|one|two|three|\d)\b)))"
    r"\b[\s,]*)+|[\s,]+(?:please|pls|plz|thanks|thx|thank you)\b(?=\W*(?:$|,))",
    re.IGNORECASE,
)
WEATHER = re.compile(
    r"\b(snowy|rainy|sunny|cloudy|stormy|foggy|misty) "
    r"(?!day|night|morning|evening|weather|sk(?:y|ies))(\w+)",
    re.IGNORECASE,
)
TIMES = {"winter": "in winter", "night": "at night", "nighttime": "at night", "evening": "at dusk"}
TIMES |= {"sunset": "at sunset", "dawn": "at dawn", "dusk": "at dusk", "morning": "in the morning"}
TIME = re.compile(rf",\s*({'|'.join(TIMES)})\s*(?=,|$)", re.IGNORECASE)  # "a village, evening"
PLACE = re.compile(
    r"\b(in|on|through|down|by|at) (?:an?|the) (?!dark )(\w+) "
    r"(forest|woods|jungle|desert|beach|lake|sea|ocean|field|meadow|park|garden|road|street|hill)\b",
    re.IGNORECASE,
)
# "a fox without a red hat", "no people", up to what stands elsewhere in the picture.
NEGATED = (
    rf"\b(?:(?:but|and|with)\s+)?(?:{'|'.join(WITHOUT)})\s+"
    rf"(?:(?!\b(?:{'|'.join(RELATIONS)}|but)\b)[^,;.!?\n])+"
)
TABLES = Path(__file__).parent


@dataclass(frozen=True)
class Vocabulary:
    """A closed list of words, and what stands in for some others.

    words: those that the pair learned. nearest: another word or phrase to the known thing nearest
    to it in meaning. phrases: turns of speech to the same in known words.
    """

    words: frozenset[str]
    nearest: Mapping[str, str] = field(default_factory=dict, repr=False)
    phrases: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, words: frozenset[str], table: Path) -> Vocabulary:
        """With the table of `training.build_words`: lines "thing: word, word", and for turns of
        speech "phrase = in other words". "heart on fire = heart on fire" keeps a thing's name
        whole: the longest of them counts. "nothing: wild" keeps a word from meaning any."""
        nearest: dict[str, str] = {}
        phrases: dict[str, str] = {}
        for line in table.read_text(encoding="utf8").splitlines():
            phrase, equals, instead = line.partition(" =")
            if equals:
                phrases[phrase] = instead.strip()
            else:
                thing, _, others = line.partition(": ")
                nearest |= dict.fromkeys(others.split(", "), "" if thing == NOTHING else thing)
        return cls(words, nearest, phrases)

    def knows(self, word: str) -> bool:
        """Whether the pair learned a word, or that of which it is the plural."""
        return word in self.words or self._singular(word) is not None

    def _singular(self, word: str) -> str | None:
        """The learned word of which this is the plural, if it is one."""
        return next((one for one in singulars(word) if one in self.words), None)

    def nearest_known(self, phrase: str) -> str | None:
        """The known thing nearest to another word or phrase; None if none is near."""
        forms = (phrase.lower(), *singulars(phrase.lower()))
        return next((self.nearest[w] for w in forms if w in self.nearest), None) or None

    def rewrite(
        self, text: str, *, tokens: bool = False, alone: bool = True
    ) -> tuple[str, str, dict[str, str | None]]:
        """A text with its emoji as words, its turns of speech replaced, its spelling mended and the
        words that say how it looks left out; the style that these ask for; and what was replaced by
        what, None for what was left out. tokens: see `Emoji.split`. alone: it is the whole of a
        prompt, which stays as it is where nothing else would be left."""
        unasked: dict[str, str | None] = {}

        def drop(found: re.Match) -> str:
            if found[1] is None:
                unasked[found[0].lower().strip()] = ""
            return found[1] or " "

        for short, long in SHORT:
            text = re.sub(short, long, text, flags=re.IGNORECASE)
        asked = REQUEST.sub("", SMILEY.sub(" ", text)) or text
        asked = self._negated.sub(drop, asked).strip(" ,")
        if alone and not asked:
            asked = text
            unasked.clear()
        text, said = self.emoji.split(asked, tokens=tokens)
        said |= unasked
        text, style, looks = self.styles.split(text, alone=alone)
        said |= looks

        def place(found: re.Match) -> str:
            """ "In a forest" of "in an enchanted forest", "in a field of sunflowers"."""
            joint, look, where = found.groups()
            if {f"{look} {where}", found[0].lower()} & {*self._names, *self.phrases}:
                return found[0]
            if look in ("green", "blue"):
                return f"{joint} a {where}"
            if where in ("field", "garden", "meadow") and look not in COLOURS and self._reads(look):
                return f"{joint} a {where} of {look}s"
            said[look] = ""
            return f"{joint} a {where}"

        def instead(found: re.Match) -> str | None:
            """What stands for a phrase; None where it is a part of another name."""
            phrase = found[0].lower()
            behind = WORD.match(found.string[found.end() :].lstrip().lower())
            longer = f"{phrase.split()[-1]} {behind[0]}" if behind else ""
            compound = False  # "a forest elf"
            if behind and " background" in self.phrases[phrase] and not phrase.endswith(" of"):
                joint = behind[0] in SMALL_WORDS or behind[0] in JOINTS
                compound = not joint and not behind[0].endswith("ing") and self._reads(behind[0])
            if compound or {longer, *singulars(longer)} & self._names:
                return None  # "on ice cream" is not on ice
            if self.phrases[phrase] != phrase:
                said[phrase] = self.phrases[phrase]
                return self.phrases[phrase]
            return found[0]

        text = TIME.sub(lambda found: f", {TIMES[found[1].lower()]}", text)
        for word, behind in WEATHER.findall(text):  # "a rainy street" is one on a rainy day
            named = f"{word} {behind}".lower()
            day = self.phrases.get(f"on a {word.lower()} day")
            if day and named not in self.phrases and named not in self.nearest:
                text = f"{re.sub(rf'{word} (?={behind})', '', text, count=1)} {day}"
                said[word.lower()] = day
        text = PLACE.sub(place, text)
        text = SCENERY.sub(rf"on a \2 background above \1{GROUND}", JOINED.sub(" and ", text))
        at = 0
        while self._any_phrase and (found := self._any_phrase.search(text, at)):
            new = instead(found)
            at = found.start() + len(found[0].split()[0] if new is None else new)
            text = text if new is None else text[: found.start()] + new + text[found.end() :]

        def mended(found: re.Match) -> str:
            word = found[0].lower()
            if len(word) < SHORTEST or word in self._spelt or self._reads(word):
                return found[0]
            near = self._spelling.meant(word)
            if near is None:
                return found[0]
            said[word] = near
            return near

        return " ".join(WORD.sub(mended, text).split()), style, said

    def _reads(self, word: str) -> bool:
        return self.knows(word) or word in self.nearest or self.nearest_known(word) is not None

    @cached_property
    def _negated(self) -> re.Pattern:
        """What is not asked for, or, as the first group, a thing's name: "face without mouth"."""
        names = "|".join(re.escape(n) for n in sorted(self._names) if {*n.split()} & {*WITHOUT})
        return re.compile(rf"\b({names})\b|{NEGATED}", re.IGNORECASE)

    @cached_property
    def _names(self) -> set[str]:
        return {*self.emoji.labels.values(), *self.nearest}

    @cached_property
    def emoji(self) -> Emoji:
        return Emoji.read(TABLES / "emoji.txt")

    @cached_property
    def styles(self) -> Styles:
        """Words that say how a picture looks, those left out that the table reads otherwise."""

        tails = {
            " ".join(words[i:])
            for words in map(str.split, self.emoji.labels.values())
            for i in range(len(words) - 1)
        }

        def known(phrase: str) -> bool:
            forms = (phrase, *singulars(phrase))
            return phrase in self.phrases or any(self.nearest.get(w) or w in tails for w in forms)

        return Styles.read(TABLES / "styles.txt", known, self.knows)

    @cached_property
    def _spelling(self) -> Spelling:
        common = (TABLES / "common_words.txt").read_text(encoding="utf8").split()
        looks = {word for phrase in self.styles.phrases for word in phrase.split()}
        return Spelling(self.words, frozenset(common) | looks)

    @cached_property
    def _spelt(self) -> set[str]:
        """Words of the table's phrases: the "dream" of a dream catcher is not "dreams" misspelt."""
        return {word for phrase in self.nearest if " " in phrase for word in phrase.split()}

    @cached_property
    def _any_phrase(self) -> re.Pattern | None:
        longest_first = sorted(self.phrases, key=len, reverse=True)
        found = "|".join(re.escape(phrase) for phrase in longest_first)
        return re.compile(rf"\b(?:{found})\b", re.IGNORECASE) if found else None

    def substitute(self, text: str, *, alone: bool = True) -> tuple[str, dict[str, str | None]]:
        """A text in words that the pair knows where the table has any, and what was replaced by
        what: None for a word that is not known. alone: see `rewrite`."""
        text, style, said = self.rewrite(text, alone=alone)
        text = re.sub(rf"(background above [\w ]+?){GROUND}\b", r"\1", text)  # for CLIP a thing
        if style in STYLE_WORDS:
            words_of_style = STYLE_WORDS[style][0]
            text = f"{self.phrases.get(words_of_style, words_of_style)} {text}"
            text = text.removesuffix(" of ")  # where the style is all
        painted, words = [], text.split(" ")
        while words:
            for length in range(min(LONGEST, len(words)), 0, -1):
                phrase = " ".join(words[:length]).lower().strip('.,;!?"')
                parts = phrase.split(" ")
                thing = self.nearest_known(phrase)
                strange = [w for w in parts if w not in SMALL_WORDS and not self.knows(w)]
                if thing and strange:
                    said[phrase] = thing
                    painted.append(thing)
                    break
            else:
                length, word = 1, words[0].lower().strip('.,;!?"')
                # CLIP never saw most plurals, which are signs of their own to it.
                singular = None if word in self.words else self._singular(word)
                painted.append(singular or words[0])
            words = words[length:]
        known = " ".join(painted)
        return known, said | dict.fromkeys(w for w in _words(known) if not self.knows(w))

    def says_something(self, text: str) -> bool:
        """Whether any word of a text that carries a picture is known, as it stands."""
        return any(map(self.knows, _words(self.emoji.split(text, tokens=False)[0])))


def singulars(word: str) -> Iterator[str]:
    """What a word or phrase may be the plural of, likeliest first."""
    for end, instead in IRREGULAR.items():
        if word.endswith(end):
            yield word.removesuffix(end) + instead
    for end, instead in (("ies", "y"), ("ves", "f"), ("ves", "fe"), ("s", ""), ("es", "")):
        if word.endswith(end) and len(word) > len(end) + 1 and not word.endswith("ss"):
            yield word.removesuffix(end) + instead


def _words(text: str) -> list[str]:
    return [w for w in dict.fromkeys(WORD.findall(text.lower())) if w not in SMALL_WORDS]
