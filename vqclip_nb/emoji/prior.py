"""A masked transformer over a VQGAN's codes, given a caption: it draws a picture in a few steps.

After MaskGIT (Chang et al. 2022) and Muse (Chang et al. 2023). Blocks of 2×2 cells
share a token, which makes a grid of 16×16 cells as cheap as one of 8×8; each cell is masked, and
drawn, by itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from ..models.clip import tokenize
from .drawings import unpack_bits

Caption = tuple[torch.Tensor, torch.Tensor, torch.Tensor]  # as `caption_tokens` gives it
ATTENTION = ("full", "local", "strided")
REACH = 2  # tokens, of local attention
TEMPERATURE = 0.7  # of samples
CHOICE = 3.0  # Gumbel noise on how sure a cell is, in the first step; it falls to 0
AGAIN = 1.5  # the same where cells are drawn again
LEVELS = 128  # of a weight as the package keeps it
STYLE = 8.0  # size of a style's token, about that of a word's


def attention_mask(side: int, pattern: str = "full") -> torch.Tensor:
    """Which token of a grid (side × side) sees which: (side², side²) booleans.

    full: all. local: those at most `REACH` away along both axes. strided: those of the same row or
    column. ValueError for another pattern.
    """
    if pattern not in ATTENTION:
        raise ValueError(f"attention {pattern!r} is not known: choose of {', '.join(ATTENTION)}")
    place = torch.arange(side * side)
    row, column = place // side, place % side
    apart = torch.stack([row[:, None] - row, column[:, None] - column]).abs()
    if pattern == "full":
        return torch.ones(side * side, side * side, dtype=torch.bool)
    return apart.amax(0) <= REACH if pattern == "local" else apart.amin(0) == 0


class Block(nn.Module):
    """Attention and a feed-forward layer, both scaled and shifted by the caption (adaptive layer
    norm; Peebles and Xie 2023)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width, elementwise_affine=False)
        self.norm2 = nn.LayerNorm(width, elementwise_affine=False)
        self.qkv, self.project = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.widen, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.modulation = nn.Parameter(torch.zeros(4, width))

    def forward(self, x: torch.Tensor, mask: torch.Tensor, caption: torch.Tensor) -> torch.Tensor:
        """x (b, n, width), mask (b, 1, n, n) to be added to the scores, caption (b, 4, width)."""
        scale1, shift1, scale2, shift2 = (caption + self.modulation)[:, :, None].unbind(1)
        y = self.norm1(x) * (1 + scale1) + shift1
        q, k, v = self.qkv(y).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        # Plain products: torch's fused attention with a mask is slow backwards on a CPU.
        scores = (q @ k.transpose(2, 3)) * q.shape[-1] ** -0.5 + mask.to(q.dtype)
        y = (scores.softmax(-1).to(v.dtype) @ v).transpose(1, 2).flatten(2)
        x = x + self.project(y)
        y = self.norm2(x) * (1 + scale2) + shift2
        return x + self.narrow(F.gelu(self.widen(y)))


