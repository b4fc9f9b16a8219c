"""The training loop: decode, crop, encode, compute the loss, update the latent (report, chapter 4).

`Optimization` knows tensors and functions only: no text, no file, no setting, no pair.
"""

import inspect
import math
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field

import torch

from .latents import Latent

MAX_LATENT = 1e4  # larger values mean divergence

Synthesize = Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
Crops = Callable[[torch.Tensor, torch.Generator], torch.Tensor]
Encode = Callable[[torch.Tensor, torch.Generator], torch.Tensor]
Measure = Callable[[torch.Tensor], torch.Tensor]
State = dict[str, torch.Tensor]


class Diverged(ArithmeticError):
    """The loss is NaN or infinite, or the latent exceeds `MAX_LATENT`."""


class AdamW(torch.optim.AdamW):
    """torch's own, with its methods as they are without their decorators. These import torch's
    compiler, which takes longer than painting, only to say that it shall leave them alone."""

    add_param_group = inspect.unwrap(torch.optim.AdamW.add_param_group)
    zero_grad = inspect.unwrap(torch.optim.AdamW.zero_grad)
    step = torch.no_grad()(inspect.unwrap(torch.optim.AdamW.step))


@dataclass(frozen=True)
class Step:
    """The tensors of one optimisation step, as the objective gets them.

    z: the latent (1, c, h, w). codes: the decoder's input, same shape. picture: (1, 3, H, W) in
    [0, 1]. crops: (n, 3, s, s), one batch of the step's. encodings: CLIP's, of these crops, (n, d).
    first: index of the first of these crops. share: their part of all crops of the step.
    """

    z: torch.Tensor
    codes: torch.Tensor
    picture: torch.Tensor
    crops: torch.Tensor
    encodings: torch.Tensor
    first: int = 0
    share: float = 1.0


@dataclass(frozen=True)
class StepResult:
    """A step's loss, the value of `measure`, the picture (1, 3, H, W) in [0, 1] that the loss is
    of, and the encodings (n, d) of its crops."""

    loss: float
    similarity: float
    picture: torch.Tensor
    encodings: torch.Tensor


def warmed_up(decay: float, step: int) -> float:
    """The decay of a running average at `step`, which counts from 1: smaller in the first steps, so
    that the start soon loses its weight."""
    return min(decay, step / (step + 10))


