"""What a picture starts from: a picture, or what library or prior have for the prompt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from .images import load_image
from .models.pair import Pair, Start
from .palettes import parse_colour, recolour
from .reading import Reading
from .settings import Settings


class Starts:
    """The starts of a run's pictures, of `size` (height, width) in pixels.

    Each is made once, and again only when a setting that it depends on changes. settings: nothing
    left empty. reading: of the picture's prompt. seed: of what the prior draws.
    """

    def __init__(self, pair: Pair, size: tuple[int, int]) -> None:
        self.pair, self.size = pair, size
        self._kept: dict[str, tuple[tuple, Any]] = {}

    def found(self, settings: Settings, reading: Reading, seed: int) -> Start | None:
        """What library or prior have for a prompt, if the start is to be from there."""
        if settings.init_image or settings.start == "noise":
            return None
        key = _depends(settings, reading, seed)
        return self._once("found", key, lambda: self.pair.start(reading, settings, self.size, seed))

    def picture(self, settings: Settings, reading: Reading, seed: int) -> torch.Tensor | None:
        """The picture (1, 3, h, w) that is begun with, in the palette's colours if there is one;
        None where that is noise."""
        key = (*_depends(settings, reading, seed), *settings.palette)
        return self._once("picture", key, lambda: self._paint(settings, reading, seed))

    def latent(self, settings: Settings, reading: Reading, seed: int) -> torch.Tensor | None:
        """Latent (1, channels, h, w) of that picture; None where it is noise."""
        key = (*_depends(settings, reading, seed), *settings.palette)
        return self._once("latent", key, lambda: self._encode(settings, reading, seed))

    def _once(self, what: str, key: tuple, make: Callable[[], Any]) -> Any:
        if what not in self._kept or self._kept[what][0] != key:
            self._kept[what] = key, make()
        return self._kept[what][1]

    @torch.no_grad()
    def _paint(self, s: Settings, reading: Reading, seed: int) -> torch.Tensor | None:
        if s.init_image:
            picture = load_image(s.init_image, self.size)
        elif (found := self.found(s, reading, seed)) is None:
            return None
        else:  # as the codes can show it
            picture = self.pair.vqgan.synthesize(found.latent(self.pair.vqgan))
        colours = [parse_colour(text) for text in s.palette]
        return recolour(picture, colours) if colours else picture

    @torch.no_grad()
    def _encode(self, s: Settings, reading: Reading, seed: int) -> torch.Tensor | None:
        found = self.found(s, reading, seed)
        if found is not None and not s.palette:
            return found.latent(self.pair.vqgan)
        picture = self.picture(s, reading, seed)
        return None if picture is None else self.pair.vqgan.encode(picture.to(self.pair.device))


def _depends(s: Settings, reading: Reading, seed: int) -> tuple:
    """What a start depends on."""
    if s.init_image or s.start == "noise":
        return (s.init_image,)
    asked = (s.start, reading, s.drawing)
    return (*asked, seed) if s.start == "prior" else (*asked, tuple(s.attributes))
