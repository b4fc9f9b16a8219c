"""What a caption asks for, and the drawings and the picture to start from that show it."""

from __future__ import annotations

import lzma
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from ..models.vqgan import VQGAN
from ..reading import told_background

TOLD = {"beside": "next to", "served on": "on"}
TOLD |= dict.fromkeys(("on the face", "round the neck", "on the feet", "on the body"), "wearing")
TOLD |= dict.fromkeys(("held in", "heaped in", "standing in"), "in")
MASK = 64  # pixels along a mask's side
LEVELS = 4  # of a mask


@dataclass(frozen=True)
class Thing:
    """One thing of a scene: its name as the library knows it, tint, size and number.

    tint, zoom: another colour or size, and how far it has gone there from its own, in [0, 1].
    said: the words of the caption for it. led: those between it and the things before.
    """

    name: str
    colour: str = ""  # a key of COLOURS; empty: as drawn
    size: str = ""  # "big", "small" or empty
    count: int = 1
    tint: tuple[str, float] = ("", 0.0)
    zoom: tuple[str, float] = ("", 0.0)
    said: str = field(default="", compare=False)
    led: str = field(default="", compare=False)


@dataclass(frozen=True)
class Scene:
    """What a caption asks for.

    relations: of each thing but the first, how those before it stand to it; keys of
    `placing.PLACINGS`. background: as `reading.split_background` has it: weather, one colour or two
    for a gradient, that of the ground; empty where none was named. left_out: words that are not
    drawn as they stand, each with what is said of it.
    """

    things: tuple[Thing, ...]
    relations: tuple[str, ...] = ()
    style: str = ""
    background: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def plain(self) -> bool:
        """Whether it is of one thing as it is drawn, in whatever style."""
        return replace(self, style="") == Scene((Thing(self.things[0].name),))


@dataclass(frozen=True)
class Drawing:
    """One drawing of the library: its label, its style, and its number there."""

    label: str
    style: str
    index: int = field(repr=False)

    def __str__(self) -> str:
        return f"{self.label}, {self.style}"


@dataclass(frozen=True, eq=False)
class Start:
    """A picture to start from, and what it was made of.

    picture (1, 3, height, width) in [0, 1]. codes (1, h, w): the same as code numbers, where they
    are known without encoding. said: words that were taken for a thing of another name.
    """

    picture: torch.Tensor = field(repr=False)
    scene: Scene
    drawings: tuple[Drawing, ...]
    said: dict[str, str] = field(default_factory=dict)
    codes: torch.Tensor | None = field(default=None, repr=False)

    @property
    def description(self) -> str:
        """As in "fox, noto, next to tree, noto; on pink"."""
        parts = []
        for thing, drawing in zip(self.scene.things, self.drawings, strict=True):
            number = f"{thing.count} × " if thing.count > 1 else ""
            words = (thing.size, thing.colour, f"{number}{drawing}")
            parts.append(" ".join(word for word in words if word))
        text = parts[0]
        for relation, part in zip(self.scene.relations, parts[1:], strict=True):
            text += f", {TOLD.get(relation, relation)} {part}"
        ground = told_background(self.scene.background)
        return f"{text}; on {ground}" if ground else text

    def latent(self, vqgan: VQGAN) -> torch.Tensor:
        """Latent (1, channels, h, w) of the picture under the VQGAN that the library was made
        with."""
        if self.codes is not None:
            return vqgan.codebook_vectors(self.codes.to(vqgan.codebook.weight.device))
        with torch.no_grad():
            return vqgan.encode(self.picture.to(vqgan.codebook.weight))


@dataclass(frozen=True, eq=False)
class Collage(Start):
    """A start of several: `parts` are the places and what was found for each."""

    parts: tuple[tuple[str, Start], ...] = ()

    @property
    def description(self) -> str:
        """As in "left: cat, sticker; on white; right: house, noto"."""
        return "; ".join(f"{place}: {start.description}" for place, start in self.parts)


@dataclass(frozen=True, eq=False)
class Sample:
    """A picture (1, 3, height, width) in [0, 1] that the prior drew for `caption`, and the guide's
    similarity, in [-1, 1]."""

    caption: str
    picture: torch.Tensor = field(repr=False)
    similarity: float

    @property
    def description(self) -> str:
        return f"the prior's drawing of {self.caption}"

    def latent(self, vqgan: VQGAN) -> torch.Tensor:
        """Latent (1, channels, h, w) of the picture."""
        with torch.no_grad():
            return vqgan.encode(self.picture)


def unpack_bits(
    packed: torch.Tensor, n_embed: int, first: int = 0, count: int | None = None
) -> torch.Tensor:
    """Whole numbers below `n_embed`, kept as bytes of as few bits each as hold them, flat, from the
    number `first` on; what is left over at the end is dropped."""
    bits = max(1, (n_embed - 1).bit_length())
    begin, end = first * bits, None if count is None else (first + count) * bits
    own = packed.numpy()[begin // 8 : None if end is None else -(-end // 8)]
    flat = np.unpackbits(own)[begin % 8 : None if end is None else end - begin // 8 * 8]
    spread = flat[: len(flat) // bits * bits].reshape(-1, bits).astype(np.int64)
    return torch.from_numpy(spread @ (1 << np.arange(bits - 1, -1, -1)))


def unpack_masks(packed: torch.Tensor) -> torch.Tensor:
    """Masks (n, MASK, MASK) in [0, 1] from compressed bytes, in LEVELS steps."""
    steps = np.frombuffer(lzma.decompress(packed.numpy().tobytes()), np.uint8)
    return torch.from_numpy(steps.copy()).view(-1, MASK, MASK).float() / (LEVELS - 1)
