"""From texts and pictures to weighted encodings (report, figure 13)."""

import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from .attributes import Attribute, parse_attributes
from .images import is_picture, load_image, to_data_url
from .models.clip import Clip
from .models.pair import Pair
from .reading import Reading, describe_substitutions, parse_prompt, read_prompt, readable
from .regions import Region, Size, parse_region
from .settings import KNOBS, Settings


@dataclass(frozen=True)
class Encodings:
    """What the loss compares with: one (1, d) tensor for each include, and beside it one for each
    region of that picture; extras and exclude only if given. readings: of include."""

    include: list[torch.Tensor]
    exclude: torch.Tensor | None
    extras: torch.Tensor | None
    regions: list[list[torch.Tensor]] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)


def encode_prompt(clip: Clip, prompt: str) -> torch.Tensor:
    """`encode_reading` of a prompt."""
    return encode_reading(clip, read_prompt(prompt, clip.vocabulary))


def encode_reading(
    clip: Clip, reading: Reading, attributes: Sequence[Attribute] = ()
) -> torch.Tensor:
    """Weighted mean (1, d) of a prompt's texts and picture files; attributes that CLIP knows move
    it, as far as their strength, towards the same with their words in it.

    A text of which CLIP knows no word has no part in it; ValueError if that is all.
    """
    parts = reading.known
    if not parts:
        raise ValueError(
            f"prompt {readable(reading.prompt)!r}: {clip.name} knows none of its words"
        )
    weights = [part.weight for part in parts]

    def mean(texts: Sequence[str]) -> torch.Tensor:
        total = torch.zeros((), device=clip.device)
        for weight, text in zip(weights, texts, strict=True):
            if is_picture(text):
                picture = load_image(text, (clip.resolution, clip.resolution)).to(clip.device)
                with torch.no_grad():
                    total = total + weight * clip.encode_image(picture)
            else:
                total = total + weight * clip.encode_text([text + reading.ending])
        if not total.any():
            raise ValueError(f"prompt {readable(reading.prompt)!r}: its parts cancel each other")
        return total / sum(map(abs, weights))

    total = plain = mean([part.clip_text for part in parts])
    for attribute in attributes:
        if knows_attribute(clip, attribute):
            said = (
                part.clip_text if part.is_picture else attribute.said_of(part.clip_text)
                for part in parts
            )
            total = total + attribute.strength * (mean(list(said)) - plain)
    return total


def knows_attribute(clip: Clip, attribute: Attribute) -> bool:
    """Whether a CLIP learned an attribute's own words, and does not read others in their place."""
    said = attribute.said_of("a fox")
    reading = read_prompt(said, clip.vocabulary)
    return not reading.substitutions and reading.parts[0].clip_text == said


def read_all(pair: Pair, settings: Settings) -> tuple[list[Reading], Reading, Reading, str]:
    """A run's include, exclude and extras as they are read, and what there is to say of words that
    the pair never learned; ValueError for a prompt in which nothing has a weight."""
    # Nobody asked to avoid the nearest thing.
    exclude = read_prompt(settings.exclude, pair.clip.vocabulary, stand_ins=False)
    extras = read_prompt(settings.extras, pair.clip.vocabulary)
    regions = [parse_region(text) for text in settings.regions]
    include = [pair.read(text, settings.extras, regions) for text in settings.include]
    own = [part for reading in include for _, part in reading.regions]
    every = [exclude, *include, *own, extras]
    told = describe_substitutions(every, from_drawing=settings.drawn)
    return include, exclude, extras, told


def create_encodings(pair: Pair, settings: Settings) -> Encodings:
    """Read and encode a run's include, exclude, extras and regions.

    A warning names the words that the pair never learned. An exclude or extras of nothing else
    counts as empty; an include of nothing else is a ValueError.
    """
    readings, exclude, extras, told = read_all(pair, settings)
    if told:
        warnings.warn(f"{pair.name}: {told}", stacklevel=3)
    attributes = parse_attributes(settings.attributes)
    if strange := [a.word for a in attributes if not knows_attribute(pair.clip, a)]:
        warnings.warn(
            f"{pair.name}: {', '.join(strange)}: not known as an attribute; "
            "at most a drawing that is begun with takes it on",
            stacklevel=3,
        )
    return Encodings(
        [encode_reading(pair.clip, reading, attributes) for reading in readings],
        encode_reading(pair.clip, exclude) if exclude.known else None,
        encode_reading(pair.clip, extras) if extras.known else None,
        [[encode_reading(pair.clip, part) for _, part in reading.regions] for reading in readings],
        readings,
    )


def unknown_words(pair: Pair, prompt: str) -> dict[str, str | None]:
    """Words of a prompt's texts that the pair never learned, each with what is painted in its
    place, or None."""
    return dict(pair.read(prompt).substitutions)


def map_pictures(
    values: Mapping[str, Any], change: Callable[[str, bool], str]
) -> dict[str, str | list[str]]:
    """Those of some settings' values that may name pictures, with another in place of each.

    change: from a picture, a path or a data URL, and whether it is a part of a prompt, to what
    takes its place; an empty text leaves it out, with a region whose mask or whole prompt it was.
    """

    def in_prompt(prompt: str) -> str:
        parts = parse_prompt(prompt) if prompt else []
        changed = [(change(t, True) if is_picture(t) else t, weight) for t, weight in parts]
        if changed == parts:
            return prompt
        return " | ".join(f"{text}:{weight!r}" for text, weight in changed if text)

    def in_region(text: str) -> str:
        region = parse_region(text)
        place = change(region.place, False) if region.is_mask else region.place
        changed = Region(place, in_prompt(region.prompt))
        if changed == region:
            return text
        return f"{changed}" if changed.place and changed.prompt else ""

    def alone(picture: str) -> str:
        return change(picture, False) if picture else ""

    how: dict[str, Callable[[str], str]]
    how = dict.fromkeys(("include", "exclude", "extras"), in_prompt)
    how |= dict(init_image=alone, style_image=alone, regions=in_region)
    found: dict[str, str | list[str]] = {}
    for name in (name for name in how if name in values):
        value, hold = values[name], how[name]
        found[name] = hold(value) if isinstance(value, str) else [hold(text) for text in value]
    if "regions" in found:
        found["regions"] = [text for text in found["regions"] if text]
    return found


def embed_pictures(
    pair: Pair, settings: Settings, size: Size, names: Collection[str] = tuple(KNOBS)
) -> Settings:
    """`settings` with every picture file read once and held inside, pixel by pixel as it is used,
    so that a run, its recipe and its saved state need no file.

    size: (height, width) of the start picture and of the style picture. names: of the settings that
    may hold files. FileNotFoundError and ValueError as in `load_image`.
    """
    side = pair.clip.resolution

    def held(picture: str, in_prompt: bool) -> str:
        return to_data_url(load_image(picture, (side, side) if in_prompt else size))

    return settings.replace(**map_pictures({k: getattr(settings, k) for k in names}, held))
