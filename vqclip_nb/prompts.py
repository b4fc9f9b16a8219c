"""From texts and pictures to weighted encodings (report, figure 13)."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

import torch

from .attributes import Attribute, parse_attributes
from .images import is_picture, load_image, to_data_url
from .models.clip import ClipEnsemble, ClipModel
from .models.pair import Pair
from .models.scene import split_background
from .regions import Region, parse_region
from .settings import KNOBS, Settings
from .vocabulary import describe_unknown, says_something, substitute, unknown_words

LEAST, MOST = 1e-3, 1e3  # weights of a prompt's parts, without their signs
MAX_PARTS = 50
TIME = re.compile(r"\b\d{1,2}:\d\d\s*$")
Clip = ClipModel | ClipEnsemble


@dataclass(frozen=True)
class Encodings:
    """What the loss compares with: one (1, d) tensor for each include, and beside it one for each
    region of that picture; extras and exclude only if given."""

    include: list[torch.Tensor]
    exclude: torch.Tensor | None
    extras: torch.Tensor | None
    regions: list[list[torch.Tensor]] = field(default_factory=list)


def parse_prompt(prompt: str) -> list[tuple[str, float]]:
    """'a fox:2 | snow' to [('a fox', 2.), ('snow', 1.)]; ValueError if nothing with a weight
    remains, or a weight is out of range."""
    parts = []
    for part in prompt.split("|"):
        text, _, weight = part.rpartition(":")
        try:
            text, number = text.strip(), float(weight)
        except ValueError:
            text, number = part.strip(), 1.0
        if TIME.search(part):  # "a clock at 10:30"
            text, number = part.strip(), 1.0
        if text and number and not LEAST <= abs(number) <= MOST:
            raise ValueError(
                f"weight {weight.strip()} of {text[:40]!r} is out of range: allowed is "
                f"{LEAST:g} to {MOST:g}, either sign"
            )
        if text and number:
            parts.append((text, number))
    if not parts:
        raise ValueError(
            f"prompt {readable(prompt)!r}: nothing in it has a weight; give texts like "
            "'a fox:2 | snow:1'"
        )
    if len(parts) > MAX_PARTS:
        raise ValueError(f"the prompt has {len(parts)} parts: allowed are {MAX_PARTS}")
    return parts


def readable(prompt: str) -> str:
    """A prompt for people: pictures inside it are named, not spelled out."""
    return re.sub(r"data:image/[^|:]*", "picture", prompt)


def encode_prompt(
    clip: Clip, prompt: str, *, ending: str = "", stand_ins: bool = True
) -> torch.Tensor:
    """Weighted mean (1, d) of a prompt's texts, each with `ending`, and picture files.

    stand_ins: words that the CLIP does not know are read as the nearest that it does. A text of
    which it then knows no word has no part in it; ValueError if that is all.
    """
    total: torch.Tensor | float = 0.0
    parts = _understood(clip, prompt, stand_ins)
    if not parts:
        raise ValueError(f"prompt {readable(prompt)!r}: {clip.name} knows none of its words")
    for content, weight in parts:
        if is_picture(content):
            picture = load_image(content, (clip.resolution, clip.resolution)).to(clip.device)
            with torch.no_grad():
                encoding = clip.encode_image(picture)
        else:
            text = substitute(clip, content)[0] if stand_ins else content
            encoding = clip.encode_text([text + ending])
        total = total + weight * encoding
    if not torch.as_tensor(total).any():
        raise ValueError(f"prompt {readable(prompt)!r}: its parts cancel each other")
    return total / sum(abs(w) for _, w in parts)


def encode_with(
    clip: Clip, prompt: str, attributes: Sequence[Attribute], *, ending: str = ""
) -> torch.Tensor:
    """`encode_prompt` of a prompt whose texts take on attributes, those that the CLIP knows."""
    plain = encode_prompt(clip, prompt, ending=ending)
    total, parts = plain, _understood(clip, prompt, stand_ins=True)
    for attribute in attributes:
        if not knows_attribute(clip, attribute):
            continue
        said = ((t if is_picture(t) else attribute.said_of(t), w) for t, w in parts)
        told = encode_prompt(clip, " | ".join(f"{t}:{w!r}" for t, w in said), ending=ending)
        total = total + attribute.strength * (told - plain)
    return total


def knows_attribute(clip: Clip, attribute: Attribute) -> bool:
    """Whether a CLIP learned an attribute's own words, and does not read others in their place."""
    said = attribute.said_of("a fox")
    return not unknown_words(clip, said) and substitute(clip, said)[0] == said


