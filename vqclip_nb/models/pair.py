"""A pair: a CLIP that guides and a VQGAN that paints, with the facts that fit them together."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from ..weights import read_checked
from .clip import ClipEnsemble, ClipModel
from .library import Library
from .prior import Prior, build_prior
from .vqgan import VQGAN

EMOJI = Path(__file__).parent.parent / "emoji"
# What settings left empty mean, pair by pair (`Settings.for_pair`).
# Steps, crops, rate and noise of nerdyrodent/VQGAN-CLIP, whose Adam has no weight decay.
PUBLISHED_DEFAULTS = dict(
    learning_rate=0.1, total_iter=500, crops=32, noise_factor=0.1, weight_decay=0.0
)
# Measured by blind naming and steering; see the pair's card.
EMOJI_DEFAULTS: dict[str, Any] = dict(
    start="library",
    start_strength=0.2,
    keep_edges=40.0,
    keep_colours=5.0,
    learning_rate=0.1,
    ema_decay=0.9,
    total_iter=60,
    crops=12,
    weight_decay=0.0,
    loosen=0.5,
)


@dataclass(frozen=True)
class Facts:
    """What a pair knows about itself.

    size: side in pixels of the picture it likes best. default_background: what ends a prompt that
    names no background; empty for nothing. defaults: settings that fit it.
    """

    size: int = 448
    default_background: str = ""
    defaults: Mapping[str, Any] = field(default_factory=lambda: dict(PUBLISHED_DEFAULTS))


@dataclass(eq=False, kw_only=True)
class Pair:
    """A CLIP that judges and a VQGAN that paints, both frozen and on one device."""

    name: str
    clip: ClipModel | ClipEnsemble
    vqgan: VQGAN
    facts: Facts = Facts()
    vqgan_hash: str = ""

    def __post_init__(self) -> None:
        self.vqgan.to(self.device).eval()

    def __repr__(self) -> str:
        return f"Pair({self.name!r}, {self.device})"

    @property
    def device(self) -> torch.device:
        return self.clip.device

    @cached_property
    def library(self) -> Library | None:
        """Drawings to start from; None unless the pair's VQGAN is the one that they were made
        with. WeightsError if their file is corrupt."""
        if self.clip.vocabulary is None:
            return None
        state, metadata, digest = read_checked(EMOJI / "library.safetensors")
        if metadata["vqgan"] != self.vqgan_hash:
            return None
        return Library(self.vqgan, state, metadata, self.clip.vocabulary, digest)

    @cached_property
    def prior(self) -> Prior | None:
        """What draws codes for a caption; None unless CLIP and VQGAN are those that it learned
        from. WeightsError if its file is corrupt."""
        if self.clip.vocabulary is None:
            return None
        state, metadata, digest = read_checked(EMOJI / "prior.safetensors")
        if json.loads(metadata["hashes"]) != self.hashes:
            return None
        return build_prior(json.loads(metadata["config"]), state, digest).to(self.device)

    @property
    def defaults(self) -> dict[str, Any]:
        """What settings left empty mean; without a library, a start from noise as it is usual."""
        side, own = self.facts.size, self.facts.defaults
        if own.get("start") == "library" and self.library is None:
            own = {}
        return {"height": side, "width": side, **own}

    @property
    def hashes(self) -> dict[str, str]:
        """SHA-256 of the weights; empty if they came from no file."""
        return {**self.clip.hashes, "vqgan": self.vqgan_hash} if self.vqgan_hash else {}
