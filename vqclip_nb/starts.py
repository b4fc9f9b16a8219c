"""What a picture starts from: a picture, or what library or prior have for the prompt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from .attributes import parse_attributes
from .drawings import find_collage, find_start
from .images import load_image
from .models.pair import Pair
from .models.start import Start
from .palettes import parse_colour, recolour
from .regions import parse_region
from .sampling import Sample, draw
from .settings import Settings


class Starts:
    """The starts of a run's pictures, of `size` (height, width) in pixels.

    Each is made once, and again only when a setting that it depends on changes. settings: nothing
    left empty. index: of the picture in include. seed: of what the prior draws.
    """

    def __init__(self, pair: Pair, size: tuple[int, int]) -> None:
        self.pair, self.size = pair, size
        self._kept: dict[str, tuple[tuple, Any]] = {}

    def found(self, settings: Settings, index: int, seed: int) -> Start | Sample | None:
        """What library or prior have for a prompt, if the start is to be from there."""
        if settings.init_image or settings.start == "noise":
            return None
        key = _depends(settings, index, seed)
        return self._once("found", key, lambda: self._find(settings, index, seed))

    def picture(self, settings: Settings, index: int, seed: int) -> torch.Tensor | None:
        """The picture (1, 3, h, w) that is begun with, in the palette's colours if there is one;
        None where that is noise."""
        key = (*_depends(settings, index, seed), *settings.palette)
        return self._once("picture", key, lambda: self._paint(settings, index, seed))

    def latent(self, settings: Settings, index: int, seed: int) -> torch.Tensor | None:
        """Latent (1, channels, h, w) of that picture; None where it is noise."""
        key = (*_depends(settings, index, seed), *settings.palette)
        return self._once("latent", key, lambda: self._encode(settings, index, seed))

    def _once(self, what: str, key: tuple, make: Callable[[], Any]) -> Any:
        if what not in self._kept or self._kept[what][0] != key:
            self._kept[what] = key, make()
        return self._kept[what][1]

    def _find(self, s: Settings, index: int, seed: int) -> Start | Sample | None:
        asked = (self.pair, s.include[index], s.extras)
        if s.start == "prior":
            generator = torch.Generator().manual_seed(seed)
            drawn = draw(*asked, size=self.size, generator=generator)  # best first
            return drawn[s.drawing % len(drawn)]
        if s.regions:
            regions = [parse_region(text) for text in s.regions]
            return find_collage(*asked, s.drawing, regions=regions, size=self.size)
        attributes = parse_attributes(s.attributes)
        return find_start(*asked, s.drawing, size=self.size, attributes=attributes)

    @torch.no_grad()
    def _paint(self, s: Settings, index: int, seed: int) -> torch.Tensor | None:
        if s.init_image:
            picture = load_image(s.init_image, self.size)
        elif (found := self.found(s, index, seed)) is None:
            return None
        else:  # as the codes can show it
            picture = self.pair.vqgan.synthesize(found.latent(self.pair.vqgan))
        colours = [parse_colour(text) for text in s.palette]
        return recolour(picture, colours) if colours else picture

    @torch.no_grad()
    def _encode(self, s: Settings, index: int, seed: int) -> torch.Tensor | None:
        found = self.found(s, index, seed)
        if found is not None and not s.palette:
            return found.latent(self.pair.vqgan)
        picture = self.picture(s, index, seed)
        return None if picture is None else self.pair.vqgan.encode(picture.to(self.pair.device))


def _depends(s: Settings, index: int, seed: int) -> tuple:
    """What a start depends on."""
    if s.init_image or s.start == "noise":
        return (s.init_image,)
    asked = (s.start, s.include[index], s.extras, s.drawing)
    if s.start == "prior":
        return (*asked, seed)
    return (*asked, tuple(s.regions), tuple(s.attributes))
