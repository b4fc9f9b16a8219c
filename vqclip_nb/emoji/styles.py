"""Words that say how a picture looks, not what it shows: "oil on canvas", "studio lighting"."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from ..palettes import COLOURS
from ..reading import any_of
from .caption_words import (
    ARTICLES,
    BACKDROP_NAMES,
    OF,
    OF_A_KIND,
    RELATIONS,
    SKIPPED,
    STYLE_WORDS,
    WITHOUT,
    WORDS,
    read_rows,
)
from .shorthand import TOKEN, Replaced

FILLERS = WORDS["fillers"]
MEDIA = WORDS["media"]  # what a picture is: a style with an article too
THINGS = WORDS["things"]  # multi-word styles that end so may be things
# What ends the name of a look, of a technique, or of how a picture was taken.
LOOKS = MEDIA | WORDS["looks"]
LIT = WORDS["lit"]  # those of them that may have a colour
# Those of them that end one without a comma too: "a fox screen print".
BEHIND = MEDIA | WORDS["behind"]
# What ends one where neither an article, a count, nor a colour is in front: "bronze sculpture".
BARE = WORDS["bare"]
FEATURES = WORDS["features"]  # of the thing in front: "a fox, piercing eyes"
DONE = WORDS["done"]  # what begins to say how it was done: "carved from jade"
ALONE = WORDS["alone"]  # what says how a thing looks, wherever it stands: "neon guitar"
BREAKS = {w for table in (RELATIONS, OF, WITHOUT) for phrase in table for w in phrase.split()}
BREAKS = BREAKS.union("at also then from to under through & + /".split()) - {*ARTICLES, "full"}
BREAKS -= {"hand", "hands", "top"}  # of "hand in hand", "on top of": things as well
DETERMINERS = {*ARTICLES, *SKIPPED, *OF_A_KIND} | {*COLOURS} - BREAKS
ADJECTIVE = re.compile(
    r"\w{2,}(?:y|ing|ed|en|ful|ous|ish|['’]s)|old|new|young|tall|long|short|wide|high|low|deep|full|half"
    r"|cute|wild|calm|quiet|ancient|modern|giant|lush|dense|warm|cold|hot|cool|soft|fresh|round"
    r"|bright|dark|light|open|broken|strong|fat|thin|sweet|rich|poor|clear|distant|red-hot"
)
SEPARATORS = re.compile(r"([,;\n]|(?<=\w\w)[.!?]+(?=\s|$))")
LENGTH = 4  # words of the longest phrase, about
WORD = re.compile(r"[\w'’&.-]*[\w&]")
NUMBER = re.compile(r"(?:f/?)?\d[\d./]*(?:k|p|mm|s)?|f")
OF_STYLE = re.compile(r"\s*\bin the style of [^,]*", re.IGNORECASE)
BY_SOMEONE = re.compile(
    r"\s*\b(?:art |painted |drawn )?by ([A-Z][\w.'’-]*(?:\s[A-Z][\w.'’-]*){0,3}\s?)(?=$|,|\s*$)"
)


class Styles:
    """phrases: each with the style of the library that is nearest, or the medium; empty for
    neither. own: the same for the words of captions."""

    def __init__(self, known: Callable[[str], bool], learned: Callable[[str], bool]) -> None:
        """Of styles.txt: lines "style: phrase, phrase"; "-" for those that no style is near to.
        known: which phrases mean a thing or are read otherwise. learned: which words are the
        pair's."""
        own = ((re.sub(r"^an? | of$", "", w), s) for s, words in STYLE_WORDS.items() for w in words)
        self.own, self.known, self.learned = dict(own), known, learned
        listed = read_rows("styles.txt")
        names = {style: words for style, words in listed if style in ("artists", "places")}
        phrases: dict[str, str] = {}
        for style, words in listed:
            for phrase in words if style not in names else ():
                if phrase not in self.own:
                    phrases.setdefault(phrase, "" if style == "-" else style)
        self.phrases, every = phrases, any_of(phrases)
        artists = any_of(names["artists"])
        places = "|".join(name for name in names["places"] if ("any", name) not in BACKDROP_NAMES)
        self.artist = re.compile(
            rf"\s*\b(?:(?:art |painted |drawn )?by |(?:in the )?style of )?(?:{artists})\b"
            r"(?:['’]s)?(?:\s(?:van|von|de|der|da|di)\s[\w'’-]+)?(?: (?:and|style)\b(?! an? ))?",
            re.IGNORECASE,
        )
        self.place = re.compile(
            rf"\s*\b(?:in|from|near|at) (?:{places})\b(?! tower)"
            rf"|,\s*(?!turkey|china)(?:{places})(?=\s*(?:,|$))",
            re.IGNORECASE,
        )
        anywhere = [
            p
            for p in phrases
            if p in ALONE or (" " in p and p.split()[-1] not in THINGS and not known(p))
        ]
        self.anywhere = re.compile(
            rf"\s*\b(?:in |as |with |made in )?(?:{any_of(anywhere)})(?: style)?(?![\w-])"
            rf"(?! (?:background|backdrop|drawing of|{'|'.join(COLOURS)}))",
            re.IGNORECASE,
        )
        self.first_words = {p.split()[0] for p in anywhere}
        self.ending = re.compile(rf"\s+\b(?:in|as) ({every})(?: style)?\s*$", re.IGNORECASE)
        self.opening = re.compile(rf"^\s*(?:an? |the )?({every}) of\s+(?=\w)", re.IGNORECASE)

    def split(self, text: str, *, alone: bool = True) -> tuple[str, str, Replaced]:
        """A text without such words, the style that they ask for, and what was left out or is
        painted as what. alone: a text of nothing else stays as it is."""
        styles: list[str] = []
        said: Replaced = {}

        def note(phrase: str, style: str = "") -> str:
            styles.append(style)
            words = STYLE_WORDS.get(style, (style,))[0].removesuffix(" of")
            said[" ".join(phrase.lower().split()).strip(" .,")] = words
            return ""

        def instead(found: re.Match) -> str:
            bare = re.sub(r"^(?:in|as|with|made in) | style$", "", found[0].strip().lower())
            return note(found[0], self.phrases.get(bare, ""))

        whole = text
        for name in (OF_STYLE, self.artist, BY_SOMEONE, self.place):
            text = name.sub(lambda m: note(m[0]), text)
        kept = []
        behind = False
        for segment in SEPARATORS.split(text):
            if SEPARATORS.fullmatch(segment) or not segment.strip():
                kept.append(segment)
                continue
            style = self._style_of(segment)
            if style is not None:
                note(segment, style)
                continue
            words = set(segment.lower().split())
            found = self.opening.match(segment) if "of" in words else None
            if found and not self._reads(found[0]):
                note(found[0].removesuffix(" of "), self.phrases[found[1].lower()])
                segment = segment[found.end() :]
            if words & self.first_words:  # most texts have none: the long patterns take their time
                segment = self.anywhere.sub(instead, segment)
            if words & {"in", "as"}:
                segment = self.ending.sub(lambda m: note(m[0], self.phrases[m[1].lower()]), segment)
            kept.append(self._things(segment, note, behind=behind))
            behind = True
        if not said or (alone and not any(WORD.search(s) for s in kept)):
            return whole, "", {}
        rest = re.sub(r"[\s,;.!?]*,[\s,;]*", ", ", "".join(kept)).strip(" ,;")
        return rest, next(filter(None, styles), ""), said

    def _things(self, segment: str, note: Callable[..., str], *, behind: bool) -> str:
        """A segment without its words for a look, and where it stands behind another without those
        that do not name a thing as a whole: of "screen print" the pair knows the screen."""
        kept: list[str] = []
        words = segment.lower().split()
        if not words:
            return segment
        done = words[0] in DONE and (words[0] == "made" or words[1:2] != ["of"])
        if behind and (done or (words[-1] == "style" and words[0] not in ARTICLES)):
            return note(segment)
        of = ""  # follows a look that is left out
        for number, (joint, words) in enumerate(_chunks(segment)):
            named = joint[-1:] in (["by"], ["in"])  # "by mary cassatt"
            end = self._end(words, subject=not (behind or number), behind=behind or named)
            if end < len(words):
                look = " ".join(words[end:]).lower()
                tails = (look.split(" ", i)[-1] for i in range(len(words) - end))
                every = self.own | self.phrases
                style = next(filter(None, map(every.get, tails)), "")
                if not end and joint == ["and"] and " ".join(kept[-1:]) in COLOURS:
                    look = f"{kept.pop()} and {look}"  # "red and black palette"
                note(look, style)
            if end:
                kept += joint[joint[:1] == [of] :] + words[:end]
            of = "" if end else "of"
        return f" {' '.join(kept)}"

    def _end(self, words: list[str], *, subject: bool, behind: bool) -> int:
        """How many of some words in a row, with no joint between them, are kept.

        subject: they begin the prompt. behind: they stand behind another segment."""
        body = [word.lower() for word in words]
        while body and (body[0] in DETERMINERS or " ".join(body[:2]) in COLOURS):
            body = body[1 + (" ".join(body[:2]) in COLOURS) :]
        phrase, head, every = " ".join(body), body[-1] if body else "", len(words)
        if not body or phrase in self.own or any(map(TOKEN.search, body)):
            return every
        if {phrase, f"in {phrase}"} & WORDS["colourful"]:
            return every
        if self.known(phrase) and len(body) > 1 or self._reads(f"{' '.join(words)} of"):
            return every
        if subject:
            if len(body) == 1 or head not in BEHIND:
                return every
            named = (i for i, w in enumerate(body) if w not in LOOKS and self.learned(w))
            last = max(named, default=-1)
            return every - len(body) + last + 1 if last >= 0 else 0
        if behind and head in FEATURES and words[0].lower() not in SKIPPED:
            return 0
        if head in ("background", "backdrop") and {*body} & {*COLOURS}:
            return every
        if behind and head in LIT and words[0].lower() not in ARTICLES:
            return 0
        if head in LOOKS:
            return every if len(body) == 1 < every else 0
        if not behind or len(body) < every or len(body) == 1:
            return every
        if head in BARE or phrase in self.phrases or head in self.phrases:
            return 0
        if self.known(" ".join(body[-2:])):
            return every
        learned = self.learned(head) and not head.isdigit()
        plain = all(
            ADJECTIVE.fullmatch(w) or self.learned(w) or (learned and self.known(w))
            for w in body[:-1]
        )
        return every if plain and (learned or self.known(head)) else 0

    def _reads(self, opening: str) -> bool:
        """Whether "a line drawing of" is read as it stands."""
        said = " ".join(opening.lower().split())
        return re.sub(r"^(?:an?|the) | of$", "", said) in self.own or self.known(said)

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
                ground = styles and words[at - 1] == "on"  # "gouache on paper"
                if not ground and words[at] not in FILLERS and not NUMBER.fullmatch(words[at]):
                    return None
                at += 1
        return next(filter(None, styles), "") if styles else None


def _chunks(segment: str) -> Iterator[tuple[list[str], list[str]]]:
    """Words in a row, with those that join them to what is before: ["next", "to"], ["a", "cat"]."""
    joint: list[str] = []
    words: list[str] = []
    for word in segment.split():
        if word.lower() in BREAKS:
            if words:
                yield joint, words
                joint, words = [], []
            joint.append(word)
        elif word.strip(".!?"):
            words.append(word)
    yield joint, words
