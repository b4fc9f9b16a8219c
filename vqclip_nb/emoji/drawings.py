"""What a caption asks for, and the drawings and the picture to start from that show it."""

from __future__ import annotations

import lzma
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from ..models.vqgan import VQGAN
from ..reading import told_background
from .caption_words import BACKDROPS

TOLD = {"beside": "next to", "served on": "on", "riding": "on", "at the mouth": "with"}
TOLD |= {
    "on a table": "on",
    "sheltered by": "under",
    "bearing": "below",
    "hand in hand": "hand in hand with",
}
TOLD |= dict.fromkeys(("on the face", "round the neck", "on the feet", "on the body"), "wearing")
TOLD |= {"on the back": "with", "lit with": "with", "on a string": "with"}
TOLD |= dict.fromkeys(("held in", "heaped in", "standing in", "set in"), "in")
TOLD["set over"] = "over"
TWO_COLOURS = ("patches", "each second")  # patterns of what is "red and white"
COLOURFUL = "colourful"  # each of several things in another colour
RAINBOW = "rainbow"  # one thing in stripes of many
MASK = 64  # pixels along a mask's side
LEVELS = 4  # of a mask


@dataclass(frozen=True)
class Thing:
    """One thing of a scene: its name as the library knows it, tint, size and number.

    tint, zoom: another colour or size, and how far it has gone there from its own, in [0, 1].
    pattern: what is on it, "patches", "stripes", "dots", "spots" or "checks", and their colour,
    empty for a usual one; "each second" of several is of that. layout: how several of it stand, as
    `grouped` has it. jumps: above the ground, with a shadow. mood: of the face that it has, as
    `with_face`. said: the words of the caption for it. led: those between it and the things before.
    """

    name: str
    colour: str = ""  # a key of COLOURS, `RAINBOW`, or of several `COLOURFUL`; empty: as drawn
    size: str = ""  # "big", "small" or empty
    count: int = 1
    tint: tuple[str, float] = ("", 0.0)
    zoom: tuple[str, float] = ("", 0.0)
    pattern: tuple[str, str] = ("", "")
    layout: str = ""
    jumps: bool = False
    mood: str = ""
    said: str = field(default="", compare=False)
    led: str = field(default="", compare=False)


@dataclass(frozen=True)
class Scene:
    """What a caption asks for.

    relations: of each thing but the first, how those before it stand to it; keys of
    `PLACINGS`. background: as `reading.split_background` has it: weather, one colour or two
    for a gradient, that of the ground; empty where none was named. left_out: words that are not
    drawn as they stand, each with what is said of it. drawn_as: words that were taken for a thing
    of another name; "" for those that were left out.
    """

    things: tuple[Thing, ...]
    relations: tuple[str, ...] = ()
    style: str = ""
    background: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict, compare=False)
    drawn_as: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def backdrop(self) -> bool:
        """Whether the last thing is a place that fills the picture."""
        return self.things[-1].name in BACKDROPS

    def without_backdrop(self) -> Scene:
        """The things in front of the place."""
        return replace(self, things=self.things[:-1], relations=self.relations[:-1])

    def before(self, other: Scene) -> Scene:
        """The same in front of the place of another scene, if it has no background of its own."""
        if self.backdrop or self.background:
            return self
        things, relations = (*self.things, other.things[-1]), (*self.relations, "set in")
        return replace(self, things=things, relations=relations, background=other.background)

    @property
    def plain(self) -> bool:
        """Whether it is of one thing as it is drawn, in whatever style."""
        return replace(self, style="") == Scene((Thing(self.things[0].name),))


@dataclass(frozen=True)
class Placing:
    """How two things of a relation stand.

    axis: 0 beside, 1 above each other. order: -1 if the first has the smaller coordinate there, 1
    if the larger. sunk: share of the smaller one's extent that goes into the other. slant: how far
    they may be moved across the axis, of their distance along it. covered: how much of the smaller
    one's area may lie under or over the other. ratio: size of the first over the second's.
    in_front: the second, not the first. worn: where the second has its middle on the first, a key
    of `places` in `worn`; axis, sunk and slant then say nothing. zone: where in the
    picture the second stands, whatever else is here: at the "horizon", in the "sky" or along the
    lower edge, at the "front".
    """

    axis: int
    order: int = -1
    sunk: float = 0.0
    slant: float = 0.0
    covered: float = 0.05
    ratio: float = 1.0
    in_front: bool = False
    worn: str = ""
    zone: str = ""


