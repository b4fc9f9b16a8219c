"""Which words a pair with a closed vocabulary knows, and what it paints for others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from ..reading import GROUND, UNREAD
from .caption_words import STYLE_WORDS
from .grammar_words import BODY, DOING, WITHOUT
from .phrasing import NEGATED, SMALL_WORDS, WORD, rephrased, shortened, singulars
from .signs import Emoji
from .spelling import SHORTEST, Spelling
from .styles import Styles

NOTHING = "nothing"  # in the table: words that mean no thing, though the library may have them
LONGEST = 3  # words of a phrase in the table
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

        asked = shortened(text)
        kept = self._negated.sub(drop, asked).strip(" ,")
        text, said = self.emoji.split(kept, tokens=tokens)
        said |= unasked
        text, style, looks = self.styles.split(text, alone=alone)
        said |= looks
        text = rephrased(text, self, said)

        def mended(found: re.Match) -> str:
            word = found[0].lower()
            if len(word) < SHORTEST or word in self._spelt or self.reads(word):
                return found[0]
            near = self._spelling.meant(word)
            if near is None:
                return found[0]
            said[word] = near
            return near

        return " ".join(WORD.sub(mended, text).split()), style, said

    def thing(self, word: str) -> bool:
        """Whether a word, or that of which it is the plural, names something that can be drawn."""
        forms = {word, *singulars(word)}
        return bool(forms & self._labels) or self.nearest_known(word) is not None

    @cached_property
    def _labels(self) -> set[str]:
        return {*self.emoji.labels.values(), *self.nearest.values()}

    def reads(self, word: str) -> bool:
        return self.knows(word) or word in self.nearest or self.nearest_known(word) is not None

    @cached_property
    def _negated(self) -> re.Pattern:
        """What is not asked for, or, as the first group, a thing's name: "face without mouth"."""
        names = "|".join(re.escape(n) for n in sorted(self.names) if {*n.split()} & {*WITHOUT})
        return re.compile(rf"\b({names})\b|{NEGATED}", re.IGNORECASE)

    @cached_property
    def names(self) -> set[str]:
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
        return Spelling(self.words, frozenset(common) | looks | BODY | DOING)

    @cached_property
    def _spelt(self) -> set[str]:
        """Words of the table's phrases: the "dream" of a dream catcher is not "dreams" misspelt."""
        return {word for phrase in self.nearest if " " in phrase for word in phrase.split()}

    @cached_property
    def any_phrase(self) -> re.Pattern | None:
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
        return known, said | dict.fromkeys(
            w for w in _words(UNREAD.sub("", known)) if not self.knows(w)
        )

    def says_something(self, text: str) -> bool:
        """Whether any word of a text that carries a picture is known, as it stands."""
        return any(map(self.knows, _words(self.emoji.split(text, tokens=False)[0])))


def _words(text: str) -> list[str]:
    return [w for w in dict.fromkeys(WORD.findall(text.lower())) if w not in SMALL_WORDS]
