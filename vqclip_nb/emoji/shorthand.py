"""What is not written out in words: emoji, each as the drawing that the library has of it,
shorthand, colours of several things, places; and what asks for the picture left away."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

from ..reading import COLOUR, any_of
from .caption_words import BODY, FACED, OF_A_KIND, RELATIONS, TABLES, WITHOUT, WORDS, singulars

VARIATION, TONES = "\ufe0f", "\U0001f3fb-\U0001f3ff"
JOINER = "\u200d"
PRIVATE = 0xF0000  # from here on a character stands for an emoji of the table
# Words of a text, each with what stands for it: "" where it is left out, None if it is not known.
Replaced = dict[str, str | None]
TOKEN = re.compile("[\U000f0000-\U000fffff]")
_SIGN = "[\u00a9\u00ae\u2122\u2190-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001fbff]"
EMOJI = re.compile(
    f"[\U0001f1e6-\U0001f1ff]{{2}}|[0-9#*]{VARIATION}?\u20e3"
    f"|{_SIGN}(?:{VARIATION}|[{TONES}]|[\U000e0020-\U000e007f])*"
    f"(?:{JOINER}{_SIGN}(?:{VARIATION}|[{TONES}])*)*"
)
SPORTS = WORDS["sports"]
# "A tulip field".
FIELD = re.compile(
    r"\b(?:(?:over|above|across|in|on|through|near|by)\s+)?(?:an?\s+|the\s+)?"
    rf"(?!(?:corn|wheat|rice|of|open|{'|'.join(SPORTS)})\b)"
    r"(\w+)\s+fields?\b(?!\s+of)",
    re.IGNORECASE,
)
SKY = re.compile(
    r"(?:\b(?:under|below|beneath|against|in|on|with|and)\s+|(?<=,)\s*|^\s*)(?:(?:an?|the)\s+)?"
    rf"(?:(?:bright|clear|deep)\s+)?({COLOUR})\s+sk(?:y|ies)\b",
    re.IGNORECASE,
)
WHOLE = BODY | WORDS["never each"]  # "red and blue shoes" are of two colours
_ROW = rf"(?:{COLOUR})(?:(?:\s*,\s*(?:and\s+)?|\s+and\s+|\s+(?=one\b))(?:one\s+)?(?:{COLOUR}))+"
_LIST = rf"(?:{COLOUR})(?:[\s,]+(?:and\s+)?(?:one\s+)?(?:{COLOUR}))+"  # without commas too
# "red and blue balloons"; "two balloons, red and blue"; "balloons in red and blue".
_COUNT, _THINGS = r"(?P<count>two|three|2|3)\s+", r"(?P<things>[a-z]+s)"
COLOURED = re.compile(rf"(?<!of )\b(?:{_COUNT})?(?P<row>{_ROW})\s+{_THINGS}\b", re.IGNORECASE)
COLOURED_BEHIND = re.compile(
    rf"\b{_COUNT}{_THINGS}\s*[,:-]\s*(?:one\s+|in\s+)?(?P<row>{_LIST})(?=\s*[.!]?\s*(?:$|,))",
    re.IGNORECASE,
)
COLOURED_IN = re.compile(rf"\b(?:{_COUNT})?{_THINGS}\s+in\s+(?P<row>{_ROW})\b", re.IGNORECASE)
# "a red, a blue and a green balloon".
COLOURED_EACH = re.compile(
    rf"\b(?P<row>an? (?:{COLOUR})(?:(?:,| and|, and) an? (?:{COLOUR}))+) (?P<thing>\w+)\b",
    re.IGNORECASE,
)
SMILEY = re.compile(r"(?<![\w:])[:;]-?[()DP](?!\w)|<3\b")  # ":)" and the like
SHORT = (
    ("_+", " "),  # which joins the words of a drawing's name
    (r"(?<!\w)['‘]([^'‘’]*)['’](?!\w)", r"\1"),
    (r"(?<=\bplaying )an? (?:game|match|round) of ", ""),
    (r"\bw/o\b|\binstead of\b", "without"),
    (r"\bw/", "with "),
    (r"(?:^|(?<=[,.;!?]))\s*(?:but )?i (?:would like|want|need) (?!to\b)", " "),
    (
        r"\b(?:i )?(?:do not|don['’]?t|never) (?:draw|show|include|add|paint|put|use|want)\b",
        "without",
    ),
    (r"(?<=[^\s\d])\s*/\s*(?=(?:an?|the|one|two|three|four|five|six|\d)\s)", " and "),
    (r"\bblack-and-white\b", "black and white"),
    (r"^\s*(an? |the )?cartoon (?!of\b|style\b|.*\bsticker\b)(?=\w)", r"a cartoon of \1"),
    (rf"\bthe sky is ({COLOUR})\b", r"under a \1 sky"),
    (
        r"\bfor (?:my|our) (?:daughter|son|mum|mom|mother|father|dad|wife|husband|friends?|sister"
        r"|brother|grandma|grandpa|kids?|children|class|boss|girlfriend|boyfriend|teacher|room)\b",
        " ",
    ),
    (r"\.{2,}|…|-*[()<>=→\[\]]+", ", "),
    (r"([,!?])\1+", r"\1 "),
    (r"\b(?:pale|pastel|faint) (?=(?:blue|green|gr[ae]y|pink|yellow|orange|purple)\b)", "light "),
    (r"\bwindow sill", "windowsill"),
    (r"\b(?:with|full of) neon (?:signs|lights)(?: at night)?\b", "at night"),
    (
        r"^\s*((?:an? |the )?)underwater (?!coral|reef|world|scene|city|kingdom)([\w ]+?)"
        r"(?= (?:with|and)\b|\s*(?:,|$))",
        r"\1\2 underwater",
    ),
)
# "A penguin family", "an elephant toy".
KIND = re.compile(
    r"\b(?:(an?|the|my|our) )?([a-z]+) (family|toy|plush|plushie|figurine)\b", re.IGNORECASE
)
# "A castle made of gold", "a zebra with rainbow stripes", "a key on black velvet".
MADE = re.compile(
    rf"\b(\w+) ((?:made|built|carved) (?:out )?(?:of|from) ({any_of(TABLES['made of'])}))\b"
    r"(?! cream)",
    re.IGNORECASE,
)
STRIPED = re.compile(r"\b(\w+) (?:but )?((?:with|in) (?:the )?rainbow stripes)\b", re.IGNORECASE)
CLOTH = re.compile(
    rf"\b(in|on) ((?:an? )?({COLOUR}) (?:{any_of(WORDS['fabrics'])}))\b", re.IGNORECASE
)
# "A bear eats honey", "a woman who reads a book"; but not "two drinks next to a plate".
DOES = re.compile(
    rf"\b(\w+) (?:(?:who|that|which) )?({any_of(TABLES['does'])}) (?=\w)", re.IGNORECASE
)
_VERBS = "draw|paint|make|create|generate|design|show|give|do"
# What asks for the picture: "can you draw me", "please", at the end too.
REQUEST = re.compile(
    r"^\W*(?:(?:once upon a time(?:,? (?:there|in)(?: (?:was|were|lived))?)?|what (?:can|do) you"
    r"|(?:can|could|would|will) (?:you|u|i)|please|pls|plz|hi|hey|hello"
    r"|i(?: would|['’]d)? (?:want|need|like)(?: to (?:see|have))?"
    rf"|(?:{_VERBS}|have|get)(?: (?:me|us)|(?= (?:an?|the|some|my|our|your|one|two|three|\d)\b)))"
    r"\b[\s,]*)+|[\s,]+(?:please|pls|plz|thanks|thx|thank you)\b(?=\W*(?:$|,))",
    re.IGNORECASE,
)
# "a fox without a red hat", "no people", up to what stands elsewhere in the picture; "not on a
# hill".
NEGATED = (
    rf"\b(?:(?:but|and|with)\s+)?(?:{'|'.join(WITHOUT)})\s+"
    rf"(?:(?!\b(?:{'|'.join(RELATIONS)}|but)\b)[^,;.!?\n])+"
    r"|\bnot (?:on|in|at|under|near|next to|beside|behind|with)\s+"
    rf"(?:(?!\b(?:{'|'.join(RELATIONS)}|but)\b)[^,;:.!?\n])+"
)


class Emoji:
    """labels: what the library calls each, by its code points without variation selectors and skin
    tones. names: what CLIP calls it."""

    def __init__(self, table: Path) -> None:
        """Of lines "emoji label" or "emoji label = what CLIP calls it"."""
        self.labels, self.names = dict[str, str](), dict[str, str]()
        for line in table.read_text(encoding="utf8").splitlines():
            signs, _, rest = line.partition(" ")
            label, _, name = rest.partition(" = ")
            self.labels[plain(signs)], self.names[plain(signs)] = label, name or label
        self.numbers = {signs: number for number, signs in enumerate(self.labels)}
        self.by_number = list(self.labels.values())
        self.known = {*self.by_number, *self.names.values()}

    def find(self, signs: str) -> str | None:
        """The emoji of the table that a sequence is, or is a variant of."""
        return next((s for s in simpler(plain(signs)) if s in self.labels), None)

    def label(self, token: str) -> str:
        """What the library calls the emoji for which a character of `split` stands."""
        return self.by_number[ord(token) - PRIVATE]

    def split(self, text: str, *, tokens: bool) -> tuple[str, Replaced]:
        """A text with its emoji as words, or with `tokens` as one private character each; and those
        that are not known. Signs that are no emoji go by their Unicode names."""
        unknown: Replaced = {}

        def instead(found: re.Match) -> str:
            signs = self.find(found[0])
            if signs is not None:
                if tokens:
                    return f" {chr(PRIVATE + self.numbers[signs])} , "
                return f" {self.names[signs]} "
            name = unicodedata.name(found[0][0], "").lower() if len(plain(found[0])) == 1 else ""
            if name in self.known:  # else a word of it would stand for it
                return f" {name} "
            unknown[found[0]] = None
            return " , "

        if text.isascii():
            return text, unknown
        unknown |= dict.fromkeys(TOKEN.findall(text))  # of icon fonts
        text = TOKEN.sub(" ", text)
        return EMOJI.sub(instead, text), unknown


def plain(signs: str) -> str:
    return re.sub(f"[{VARIATION}{TONES}]", "", signs)


def simpler(signs: str) -> Iterator[str]:
    """A sequence, and step by step what it is a variant of."""
    yield signs
    ungendered = re.sub(f"{JOINER}[\u2640\u2642]", "", signs)
    yield ungendered
    person = re.sub("^[\U0001f468\U0001f469]", "\U0001f9d1", ungendered)
    while True:
        yield person
        yield ungendered
        if JOINER not in ungendered:
            return
        person, ungendered = person.rpartition(JOINER)[0], ungendered.rpartition(JOINER)[0]


def shortened(text: str) -> str:
    """A text without what asks for the picture, its shorthand written out."""
    text = SMILEY.sub(" ", text)
    for short, long in SHORT:
        text = re.sub(short, long, text, flags=re.IGNORECASE)
    text = re.sub(r"\s*,(?:\s*,)+\s*", ", ", text)
    return REQUEST.sub("", text).strip(" ,") or text


def made_plain(text: str, said: Replaced) -> str:
    """A text with "three penguins" for its "penguin family", "golden castle" for "castle made of
    gold", "bear eating honey" for "bear eats honey". said: takes up what was replaced by what."""

    def who_does(found: re.Match) -> str:
        who, does = found.groups()
        acts = not FACED.isdisjoint((who.lower(), *singulars(who.lower())))
        return f"{who} {TABLES['does'][does.lower()]} " if acts else found[0]

    def kind(found: re.Match) -> str:
        before, who, what = found.groups()
        names = {who.lower(), *singulars(who.lower())}
        if FACED.isdisjoint(names) or not WORDS["people"].isdisjoint(names):
            return found[0]
        family = what.lower() == "family"
        said[what.lower()] = "three" if family else ""
        return f"three {who}s" if family else f"{before or ''} {who}"

    def look(found: re.Match, word: str) -> str:
        said[found[2].lower()] = word
        return f"{word} {found[1]}"

    def cloth(found: re.Match) -> str:
        joint, whole, colour = found.groups()
        said[whole.lower()] = own = colour if joint.lower() == "in" else f"a {colour} background"
        return f"{joint} {own}"

    text = KIND.sub(kind, DOES.sub(who_does, text))
    text = MADE.sub(lambda found: look(found, TABLES["made of"][found[3].lower()]), text)
    return CLOTH.sub(cloth, STRIPED.sub(lambda found: look(found, "rainbow"), text))


def each_coloured(text: str, known: Callable[[str], bool]) -> str:
    """A text with "a red balloon and a blue balloon" for its "red and blue balloons". known: which
    words name a thing."""

    def written_out(found: re.Match) -> str:
        groups = found.groupdict()
        count, things = groups.get("count"), groups.get("things") or f"{groups['thing']}s"
        colours = re.findall(rf"\b(?:{COLOUR})\b", groups["row"].lower())
        one = next((w for w in singulars(things.lower()) if known(w)), None)
        fits = count in (None, str(len(colours)), {2: "two", 3: "three"}.get(len(colours)))
        before = found.string[: found.start()].lower().split()[-1:]
        each = re.search(r"\b(?:one|an?)\b", groups["row"])  # else a zebra's
        pattern = {"black", "white"} & {*colours} and not each
        whole = things.lower() in WHOLE or {*before} & OF_A_KIND
        if one is None or pattern or whole or not fits:
            return found[0]
        return " and ".join(f"{'an' if c[0] in 'aeiou' else 'a'} {c} {one}" for c in colours)

    for pattern in (COLOURED_EACH, COLOURED, COLOURED_BEHIND, COLOURED_IN):
        text = pattern.sub(written_out, text)
    return text
