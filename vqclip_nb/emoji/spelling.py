"""Misspelt words: the known word that is one slip of the fingers away."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from functools import cache
from itertools import pairwise

SHORTEST = 5  # letters of a word that is mended
LONG = 8  # letters from which on two slips are mended


# Letters that sound alike: "elefant" is an elephant, though "elegant" is one letter nearer.
SOUNDS = (("ph", "f"), ("ck", "k"), ("c", "k"), ("y", "i"), ("z", "s"))


class Spelling:
    """words: those that a misspelt one may be meant to be. right: words that are spelt right."""

    def __init__(self, words: Collection[str], right: Collection[str]) -> None:
        self.right = right
        self.of_length: dict[int, list[tuple[str, int]]] = defaultdict(list)
        self.sounding: dict[str, str] = {}
        for word in sorted(words):
            if len(word) >= SHORTEST - 1 and word.isalpha():
                self.of_length[len(word)].append((word, letters(word)))
                self.sounding.setdefault(sound(word), word)

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
