"""Captioned pictures composed on the fly from rendered emoji."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from vqclip_nb.emoji.layers import overlay

from .captions import CaptionSpec, false_fact, false_style
from .layouts import COLOUR_NAMES, Layout, choose_background, inverse_affine, relation, rgb
from .sets import STYLES, TRAINED, UNREAD, merged_name


@dataclass
class Batch:
    """Composed pictures and what is in them."""

    pictures: torch.Tensor  # (n, 3, size, size) in [0, 1]
    captions: list[str]
    foils: list[str]  # two for each picture, false in one fact: its style, and another
    concept: torch.Tensor  # (n,) index into Scenes.names of the first object
    style: torch.Tensor  # (n,) index into Scenes.styles


class Scenes:
    """Endless captioned pictures composed from rendered emoji, reproducible from a seed.

    sprites: (styles, concepts, 4, s, s) uint8, colour premultiplied by alpha. names: the names that
    concepts of these styles are trained under; name_of (concepts,) indexes them, -1 where none of
    the styles has one. pairs: (k, 2), the style and concept of every drawing there is.
    `unread` adds what CLIP never learned. FileNotFoundError if `folder` holds none.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        size: int = 128,
        styles: tuple[str, ...] = TRAINED,
        unread: bool = False,
    ) -> None:
        folder = Path(folder)
        if not (folder / "sprites.npy").exists():
            raise FileNotFoundError(
                f"no sprites.npy in {folder}: run python -m training.data {folder}"
            )
        sprites = np.load(folder / "sprites.npy", mmap_mode="r")
        self.size, self.styles = size, styles
        factor, order = max(1, sprites.shape[2] // size), list(STYLES)
        self.sprites = torch.stack([_shrink(sprites[order.index(s)], factor) for s in styles])
        concepts = json.loads((folder / "concepts.json").read_text(encoding="utf8"))
        self.labels = [c["label"] for c in concepts]
        self.present = self.sprites.flatten(2).amax(-1) > 0  # (styles, concepts)
        if not unread:
            self.present[:, [c["group"] == UNREAD for c in concepts]] = False
        shown = [merged_name(label) for label in self.labels]
        some = self.present.any(0).tolist()
        self.names = sorted({name for name, here in zip(shown, some, strict=True) if here})
        self.name_of = torch.tensor([self.names.index(n) if n in self.names else -1 for n in shown])
        count: dict[str, int] = {}
        for c in concepts:
            for tag in c["tags"]:
                count[tag] = count.get(tag, 0) + 1
        # A tag that many concepts share says too little to be a caption.
        self.synonyms = [
            [t for t in c["tags"] if count[t] <= 4 and c["group"] != 0] for c in concepts
        ]
        self.pairs = self.present.nonzero()

    def noun(self, concept: int, rng: np.random.Generator, *, synonyms: float = 0.2) -> str:
        """A concept's name, or in a share of `synonyms` one of its tags."""
        names = self.synonyms[concept]
        if names and rng.random() < synonyms:
            return str(rng.choice(names))
        return merged_name(self.labels[concept])

    def batch(self, n: int, rng: np.random.Generator) -> Batch:
        """`n` scenes: one object (60 %) or two, on a plain, shaded or patchy background."""
        # Without replacement first: a batch with the same concept twice punishes a right answer.
        first = self.pairs[torch.from_numpy(rng.permutation(len(self.pairs))[:n])]
        second = self.pairs[torch.from_numpy(rng.integers(len(self.pairs), size=n))]
        same = torch.from_numpy(rng.random(n) < 0.6)[:, None]
        second = torch.where(
            same & self.present[first[:, 0], second[:, 1]][:, None],
            torch.stack([first[:, 0], second[:, 1]], 1),
            second,
        )
        layouts: list[Layout] = []
        foils: list[str] = []
        for (style, one), other in zip(first.tolist(), second[:, 1].tolist(), strict=True):
            layout = self._layout(style, one, other, rng)
            layouts.append(layout)
            foils.append(false_style(layout.spec, STYLES[self.styles[style]], rng).caption())
            absent = ~torch.isin(self.name_of, self.name_of[[one, other]]) & (self.name_of >= 0)
            noun = self.noun(int(rng.choice(absent.nonzero()[:, 0])), rng)
            foils.append(false_fact(layout.spec, noun, rng).caption())
        pictures = self._compose(layouts, first, second, rng)
        captions = [layout.spec.caption() for layout in layouts]
        return Batch(pictures, captions, foils, self.name_of[first[:, 1]], first[:, 0])

    def upright(
        self, which: torch.Tensor, colours: torch.Tensor | None = None, *, scale: float = 0.8
    ) -> torch.Tensor:
        """Drawings (n, 3, size, size) of `which` (n, 2: style, concept), in the middle, on
        `colours` (n, 3) in [0, 1] or on white."""
        inner = int(scale * self.size)
        layer = self.sprites[which[:, 0], which[:, 1]].float() / 255
        layer = F.interpolate(layer, (inner, inner), mode="bilinear", antialias=True)
        after = (self.size - inner) // 2
        layer = F.pad(layer, (self.size - inner - after, after) * 2)
        colours = torch.ones(len(which), 3) if colours is None else colours
        layer = self._legible(layer, which, colours)
        return layer[:, :3] + colours[:, :, None, None] * (1 - layer[:, 3:])

    def _layout(self, style: int, one: int, other: int, rng: np.random.Generator) -> Layout:
        spec = CaptionSpec(self.noun(one, rng), bare=rng.random() >= 0.9)
        layout = Layout(spec)
        x, y = rng.normal(0, 0.08, 2)
        scale, angle, kind = rng.uniform(0.55, 0.95), rng.normal(0, 8), rng.random()
        if kind < 0.12:
            big = rng.random() < 0.5
            scale = rng.uniform(0.95, 1.2) if big else rng.uniform(0.25, 0.4)
            x, y = (x, y) if big else rng.uniform(-0.5, 0.5, 2)
            spec.look = "big" if big else "small"
        elif kind < 0.22 and self.styles[style] != "line":
            spec.look = COLOUR_NAMES[rng.integers(len(COLOUR_NAMES))]
            layout.tint = rgb(spec.look)
        elif kind > 0.6:
            spec.other, layout.second = self.noun(other, rng), True
            (scale, x, y), (b, x2, y2) = relation(layout, kind, rng)
            layout.theta[1] = inverse_affine(b, rng.normal(0, 5), x2, y2, rng.random() < 0.5)
        layout.theta[0] = inverse_affine(scale, angle, x, y, rng.random() < 0.5)
        words = STYLES[self.styles[style]].words
        if words and rng.random() < 0.5:
            spec.style = str(rng.choice(words))
        choose_background(layout, rng)
        return layout

    def _compose(
        self,
        layouts: list[Layout],
        first: torch.Tensor,
        second: torch.Tensor,
        rng: np.random.Generator,
    ) -> torch.Tensor:
        """Pictures (n, 3, size, size)."""
        background = torch.from_numpy(np.stack([layout.background for layout in layouts]))
        canvas = self._backdrop(layouts, background, rng)
        theta = torch.from_numpy(np.stack([layout.theta for layout in layouts], 1))
        tint = torch.from_numpy(np.stack([layout.tint for layout in layouts]))
        one, two = self._place(first, theta[0]), self._place(second, theta[1])
        one = _tinted(one, tint[:, :, None, None])
        one, two = (
            self._legible(layer, which, background.mean(1))
            for layer, which in ((one, first), (two, second))
        )
        two *= torch.tensor([layout.second for layout in layouts])[:, None, None, None]
        swap = torch.tensor([layout.second_on_top for layout in layouts])[:, None, None, None]
        for layer in (torch.where(swap, one, two), torch.where(swap, two, one)):
            canvas = canvas * (1 - layer[:, 3:]) + layer[:, :3]
        return canvas.clamp(0, 1)

    def _place(self, which: torch.Tensor, theta: torch.Tensor) -> torch.Tensor:
        """Sprites (n, 4, size, size) where `theta` (n, 2, 3) puts them; all zeros: nowhere."""
        sprites = self.sprites[which[:, 0], which[:, 1]].float() / 255
        out = torch.zeros(len(sprites), 4, self.size, self.size)
        index = theta.abs().sum((1, 2)).nonzero()[:, 0]
        if len(index):
            shape = (len(index), 4, self.size, self.size)
            grid = F.affine_grid(theta[index], shape, align_corners=False)
            out[index] = F.grid_sample(sprites[index], grid, align_corners=False)
        return out

    def _legible(
        self, layer: torch.Tensor, which: torch.Tensor, colours: torch.Tensor
    ) -> torch.Tensor:
        """Black lines would vanish on a dark background (n, 3): they are drawn in white there."""
        if "line" not in self.styles:
            return layer
        turn = (colours.mean(1) < 0.3) & (which[:, 0] == self.styles.index("line"))
        ink = torch.where(turn[:, None, None, None], layer[:, 3:] - layer[:, :3], layer[:, :3])
        return torch.cat([ink, layer[:, 3:]], 1)

    def _backdrop(
        self, layouts: list[Layout], colours: torch.Tensor, rng: np.random.Generator
    ) -> torch.Tensor:
        n, line = len(layouts), torch.linspace(-0.7, 0.7, self.size)
        shade = torch.from_numpy(np.stack([layout.shade for layout in layouts]))[:, :, None, None]
        mix = (0.5 + shade[:, 0] * line + shade[:, 1] * line[:, None]).clamp(0, 1) * shade[:, 2]
        cells = int(rng.integers(3, 9))
        noise = torch.from_numpy(rng.random((n, 1, cells, cells), np.float32))
        noise = F.interpolate(noise, (self.size, self.size), mode="bilinear")[:, 0]
        patchy = torch.tensor([layout.patchy for layout in layouts])[:, None, None]
        mix = torch.where(patchy, noise, mix)[:, None]
        return colours[:, 0, :, None, None] * (1 - mix) + colours[:, 1, :, None, None] * mix


def _shrink(sheet: np.ndarray, factor: int) -> torch.Tensor:
    """Sprites (n, s, s, 4) as (n, 4, s/factor, s/factor)."""
    rows = []
    for part in np.array_split(sheet, 8):
        x = torch.from_numpy(part.copy()).permute(0, 3, 1, 2).float()
        rows.append((F.avg_pool2d(x, factor) if factor > 1 else x).round().byte())
    return torch.cat(rows)


def _tinted(layer: torch.Tensor, colour: torch.Tensor) -> torch.Tensor:
    """Sprites (n, 4, s, s) in one colour (n, 3, 1, 1) with their own lights and darks; NaN leaves
    them."""
    alpha = layer[:, 3:]
    light = layer[:, :3].mean(1, keepdim=True) / alpha.clamp(min=1e-3)
    shade = overlay(light, colour) * alpha
    return torch.cat([torch.where(colour.isnan(), layer[:, :3], shade), alpha], 1)
