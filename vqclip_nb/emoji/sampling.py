"""Pictures drawn by the prior: starts, drafts, and cells drawn anew while a picture forms."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F

from ..loop import Optimization
from ..models.pair import Pair
from ..models.vqgan import VQGAN
from ..prompts import encode_reading
from ..reading import Reading
from ..settings import Settings
from .prior import Prior, caption_tokens

Caption = tuple[torch.Tensor, torch.Tensor, torch.Tensor]  # as `caption_tokens` gives it
BEST_OF = 4  # samples of which the guide chooses
REDRAW_STEPS = 4
PUSH = 2.0  # spread of what the guide's gradient adds to the logits


@dataclass(frozen=True, eq=False)
class Sample:
    """A picture (1, 3, height, width) in [0, 1] that the prior drew for `caption`, its codes
    (1, h, w) where it has the prior's own size, and the guide's similarity, in [-1, 1]."""

    caption: str
    picture: torch.Tensor = field(repr=False)
    similarity: float
    codes: torch.Tensor | None = field(default=None, repr=False)

    @property
    def description(self) -> str:
        return f"the prior's drawing of {self.caption}"

    def latent(self, vqgan: VQGAN) -> torch.Tensor:
        """Latent (1, channels, h, w) of the picture."""
        if self.codes is not None:
            return vqgan.codebook_vectors(self.codes)
        with torch.no_grad():
            return vqgan.encode(self.picture)


def check_prior(pair: Pair, settings: Settings, size: tuple[int, int]) -> None:
    """ValueError if settings ask for a prior where the pair has none, where it would undo regions
    or an activation, or for another size of picture, (height, width), than it can draw anew."""
    if settings.start == "prior" or settings.prior:
        side = require_prior(pair).side * pair.vqgan.downsample_factor
        if settings.regions:
            raise ValueError(
                "the prior draws one thing and would draw over regions: start from the library or "
                "from noise, and set prior to 0; or leave regions out"
            )
        if settings.prior and size != (side, side):
            raise ValueError(
                f"prior draws {side}×{side} pixels anew, this one has {size[0]}×{size[1]}: "
                f"set prior to 0, or height and width to {side}"
            )
        if settings.prior and settings.activation_at == "every step":
            raise ValueError(
                "prior draws the codes themselves, the activation at every step would change them: "
                "set activation_at to start, or prior to 0"
            )


def require_prior(pair: Pair) -> Prior:
    """The pair's prior; ValueError if it has none."""
    if pair.prior is None:
        raise ValueError(f"{pair.name} has no prior: start from noise, and set prior to 0")
    return pair.prior


def conditions(pair: Pair, caption: str) -> Caption:
    """A caption as the prior takes it; an empty one counts as none."""
    tokens, keep, encoding = caption_tokens(pair.clip.model, [caption or "a picture"])
    return tokens, keep if caption else torch.zeros_like(keep), encoding


@torch.no_grad()
def draw(
    pair: Pair,
    reading: Reading,
    count: int = BEST_OF,
    *,
    size: tuple[int, int],
    generator: torch.Generator,
) -> list[Sample]:
    """`count` pictures of a reading's caption, those that the guide finds most similar first.

    size: (height, width) in pixels. ValueError if the pair has no prior.
    """
    prior, vqgan, caption = require_prior(pair), pair.vqgan, reading.caption
    given = (x.expand(count, *x.shape[1:]) for x in conditions(pair, caption))
    codes = prior.sample(*given, generator=generator)
    pictures = vqgan.synthesize(vqgan.codebook_vectors(codes), quantize=False)
    side = pair.clip.resolution
    views = F.interpolate(pictures, (side, side), mode="bilinear", antialias=True)
    wanted = encode_reading(pair.clip, reading)
    alike = torch.cosine_similarity(pair.clip.encode_image(views), wanted)
    own = tuple(pictures.shape[2:]) == tuple(size)
    return [
        Sample(
            caption,
            pictures[i : i + 1] if own else fitted(pictures[i : i + 1], size),
            float(alike[i]),
            codes[i : i + 1] if own else None,
        )
        for i in alike.argsort(descending=True).tolist()
    ]


def fitted(picture: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """A square picture scaled to the shorter side of `size`, in the middle; its border goes on to
    both sides of it."""
    side = min(size)
    x = F.interpolate(picture, (side, side), mode="bilinear", antialias=True)
    before = [(whole - side) // 2 for whole in size]
    after = [whole - side - b for whole, b in zip(size, before, strict=True)]
    return F.pad(x, (before[1], after[1], before[0], after[0]), mode="replicate").clamp(0, 1)


@torch.no_grad()
def redraw(
    pair: Pair,
    caption: Caption,
    z: torch.Tensor,
    gradient: torch.Tensor | None,
    share: float,
    generator: torch.Generator,
) -> tuple[torch.Tensor, torch.Tensor]:
    """A latent (1, c, h, w) in which a `share` of the cells is drawn anew, and which (h, w).

    The prior sees the other cells. gradient: that of the loss with respect to the latent; code k
    gains in cell i what moving there would lower the loss.
    """
    prior, codebook = require_prior(pair), pair.vqgan.codebook.weight
    index = pair.vqgan.codebook_indices(z)
    anew = (torch.rand(index.shape, generator=generator) < share).to(index.device)
    gain = torch.zeros(1)
    if gradient is not None:
        gain = -gradient[0].flatten(1).T @ codebook.T  # (cells, codes)
        gain = PUSH * (gain - gain.mean(1, keepdim=True)) / gain.std().clamp(min=1e-12)
    gain = gain.to(codebook)[None]
    hidden = torch.where(anew, prior.codes, index)
    how = dict(steps=REDRAW_STEPS, generator=generator, index=hidden)
    drawn = prior.sample(*caption, **how, push=lambda *_: gain)
    return torch.where(anew[:, None], pair.vqgan.codebook_vectors(drawn), z), anew[0]


@torch.no_grad()
def redraw_cells(pair: Pair, caption: Caption, loop: Optimization, share: float) -> None:
    """`redraw` a share of the latent of a loop, in place; those cells forget where they moved."""
    z = loop.latent.data
    new, anew = redraw(pair, caption, z, z.grad, share, loop.generator)
    z.copy_(new)
    if loop.average is not None:
        loop.average = torch.where(anew, new, loop.average).contiguous()
    for key in ("exp_avg", "momentum_buffer"):
        if key in (held := loop.optimizer.state.get(z, {})):
            held[key].masked_fill_(anew, 0)
