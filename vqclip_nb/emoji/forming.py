"""From noise to a picture: the prior and the guide form each thing's shape, which is then dressed.

The prior draws a thing by its bare name on white, on a grid of its own: first more and more cells,
the surest first, as MaskGIT (Chang et al. 2022) does within one drawing, then those again that fit
the others least. In between, the guide's gradient moves the latent, and of several drawings the
guide chooses. Then an upscaler gives the shapes more cells; they are cut out, take the colours, the
places and the background that the prompt names, and the guide goes on with the whole prompt.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F

from ..images import norm_data
from ..loop import Optimization
from ..models.pair import Pair
from ..prompts import encode_reading
from ..reading import read_prompt, told_background
from ..regions import Area, Size
from ..settings import Settings
from .caption_words import BACKDROPS, article
from .compose import compose
from .drawings import PLACINGS, Scene, Start
from .layers import cut_out, filled, fitted, posed, usual_colour
from .placing import CENTRED, Pose
from .prior import Caption, conditions, surest
from .priors import NAMED, Priors
from .scenery import ground, weathered

SHARE = 0.9  # of a picture's steps in which its shapes form
SHARE_BEFORE_STYLE = 0.6  # where style or what to avoid then act on the whole picture
REDRAWS = 10
DRAWN = 4  # drawings of the prior alone
CANDIDATES = 4  # drawings of which the guide chooses in a redraw
STEPS = 4  # of the prior in a redraw; twice as many in a whole drawing
GROWN = 0.5  # share of that time in which more and more cells are drawn


@dataclass(frozen=True)
class Shape:
    """A thing that forms: its name, the label and style of its drawings, whether it is mirrored,
    where it stands if it is alone; what its drawing covers, (m, m), where there is only one; and
    whether white inside of it is a hole, since its drawing has none."""

    name: str
    label: str
    style: str
    mirrored: bool
    pose: Pose = field(default=CENTRED, compare=False)
    mask: torch.Tensor | None = field(default=None, compare=False, repr=False)
    holes: bool = field(default=False, compare=False)

    @property
    def drawing(self) -> str:
        return f"{self.style}: {self.label}"


@dataclass(frozen=True)
class Part:
    """The shapes of a scene, and where it is: in all of the picture, or in a region of it."""

    scene: Scene
    shapes: tuple[Shape, ...]
    area: Area | None = None


class Forming:
    """How a picture forms: each thing in a field of its own, side by side in the latent.

    priors: by style, and by `NAMED` that of what CLIP cannot read. parts: one, or one for each
    region, behind that of the whole picture if it shows anything. background: where no part is.
    size: (height, width) in pixels of the finished picture. encodings: of the things' bare names,
    (1, d) each; read: whether the guide reads them, else they are of the prior's drawings, and the
    guide chooses among these but moves nothing. shape: of the latent, (1, channels, side,
    side · things).
    """

    def __init__(
        self,
        pair: Pair,
        priors: Priors,
        parts: Sequence[Part],
        background: Sequence[str],
        size: Size,
    ) -> None:
        self.pair, self.parts, self.background, self.size = pair, parts, background, size
        self._all_priors = priors
        self.things = [shape for part in parts for shape in part.shapes]
        self.look = [part.scene for part in parts], [*background], size
        self.priors = [
            priors[NAMED if shape.drawing in priors.names else shape.style] for shape in self.things
        ]
        ending = f" {pair.default_background}"
        # The prior was told the drawings' labels, some of which the guide does not know.
        self._given = [
            conditions(pair.clip.model, prior, article(shape.label) + ending, shape.drawing)
            for prior, shape in zip(self.priors, self.things, strict=True)
        ]
        self.encodings, self.read = [], list[bool]()
        for thing, shape in enumerate(self.things):
            own = read_prompt(article(shape.name), pair.clip.vocabulary, ending=ending)
            told = shape.drawing in priors.names  # of what the guide never saw
            self.read.append(bool(own.known) and not own.substitutions and not told)
            made = encode_reading(pair.clip, own) if self.read[-1] else self._shown(thing)
            self.encodings.append(made)
        side = self.priors[0].side
        self.shape = (1, pair.vqgan.latent_channels, side, side * len(self.things))

    def until(self, settings: Settings, begun: int) -> int:
        """The step before which shapes are dressed that began to form at step `begun`."""
        whole = settings.extras or settings.exclude or settings.style_image
        share = SHARE_BEFORE_STYLE if whole else SHARE
        return begun + max(1, round(share * (settings.total_iter - begun)))

    def every(self, steps: int) -> int:
        """Steps between two redraws, of shapes that form in so many."""
        return max(1, round(steps / REDRAWS))

    @property
    def description(self) -> str:
        said = ", ".join(f"{shape.label}, {shape.style}" for shape in self.things)
        ground = told_background(self.parts[0].scene.background)
        return f"{said}; on {ground}" if ground else said

    # -- pictures

    def fields(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """A tensor (1, n, h, w · things) in the parts of each thing."""
        return x.chunk(len(self.things), 3)

    def decode(self, codes: torch.Tensor, **how: Any) -> torch.Tensor:
        """The things' pictures (1, 3, h, w · things) of what the decoder takes."""
        return self._each(codes, lambda part: self.pair.vqgan.decode(part, **how))

    @torch.no_grad()
    def finish(self, codes: torch.Tensor) -> torch.Tensor:
        """The same in [0, 1], of twice as many cells where there is an upscaler."""
        vqgan, upscaler = self.pair.vqgan, self._all_priors.upscaler

        def decode(vectors: torch.Tensor) -> torch.Tensor:
            if upscaler:
                vectors = upscaler(vqgan.quantize(vectors), vqgan.codebook.weight)
            return vqgan.decode(vectors)

        return norm_data(self._each(codes, decode))

    def _each(
        self, codes: torch.Tensor, decode: Callable[[torch.Tensor], torch.Tensor]
    ) -> torch.Tensor:
        turned = zip(map(decode, self.fields(codes)), self.things, strict=True)
        return torch.cat([part.flip(3) if shape.mirrored else part for part, shape in turned], 3)

    def show(self, picture: torch.Tensor) -> torch.Tensor:
        """Pictures side by side (1, 3, h, w · things), placed as the scenes want them, as one
        (1, 3, height, width)."""
        return self._put_together(picture, side_by_side)

    def dress(self, picture: torch.Tensor) -> torch.Tensor:
        """What has formed as the prompt wants it, (1, 3, height, width): in its colours, sizes and
        places, on its background."""
        return self._put_together(picture, dressed)

    def _put_together(
        self, picture: torch.Tensor, make: Callable[..., torch.Tensor]
    ) -> torch.Tensor:
        device, picture = picture.device, picture.cpu()  # MPS lacks some ways to resize
        fields = iter(self.fields(picture))
        whole = ground(self.background, self.size)[None]
        for part in self.parts:
            size = part.area.size if part.area else self.size
            own = make(part, [next(fields) for _ in part.shapes], size)
            if part.area is None:
                whole = own
            else:
                part.area.paste(whole, own)
        if self.parts[0].area is not None and make is dressed:
            whole = weathered(whole[0], self.background)[None]
        return whole.to(device)

    # -- redraws

    @torch.no_grad()
    def redraw(self, loop: Optimization, drawn: torch.Tensor, strength: float, t: float) -> None:
        """Let the prior draw cells of a loop's latent, in place, and mark them in `drawn` (1, 1, h,
        w · things). Until half of the way, t = .5, more and more, the surest first; then those that
        fit the others least, fewer and fewer. Cells that it drew forget where they moved."""
        z, cells = loop.latent.data, self.priors[0].side ** 2
        generator = loop.generator
        news, anews = [], []
        for thing, (part, known) in enumerate(zip(*map(self.fields, (z, drawn)), strict=True)):
            index = self.pair.vqgan.codebook_indices(part)
            if t >= GROWN:
                count = round(strength * math.cos(math.pi / 2 * min(1.0, t)) * cells)
                sure = self.likelihood(index, thing, generator).masked_fill(~known.flatten(1), -1e9)
                known = surest(sure, cells - count, 1 - t, generator).view_as(known)
            hidden = torch.where(known[:, 0], index, self.priors[thing].codes)
            vectors, alike = self.candidates(thing, CANDIDATES, generator, hidden)
            best = vectors[alike.argmax()][None]
            accepted = ~known
            if t < GROWN:
                count = round(strength * math.sin(math.pi / 2 * t / GROWN) * cells)
                codes = self.pair.vqgan.codebook_indices(best)
                sure = self.likelihood(codes, thing, generator).masked_fill(known.flatten(1), 1e9)
                accepted &= surest(sure, count, 1 - t, generator).view_as(known)
            anews.append(accepted)
            news.append(best)
        anew, new = torch.cat(anews, 3), torch.cat(news, 3)
        drawn |= anew
        z.copy_(torch.where(anew, new, z))
        if loop.average is not None:
            loop.average = torch.where(anew, new, loop.average).contiguous()
        for key in ("exp_avg", "momentum_buffer"):
            if key in (held := loop.optimizer.state.get(z, {})):
                held[key].masked_fill_(anew, 0)

    def likelihood(
        self, index: torch.Tensor, thing: int, generator: torch.Generator
    ) -> torch.Tensor:
        """Log-probability (1, cells) of each code of a thing given about half of the others."""
        prior = self.priors[thing]
        half = (torch.rand(index.shape, generator=generator) < 0.5).to(index.device)
        hidden = torch.where(torch.cat([half, ~half]), prior.codes, index.expand(2, -1, -1))
        logits = prior.logits(hidden, repeated(self._given[thing], 2))
        codes = index.flatten(1)[..., None].expand(2, -1, -1)
        each = logits.log_softmax(-1).gather(2, codes)[..., 0]
        return torch.where(half.flatten(1), each[:1], each[1:])

    def candidates(
        self, thing: int, count: int, generator: torch.Generator, hidden: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Drawings of a thing: codebook vectors (count, c, side, side), and the guide's
        similarities (count,). hidden (1, side, side): what is there already."""
        vectors, seen = self._drawn(thing, count, generator, hidden)
        alike = torch.cosine_similarity(seen, self.encodings[thing]).view(2, -1).mean(0)
        return vectors, alike

    def _shown(self, thing: int) -> torch.Tensor:
        """What the guide is given for a name that it cannot read, (1, d): what it sees in drawings
        of the prior."""
        _, seen = self._drawn(thing, CANDIDATES, torch.Generator().manual_seed(0))
        return F.normalize(seen, dim=-1).mean(0, keepdim=True)

    @torch.no_grad()
    def _drawn(
        self, thing: int, count: int, generator: torch.Generator, hidden: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The vectors of `candidates`, and the guide's encodings (2 count, d) of their pictures, as
        they are and mirrored."""
        vqgan, clip = self.pair.vqgan, self.pair.clip
        caption = repeated(self._given[thing], count)
        index = None if hidden is None else hidden.expand(count, -1, -1)
        steps = 2 * STEPS if hidden is None else STEPS
        codes = self.priors[thing].sample(caption, steps=steps, generator=generator, index=index)
        vectors = vqgan.codebook_vectors(codes)
        pictures, side = vqgan.synthesize(vectors, quantize=False), (clip.resolution,) * 2
        views = F.interpolate(pictures, side, mode="bilinear", antialias=True)
        return vectors, clip.encode_image(torch.cat([views, views.flip(3)]))


def side_by_side(part: Part, pictures: Sequence[torch.Tensor], size: Size) -> torch.Tensor:
    """The pictures (1, 3, h, w) of a part's things as one (1, 3, height, width)."""
    if len(pictures) == 1:
        return posed(fitted(pictures[0], size), part.shapes[0].pose)
    whole, axis = pictures[0], 3
    for picture, relation in zip(pictures[1:], part.scene.relations, strict=True):
        placing = PLACINGS[relation]
        if whole is pictures[0]:
            axis = 2 if placing.axis else 3
        else:  # a third one, across the row of the others
            axis, picture = 5 - axis, fitted(picture, (whole.shape[2], whole.shape[3]))
        whole = torch.cat([picture, whole] if placing.order > 0 else [whole, picture], axis)
    return fitted(whole, size)


def dressed(part: Part, pictures: Sequence[torch.Tensor], size: Size) -> torch.Tensor:
    """The same, as the scene says; a bare thing stays as it is."""
    scene, fill = part.scene, part.area is not None
    drawn = [(shape.label, shape.style) for shape in part.shapes]
    plain = scene.plain and not scene.backdrop
    if plain and not fill and not usual_colour(*drawn[0], scene.style):
        return side_by_side(part, pictures, size)
    layers = []
    for picture, shape in zip(pictures, part.shapes, strict=True):
        mask = shape.mask
        if shape.label in BACKDROPS:
            layer = torch.cat([picture[0], torch.ones_like(picture[0, :1])])
        else:
            layer = cut_out(picture, holes=shape.holes)
            if mask is not None:
                layer = filled(layer, picture, mask.flip(1) if shape.mirrored else mask)
        layers.append(layer)
    return compose(layers, scene, size, drawn, fill=fill, pose=part.shapes[0].pose)


def repeated(caption: Caption, count: int) -> Caption:
    """A caption (1, ...) as that of `count` drawings."""
    tokens, keep, encoding = (x.expand(count, *x.shape[1:]) for x in caption)
    return tokens, keep, encoding


@torch.no_grad()
def draw(forming: Forming, count: int = DRAWN, *, generator: torch.Generator) -> list[Start]:
    """`count` pictures of a scene that the prior draws at once, those that the guide finds most
    similar first."""
    things = range(len(forming.things))
    drawn = [forming.candidates(thing, count, generator) for thing in things]
    alike = torch.stack([similar for _, similar in drawn]).mean(0)
    samples = []
    for i in alike.argsort(descending=True).tolist():
        picture = forming.finish(torch.cat([vectors[i : i + 1] for vectors, _ in drawn], 3))
        told = f"the prior's drawing of {forming.description}"
        samples.append(Start(forming.dress(picture), told, similarity=float(alike[i])))
    return samples