@dataclass(eq=False)
class Optimization:
    """A latent that is optimised, with the parts of the loop.

    latent: the parameter. synthesize: latent (1, c, h, w) to picture (1, 3, H, W) in [0, 1] and the
    codes behind it. crops: picture to views (n, 3, s, s). encode: views to encodings (n, d).
    objective: a `Step` to a scalar that is minimised. optimizer: one that holds `latent.data`.
    measure: encodings of all views to a scalar, given with the loss. generator: on the CPU;
    where crops and encode draw from, or with `on_device` what seeds their own on the latent's
    device in each step. ema_decay: of the running average of the latent; 0 is none. bounds: what
    the latent is kept between after each step. scale: of the loss while gradients are
    computed, which float16 needs. lot: crops that are encoded at a time.

    All parts but the latent may be replaced between two steps. A step waits for its device once.
    """

    latent: Latent
    synthesize: Synthesize
    crops: Crops
    encode: Encode
    objective: Callable[[Step], torch.Tensor]
    optimizer: torch.optim.Optimizer
    _: KW_ONLY
    measure: Measure | None = None
    generator: torch.Generator = field(default_factory=lambda: torch.Generator().manual_seed(0))
    on_device: bool = False
    ema_decay: float = 0.0
    bounds: tuple[torch.Tensor, torch.Tensor] | None = None
    scale: float = 1.0
    lot: int = 32

    def __post_init__(self) -> None:
        optimizer, data = self.optimizer, self.latent.data
        closure = isinstance(optimizer, torch.optim.LBFGS)
        if closure or not isinstance(optimizer, torch.optim.Optimizer):
            why = "needs several losses a step" if closure else "is no optimizer of torch's"
            raise ValueError(
                f"{type(optimizer).__name__} {why}: use one as torch.optim.AdamW, Adam or SGD"
            )
        if not any(p is data for group in optimizer.param_groups for p in group["params"]):
            raise ValueError(f"{type(optimizer).__name__} does not hold the latent: give it that")
        own = self.on_device and data.is_cuda
        self.own = torch.Generator(data.device) if own else None
        self.iteration = 0
        self.average: torch.Tensor | None = None

    @torch.enable_grad()  # an interrupt at the edge of torch.no_grad() leaves gradients off
    def step(self) -> StepResult:
        """One step. After an error or an interrupt, `load_state_dict` goes back to before it.

        Diverged on NaN or divergence; ValueError names a part that returns the wrong shape.
        """
        self.optimizer.zero_grad()
        z_before = self.latent.data.detach().clone()
        random = self.generator
        if self.own is not None:
            random = self.own.manual_seed(int(torch.randint(2**62, (), generator=random)))
        z = self.latent()
        picture, codes = self.synthesize(z)
        crops = _shaped("crops", self.crops(picture, random), (None, 3, None, None))
        # Terms work on detached leaves; the gradients of all CLIP batches then go back through
        # crops, decoder and latent in one pass.
        made = (z, codes, picture, crops)
        leaves = [t.detach().requires_grad_() for t in made]
        values, encodings, first = [], [], 0
        z, codes, picture, views = leaves
        for chunk in views.split(self.lot):
            seen = _shaped("encode", self.encode(chunk, random), (len(chunk), None))
            weight = len(chunk) / len(crops)
            value = self.objective(Step(z, codes, picture, chunk, seen, first, weight))
            if not _shaped("objective", value, ()).requires_grad:
                raise ValueError("the objective does not depend on what the step made")
            (value * (weight * self.scale)).backward()
            values.append((value.detach(), weight))
            encodings.append(seen.detach())
            first += len(chunk)
        # As scalars with these gradients: `backward` imports sympy for what is none.
        pairs = [(t, s.grad) for t, s in zip(made, leaves, strict=True) if s.grad is not None]
        torch.autograd.backward([(t * g).sum() for t, g in pairs])
        data = self.latent.data
        if self.scale != 1 and data.grad is not None:
            data.grad /= self.scale
        self.optimizer.step()
        if self.bounds:
            with torch.no_grad():
                data.copy_(data.maximum(self.bounds[0]).minimum(self.bounds[1]))
        seen = torch.cat(encodings)
        told = [value for value, _ in values] + [data.detach().abs().max()]
        told += [self.measure(seen)] if self.measure else []
        numbers = torch.stack([n.float() for n in told]).tolist()  # the one wait for the device
        loss = sum(n * weight for n, (_, weight) in zip(numbers, values, strict=False))
        if not math.isfinite(loss):
            raise Diverged(f"the objective gave {loss} in step {self.iteration}")
        if not numbers[len(values)] < MAX_LATENT:  # NaN is not below it either
            raise Diverged(f"the latent ran away in step {self.iteration}")
        self._average(z_before)
        self.iteration += 1
        similarity = numbers[-1] if self.measure else math.nan
        return StepResult(loss, similarity, picture.detach(), seen)

    def _average(self, z: torch.Tensor) -> None:
        """Move the running average towards the latent that made the picture."""
        if not self.ema_decay:
            self.average = None
            return
        keep = warmed_up(self.ema_decay, self.iteration)
        self.average = z.clone() if self.average is None else self.average.lerp(z, 1 - keep)

    def picture(self, z: torch.Tensor | None = None) -> torch.Tensor:
        """The picture (1, 3, H, W) of the latent, or of another `z`, as its running average."""
        with torch.no_grad():
            return self.synthesize(self.latent(z))[0]

    def state_dict(self) -> State:
        """What it takes to go on bit for bit: contiguous tensors, on the latent's device."""
        whole = torch.contiguous_format
        state = {
            "z": self.latent.data.detach().clone(memory_format=whole),
            "random": self.generator.get_state(),
            "iteration": torch.tensor(self.iteration),
        }
        if self.average is not None:
            state["average"] = self.average.clone(memory_format=whole)
        for key, value in self.optimizer.state.get(self.latent.data, {}).items():
            if isinstance(value, torch.Tensor):
                state[f"optimizer.{key}"] = value.clone(memory_format=whole)
        return state

    def load_state_dict(self, state: State) -> None:
        """The inverse of `state_dict`; ValueError if the latent has another shape."""
        data = self.latent.data
        _shaped("latent", state["z"], tuple(data.shape))
        with torch.no_grad():
            data.copy_(state["z"])
        self.generator.set_state(state["random"].clone())
        self.iteration = int(state["iteration"])
        average = state.get("average")
        self.average = None if average is None else average.to(data.device, copy=True)
        self.optimizer.state.pop(data, None)
        held = {k[10:]: v for k, v in state.items() if k.startswith("optimizer.")}
        if held:  # optimizers keep their step count on the CPU
            self.optimizer.state[data] = {
                k: v.clone() if k == "step" else v.to(data.device, copy=True)
                for k, v in held.items()
            }


def _shaped(part: str, tensor: torch.Tensor, shape: tuple[int | None, ...]) -> torch.Tensor:
    if not isinstance(tensor, torch.Tensor):
        raise ValueError(f"{part} gave {tensor!r}: expected is a tensor")
    given = tuple(tensor.shape)
    if len(given) != len(shape) or any(
        s not in (None, g) for g, s in zip(given, shape, strict=False)
    ):
        expected = ", ".join("n" if s is None else str(s) for s in shape)
        raise ValueError(f"{part} gave a tensor of shape {given}: expected is ({expected})")
    return tensor
