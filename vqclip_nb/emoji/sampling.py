"""What the prior is given, and a picture that it drew."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F

from ..models.pair import Pair
from ..models.vqgan import VQGAN
from ..settings import Settings
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


def check_prior(pair: Pair, settings: Settings) -> None:
    """ValueError if settings ask for a prior where the pair has none, where it would undo regions
    or an activation, or where the picture does not start from noise."""
    if settings.start == "prior" or settings.prior:
        require_prior(pair)
        if settings.regions:
            raise ValueError(
                "the prior would draw over regions: start from the library or "
                "from noise, and set prior to 0; or leave regions out"
            )
        if settings.prior and settings.start != "noise":
            raise ValueError(
                "the prior forms a picture from noise: set start to noise, or prior to 0"
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


def conditions(pair: Pair, caption: str, style: str = "") -> Caption:
    """A caption, and one of the styles that the prior knows, as the prior takes them; an empty
    caption counts as none."""
    tokens, keep, encoding = caption_tokens(pair.clip.model, [caption or "a picture"])
    if not caption:
        return tokens, torch.zeros_like(keep), encoding
    styles = require_prior(pair).styles
    if len(styles) > 1 and style in styles:
        token = F.one_hot(torch.tensor([[styles.index(style)]]), tokens.shape[2]) * STYLE
        tokens = torch.cat([tokens, token.to(tokens)], 1)
        keep = F.pad(keep, (0, 1), value=True)
    return tokens, keep, encoding
