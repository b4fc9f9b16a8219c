"""Which words a pair with a closed vocabulary knows, what it paints for others, and which known
word a misspelt one was meant to be."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from itertools import pairwise
from pathlib import Path

from ..reading import GROUND, any_of, without_weather
from .backdrops import BACKDROP_WORDS
from .caption_words import (
    BODY,
    SMALL_WORDS,
    STYLE_WORDS,
    TWO_TONE,
    USUAL_COLOURS,
    WITHOUT,
    WORDS,
    read_rows,
    singulars,
)
from .drawing_names import names_of
from .phrasing import WORD, rephrased
from .shorthand import NEGATED, Emoji, Replaced, shortened
from .styles import Styles

NOTHING = "nothing"  # in the table: words that mean no thing, though the library may have them
LONGEST = 3  # words of a phrase in the table
FOLDER = Path(__file__).parent  # of the tables
SHORTEST = 5  # letters of a word that is mended
LONG = 8  # letters from which on two slips are mended
VOWELS = "aeiou"
TWO_TONES = re.compile(
    r"\bblack and white(?= (?!(?:[\w-]+ )?(?:photo|picture|image|drawing|painting|film|movie|art"
    r"|style|sketch|portrait|landscape|scene|world)\b|(?:[\w-]+ ){1,3}of\b)\w)",
    re.IGNORECASE,
)
# Letters that sound alike: "elefant" is an elephant, though "elegant" is one letter nearer.
SOUNDS = (("au", "o"), ("ph", "f"), ("ck", "k"), ("c", "k"), ("y", "i"), ("z", "s"))


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
        return not self.words.isdisjoint((word, *singulars(word)))

    def nearest_known(self, phrase: str) -> str | None:
        """The known thing nearest to another word or phrase; None if none is near."""
        forms = (phrase.lower(), *singulars(phrase.lower()))
        return next((self.nearest[w] for w in forms if w in self.nearest), None) or None

    def rewrite(
        self, text: str, *, tokens: bool = False, alone: bool = True
    ) -> tuple[str, str, Replaced]:
        """A text with its emoji as words, its turns of speech replaced, its spelling mended and the
        words that say how it looks left out; the style that these ask for; and what was replaced by
        what, None for what was left out. tokens: see `Emoji.split`. alone: it is the whole of a
        prompt, which stays as it is where nothing else would be left."""
        unasked: Replaced = {}

        def drop(found: re.Match) -> str:
            if found[1] is None:
                unasked[found[0].lower().strip()] = ""
            return found[1] or " "

        asked = TWO_TONES.sub(TWO_TONE, shortened(text))
        kept = self._negated.sub(drop, asked).strip(" ,")
        text, said = self.emoji.split(kept, tokens=tokens)
        said |= unasked
        text, style, looks = self.styles.split(text, alone=alone)
        said |= looks
        text = rephrased(text, self, said)

        def mended(found: re.Match) -> str:
            word = found[0].lower()
            right = len(word) < SHORTEST or word in self._spelt or "_" in word or self.reads(word)
            if right or (near := self._spelling.meant(word)) is None:
                return found[0]
            said[word] = near
            return near

        if not tokens:
            text = text.replace(TWO_TONE, "black and white").replace("_", " ")
        return " ".join(WORD.sub(mended, text).split()), style, said

    def thing(self, word: str) -> bool:
        """Whether a word, or that of which it is the plural, names something that can be drawn."""
        forms = {word, *singulars(word)}
        known = forms & self._labels or self.nearest_known(word) is not None
        return bool(known) or "_" in word  # a drawing's name

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
        return Emoji(FOLDER / "emoji.txt")

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
            read = phrase in self.phrases or phrase in BACKDROP_WORDS
            return read or any(self.nearest.get(w) or w in tails for w in forms)

        return Styles(known, self.knows)

    @cached_property
    def _spelling(self) -> Spelling:
        common = (FOLDER / "common_words.txt").read_text(encoding="utf8").split()
        looks = {word for phrase in self.styles.phrases for word in phrase.split()}
        # What the library draws though CLIP has no word for it: people, and what has a silhouette.
        drawn = {*self.emoji.labels.values()}.union(*(w for _, w in read_rows(USUAL_COLOURS)))
        right = frozenset(common) | looks | BODY | WORDS["doing"]
        return Spelling(self.words, right, drawn)

    @cached_property
    def _spelt(self) -> set[str]:
        """Words of the table's phrases: the "dream" of a dream catcher is not "dreams" misspelt."""
        table = (*self.nearest, *self.phrases)
        return {word for phrase in table if " " in phrase for word in phrase.split()}

    @cached_property
    def any_phrase(self) -> re.Pattern | None:
        found = any_of(self.phrases)
        return re.compile(rf"\b(?:{found})\b", re.IGNORECASE) if found else None

    @cached_property
    def drawing_names(self) -> dict[str, str]:
        return names_of(self.phrases)

    def substitute(self, text: str, *, alone: bool = True) -> tuple[str, Replaced]:
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
                singular = [one for one in singulars(word) if one in self.words]
                painted.append(words[0] if word in self.words else [*singular, words[0]][0])
            words = words[length:]
        known = " ".join(painted)
        return known, said | dict.fromkeys(
            w for w in _words(without_weather(known)) if not self.knows(w)
        )

    def says_something(self, text: str) -> bool:
        """Whether any word of a text that carries a picture is known, as it stands."""
        return any(map(self.knows, _words(self.emoji.split(text, tokens=False)[0])))