def create_encodings(pair: Pair, settings: Settings) -> Encodings:
    """Encode a run's include, exclude and extras; see `background_suffix` for what is added to
    include.

    A warning names the words that the pair never learned. An exclude or extras of nothing else
    counts as empty; an include of nothing else is a ValueError.
    """
    strange = dict.fromkeys(strange_words(pair, settings.exclude))
    regions = [parse_region(text).prompt for text in settings.regions]
    for text in (*settings.include, *regions, settings.extras):
        strange |= strange_words(pair, text)
    if strange:
        told = describe_unknown(strange, drawn_by(pair, settings.start))
        warnings.warn(f"{pair.name}: {told}", stacklevel=3)

    def optional(text: str, *, stand_ins: bool) -> torch.Tensor | None:
        if not text or not _understood(pair.clip, text, stand_ins):
            return None
        return encode_prompt(pair.clip, text, stand_ins=stand_ins)

    attributes = parse_attributes(settings.attributes)
    if strange_looks := [a.word for a in attributes if not knows_attribute(pair.clip, a)]:
        warnings.warn(
            f"{pair.name}: {', '.join(strange_looks)}: not known as an attribute; "
            "at most a drawing that is begun with takes it on",
            stacklevel=3,
        )

    def asked(prompt: str) -> torch.Tensor:
        ending = background_suffix(pair, prompt, settings.extras)
        return encode_with(pair.clip, prompt, attributes, ending=ending)

    return Encodings(
        [asked(text) for text in settings.include],
        optional(settings.exclude, stand_ins=False),  # nobody asked to avoid the nearest thing
        optional(settings.extras, stand_ins=True),
        [
            [
                encode_prompt(
                    pair.clip, own, ending=region_suffix(pair, own, text, settings.extras)
                )
                for own in regions
            ]
            for text in settings.include
        ],
    )


def strange_words(pair: Pair, prompt: str) -> dict[str, str | None]:
    """Words of a prompt's texts that the pair never learned, each with what is painted in its
    place, or None."""
    texts = [text for text, _ in parse_prompt(prompt)] if prompt.strip() else []
    return unknown_words(pair.clip, " ".join(t for t in texts if not is_picture(t)))


def drawn_by(pair: Pair, start: str) -> Callable[[str], bool]:
    """Whether a start of that name ("library", "noise", ...) shows a word, known to CLIP or not."""
    library = pair.library if start == "library" else None
    return library.draws if library else lambda word: False


def background_suffix(pair: Pair, *texts: str) -> str:
    """The pair's own last words for a prompt, unless one of `texts` names a background."""
    own = pair.facts.default_background
    named = re.search(r"\b(background|backdrop)\b", " ".join(texts), re.IGNORECASE)
    return "" if named or not own else f" {own}"


def strongest_text(prompt: str, extras: str = "") -> str:
    """The text of a prompt with the highest weight, with `extras` behind it; empty where no text
    has a weight above 0."""
    texts = [(weight, text) for text, weight in parse_prompt(prompt) if not is_picture(text)]
    if not texts or max(texts)[0] <= 0:
        return ""
    text = max(texts, key=lambda part: part[0])[1]
    return f"{text}, {extras}" if extras and not is_picture(extras) else text


def region_suffix(pair: Pair, prompt: str, *texts: str) -> str:
    """What ends the prompt of a region: the background that the whole picture's `texts` name,
    unless it names one itself."""
    around, _ = split_background(" ".join(texts).lower())
    if around and not split_background(prompt.lower())[0]:
        return f" on a {' and '.join(dict.fromkeys(around))} background"
    return background_suffix(pair, prompt, *texts)


def embed_pictures(
    pair: Pair, settings: Settings, size: tuple[int, int], names: Collection[str] = tuple(KNOBS)
) -> Settings:
    """`settings` with every picture file read once and held inside, pixel by pixel as it is used,
    so that a run, its recipe and its saved state need no file.

    size: (height, width) of the start picture and of the style picture. names: of the settings that
    may hold files. FileNotFoundError and ValueError as in `load_image`.
    """
    side = pair.clip.resolution

    def embedded(prompt: str) -> str:
        if not any(is_picture(text) for text, _ in parse_prompt(prompt)):
            return prompt
        parts = (
            (to_data_url(load_image(t, (side, side))) if is_picture(t) else t, w)
            for t, w in parse_prompt(prompt)
        )
        return " | ".join(f"{text}:{weight!r}" for text, weight in parts)

    def placed(text: str) -> str:
        region = parse_region(text)
        mask = to_data_url(load_image(region.place, size)) if region.is_mask else region.place
        return f"{Region(mask, embedded(region.prompt))}"

    def sized(path: str) -> str:
        return to_data_url(load_image(path, size))

    how = dict.fromkeys(("include", "exclude", "extras"), embedded)
    how |= dict(regions=placed, init_image=sized, style_image=sized)

    def held(value: str | list[str], hold: Callable[[str], str]) -> str | list[str]:
        if isinstance(value, list):
            return [hold(text) for text in value]
        return hold(value) if value else ""

    return settings.replace(
        **{n: held(getattr(settings, n), hold) for n, hold in how.items() if n in names}
    )


def _understood(clip: Clip, prompt: str, stand_ins: bool) -> list[tuple[str, float]]:
    """The parts of a prompt that say something to the CLIP."""
    return [
        (content, weight)
        for content, weight in parse_prompt(prompt)
        if is_picture(content) or says_something(clip, content, stand_ins=stand_ins)
    ]
