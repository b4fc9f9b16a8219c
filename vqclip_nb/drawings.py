"""Drawings of the library that a prompt starts from: one, or one for each region of a run."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from .attributes import Attribute
from .images import is_picture
from .models.compose import ground
from .models.pair import Pair
from .models.scene import Scene, split_background
from .models.start import Start
from .prompts import region_suffix, strongest_text
from .regions import Region


def find_start(
    pair: Pair,
    prompt: str,
    extras: str = "",
    drawing: int = 0,
    *,
    size: tuple[int, int],
    fill: bool = False,
    guess: bool = True,
    attributes: Sequence[Attribute] = (),
) -> Start | None:
    """The library's start for the strongest text of a prompt, in the style or place that extras
    name; None if the pair has no library or it knows nothing of the text.

    drawing: which of those that fit, 0 the best. size: (height, width) in pixels. fill: one thing
    as large as fits. guess: where the text names nothing, what CLIP reads most alike. attributes:
    what the first thing takes on.
    """
    text = strongest_text(prompt, extras)
    if pair.library is None or not text:
        return None
    library = pair.library

    def change(scene: Scene) -> Scene:
        return functools.reduce(lambda now, a: a.taken_on(now, library.styles), attributes, scene)

    clip, (height, width) = pair.clip if guess else None, size
    shape = dict(height=height, width=width, variant=drawing)
    return library.find(text, **shape, fill=fill, clip=clip, change=change)


@dataclass(frozen=True, eq=False)
class Collage(Start):
    """A start of several: `parts` are the places and what was found for each."""

    parts: tuple[tuple[str, Start], ...] = ()

    @property
    def description(self) -> str:
        """As in "left: cat, sticker; on white; right: house, noto"."""
        return "; ".join(f"{place}: {start.description}" for place, start in self.parts)


def find_collage(
    pair: Pair,
    prompt: str,
    extras: str = "",
    drawing: int = 0,
    *,
    regions: Sequence[Region],
    size: tuple[int, int],
) -> Start | None:
    """`find_start` for a prompt and its regions, each with a drawing as large as its box, on the
    background that it or the prompt names; None if the library knows nothing of any of them.

    A prompt that names nothing but a background gives that. size: (height, width) in pixels.
    """
    behind, _ = split_background(f"{prompt} {extras}".lower())
    areas = [region.area(size) for region in regions]
    everywhere = torch.stack([area.inside for area in areas]).any(0)
    found = None
    if not everywhere.all():
        found = find_start(pair, prompt, extras, drawing, size=size, guess=False)
    picture = ground(behind or ("white",), size)[None] if found is None else found.picture.clone()
    parts = [] if found is None else [("around", found)]
    for region, area in zip(regions, areas, strict=True):
        ending = region_suffix(pair, region.prompt, prompt, extras)
        asked = f"{'' if is_picture(extras) else extras}{ending}"
        start = find_start(pair, region.prompt, asked, drawing, size=area.size, fill=True)
        left, top, right, bottom = area.box
        if start is None:
            named, _ = split_background(f"{region.prompt} {asked}".lower())
            own = ground(named or ("white",), area.size)[None]
        else:
            own = start.picture
            parts.append((region.name, start))
        box = picture[..., top:bottom, left:right]
        inside = area.inside[..., top:bottom, left:right]
        picture[..., top:bottom, left:right] = torch.where(inside, own, box)
    if not parts:
        return None
    drawings = tuple(d for _, start in parts for d in start.drawings)
    said = {word: thing for _, start in parts for word, thing in start.said.items()}
    return Collage(picture, parts[0][1].scene, drawings, said, parts=tuple(parts))