def _words(text: str) -> list[str]:
    return [w for w in dict.fromkeys(WORD.findall(text.lower())) if w not in SMALL_WORDS]


class Spelling:
    """words: those that a misspelt one may be meant to be. right: words that are spelt right.
    drawn: more that may be meant, if a letter was left out, two were swapped, a vowel of a long
    word is another, or it sounds alike."""

    def __init__(
        self, words: Collection[str], right: Collection[str], drawn: Collection[str] = ()
    ) -> None:
        self.right = right
        self.of_length: dict[int, list[tuple[str, int]]] = defaultdict(list)
        self.sounding: dict[str, str] = {}
        for word in sorted(words):
            if len(word) >= SHORTEST - 1 and word.isalpha():
                self.of_length[len(word)].append((word, letters(word)))
                self.sounding.setdefault(sound(word), word)
        self.slips: dict[str, str] = {}
        for word in sorted(drawn):
            if len(word) > SHORTEST and word.isalpha():
                self.sounding.setdefault(sound(word), word)
                for i in range(1, len(word)):  # a letter left out, or two swapped
                    self.slips[word[:i] + word[i + 1 :]] = word
                    self.slips[word[:i] + word[i : i + 2][::-1] + word[i + 2 :]] = word
                    if len(word) >= LONG and word[i] in VOWELS:
                        other = {word[:i] + vowel + word[i + 1 :] for vowel in VOWELS}
                        self.slips |= dict.fromkeys(other, word)

    def _is_right(self, word: str) -> bool:
        """Whether a word is spelt right, or the verb that it is a form of: "chopping"."""
        stem = next((word.removesuffix(end) for end in ("ing", "ed") if word.endswith(end)), word)
        doubled = stem[:-1] if stem[-1:] == stem[-2:-1] else stem
        verbs = {stem, f"{stem}e", doubled} if stem != word else set()
        return not {word, *verbs}.isdisjoint(self.right)

    @cache  # noqa: B019  # one for each vocabulary, which stays
    def meant(self, word: str) -> str | None:
        """The word that a misspelt one was meant to be; None if it is right, or none is near."""
        if len(word) < SHORTEST or not word.isalpha() or self._is_right(word):
            return None
        alike = self.sounding.get(sound(word))
        if alike and alike[0] == word[0]:
            return alike
        if word in self.slips:
            return self.slips[word]
        allowed = 1 if len(word) < LONG else 2
        lengths = range(len(word) - allowed, len(word) + allowed + 1)
        own, most = letters(word), 2 * allowed  # a slip changes two letters at most
        near = [
            w for n in lengths for w, has in self.of_length[n] if (own ^ has).bit_count() <= most
        ]
        # Of those as near the one of the same letters, then that begins and ends alike, then the
        # longest: letters get lost.
        found = (
            (distance(word, w), letters(w) != own, w[0] != word[0], w[-1] != word[-1], -len(w), w)
            for w in near
        )
        best = min((f for f in found if f[0] <= allowed), default=None)
        return best[-1] if best else None


def letters(word: str) -> int:
    """Which letters a word has, as bits."""
    return sum({1 << ord(x) % 64 for x in word})


def sound(word: str) -> str:
    """A word as it sounds, about: without double letters too."""
    for letters, instead in SOUNDS:
        word = word.replace(letters, instead)
    return "".join(x for x, y in pairwise([*word, ""]) if x != y)


def distance(a: str, b: str) -> int:
    """Letters to change, leave out, add or swap with their neighbour (optimal string alignment)."""
    before, row = [0] * (len(b) + 1), list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        older, before = before, row
        row = [i]
        for j, y in enumerate(b, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, older[j - 2] + 1)
            row.append(cost)
    return row[-1]
