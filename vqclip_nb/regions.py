"""Parts of a picture with prompts of their own, as in "left: a cat".

CLIP is shown each of them alone, and what is left of the picture follows the prompt.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
import torch.nn.functional as F

from .images import ENDINGS, is_picture, load_image
from .knobs import shown, text_of

Size = tuple[int, int]  # height, width in pixels
PLACES: dict[str, tuple[float, float, float, float]] = {  # left, top, right, bottom, of 1
    "left": (0, 0, 0.5, 1),
    "right": (0.5, 0, 1, 1),
    "top": (0, 0, 1, 0.5),
    "bottom": (0, 0.5, 1, 1),
    "middle": (0.25, 0.25, 0.75, 0.75),
    "top left": (0, 0, 0.5, 0.5),
    "top right": (0.5, 0, 1, 0.5),
    "bottom left": (0, 0.5, 0.5, 1),
    "bottom right": (0.5, 0.5, 1, 1),
}
LEAST = 0.05  # of the picture's side: a thinner box shows nothing
NUMBER = r"(?:\d+\.?\d*|\.\d+)"
PLACE = re.compile(
    rf"\s*(?P<named>{'|'.join(sorted(PLACES, key=len, reverse=True))}"
    rf"|{NUMBER}(?:[\s,]+{NUMBER}){{3}}"
    rf"|data:image/[^:]*|[^|]+?(?:{'|'.join(map(re.escape, ENDINGS))})"
    r"|https?://[^\s|]+?)\s*:\s*(?P<prompt>.*)",  # an address is refused where it is opened
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True)
class Region:
    """place: a key of `PLACES`, a box "left top right bottom" in shares of the picture, or a
    picture file (or data URL) that is white where the region is. prompt: as in `include`."""

    place: str
    prompt: str

    @property
    def is_mask(self) -> bool:
        return is_picture(self.place)

    @property
    def name(self) -> str:
        """The place for people."""
        return "mask" if self.place.startswith("data:") else self.place

    def __str__(self) -> str:
        return f"{self.place}: {self.prompt}"

    def area(self, size: Size) -> Area:
        """The region's pixels in a picture of `size` = (height, width).

        FileNotFoundError and ValueError as in `load_image`; ValueError for a mask without white.
        """
        if self.is_mask:
            inside = load_image(self.place, size).mean(1, keepdim=True) > 0.5
            if not inside.any():
                raise ValueError(f"the mask {self.name!r} has no white: white is where it is meant")
            return Area(inside)
        left, top, right, bottom = _shares(self.place)
        x, y = math.floor(left * size[1]), math.floor(top * size[0])
        rows = slice(y, max(y + 1, round(bottom * size[0])))
        columns = slice(x, max(x + 1, round(right * size[1])))
        inside = torch.zeros(1, 1, *size, dtype=torch.bool)
        inside[..., rows, columns] = True
        return Area(inside)


@dataclass(frozen=True, eq=False)
class Area:
    """inside: (1, 1, height, width), true in the area, which it is somewhere."""

    inside: torch.Tensor = field(repr=False)

    @cached_property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, right, bottom around it, in pixels."""
        return bounding_box(self.inside[0, 0])

    @property
    def size(self) -> Size:
        """Height and width of the box."""
        left, top, right, bottom = self.box
        return bottom - top, right - left

    def to(self, device: torch.device) -> Area:
        return Area(self.inside.to(device))

    def in_box(self, x: torch.Tensor) -> torch.Tensor:
        """What of (..., h, w) is in the box, as a view."""
        left, top, right, bottom = self.box
        return x[..., top:bottom, left:right]

    def paste(self, whole: torch.Tensor, own: torch.Tensor) -> None:
        """Put a picture (1, 3, *size) into a whole one, in place, where the area is."""
        box = self.in_box(whole)
        box.copy_(torch.where(self.in_box(self.inside.to(box.device)), own, box))

    def cut(self, picture: torch.Tensor) -> torch.Tensor:
        """The box of a picture (1, 3, h, w) as a square, to which its border is carried on; what
        is not in the area takes no gradient."""
        part = self.in_box(torch.where(self.inside, picture, picture.detach()))
        height, width = self.size
        across, down = max(0, height - width), max(0, width - height)
        pad = (across // 2, across - across // 2, down // 2, down - down // 2)
        return F.pad(part, pad, mode="replicate") if any(pad) else part


def bounding_box(inside: torch.Tensor) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of where a mask (h, w) is true, which it is somewhere."""
    down, across = inside.any(1).nonzero(), inside.any(0).nonzero()
    return int(across[0]), int(down[0]), int(across[-1]) + 1, int(down[-1]) + 1


def outside(picture: torch.Tensor, areas: Sequence[Area]) -> torch.Tensor:
    """The same picture, which takes a gradient where no area is."""
    inside = torch.stack([area.inside for area in areas]).any(0)
    return torch.where(inside, picture.detach(), picture)


def parse_region(text: str) -> Region:
    """'left: a cat' to place and prompt; ValueError says what is allowed."""
    found = PLACE.fullmatch(text)
    if not found or not found["prompt"].strip():
        raise ValueError(
            f"regions: {shown(text)} is no region: give a place and a prompt, as 'left: a cat'; "
            f"places are {', '.join(PLACES)}, a box '0 0 .5 1' (left, top, right, bottom, of 1), "
            "or a picture file that is white where it is meant"
        )
    place = found["named"].strip()
    region = Region(
        place.lower() if place.lower() in PLACES else place, text_of("regions", found["prompt"])
    )
    if not region.is_mask:
        left, top, right, bottom = _shares(region.place)
        if not (right - left >= LEAST and bottom - top >= LEAST and max(right, bottom) <= 1):
            raise ValueError(
                f"regions: the box {region.place!r} is none: give left, top, right, bottom from 0 "
                f"to 1, left and top before right and bottom by at least {LEAST:g}"
            )
    return region


def _shares(place: str) -> tuple[float, ...]:
    return PLACES.get(place) or tuple(float(n) for n in re.findall(NUMBER, place))
