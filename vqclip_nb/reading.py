"""A prompt as it is read, once: its parts with their weights, and what CLIP is given of each."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .images import is_picture
from .knobs import text_of
from .palettes import COLOURS
from .regions import Region

if TYPE_CHECKING:
    from .emoji.vocabulary import Vocabulary

MIN_WEIGHT, MAX_WEIGHT = 1e-3, 1e3  # of a prompt's parts, without their signs
MAX_PARTS = 50
TIME = re.compile(r"(?:^|\s)(?:[01]?\d|2[0-3]):[0-5]\d\s*$")
WEIGHTS = "give weights as 'a fox:2 | snow:1', each part with one number"
SHAPE = "give the shape as the settings height and width"
RATIOS = "16:9|9:16|21:9|9:21|4:3|3:4|3:2|2:3|5:4|4:5|2:1|1:2|1:1"
# Forms of other tools, which would be read as words.
FOREIGN = (
    (re.compile(r"::"), WEIGHTS),
    (re.compile(r"(?<!\S)--\w+.*", re.DOTALL), f"options are settings of their own; {SHAPE}"),
    (re.compile(r"\([^()]*:\s*-?[\d.]+\s*\)|<\w+:[^<>]*>"), WEIGHTS),
    (re.compile(rf"(?<!\S)(?<!\bat )(?:{RATIOS})(?=[\s,;]|[.!?]*$)"), SHAPE),  # not "a fox 2:1.0"
    (re.compile(r"\[[^\[\]]*:\s*[\d.]+\s*\]"), "write out one of the words"),  # [cat:dog:0.5]
    (re.compile(r":\s*-?[\d.]+\s*:\s*(?:-?[\d.]+\s*)?$"), WEIGHTS),  # "a fox:2:"
    (re.compile(r":-?[\d.]+%|:\s*-?[\d.]+\s*%\s*$"), WEIGHTS),
    (re.compile(r"(?<=[^\s\d:]):-?\d+(?:\.\d+)?(?=[\s,;]+\S)"), WEIGHTS),  # "a fox:2, snow"
)
CHOICE = re.compile(r"[{\[][^{}\[\]]*\|[^{}\[\]]*[}\]]")  # "a {red|blue} bird"
GROUND = " ground"  # ends the colour of what is below a sky
LIT = ("polar", "festive")  # by northern lights or fireworks, whatever else a sky has
SKIES = ("starry", *LIT, "glowing")  # those of `WEATHERS` that are not in front of things
WEATHERS = (*SKIES, "rainy", "snowy", "foggy")  # words before a background's colours


def without_weather(text: str) -> str:
    """A text without what its background has that CLIP knows no word for: "on an orange background"
    of "on a glowing orange background"."""
    return UNREAD.sub(lambda found: f"a{'n' if found[2] else ''} " if found[1] else "", text)


def any_of(phrases: Iterable[str]) -> str:
    """The pattern of any of some phrases, the longest first."""
    return "|".join(re.escape(phrase) for phrase in sorted(phrases, key=len, reverse=True))


COLOUR = any_of(COLOURS)
BEHIND = "with|and|next|in|on|at|by|full|made|near|surrounded|under"  # a ground that CLIP reads
BACKGROUND = re.compile(
    r"\b(?:(?:on|with|against|in front of|over)\s+)?(?:an?\s+|the\s+)?"
    r"(?:(?:plain|solid|simple|clean|flat|bright|deep|pale|soft|vivid|pastel|neon)\s+)?"
    rf"(?:({'|'.join(WEATHERS)})\s+)?"
    rf"({COLOUR})(?:\s+and\s+({COLOUR}))?\s+(?:background|backdrop)\b"
    rf"(?:\s+above\s+({COLOUR})(?:{GROUND}\b|(?=\s*(?:$|,|(?:{BEHIND})\b))))?"
)
# "on green grass under a blue sky".
SCENERY = re.compile(
    rf"\bon\s+(?:the\s+)?({COLOUR})\s+(?:ground|grass|sand|snow|water)"
    rf"\s+(?:under|below)\s+(?:an?|the)\s+({COLOUR})\s+sky\b",
    re.IGNORECASE,
)
# What a background has that CLIP knows no word for.
UNREAD = re.compile(
    rf"\b(an? )?(?:{'|'.join(WEATHERS)}) (?=([aeiou])?)(?=(?:{COLOUR})\b.* background)"
)
DUSK = "dark green"  # ground below a sunset that names none
WALL = re.compile(rf"\b(?:against|in front of)\s+(?:an?|the)\s+({COLOUR})\s+wall\b")
LAST_COLOUR = re.compile(rf"\b(?:on|against)\s+(?!lavender)({COLOUR})$")  # a bee on lavender


@dataclass(frozen=True)
class Part:
    """A text or picture of a prompt. read: its words as they are read; empty where CLIP knows
    none of its words."""

    text: str
    weight: float
    read: str

    @property
    def clip_text(self) -> str:
        """What CLIP is given of it."""
        return without_weather(self.read)

    @property
    def is_picture(self) -> bool:
        return is_picture(self.text)


@dataclass(frozen=True)
class Reading:
    """What a prompt asks for.

    ending: what CLIP reads behind each text, the pair's own background. substitutions: words that
    CLIP does not know, each with what it is given in their place; None where they are left out.
    background: colours that the prompt names for it. regions: those of the picture.

    What a start is made from, where the pair has drawings: text, all texts with a weight above 0;
    scene, what they name, None for nothing; in_drawing: those of `substitutions` that the scene
    shows; not_drawn: words that it does not, as they stand, each with what is said of it.
    """

    prompt: str
    parts: tuple[Part, ...] = ()
    ending: str = ""
    substitutions: Mapping[str, str | None] = field(default_factory=dict)
    background: tuple[str, ...] = ()
    text: str = ""
    scene: Any = None
    in_drawing: frozenset[str] = frozenset()
    not_drawn: Mapping[str, str] = field(default_factory=dict)
    regions: tuple[tuple[Region, Reading], ...] = ()

    @property
    def known(self) -> list[Part]:
        """The parts that say something to CLIP."""
        return [part for part in self.parts if part.read]


def read_prompt(
    prompt: str, vocabulary: Vocabulary | None = None, *, ending: str = "", stand_ins: bool = True
) -> Reading:
    """Parts, weights, and what a CLIP of that vocabulary is given; None: it takes any words.

    stand_ins: words that CLIP does not know are read as the nearest that it does. An empty prompt
    has no parts; else ValueErrors as in `parse_prompt`.
    """
    parts, substitutions = [], dict[str, str | None]()
    asked = parse_prompt(prompt) if prompt.strip() else []
    for text, weight in asked:
        given: str = text
        if vocabulary is not None and not is_picture(text):
            painted, replaced = vocabulary.substitute(text, alone=len(asked) == 1)
            substitutions |= replaced if stand_ins else dict.fromkeys(replaced)
            given = painted if stand_ins else text
            given = given if vocabulary.says_something(given) else ""
        parts.append(Part(text, weight, given))
    return Reading(prompt, tuple(parts), ending, substitutions)


def parse_prompt(prompt: str) -> list[tuple[str, float]]:
    """'a fox:2 | snow' to [('a fox', 2.), ('snow', 1.)]; ValueError if nothing with a weight
    remains, a weight is out of range or written as another tool wants it, or it is too long."""
    parts = []
    prompt = text_of("the prompt", prompt)  # the Studio reads what is too long too
    if choice := CHOICE.search(prompt):
        _refuse(choice[0], prompt, "write out one of the words")
    for part in prompt.split("|"):
        before, _, weight = part.rpartition(":")
        a_picture = is_picture(part.strip()) or is_picture(before.strip())
        for pattern, instead in () if a_picture else FOREIGN:
            found = pattern.search(part)
            if found and not TIME.search(before):
                _refuse(found[0], part, instead)
        text, number = part.strip(), 1.0
        if not TIME.search(part):  # "a clock at 10:30"
            with contextlib.suppress(ValueError):
                text, number = before.strip(), float(weight)
        if text and number and not MIN_WEIGHT <= abs(number) <= MAX_WEIGHT:
            raise ValueError(
                f"weight {weight.strip()} of {text[:40]!r} is out of range: allowed is "
                f"{MIN_WEIGHT:g} to {MAX_WEIGHT:g}, either sign"
            )
        if text and number:
            text = text if is_picture(text) else re.sub(r"[^\S\n]+", " ", text)
            parts.append((text, number))
    if not parts:
        raise ValueError(
            f"prompt {readable(prompt)!r}: nothing in it has a weight; give texts like "
            "'a fox:2 | snow:1'"
        )
    if len(parts) > MAX_PARTS:
        raise ValueError(f"the prompt has {len(parts)} parts: allowed are {MAX_PARTS}")
    return parts


def _refuse(form: str, text: str, instead: str) -> None:
    said = text.strip()[:60]
    raise ValueError(f"prompt {said!r}: {form.strip()[:20]!r} is not read here: {instead}")


def readable(prompt: str) -> str:
    """A prompt for people: pictures inside it are named, not spelled out."""
    return re.sub(r"data:image/[^|:]*", "picture", prompt)


def every_text(parts: Sequence[Part], extras: str = "") -> str:
    """The texts with a weight above 0, with `extras` behind them; empty where there is none."""
    texts = [part.text for part in parts if part.weight > 0 and not part.is_picture]
    if texts and extras and not is_picture(extras):
        texts.append(extras)
    return ", ".join(texts)


def split_background(text: str) -> tuple[tuple[str, ...], str]:
    """The colours of the background that a text in lower case names, and the rest of it. What is
    below a sky comes last and ends in `GROUND`; a night in the snow has its own sky above that.
    One of `WEATHERS` comes first."""
    sky, below, weather, plain = tuple[str, ...](), "", "", False
    while found := BACKGROUND.search(text) or WALL.search(text):
        how, first, second, under = ("", found[1], "", "") if found.re is WALL else found.groups()
        if sky and not (below or under or weather or how):
            break
        own = not under and how in (*SKIES, "", None)  # and no weather's nor a place's sky
        if own or not plain:
            sky = tuple(c for c in (first, second) if c)
        seen = weather not in LIT and (how not in ("starry", "glowing") or not weather)
        weather = how if how and (seen or how in LIT) else weather
        below, plain = below or under or "", plain or own
        text = " ".join(f"{text[: found.start()]} {text[found.end() :]}".split())
    if not sky and (found := LAST_COLOUR.search(text)):
        return (found[1],), text[: found.start()].strip()
    below = below or (DUSK if weather == "glowing" else "")
    return tuple(filter(None, (weather, *sky, below and below + GROUND))), text


def told_background(colours: Sequence[str]) -> str:
    """Those of `split_background` in words: "starry dark blue and green ground"."""
    how = f"{colours[0]} " if colours and colours[0] in WEATHERS else ""
    return how + " and ".join(dict.fromkeys(colours[bool(how) :]))


def background_ending(default: str, *texts: str) -> str:
    """A pair's own background, which ends its prompts, unless one of `texts` names one: by that
    word, or by a colour ("on black")."""
    named = any(
        re.search(r"\b(background|backdrop)\b", text) or split_background(text)[0]
        for text in map(str.lower, texts)
    )
    return "" if named or not default else f" {default}"


def background_of(*texts: str) -> tuple[str, ...]:
    """The colours of the background that the first of `texts` to name one names."""
    return next(filter(None, (split_background(text.lower().strip())[0] for text in texts)), ())


def region_ending(default: str, texts: Sequence[str], around: Sequence[str]) -> str:
    """What ends the prompt of a region: the background that the whole picture's texts name,
    unless it names one itself."""
    colours = background_of(*around)
    if colours and not background_of(*texts):
        *sky, last = colours
        below = f" above {last.removesuffix(GROUND)}" if last.endswith(GROUND) else ""
        return f" on a {told_background(sky if below else colours)} background{below}"
    return background_ending(default, *texts, *around)


def _bare(phrase: str) -> str:
    return re.sub(r"^an? ", "", phrase)


def describe_substitutions(readings: Iterable[Reading], *, from_drawing: bool = False) -> str:
    """The words that CLIP does not know, for people: "tower block: painted as tower; quux: not
    known".

    from_drawing: library or prior draw the scene, which may show a word that CLIP does not know:
    "lighthouse: drawn, CLIP reads tower".
    """
    told = {}
    for reading in readings:
        replaced = reading.substitutions
        between = {_bare(thing) for thing in replaced.values() if thing} & {*replaced}
        for word, thing in replaced.items():
            if thing == _bare(word) or word in between:
                continue  # "a watercolour", and that is what it is painted in
            drawn, thing = thing, replaced.get(_bare(thing), thing) if thing else thing
            if from_drawing and word in reading.in_drawing:
                told[word] = f"{word}: drawn, CLIP reads {thing or 'nothing'}"
            elif from_drawing and drawn and _bare(drawn) in reading.in_drawing:
                told[word] = f"{word}: drawn as {drawn}, CLIP reads {thing or 'nothing'}"
            elif thing is None:
                told[word] = f"{word}: not known"
            elif from_drawing and thing and word in reading.not_drawn:
                told[word] = f"{word}: not drawn, CLIP reads {thing}"
            else:
                told[word] = f"{word}: painted as {thing}" if thing else f"{word}: left out"
        if from_drawing:
            for word, how in reading.not_drawn.items():
                if word not in told or how != "not drawn":  # else what CLIP reads says more
                    told[word] = f"{word}: {how}"
    return "; ".join(told.values())
