"""Which words a pair with a closed vocabulary knows, and what it does with others."""

from __future__ import annotations

import difflib
import re
import unicodedata
from typing import Protocol

# Words that carry no picture: never reported as unknown.
SMALL_WORDS = frozenset(
    "a an the of in on at to and or with by for from is are it its this that some".split()
)


class Reader(Protocol):
    """Whoever reads texts: `vocabulary` is what it learned, None if that is no closed list."""

    @property
    def vocabulary(self) -> frozenset[str] | None: ...


def expand_emoji(reader: Reader, text: str) -> str:
    """`text` with emoji by their Unicode names, for a reader that knows a closed list of words."""
    if reader.vocabulary is None:
        return text
    joined = text.replace("\u200d", "").replace("\ufe0f", "")  # what makes several signs one emoji
    words = (f" {unicodedata.name(c, '')} ".lower() if _is_symbol(c) else c for c in joined)
    return " ".join("".join(words).split())


def unknown_words(reader: Reader, text: str) -> dict[str, list[str]]:
    """Words of a text that the reader never learned, each with up to three near ones; {} if it
    knows all."""
    if reader.vocabulary is None:
        return {}
    known = sorted(reader.vocabulary)
    strange = [w for w in _words(reader, text) if not _learned(reader, w)]
    return {w: difflib.get_close_matches(w, known, 3, 0.6) for w in strange}


def describe_unknown(strange: dict[str, list[str]]) -> str:
    """What `unknown_words` found, as words for a reader."""
    return "; ".join(
        f"{word!r} is not known" + (f", near it: {', '.join(near)}" if near else "")
        for word, near in strange.items()
    )


def says_something(reader: Reader, text: str) -> bool:
    """Whether the reader knows any word of a text that carries a picture."""
    return reader.vocabulary is None or any(_learned(reader, w) for w in _words(reader, text))


def _is_symbol(character: str) -> bool:
    return unicodedata.category(character) == "So"


def _words(reader: Reader, text: str) -> list[str]:
    found = dict.fromkeys(re.findall(r"\w[\w'’-]*", expand_emoji(reader, text).lower()))
    return [word for word in found if word not in SMALL_WORDS]


def _learned(reader: Reader, word: str) -> bool:
    return any(word.removesuffix(end) in reader.vocabulary for end in ("", "s", "es"))
