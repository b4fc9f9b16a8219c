"""One picture: a loop with its parts, its settings, and what is done when it diverges."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from .finish import finished
from .images import clamped, norm_data
from .knobs import shown
from .latents import Latent, fitted
from .loop import AdamW, Diverged, Optimization, State, StepResult
from .palettes import parse_colour, recolour
from .parts import PartBuilder, similarity
from .prompts import Encodings
from .reading import Reading
from .settings import JUDGED, Settings
from .weights.errors import out_of_memory

if TYPE_CHECKING:
    from .emoji.forming import Forming

SCALE = 1024.0  # of the loss where gradients are float16, so that small ones are not lost
Pixels = Callable[[], torch.Tensor]
MAX_SLOWED = 3  # how often a picture that diverges goes on at half the learning rate


@dataclass(eq=False)
class Painting:
    """Picture number `index` of include while it is being optimised.

    builder: makes the parts of the loop. settings: nothing left empty. attempt: number of the try,
    which is added to the seed; None: the tries are still to be made.
    """

    builder: PartBuilder
    settings: Settings
    encodings: Encodings
    index: int
    attempt: int | None = 0

    def __post_init__(self) -> None:
        builder, self.pair, self.slowed = self.builder, self.builder.pair, 0
        builder.areas(self.settings)
        self.dtype = builder.dtype
        self.medium = self.pair.medium(self.reading)
        self.forming = builder.forming(self)
        self.begun = 0  # step at which the shapes began to form
        self.shapes: torch.Tensor | None = None  # picture of the shapes once they are dressed
        self.kept: torch.Tensor | None = None  # and the latent of that
        # Seeded before the latent is drawn, and apart from the global generator.
        generator = torch.Generator().manual_seed(self.seed)
        z = builder.start(self, generator)
        self.drawn = torch.zeros(1, 1, *z.shape[2:], dtype=torch.bool, device=self.pair.device)
        self.optimization = self._loop(z, generator)
        groups = self.optimization.optimizer.param_groups if "optimizer" in builder.given else []
        self.given_rates = [group["lr"] for group in groups]  # learning rates of a given optimizer
        self.last_good = self.state()  # before the last step that did not diverge

    def _loop(self, z: torch.Tensor, generator: torch.Generator) -> Optimization:
        """The loop at its first step, from the latent z."""
        settings, given, clip = self.settings, self.builder.given, self.pair.clip
        at_every_step = dict(activation=settings.activation, at=settings.activation_at)
        latent = Latent(z, **at_every_step).to(self.pair.device)
        own: dict[str, Any] = dict(lr=settings.learning_rate, weight_decay=settings.weight_decay)
        make = given.get("optimizer", lambda parameters: AdamW(parameters, **own))
        if not callable(make):
            raise ValueError(
                f"optimizer={shown(make)}: give a function that makes one from a list of "
                "parameters, as lambda p: torch.optim.SGD(p, lr=1)"
            )
        return Optimization(
            latent,
            self._synthesize,
            given.get("crops") or functools.partial(self.builder.crops, self),
            lambda crops, random: clip.encode_crops(crops, random, dtype=self.dtype),
            self.builder.objective(self),
            make([latent.data]),
            measure=functools.partial(similarity, self),
            generator=generator,
            on_device=settings.random == "device" and "crops" not in given,
            ema_decay=settings.ema_decay,
            bounds=self.pair.vqgan.bounds() if settings.within_codebook else None,
            scale=SCALE if self.dtype == torch.float16 else 1.0,
            lot=self.builder.saving.lot,
        )

    @property
    def seed(self) -> int:
        """The settings' own, or that of a later try."""
        return self.settings.seed + (self.attempt or 0)

    @property
    def reading(self) -> Reading:
        return self.encodings.readings[self.index]

    @property
    def quantized(self) -> bool:
        """Whether the latent is snapped to the codebook: not once the shapes are dressed, for edges
        lie between the codes."""
        return self.settings.quantize and self.kept is None

    def _synthesize(self, z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        codes = self.pair.vqgan.quantize(z) if self.quantized else z
        decode = self.forming.decode if self.forming else self.pair.vqgan.decode
        data = decode(codes, dtype=self.dtype, again=self.builder.saving.again)
        picture = (clamped if self.settings.within_codebook else norm_data)(data)
        if self.medium and not self.forming:  # what forms is judged as the prior knows it
            picture = self.medium(picture)
        return picture, codes

    # -- steering

    def apply(self, settings: Settings, encodings: Encodings) -> None:
        """Other live settings, from the next step on."""
        before, palette = self.builder.forming(self), self.settings.palette
        self.settings, self.encodings = settings, encodings
        self.medium = self.pair.medium(self.reading)
        self._form_other(before, palette)
        loop = self.optimization
        loop.objective, loop.ema_decay = self.builder.objective(self), settings.ema_decay
        loop.latent.activate(settings.activation, settings.activation_at)
        self._set_rates()

    def _set_rates(self) -> None:
        rates = self.given_rates or [self.settings.learning_rate]
        for group, rate in zip(self.optimization.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * 0.5**self.slowed
            if not self.given_rates:
                group["weight_decay"] = self.settings.weight_decay

    def loosen(self, share: float) -> None:
        """Move the latent by `share` in [0, 1] towards a new start for the current prompt."""
        loop, z = self.optimization, self.optimization.latent.data
        if self.forming or self.kept is not None:
            return  # `apply` made other things form, or dressed them otherwise
        start = self.builder.start(self, loop.generator)
        with torch.no_grad():
            z.lerp_(start.to(z), share)
        loop.average = None
        loop.optimizer.state.pop(z, None)

    # -- from noise with a prior: shapes form, then they are dressed

    def _form(self, forming: Forming) -> None:
        """Let the prior draw cells anew; in the end dress what has formed and go on with that."""
        loop = self.optimization
        steps = forming.until(self.settings, self.begun) - self.begun
        at = loop.iteration - self.begun
        if at >= steps:
            with torch.no_grad():
                z = loop.latent(loop.average)
            codes = self.pair.vqgan.quantize(z) if self.quantized else z
            self.shapes = forming.finish(codes)
            self._dress(forming, self.shapes)
        elif at % forming.every(steps) == 0:
            forming.redraw(loop, self.drawn, self.settings.prior, at / steps)

    def _dress(self, forming: Forming, shapes: torch.Tensor) -> None:
        """On with shapes as the prompt wants them."""
        picture = forming.dress(shapes)
        if self.settings.palette:
            picture = recolour(picture, [parse_colour(c) for c in self.settings.palette])
        self.kept = fitted(self.pair.vqgan, picture, again=self.builder.saving.again)
        self.forming = None
        self._go_on(self.kept)

    def _form_other(self, before: Forming | None, palette: list[str]) -> None:
        """After a change: other things form in the steps that are left, the same ones are dressed
        otherwise."""
        forming, formed = self.builder.forming(self), self.kept is not None
        if forming and before and forming.things == before.things:
            if not formed:
                self.forming = forming
            elif self.shapes is not None:
                if (forming.look, self.settings.palette) != (before.look, palette):
                    self._dress(forming, self.shapes)
        elif (forming or before) and (self.settings.loosen or not formed):
            held = tuple(self.optimization.latent.data.shape)
            goes_on = self.forming is not None and forming is not None and forming.shape == held
            self.forming, self.kept, self.shapes = forming, None, None
            if self.settings.loosen or not goes_on:
                self.begun = self.optimization.iteration
                self.drawn.zero_()
            if not goes_on:
                self._go_on(self.builder.start(self, self.optimization.generator))

    def _go_on(self, z: torch.Tensor) -> None:
        """On with another latent, at the same step."""
        before = self.optimization
        self.optimization = self._loop(z, before.generator)
        self.optimization.iteration = before.iteration
        self.drawn = torch.zeros(1, 1, *z.shape[2:], dtype=torch.bool, device=self.pair.device)
        self._set_rates()

    # -- steps

    def state(self) -> State:
        """What it takes to continue bit for bit."""
        attempt = -1 if self.attempt is None else self.attempt
        own = {"slowed": torch.tensor(self.slowed), "attempt": torch.tensor(attempt)}
        if self.forming:
            own["drawn"], own["begun"] = self.drawn.clone(), torch.tensor(self.begun)
        elif self.kept is not None:
            own["kept"] = self.kept.clone()
            if self.shapes is not None:
                own["shapes"] = self.shapes.clone()
        return self.optimization.state_dict() | own

    def load(self, state: State, last_good: State | None = None) -> None:
        """The inverse of `state`, with the current settings. last_good: what a divergence goes back
        to, where that is another state."""
        was_forming = self.kept is None
        kept, shapes = state.get("kept"), state.get("shapes")
        self.kept = None if kept is None else kept.to(self.pair.device)
        self.shapes = None if shapes is None else shapes.to(self.pair.device)
        self.begun = int(state.get("begun", 0))
        if other := was_forming != (kept is None):  # before or after the shapes were dressed
            self.forming = self.builder.forming(self) if kept is None else None
        held = self.optimization.latent.data.shape
        if other or (self.forming and state["z"].shape != held):
            self._go_on(state["z"])
        if self.forming and "drawn" in state:
            self.drawn = state["drawn"].to(self.pair.device, copy=True)
        self.optimization.load_state_dict(state)
        self.slowed, self.last_good = int(state["slowed"]), last_good or state
        attempt = int(state.get("attempt", 0))  # runs saved before there were tries lack it
        self.attempt = None if attempt < 0 else attempt
        self.apply(self.settings, self.encodings)

    def step(self, before: State) -> StepResult | None:
        """One step of the loop from `before`, the current state; after an error, `load` it.

        On divergence it goes back to the state before the previous step and on at half the learning
        rate, `MAX_SLOWED` times; then the result is None. Diverged if the first step diverges. When
        memory ends, the same step is taken again with less, as `memory.SAVINGS` has it.
        """
        at = self.optimization.iteration
        while True:
            try:
                if self.forming and at:
                    self._form(self.forming)
                result = self.optimization.step()
            except Diverged as e:
                if self.dtype == torch.float16:  # which ends at 65,504: some decoders go beyond
                    self.dtype = torch.float32
                    self.load(before, self.last_good)
                    self.optimization.scale = 1.0
                    warnings.warn(f"{e} in half precision: on in float32", stacklevel=5)
                    continue
                if at == 0:
                    raise
                slowed, good = self.slowed + 1, self.last_good
                again = {"slowed": torch.tensor(slowed), "iteration": torch.tensor(at)}
                self.load(good | again, good)
                if slowed > MAX_SLOWED:
                    warnings.warn(f"{e}: stopped; the last good picture is kept", stacklevel=5)
                    return None
                rate = self.optimization.optimizer.param_groups[0]["lr"]
                warnings.warn(f"{e}: one step back, and on at the rate {rate:g}", stacklevel=5)
                before = self.state()
                continue
            except Exception as e:
                if not out_of_memory(e) or not self.builder.save_memory():
                    raise
            else:
                self.last_good = before
                return result
            torch.cuda.empty_cache()  # here what the step held is gone with its error
            self.load(before, self.last_good)
            self.optimization.lot = self.builder.saving.lot

    def try_out(self) -> float:
        """Mean similarity in [-1, 1] at the end of a try; -1 if it diverges."""
        found = []
        for _ in range(self.settings.steps_of_a_try):
            try:
                result = self.step(self.state())
            except Diverged:
                result = None
            if result is None:
                return -1.0
            found.append(result.similarity)
        return sum(found[-JUDGED:]) / JUDGED

    def pixels(self, result: StepResult, *, last: bool) -> tuple[Pixels, Pixels]:
        """What makes the picture of the running average, if there is one, and the step's own; the
        last of all is finished, but in a medium, which has strokes of its own."""
        loop, forming, medium = self.optimization, self.forming, self.medium
        finish = last and self.settings.finish and not medium

        def place(picture: torch.Tensor) -> torch.Tensor:
            whole = forming.show(picture) if forming else picture
            whole = medium(whole) if forming and medium else whole
            return finished(whole) if finish else whole

        own = functools.partial(place, (result.picture * 255).round() / 255)
        if loop.average is None:
            return own, own
        average = loop.average.clone()
        return lambda: place(loop.picture(average)), own