class Prior(nn.Module):
    """Distribution of a grid of codes (side × side) given a caption.

    codes: size of the codebook; an index of `codes` marks a masked cell. A caption is what the
    guide's text side makes of it: tokens (b, t, text_width), `keep` (b, t), which of them count,
    and its encoding (b, encoding), a unit vector. All of `keep` false: without caption.
    labels: number of drawings that it can be told by a vector instead of a caption, which is how it
    draws what CLIP cannot read. digest: SHA-256 of the file that it came from. styles: of
    which a token tells it one; none for a prior of one style. names: of the drawings that it can be
    told, as "silhouette: lighthouse".
    """

    digest = ""
    styles: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    def __init__(
        self,
        codes: int = 2048,
        side: int = 16,
        *,
        patch: int = 2,
        width: int = 256,
        layers: int = 5,
        heads: int = 4,
        text_width: int = 128,
        encoding: int = 256,
        head_width: int = 64,
        attention: str = "full",
        labels: int = 0,
    ) -> None:
        super().__init__()
        if side % patch:
            raise ValueError(f"side={side}: give a multiple of patch={patch}")
        self.config = dict(
            codes=codes, side=side, patch=patch, width=width, layers=layers, heads=heads,
            text_width=text_width, encoding=encoding, head_width=head_width, attention=attention,
        )  # fmt: skip
        self.codes, self.side, self.patch = codes, side, patch
        tokens = (side // patch) ** 2
        self.embedding = nn.Embedding(codes + 1, head_width)
        self.enter = nn.Linear(head_width * patch**2, width)
        self.position_embedding = nn.Parameter(0.2 * torch.randn(tokens, width))
        self.text = nn.Linear(text_width, width)
        self.empty_embedding = nn.Parameter(0.2 * torch.randn(1, width))
        self.caption = nn.Sequential(
            nn.Linear(encoding, width), nn.GELU(), nn.Linear(width, 4 * width)
        )
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.leave = nn.Linear(width, head_width * patch**2)
        self.bias = nn.Parameter(torch.zeros(codes))
        if labels:
            self.labels = nn.Embedding(labels, text_width + encoding)
        self.register_buffer("visible", attention_mask(side // patch, attention), persistent=False)
        nn.init.normal_(self.embedding.weight, std=head_width**-0.5)
        nn.init.zeros_(self.caption[-1].weight)  # type: ignore[arg-type]

    def told(self, numbers: torch.Tensor) -> Caption:
        """What stands for the caption of drawings, given their numbers (b,) in `names`."""
        vector, width = self.labels(numbers), self.text.in_features
        keep = torch.ones(len(numbers), 1, dtype=torch.bool, device=vector.device)
        return vector[:, None, :width], keep, F.normalize(vector[:, width:], dim=-1)

    def features(self, index: torch.Tensor, given: Caption) -> torch.Tensor:
        """Codes (b, side, side) to what is compared with each code: (b, side², head_width)."""
        (tokens, keep, encoding), b = given, len(index)
        p, n = self.patch, self.side // self.patch
        x = self.embedding(index).view(b, n, p, n, p, -1).transpose(2, 3)
        encoding = encoding * encoding.shape[1] ** 0.5 * keep.any(1)[:, None]  # spread 1
        caption = self.caption(encoding).unflatten(1, (4, -1))
        x = self.enter(x.flatten(3).flatten(1, 2)) + self.position_embedding
        x = torch.cat([x, self.empty_embedding.expand(b, 1, -1), self.text(tokens)], 1)
        seen = torch.ones(b, x.shape[1], x.shape[1], dtype=torch.bool, device=x.device)
        seen[:, : n * n, : n * n] = self.visible  # type: ignore[assignment]
        seen[:, :, n * n + 1 :] &= keep[:, None]
        mask = torch.zeros(seen.shape, device=x.device).masked_fill(~seen, -1e9)[:, None]
        for block in self.blocks:
            x = block(x, mask, caption)
        x = self.leave(self.norm(x[:, : n * n])).view(b, n, n, p, p, -1)
        return x.transpose(2, 3).reshape(b, self.side**2, -1)

    def score(self, features: torch.Tensor) -> torch.Tensor:
        """Features (..., head_width) to logits over the codes."""
        return features @ self.embedding.weight[: self.codes].T.to(features.dtype) + self.bias

    def logits(self, index: torch.Tensor, caption: Caption) -> torch.Tensor:
        """Logits (b, side², codes) of every cell given those of `index` (b, side, side) that are
        not masked."""
        return self.score(self.features(index, caption)).float()

    forward = logits

    @torch.no_grad()
    def sample(
        self,
        caption: Caption,
        *,
        steps: int = 8,
        generator: torch.Generator,
        index: torch.Tensor | None = None,
        push: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] | None = None,
    ) -> torch.Tensor:
        """Codes (b, side, side) for captions, drawn in `steps` steps, the surest cells first.

        index: codes to keep and cells to draw (value `codes`); None: draw all. push(index, logits):
        what to add to the logits (b, side², codes) in each step, such as a guide's gradient in code
        space.
        """
        b, cells = len(caption[0]), self.side**2
        if index is None:
            index = torch.full((b, self.side, self.side), self.codes, device=caption[0].device)
        index = index.flatten(1).clone()
        todo = (index == self.codes).sum(1)
        for i in range(steps):
            grid = index.view(b, self.side, -1)
            logits = self.logits(grid, caption)
            if push is not None:
                logits = logits + push(grid, logits)
            p = (logits / TEMPERATURE).softmax(-1)
            level = torch.rand(b, cells, 1, generator=generator).to(p)
            drawn = (p.cumsum(-1) < level).sum(-1).clamp(max=self.codes - 1)
            masked = index == self.codes
            noise = gumbel((b, cells), generator).to(p)
            sure = p.gather(2, drawn[..., None])[..., 0].clamp(min=1e-9).log()
            sure = sure + CHOICE * (1 - (i + 1) / steps) * noise
            place = sure.masked_fill(~masked, -math.inf).argsort(1, descending=True).argsort(1)
            left = (todo * math.cos(math.pi / 2 * (i + 1) / steps)).floor().long()
            if i == steps - 1:
                left = torch.zeros_like(left)
            now = masked & (place < (masked.sum(1) - left)[:, None])
            index = torch.where(now, drawn, index)
        return index.view(b, self.side, self.side)

    @torch.no_grad()
    def log_likelihood(
        self, index: torch.Tensor, caption: Caption, *, steps: int = 8, generator: torch.Generator
    ) -> torch.Tensor:
        """Log-probability (b,) of codes in nats per cell, under a random order of drawing.

        The cells are revealed in `steps` groups of equal size, each given those before it; more
        steps, and means over several calls, come nearer to the order-agnostic likelihood (Uria et
        al. 2014).
        """
        b, cells = len(index), self.side**2
        order = torch.rand(b, cells, generator=generator).argsort(1).argsort(1).to(index.device)
        group, flat = order * steps // cells, index.flatten(1)
        total = torch.zeros(b, device=index.device)
        for i in range(steps):
            shown = torch.where(group < i, flat, torch.full_like(flat, self.codes))
            logits = self.logits(shown.view_as(index), caption)
            own = logits.log_softmax(-1).gather(2, flat[..., None])[..., 0]
            total = total + (own * (group == i)).sum(1)
        return total / cells


def gumbel(shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
    """Gumbel noise; added to log-probabilities, the largest sum is a sample."""
    return -(-torch.rand(shape, generator=generator).clamp(1e-9, 1 - 1e-7).log()).log()


def surest(
    sure: torch.Tensor, count: int, noise: float, generator: torch.Generator
) -> torch.Tensor:
    """Which of log-probabilities (1, n) are the `count` largest; with Gumbel noise, in shares of
    `AGAIN`, so that they are not always the same cells."""
    noisy = sure + AGAIN * noise * gumbel(tuple(sure.shape), generator).to(sure)
    largest = noisy.argsort(1, descending=True)[:, :count]
    return torch.zeros_like(sure, dtype=torch.bool).scatter(1, largest, True)


def caption_tokens(clip: Any, captions: list[str]) -> Caption:
    """What a `Prior` takes of captions: hidden states of a CLIP's text side (b, t, width), which of
    them count (b, t), and unit encodings (b, d)."""
    with torch.no_grad():
        device = clip.positional_embedding.device
        text = tokenize(captions, clip.context_length).to(device)
        x = clip.token_embedding(text) + clip.positional_embedding
        x = clip.ln_final(clip.transformer(x.transpose(0, 1)).transpose(0, 1))
        end = text.argmax(1)
        encoding = x[torch.arange(len(x)), end] @ clip.text_projection
        keep = torch.arange(text.shape[1], device=device) <= end[:, None]
        length = int(end.max()) + 1
        return x[:, :length].float(), keep[:, :length], F.normalize(encoding.float(), dim=-1)


def build_prior(config: dict[str, Any], state: dict[str, torch.Tensor], digest: str = "") -> Prior:
    """A frozen `Prior`, of weights as they are or as `unpacked` reads them. TypeError or
    RuntimeError where weights and configuration do not fit."""
    prior = Prior(**config)
    prior.digest = digest
    prior.load_state_dict(unpacked(state, prior))
    return prior.eval().requires_grad_(False)


def unpacked(state: Mapping[str, torch.Tensor], network: nn.Module) -> dict[str, torch.Tensor]:
    """Weights of a network as numbers: of what the package keeps as whole numbers below `LEVELS`,
    in bytes of 7 bits each, with the size of a step for each row under NAME.step."""
    weights, own = {}, network.state_dict()
    for name, value in state.items():
        if f"{name}.step" in state and name in own:
            numbers = unpack_bits(value, LEVELS, count=own[name].numel()).view(own[name].shape)
            step = state[f"{name}.step"].float()
            value = (numbers - LEVELS // 2) * step.view(-1, *[1] * (numbers.ndim - 1))
        if not name.endswith(".step"):
            weights[name] = value.float()
    return weights


def conditions(model: nn.Module, prior: Prior, caption: str, drawing: str) -> Caption:
    """A caption, and a style if it knows several, as a prior takes them; or what it learned for the
    drawing, such as "noto: fox". model: the guide's CLIP."""
    if drawing in prior.names:
        at = torch.tensor([prior.names.index(drawing)], device=prior.bias.device)
        return prior.told(at)
    style = drawing.partition(":")[0]
    tokens, keep, encoding = caption_tokens(model, [caption])
    if style in prior.styles:
        number = prior.styles.index(style)
        token = F.one_hot(torch.tensor([[number]]), tokens.shape[2]) * STYLE
        tokens = torch.cat([tokens, token.to(tokens)], 1)
        keep = F.pad(keep, (0, 1), value=True)
    return tokens, keep, encoding
