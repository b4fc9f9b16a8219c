"""One picture: the loop's parts made from a pair and settings."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch

from . import latents, objectives
from .crops import create_crops
from .latents import Latent
from .loop import Diverged, Encode, Optimization, State, Taken
from .models.pair import Start
from .prompts import Encodings, encode_prompt
from .reading import Reading
from .regions import Area, outside, parse_region
from .settings import Settings
from .starts import Starts
from .wanted import make_objective, numbers_of_views, similarity

REDRAW_EVERY = 5  # steps between two redraws by the prior
SCALE = 1024.0  # of the loss where gradients are float16, so that small ones are not lost
SLOWED = 3  # times that a picture which left the numbers is tried again at half the rate


def half_precision(precision: str, device: torch.device) -> torch.dtype | None:
    """What both networks compute in where it is not float32: float16, whose gradients agree better
    with float32's than bfloat16's do. "auto" takes it on CUDA alone."""
    half = precision == "half" or (precision == "auto" and device.type == "cuda")
    return torch.float16 if half else None


class Painting:
    """Picture number `index` of include on its way.

    starts: those of the run, for its pair and size. settings: nothing left empty. parts: what
    replaces a part of the loop, as `Run` takes it. attempt: which of the settings' tries it is,
    from 0; None is the first, until one is chosen.
    """

    def __init__(
        self,
        starts: Starts,
        settings: Settings,
        encodings: Encodings,
        index: int,
        parts: Mapping[str, Any],
        attempt: int | None = 0,
    ) -> None:
        self.starts, self.pair, self.size = starts, starts.pair, starts.size
        self.index, self.parts, self.attempt = index, parts, attempt
        self.settings, self.encodings = settings, encodings
        self.areas = self.areas_of(settings)
        self.slowed = 0
        self.half = half_precision(settings.precision, self.pair.device)
        # Seeded before the latent is drawn, and apart from the global generator.
        generator = torch.Generator().manual_seed(self.seed)
        at_every_step = dict(activation=settings.activation, at=settings.activation_at)
        latent = Latent(self._start(generator), **at_every_step).to(self.pair.device)
        make = parts.get("optimizer") or self._adamw
        self.optimization = Optimization(
            latent,
            self._synthesize,
            parts.get("crops") or self._crops,
            self._encode(),
            self._objective(),
            make([latent.data]),
            measure=self._similarity,
            generator=generator,
            on_device=settings.random == "device" and "crops" not in parts,
            ema_decay=settings.ema_decay,
            scale=SCALE if self.half else 1.0,
        )
        own = self.optimization.optimizer.param_groups if parts.get("optimizer") else []
        self.rates = [group["lr"] for group in own]  # of an optimizer of one's own
        self.good = self.state()  # before the last step that went well

    @property
    def seed(self) -> int:
        """The settings' own, or that of a later try."""
        return self.settings.seed + (self.attempt or 0)

    @property
    def reading(self) -> Reading:
        return self.encodings.readings[self.index]

    # -- the parts

    def _start(self, generator: torch.Generator) -> torch.Tensor:
        """The latent that a picture of the settings of now begins with."""
        s, vqgan = self.settings, self.pair.vqgan
        cells = (pixels // vqgan.downsample_factor for pixels in self.size)
        shape = (1, vqgan.latent_channels, *cells)
        noise = latents.noise(
            shape, activation=s.activation, at=s.activation_at, generator=generator
        )
        if "latent" in self.parts:
            start = self.parts["latent"]
            if tuple(start.shape) != shape:
                raise ValueError(f"latent has shape {tuple(start.shape)}: this run needs {shape}")
            return start
        start = self.starts.latent(s, self.reading, self.seed)
        return noise if start is None else latents.blend(start, noise, s.start_strength)

    @property
    def found(self) -> Start | None:
        """What library or prior have for the prompt of now, if the start is to be from there."""
        return self.starts.found(self.settings, self.reading, self.seed)

    def _encode(self) -> Encode:
        encode = self.pair.clip.encode_crops
        return functools.partial(encode, dtype=self.half) if self.half else encode

    def _synthesize(self, z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        codes = self.pair.vqgan.quantize(z) if self.settings.quantize else z
        picture = self.pair.vqgan.synthesize(
            codes, quantize=False, dtype=self.half or torch.float32
        )
        return picture, codes

    def _crops(self, picture: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        s, side = self.settings, self.pair.clip.resolution
        shaken: dict[str, Any] = dict(noise_factor=s.noise_factor, method=s.crop_method)
        shaken |= dict(generator=generator)
        if not self.areas:
            return create_crops(picture, s.crops, side, **shaken)
        seen = [outside(picture, self.areas), *(area.cut(picture) for area in self.areas)]
        shares = zip(seen, numbers_of_views(s.crops, len(self.areas)), strict=True)
        return torch.cat([create_crops(part, len(own), side, **shaken) for part, own in shares])

    def areas_of(self, settings: Settings) -> list[Area]:
        """Where the regions of settings are; ValueError for one that has no place here, or where
        crops or objective are not the loop's own."""
        if settings.regions and (own := {"crops", "objective"} & self.parts.keys()):
            raise ValueError(f"regions need the loop's own {' and '.join(sorted(own))}")
        looks = [n for n in ("palette", "style_image") if getattr(settings, n)]
        if looks and "objective" in self.parts:
            raise ValueError(
                f"{' and '.join(looks)} need the loop's own objective: add objectives.palette(...) "
                "or objectives.style(...) to yours"
            )
        return [parse_region(text).area(self.size) for text in settings.regions]

    def _objective(self) -> objectives.Objective:
        if "objective" in self.parts:
            given = objectives.as_objective(self.parts["objective"])
            return given.bind(lambda prompt: encode_prompt(self.pair.clip, prompt))
        about = (self.settings, self.encodings, self.index)
        start = functools.partial(self.starts.picture, self.settings, self.reading, self.seed)
        return make_objective(*about, start, self.pair.vqgan)

    def _adamw(self, parameters: list[torch.Tensor]) -> torch.optim.Optimizer:
        s = self.settings
        return torch.optim.AdamW(parameters, lr=s.learning_rate, weight_decay=s.weight_decay)

    # -- on the way

    def _similarity(self, views: torch.Tensor) -> torch.Tensor:
        """Mean cosine of the crops with what they are asked to show, in [-1, 1]."""
        return similarity(self.settings, self.encodings, self.index, views)

    def pixels(self, taken: Taken) -> Callable[[], torch.Tensor]:
        """How to make the picture to show: that of the running average where there is one."""
        loop = self.optimization
        if loop.average is None:
            picture = (taken.picture * 255).round().byte()
            return lambda: picture / 255
        average = loop.average.clone()
        return lambda: loop.picture(average)

    def apply(self, settings: Settings, encodings: Encodings) -> None:
        """Other live settings, from the next step on."""
        self.areas, loop = self.areas_of(settings), self.optimization
        self.settings, self.encodings = settings, encodings
        loop.objective, loop.ema_decay = self._objective(), settings.ema_decay
        loop.latent.activate(settings.activation, settings.activation_at)
        groups = loop.optimizer.param_groups
        for group, rate in zip(groups, self.rates or [settings.learning_rate], strict=True):
            group["lr"] = rate * 0.5**self.slowed
            if not self.rates:
                group["weight_decay"] = settings.weight_decay

    def loosen(self, share: float) -> None:
        """Move the latent by `share` in [0, 1] towards a fresh start for the prompt of now."""
        loop, z = self.optimization, self.optimization.latent.data
        start = self._start(loop.generator)
        with torch.no_grad():
            z.lerp_(start.to(z), share)
        loop.average = None
        loop.optimizer.state.pop(z, None)

    def _redraw(self) -> None:
        """Let the prior draw a part of the cells anew: less of them, the later it is."""
        s, loop = self.settings, self.optimization
        share = s.prior * (1 - loop.iteration / s.total_iter)
        if share > 0:
            self.pair.redraw(self.reading, loop, share)

    def state(self) -> State:
        """What it takes to go on bit for bit."""
        attempt = -1 if self.attempt is None else self.attempt
        own = {"slowed": torch.tensor(self.slowed), "attempt": torch.tensor(attempt)}
        return self.optimization.state_dict() | own

    def load(self, state: State) -> None:
        """Go back, or on, to what `state` gave; the settings are those of now."""
        self.optimization.load_state_dict(state)
        self.slowed, self.good = int(state["slowed"]), state
        attempt = int(state.get("attempt", 0))  # runs saved before there were tries lack it
        self.attempt = None if attempt < 0 else attempt
        self.apply(self.settings, self.encodings)

    def take(self, before: State) -> Taken | None:
        """A step of the loop from `before`, the state of now. Where it leaves the numbers: from one
        step earlier at half the rate, three times at most; then None. Diverged if that happens in
        the first step."""
        loop, at = self.optimization, self.optimization.iteration
        while True:
            try:
                taken = loop.step(before)
            except Diverged as e:
                if self.half:  # float16 ends at 65,504: some decoders go beyond
                    self.half, loop.scale = None, 1.0
                    loop.encode = self._encode()
                    warnings.warn(f"{e} in half precision: on in float32", stacklevel=5)
                    continue
                if at == 0:
                    raise
                slowed, good = self.slowed + 1, self.good
                self.load(good | {"slowed": torch.tensor(slowed), "iteration": torch.tensor(at)})
                self.good = good
                if slowed > SLOWED:
                    warnings.warn(f"{e}: stopped; the last good picture is kept", stacklevel=5)
                    return None
                rate = loop.optimizer.param_groups[0]["lr"]
                warnings.warn(f"{e}: one step back, and on at the rate {rate:g}", stacklevel=5)
                before = self.state()
            else:
                self.good = before
                if self.settings.prior and loop.iteration % REDRAW_EVERY == 0:
                    self._redraw()
                return taken