PLACINGS = {
    "beside": Placing(0, sunk=0.0, slant=0.7),
    "set in": Placing(0),  # a backdrop, which is behind all
    "set over": Placing(0),
    "above": Placing(1, sunk=0.0, slant=0.7),
    "below": Placing(1, order=1, sunk=0.0, slant=0.7),
    "under": Placing(1, order=1, zone="sky"),
    "on": Placing(1, sunk=0.1, slant=0.35, covered=0.15),
    "on a table": Placing(1, sunk=0.08, slant=0.2, covered=0.15, ratio=0.7),
    "jumping over": Placing(1, sunk=-0.25, slant=0.2, ratio=1.3),
    "riding": Placing(1, sunk=0.3, slant=0.15, covered=0.35, ratio=0.62),
    "topped with": Placing(1, order=1, sunk=1.2, covered=1.0, ratio=2.2, in_front=True),
    "served on": Placing(1, sunk=2.0, covered=1.0, ratio=0.55),
    "in": Placing(1, sunk=0.3, slant=0.2, covered=0.35, in_front=True),
    "held in": Placing(1, sunk=0.55, slant=0.1, covered=0.65, ratio=0.8, in_front=True),
    "heaped in": Placing(1, sunk=0.5, slant=0.1, covered=0.7, ratio=0.62, in_front=True),
    "standing in": Placing(1, sunk=0.12, covered=0.2, in_front=True),
    "full of": Placing(1, order=1, sunk=0.42, slant=0.1, covered=0.7, ratio=1.35),
    "in front of": Placing(1, order=1, zone="horizon"),
    "facing": Placing(0),
    "made of": Placing(0),
    "chasing": Placing(0, order=1),  # drawings in profile look to the left
    "fighting": Placing(0, sunk=-0.3),
    "hand in hand": Placing(0),
    "bearing": Placing(1, order=1, sunk=0.1, slant=0.35, covered=0.15, ratio=1.5),
    "tossing": Placing(1, order=1, slant=0.3, ratio=2.4),
    "flying": Placing(1, order=1, zone="sky"),
    "on a string": Placing(1, order=1, zone="sky"),
    "lit with": Placing(1, order=1, sunk=1.0, covered=1.0, ratio=2.4, in_front=True),
    "behind": Placing(1, sunk=0.35, slant=0.3, covered=0.5, in_front=True),
    "among": Placing(1, order=1, zone="horizon"),
    "amid": Placing(1, order=1, in_front=True, zone="front"),
    "sheltered by": Placing(1, order=1, sunk=0.4, slant=0.2, covered=0.7, ratio=1.15),
    "holding": Placing(0, covered=1.0, ratio=1.9, in_front=True, worn="hand"),
    "at the mouth": Placing(0, order=1, covered=1.0, ratio=2.4, in_front=True, worn="mouth"),
    "wearing": Placing(1, order=1, covered=1.0, ratio=2.0, in_front=True, worn="head"),
    "on the face": Placing(1, order=1, covered=1.0, ratio=2.0, in_front=True, worn="eyes"),
    "round the neck": Placing(1, covered=1.0, ratio=2.2, in_front=True, worn="neck"),
    "on the body": Placing(1, covered=1.0, ratio=1.7, in_front=True, worn="body"),
    "on the back": Placing(1, covered=1.0, ratio=1.7, in_front=True, worn="back"),
    "on the feet": Placing(1, covered=1.0, ratio=2.2, in_front=True, worn="feet"),
}


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

    picture (1, 3, height, width) in [0, 1]. description: what it shows. codes (1, h, w): the same
    as code numbers, where they are known without encoding. similarity: the guide's, in [-1, 1], of
    what the prior drew.
    """

    picture: torch.Tensor = field(repr=False)
    description: str
    scene: Scene | None = None
    drawings: tuple[Drawing, ...] = ()
    codes: torch.Tensor | None = field(default=None, repr=False)
    similarity: float | None = None

    @torch.no_grad()
    def latent(self, vqgan: VQGAN) -> torch.Tensor:
        """Latent (1, channels, h, w) of the picture under the VQGAN that the library was made
        with."""
        if self.codes is not None:
            return vqgan.codebook_vectors(self.codes.to(vqgan.codebook.weight.device))
        return vqgan.encode(self.picture.to(vqgan.codebook.weight))


def describe(scene: Scene, drawings: Sequence[Drawing]) -> str:
    """As in "fox, noto, next to tree, noto; on pink"."""
    text = ""
    for relation, thing, drawing in zip(
        ("", *scene.relations), scene.things, drawings, strict=True
    ):
        number = f"{thing.count} × " if thing.count > 1 else ""
        text += f", {TOLD.get(relation, relation)} " if relation else ""
        kind, other = thing.pattern
        both = f"{thing.colour} and {other}" if kind in TWO_COLOURS else thing.colour
        text += " ".join(filter(None, (thing.size, both, f"{number}{drawing}")))
        if kind not in ("", *TWO_COLOURS):
            text += " ".join(filter(None, (" with", other, kind)))
        if thing.mood:
            text += f" with {'an' if thing.mood == 'angry' else 'a'} {thing.mood} face"
    ground = told_background(scene.background)
    return f"{text}; on {ground}" if ground else text


def unpack_bits(
    packed: torch.Tensor, n_embed: int, first: int = 0, count: int | None = None
) -> torch.Tensor:
    """Whole numbers below `n_embed`, kept as bytes of as few bits each as hold them, flat, from the
    number `first` on; what is left over at the end is dropped."""
    bits = max(1, (n_embed - 1).bit_length())
    begin, end = first * bits, None if count is None else (first + count) * bits
    own = packed.numpy()[begin // 8 : None if end is None else -(-end // 8)]
    flat = np.unpackbits(own)[begin % 8 : None if end is None else end - begin // 8 * 8]
    spread = flat[: len(flat) // bits * bits].reshape(-1, bits).astype(np.float32)
    worth = 2.0 ** np.arange(bits - 1, -1, -1, dtype=np.float32)  # exact below 2²⁴, and fast
    return torch.from_numpy((spread @ worth).astype(np.int64))


def unpack_masks(packed: torch.Tensor) -> torch.Tensor:
    """Masks (n, MASK, MASK) in [0, 1] from compressed bytes, in LEVELS steps."""
    steps = np.frombuffer(lzma.decompress(packed.numpy().tobytes()), np.uint8)
    return torch.from_numpy(steps.copy()).view(-1, MASK, MASK).float() / (LEVELS - 1)
