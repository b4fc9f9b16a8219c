"""Words that say how a picture looks, not what it shows: "oil on canvas", "studio lighting"."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from .caption_words import STYLE_WORDS

FILLERS = frozenset(
    "a an the in of with and at by very highly ultra super extremely so much style styled as like "
    "made using shot taken drawn painted on & no".split()
)
ARTICLES = ("a", "an", "the")
# What a picture is: a style with an article too.
MEDIA = frozenset(
    "photo photograph painting watercolor watercolour sketch picture image render illustration "
    "drawing cartoon comic sticker silhouette portrait poster masterpiece artwork".split()
)
# Multi-word styles that end so may be things.
THINGS = frozenset(
    "book books page pencil pencils camera palette figure model knife glass lights poster cover "
    "novel pen cut cutout carving sculpture card white & novel pattern background art's".split()
)
LENGTH = 4  # words of the longest phrase, about
WORD = re.compile(r"[\w'’&.-]*[\w&]")
NUMBER = re.compile(r"(?:f/?)?\d[\d.]*(?:k|p|mm|s)?|f")
OF_STYLE = re.compile(r"\s*\bin the style of [^,]*", re.IGNORECASE)
BY_SOMEONE = re.compile(
    r"\s*\b(?:art |painted |drawn )?by ((?:[A-Z][\w.'’-]*\s?){1,4})(?=$|,|\s*$)"
)


class Styles:
    """phrases: each with the style of the library that is nearest; empty for none."""

    def __init__(self, phrases: dict[str, str], artists: list[str], known: Callable[[str], bool]):
        self.own = {re.sub(r"^an? | of$", "", w) for words in STYLE_WORDS.values() for w in words}
        phrases = {p: style for p, style in phrases.items() if p not in self.own}
        self.phrases, self.known = phrases, known
        names = "|".join(re.escape(a) for a in sorted(artists, key=len, reverse=True))
        self.artist = re.compile(
            rf"\s*\b(?:(?:art |painted |drawn )?by |(?:in the )?style of )?(?:{names})\b(?:['’]s)?"
            r"(?: (?:and|style)\b(?! an? ))?",
            re.IGNORECASE,
        )
        anywhere = [p for p in phrases if " " in p and p.split()[-1] not in THINGS and not known(p)]
        longest = "|".join(re.escape(p) for p in sorted(anywhere, key=len, reverse=True))
        self.anywhere = re.compile(
            rf"\s*\b(?:in |as |with |made in )?(?:{longest})(?: style)?(?![\w-])", re.IGNORECASE
        )
        self.first_words = {p.split()[0] for p in anywhere}
        every = "|".join(re.escape(p) for p in sorted(phrases, key=len, reverse=True))
        self.ending = re.compile(rf"\s+\b(?:in|as) ({every})(?: style)?\s*$", re.IGNORECASE)
        self.opening = re.compile(rf"^\s*(?:an? |the )?({every}) of\s+(?=\w)", re.IGNORECASE)

    @classmethod
    def read(cls, table: Path, known: Callable[[str], bool]) -> Styles:
        """With lines "style: phrase, phrase"; "-" for those that no style is near to. known: which
        phrases mean a thing or are read otherwise."""
        phrases: dict[str, str] = {}
        artists: list[str] = []
        for line in table.read_text(encoding="utf8").splitlines():
            style, _, rest = line.partition(": ")
            if style == "artists":
                artists = rest.split(", ")
            else:
                found = dict.fromkeys(rest.split(", "), "" if style == "-" else style)
                phrases |= {p: s for p, s in found.items() if p not in phrases}
        return cls(phrases, artists, known)

    def split(self, text: str) -> tuple[str, str, dict[str, str | None]]:
        """A text without such words, the style that they ask for, and what was left out or is
        painted as what. A text of nothing else stays as it is."""
        styles: list[str] = []
        said: dict[str, str | None] = {}

        def note(phrase: str, style: str = "") -> str:
            styles.append(style)
            words = STYLE_WORDS[style][0].removesuffix(" of") if style else None
            said[" ".join(phrase.lower().split()).strip(" .")] = words
            return ""

        def instead(found: re.Match) -> str:
            bare = re.sub(r"^(?:in|as|with|made in) | style$", "", found[0].strip().lower())
            return note(found[0], self.phrases.get(bare, ""))

        whole = text
        text = OF_STYLE.sub(lambda m: note(m[0]), text)
        text = self.artist.sub(lambda m: note(m[0]), text)
        text = BY_SOMEONE.sub(lambda m: note(m[0]), text)
        kept = []
        for segment in text.split(","):
            if not segment.strip():
                continue
            style = self._style_of(segment)
            if style is not None:
                note(segment, style)
                continue
            words = set(segment.lower().split())
            if words & self.first_words:  # most texts have none: the long patterns take their time
                segment = self.anywhere.sub(instead, segment)
            if words & {"in", "as"}:
                segment = self.ending.sub(lambda m: note(m[0], self.phrases[m[1].lower()]), segment)
            found = self.opening.match(segment) if "of" in words else None
            if found and not self._reads(found[0]):
                note(found[0], self.phrases[found[1].lower()])
                segment = segment[found.end() :]
            kept.append(segment)
        if not said or not any(WORD.search(s) for s in kept):
            return whole, "", {}
        rest = ",".join(kept).strip()
        return rest, next(filter(None, styles), ""), said

    def _reads(self, opening: str) -> bool:
        """Whether "a line drawing of" is read as it stands."""
        return " ".join(opening.lower().split()).removesuffix(" of") in {
            *self.own,
            *(f"{a} {o}" for o in self.own for a in ARTICLES),
        } or self.known(" ".join(opening.lower().split()))

    def _style_of(self, segment: str) -> str | None:
        """The style of a segment that says nothing else, "" where none is near; else None."""
        words = WORD.findall(segment.lower())
        bare = words[1:] if words and words[0] in ARTICLES else words
        if " ".join(bare) in self.own:
            return None  # read as it stands
        if len(bare) < len(words) and len(bare) == 1 and bare[0] not in MEDIA:
            return None  # "a pencil"
        styles, at = [], 0
        while at < len(words):
            for length in range(min(LENGTH, len(words) - at), 0, -1):
                phrase = " ".join(words[at : at + length])
                if phrase in self.phrases:
                    styles.append(self.phrases[phrase])
                    at += length
                    break
            else:
                if words[at] not in FILLERS and not NUMBER.fullmatch(words[at]):
                    return None
                at += 1
        return next(filter(None, styles), "") if styles else None
