"""From noise to a picture: the prior and the guide form each thing's shape, which is then dressed.

The prior draws a thing by its bare name on white, on a grid of its own: first more and more cells,
the surest first, as MaskGIT (Chang et al. 2022) does within one drawing, then those again that fit
the others least. In between, the guide's gradient moves the latent, and of several drawings the
guide chooses. Then the shapes are cut out, take the colours, the places and the background that the
prompt names, and the guide goes on with the whole prompt.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F

from ..loop import Optimization
from ..models.pair import Pair
from ..prompts import encode_reading
from ..reading import Reading, read_prompt
from .caption_grammar import Scene, Thing
from .caption_words import article
from .compose import PLACINGS, compose
from .prior import Prior
from .sampling import Sample, conditions

SHARE = 0.9  # of a picture's steps in which its shapes form
REDRAWS = 10
DRAWN = 4  # drawings of the prior alone
CANDIDATES = 4  # drawings of which the guide chooses in a redraw
STEPS = 4  # of the prior in a redraw
GROWN = 0.5  # share of that time in which more and more cells are drawn
CHOICE = 1.5  # Gumbel noise on how likely cells are
GROUND = 0.12  # how far a pixel of the ground may be from the ground's colour, of 1


class Forming:
    """How a scene forms: each thing in a field of its own, side by side in the latent.

    priors: by style. things: name, label of its drawings, and style of each. mirrored: which of
    them are shown from left to right. encodings: of their bare names, (1, d) each. shape: of the
    latent, (1, channels, side, side · things). size: (height, width) in pixels of the finished
    picture.
    """

    def __init__(
        self,
        pair: Pair,
        priors: Mapping[str, Prior],
        scene: Scene,
        reading: Reading,
        things: Sequence[tuple[str, str, str]],
        mirrored: Sequence[bool],
        size: tuple[int, int],
    ) -> None:
        self.pair, self.scene, self.size = pair, scene, size
        ending = f" {pair.facts.default_background}"
        self.things, self.mirrored = things, mirrored
        self.priors = [priors[style] for _, _, style in things]
        # The prior was told the drawings' labels, some of which the guide does not know.
        self._given = [
            conditions(pair, priors[style], article(label) + ending, style)
            for _, label, style in things
        ]
        bare = [read_prompt(article(n), pair.clip.vocabulary, ending=ending) for n, _, _ in things]
        known = [own if own.known else reading for own in bare]
        self.encodings = [encode_reading(pair.clip, own) for own in known]
        side = self.priors[0].side
        self.shape = (1, pair.vqgan.latent_channels, side, side * len(things))
        placing = PLACINGS[scene.relation] if len(things) > 1 else None
        self._upright, self._reversed = (placing.axis, placing.order > 0) if placing else (0, False)

    def until(self, total_iter: int) -> int:
        """The step before which the shapes are dressed, of a picture of so many."""
        return max(1, round(SHARE * total_iter))

    def every(self, until: int) -> int:
        """Steps between two redraws."""
        return max(1, round(until / REDRAWS))

    @property
    def description(self) -> str:
        said = ", ".join(f"{label}, {style}" for _, label, style in self.things)
        ground = " and ".join(self.scene.background)
        return f"{said}; on {ground}" if ground else said

    # -- pictures

    def fields(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """A tensor (1, n, h, w · things) in the parts of each thing."""
        return x.chunk(len(self.things), 3)

    def decode(self, codes: torch.Tensor, **how: Any) -> torch.Tensor:
        """The things' pictures (1, 3, h, w · things) of what the decoder takes."""
        parts = [self.pair.vqgan.decode(part, **how) for part in self.fields(codes)]
        turned = zip(parts, self.mirrored, strict=True)
        return torch.cat([part.flip(3) if mirror else part for part, mirror in turned], 3)

    def show(self, picture: torch.Tensor) -> torch.Tensor:
        """Pictures side by side (1, 3, h, w · things), placed as the scene wants them, as one
        (1, 3, height, width)."""
        parts = self.fields(picture)
        parts = parts[::-1] if self._reversed else parts
        return fitted(torch.cat(parts, 2 if self._upright else 3), self.size)

    def dress(self, picture: torch.Tensor) -> torch.Tensor:
        """What has formed as the prompt wants it, (1, 3, height, width): in its colours, sizes and
        places, on its background."""
        scene = self.scene
        if dataclasses.replace(scene, style="") == Scene((Thing(scene.things[0].name),)):
            return self.show(picture)
        layers = [cut_out(part.cpu()) for part in self.fields(picture)]
        return compose(layers, scene, self.size).to(picture)

    # -- redraws

    @torch.no_grad()
    def redraw(self, loop: Optimization, drawn: torch.Tensor, strength: float, until: int) -> None:
        """Let the prior draw cells of a loop's latent, in place, and mark them in `drawn` (1, 1, h,
        w · things). Until half of the way more and more, the surest first; then those that fit the
        others least, fewer and fewer. Cells that it drew forget where they moved."""
        z, t, cells = loop.latent.data, loop.iteration / until, self.priors[0].side ** 2
        generator = loop.generator
        news, anews = [], []
        for thing, (part, known) in enumerate(zip(*map(self.fields, (z, drawn)), strict=True)):
            index = self.pair.vqgan.codebook_indices(part)
            grow = t < GROWN
            if not grow:
                count = round(strength * math.cos(math.pi / 2 * min(1.0, t)) * cells)
                sure = self.likelihood(index, thing, generator).masked_fill(~known.flatten(1), -1e9)
                known = marked(self.blurred(sure, 1 - t, generator), cells - count).view_as(known)
            hidden = torch.where(known[:, 0], index, self.priors[thing].codes)
            best, codes = self._best(hidden, thing, generator)
            if grow:
                count = round(strength * math.sin(math.pi / 2 * t / GROWN) * cells)
                sure = self.likelihood(codes, thing, generator).masked_fill(known.flatten(1), 1e9)
                accepted = marked(self.blurred(sure, 1 - t, generator), count).view_as(known)
                anews.append(accepted & ~known)
            else:
                anews.append(~known)
            news.append(best)
        anew, new = torch.cat(anews, 3), torch.cat(news, 3)
        drawn |= anew
        z.copy_(torch.where(anew, new, z))
        if loop.average is not None:
            loop.average = torch.where(anew, new, loop.average).contiguous()
        for key in ("exp_avg", "momentum_buffer"):
            if key in (held := loop.optimizer.state.get(z, {})):
                held[key].masked_fill_(anew, 0)

    @staticmethod
    def blurred(sure: torch.Tensor, share: float, generator: torch.Generator) -> torch.Tensor:
        """Log-probabilities with Gumbel noise, so that it is not always the same cells."""
        even = torch.rand(sure.shape, generator=generator).clamp(1e-9, 1 - 1e-7).to(sure)
        return sure - CHOICE * share * (-even.log()).log()

    def likelihood(
        self, index: torch.Tensor, thing: int, generator: torch.Generator
    ) -> torch.Tensor:
        """Log-probability (1, cells) of each code of a thing given about half of the others."""
        prior = self.priors[thing]
        half = (torch.rand(index.shape, generator=generator) < 0.5).to(index.device)
        hidden = torch.where(torch.cat([half, ~half]), prior.codes, index.expand(2, -1, -1))
        logits = prior.logits(hidden, *(x.expand(2, *x.shape[1:]) for x in self._given[thing]))
        codes = index.flatten(1)[..., None].expand(2, -1, -1)
        each = logits.log_softmax(-1).gather(2, codes)[..., 0]
        return torch.where(half.flatten(1), each[:1], each[1:])

    def _best(
        self, hidden: torch.Tensor, thing: int, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Codebook vectors (1, c, side, side) and codes (1, side, side) of that redraw which the
        guide finds most similar."""
        vectors, _, alike = self.candidates(thing, CANDIDATES, STEPS, generator, hidden)
        best = int(alike.argmax())
        vector = vectors[best : best + 1]
        return vector, self.pair.vqgan.codebook_indices(vector)

    @torch.no_grad()
    def candidates(
        self,
        thing: int,
        count: int,
        steps: int,
        generator: torch.Generator,
        hidden: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Drawings of a thing: codebook vectors (count, c, side, side), pictures (count, 3, h, w)
        and the guide's similarities (count,). hidden (1, side, side): what is there already."""
        pair = self.pair
        caption = (x.expand(count, *x.shape[1:]) for x in self._given[thing])
        index = None if hidden is None else hidden.expand(count, -1, -1)
        codes = self.priors[thing].sample(*caption, steps=steps, generator=generator, index=index)
        vectors = pair.vqgan.codebook_vectors(codes)
        pictures = pair.vqgan.synthesize(vectors, quantize=False)
        side = pair.clip.resolution
        views = F.interpolate(pictures, (side, side), mode="bilinear", antialias=True)
        seen = pair.clip.encode_image(torch.cat([views, views.flip(3)]))
        alike = torch.cosine_similarity(seen, self.encodings[thing]).view(2, -1).mean(0)
        return vectors, pictures, alike


def marked(values: torch.Tensor, count: int) -> torch.Tensor:
    """Which of (1, n) are the `count` largest."""
    largest = values.argsort(1, descending=True)[:, :count]
    return torch.zeros_like(values, dtype=torch.bool).scatter(1, largest, True)


@torch.no_grad()
def draw(forming: Forming, count: int = DRAWN, *, generator: torch.Generator) -> list[Sample]:
    """`count` pictures of a scene that the prior draws at once, those that the guide finds most
    similar first."""
    things = range(len(forming.things))
    drawn = [forming.candidates(thing, count, 2 * STEPS, generator) for thing in things]
    alike = torch.stack([similar for _, _, similar in drawn]).mean(0)
    samples = []
    for i in alike.argsort(descending=True).tolist():
        both = zip(drawn, forming.mirrored, strict=True)
        parts = [(p.flip(3) if mirror else p)[i : i + 1] for (_, p, _), mirror in both]
        picture = torch.cat(parts, 3)
        samples.append(Sample(forming.description, forming.dress(picture), float(alike[i])))
    return samples


def cut_out(picture: torch.Tensor) -> torch.Tensor:
    """A thing without its ground: (1, 3, h, w) to (4, h, w), colour premultiplied by alpha.

    Ground is what is of the border's colour and hangs together with the border through cells of
    1/16 of the side that are of that colour throughout, so that white things keep their inside.
    """
    colour = border_colour(picture).view(1, 3, 1, 1)
    apart = (picture - colour).abs().amax(1, keepdim=True)  # (1, 1, h, w)
    side = picture.shape[2] // 16
    plain = (F.max_pool2d(apart, side) < GROUND).float()
    outside = F.pad(torch.zeros_like(plain), (1, 1, 1, 1), value=1.0)
    plain = F.pad(plain, (1, 1, 1, 1), value=1.0)
    for _ in range(plain.shape[2] * 4):
        across = F.max_pool2d(outside, (1, 3), 1, (0, 1))
        outside, before = across.maximum(F.max_pool2d(outside, (3, 1), 1, (1, 0))) * plain, outside
        if torch.equal(outside, before):
            break
    near = F.max_pool2d(outside, 3, 1, 1)[..., 1:-1, 1:-1]  # the cells of the outline too
    near = near.repeat_interleave(side, 2).repeat_interleave(side, 3)
    alpha = (apart / GROUND - 0.5).clamp(0, 1).maximum(1 - near)[0]
    alpha = F.avg_pool2d(F.pad(alpha[None], (1, 1, 1, 1), mode="replicate"), 3, 1)[0]
    return torch.cat([(picture[0] - (1 - alpha) * colour[0]).clamp(min=0).minimum(alpha), alpha])


def fitted(picture: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """A picture scaled to fit into `size` (height, width), in the middle of its border's colour."""
    scale = min(size[0] / picture.shape[2], size[1] / picture.shape[3])
    own = [max(1, round(side * scale)) for side in picture.shape[2:]]
    x = F.interpolate(picture, own, mode="bicubic", antialias=True)
    around = border_colour(picture).view(1, 3, 1, 1).expand(1, 3, *size).clone()
    top, left = ((whole - side) // 2 for whole, side in zip(size, own, strict=True))
    around[..., top : top + own[0], left : left + own[1]] = x.clamp(0, 1)
    return around


def border_colour(picture: torch.Tensor) -> torch.Tensor:
    """The median colour (3,) of the outermost pixels of (1, 3, h, w)."""
    x = picture[0]
    return torch.cat([x[:, 0], x[:, -1], x[:, :, 0], x[:, :, -1]], 1).median(1).values
