"""What the prior is given, and a picture that it drew."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F

from ..models.pair import Pair
from ..models.vqgan import VQGAN
from .prior import Prior, caption_tokens

Caption = tuple[torch.Tensor, torch.Tensor, torch.Tensor]  # as `caption_tokens` gives it
STYLE = 8.0  # size of a style's token, about that of a word's


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


def conditions(pair: Pair, prior: Prior, caption: str, style: str) -> Caption:
    """A caption, and a style if it knows several, as a prior takes them."""
    tokens, keep, encoding = caption_tokens(pair.clip.model, [caption])
    if style in prior.styles:
        number = prior.styles.index(style)
        token = F.one_hot(torch.tensor([[number]]), tokens.shape[2]) * STYLE
        tokens = torch.cat([tokens, token.to(tokens)], 1)
        keep = F.pad(keep, (0, 1), value=True)
    return tokens, keep, encoding
