"""A pair: a CLIP that guides and a VQGAN that paints, with the facts that fit them together."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ..knobs import text_of
from ..reading import (
    Reading,
    background_ending,
    background_of,
    read_prompt,
    readable,
    region_ending,
    without_weather,
)
from ..regions import Region
from ..settings import FACTS, PRESETS, Settings
from .clip import Clip
from .vqgan import VQGAN

if TYPE_CHECKING:
    from ..emoji.drawings import Start
    from ..emoji.forming import Forming
    from ..emoji.library import Library
    from ..emoji.prior import Prior
    from ..emoji.wing import EmojiWing

EMOJI = Path(__file__).parent.parent / "emoji"
# What settings left empty mean, pair by pair (`Settings.for_pair`).
# As the preset of nerdyrodent/VQGAN-CLIP, who know this pair.
PUBLISHED_DEFAULTS = {
    name: PRESETS["nerdyrodent"][name]
    for name in (
        *("learning_rate", "total_iter", "crops", "noise_factor", "weight_decay"),
        *("crop_method", "within_codebook", "distance"),
    )
}
EMOJI_DEFAULTS: dict[str, Any] = FACTS["defaults"]["emoji"]


@dataclass(eq=False, kw_only=True)
class Pair:
    """A CLIP that judges and a VQGAN that paints, both frozen and on one device.

    size: side in pixels of the picture it likes best. default_background: what ends a prompt that
    names no background; empty for nothing. own_defaults: settings that fit it, which `defaults` is
    made of. make_wing: makes what the pair has beside the two networks, on first use: drawings to
    start from, a prior over codes; None for nothing.
    """

    name: str
    clip: Clip
    vqgan: VQGAN
    size: int = 448
    default_background: str = ""
    own_defaults: Mapping[str, Any] = field(default_factory=PUBLISHED_DEFAULTS.copy)
    vqgan_hash: str = ""
    make_wing: Callable[[Pair], EmojiWing] | None = None

    def __post_init__(self) -> None:
        self.vqgan.to(self.device).eval()

    def __repr__(self) -> str:
        return f"Pair({self.name!r}, {self.device})"

    @property
    def device(self) -> torch.device:
        return self.clip.device

    @cached_property
    def wing(self) -> EmojiWing | None:
        """What `make_wing` makes, where CLIP says which words it knows."""
        if self.make_wing is None or self.clip.vocabulary is None:
            return None
        return self.make_wing(self)

    @cached_property
    def library(self) -> Library | None:
        """Drawings to start from, or None. WeightsError if their file is corrupt."""
        return self.wing.library if self.wing else None

    @cached_property
    def prior(self) -> Prior | None:
        """What draws codes for a caption, or None. WeightsError if its file is corrupt."""
        return self.wing.prior if self.wing else None

    def read(self, prompt: str, extras: str = "", regions: Sequence[Region] = ()) -> Reading:
        """What a prompt asks for, beside extras and the regions of its picture. ValueErrors as in
        `parse_prompt`; an empty prompt asks for nothing."""
        extras = text_of("extras", extras)
        words, own = self.clip.vocabulary, self.default_background
        reading, whole, style = read_prompt(prompt, words), readable(prompt), readable(extras)
        # "At night" names a background in the words that CLIP is given.
        painted = [p.read for p in reading.known if not p.is_picture]
        around = [f"{whole} {style}", *painted]
        parts = []
        for region in regions:
            part, said = read_prompt(region.prompt, words), readable(region.prompt)
            told = [said, *(p.read for p in part.known if not p.is_picture)]
            ending = region_ending(own, told, around)
            background = background_of(f"{said} {style}{ending}", *told)
            read = dataclasses.replace(part, ending=without_weather(ending), background=background)
            parts.append((region, read))
        reading = dataclasses.replace(
            reading,
            ending=background_ending(own, *around),
            background=background_of(*around),
            regions=tuple(parts),
        )
        return self.wing.read(reading, extras) if self.wing else reading

    def start(
        self, reading: Reading, settings: Settings, size: tuple[int, int], seed: int
    ) -> Start | None:
        """What a picture starts from, size (height, width) in pixels; None for noise."""
        if self.wing is None or settings.start == "noise":
            return None
        return self.wing.start(reading, settings, size, seed)

    def check(self, settings: Settings) -> None:
        """ValueError if settings, filled in, ask for what the pair does not have."""
        if settings.start == "library" and self.library is None:
            raise ValueError(f"{self.name} has no library of drawings: start from noise")
        if settings.uses_prior and self.prior is None:
            raise ValueError(f"{self.name} has no prior: start from noise, and set prior to 0")

    def forming(
        self, reading: Reading, settings: Settings, size: tuple[int, int], seed: int
    ) -> Forming | None:
        """How the prior forms a picture (height, width) from noise; None for what it never saw.
        ValueError without a prior."""
        if self.wing is None:
            raise ValueError(f"{self.name} has no prior: set prior to 0")
        return self.wing.forming(reading, settings, size, seed)

    def medium(self, reading: Reading) -> Callable[[torch.Tensor], torch.Tensor] | None:
        """A layer behind the decoder, from pictures (1, 3, h, w) in [0, 1] to such, for the medium
        that a prompt names: "watercolour"; None where it names none or CLIP knows it."""
        return self.wing.medium(reading) if self.wing else None

    @property
    def defaults(self) -> dict[str, Any]:
        """What settings left empty mean; without a prior, a start from the library, and without
        that, a start from noise as it is usual."""
        side, own = self.size, self.own_defaults
        if own.get("prior") and self.prior is None:
            own = {**own, "start": "library", "prior": 0.0} if self.library else {}
        if own.get("prior"):
            side *= 2  # what forms at the pair's own size is finished at twice that
        return {"height": side, "width": side, **own}

    @property
    def hashes(self) -> dict[str, str]:
        """SHA-256 of the weights; empty if they came from no file."""
        return {**self.clip.hashes, "vqgan": self.vqgan_hash} if self.vqgan_hash else {}
