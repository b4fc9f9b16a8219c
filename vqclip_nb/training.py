"""The loop: a `Run` takes steps, `training_loop` yields them as `Frame`s. No print, no widget."""

from __future__ import annotations

import io
import json
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from .crops import create_crops
from .export import recipe, save_gif, save_mp4, save_png
from .latents import Parameters, interpolate, paint
from .loss import report_loss
from .pairs import Pair
from .prompts import as_data, create_encodings, open_picture
from .settings import KNOBS, Settings
from .vqgan import norm_data, picture_of
from .weights import WeightsError, read_state

AT_ONCE = 32  # crops that CLIP judges at a time
STATES_KEPT = 64  # frames that can be continued from; beyond that every other one forgets its state


@dataclass
class Frame:
    """One step: the picture as it was judged, and the judgement.

    iteration counts from 0 within picture number `index` of include; loss and similarity are means
    over the crops; shown says whether the run keeps it. z (1, c, h, w) is the latent that made the
    picture.
    """

    iteration: int
    index: int
    loss: float
    similarity: float
    shown: bool
    pixels: np.ndarray | bytes = field(repr=False)  # (h, w, 3) uint8; kept frames hold PNG bytes
    state: dict[str, torch.Tensor] = field(default_factory=dict, repr=False)

    @property
    def image(self) -> Image.Image:
        """The picture, RGB."""
        if isinstance(self.pixels, bytes):
            return Image.open(io.BytesIO(self.pixels)).convert("RGB")
        return Image.fromarray(self.pixels)

    @property
    def z(self) -> torch.Tensor | None:
        return self.state.get("z")

    def keep(self, state: dict[str, torch.Tensor]) -> None:
        """Compress the picture, and remember what is needed to continue from here."""
        file = io.BytesIO()
        self.image.save(file, "PNG", compress_level=1)
        self.pixels, self.state = file.getvalue(), state


def optimize(
    params: Parameters,
    optimizer: torch.optim.Optimizer,
    pair: Pair,
    settings: Settings,
    include: torch.Tensor,
    extras: torch.Tensor | None,
    exclude: torch.Tensor | None,
    generator: torch.Generator,
) -> tuple[float, float, torch.Tensor]:
    """One step of the report's loop: paint, crop, judge, move the latent.

    Returns loss, similarity and the judged picture (1, 3, h, w) in [0, 1]. The gradient goes to the
    latent alone: both networks are frozen.
    """
    optimizer.zero_grad()
    picture = norm_data(paint(pair.vqgan, params(), quantize=settings.quantize))
    crops = create_crops(
        picture,
        settings.crops,
        pair.resolution,
        noise_factor=settings.noise_factor,
        method=settings.crop_method,
        generator=generator,
    )
    # CLIP judges a few crops at a time and hands back their gradient: what it keeps for that is
    # most of a step's memory. The painter then gets the gradient of all of them at once.
    seen = crops.detach().requires_grad_()
    loss = similarity = 0.0
    for some in seen.split(AT_ONCE):
        share = len(some) / len(seen)
        its_loss, its_similarity = report_loss(
            pair.encode_crops(some, generator),
            include,
            extras,
            exclude,
            w1=settings.w1,
            w2=settings.w2,
            alpha=settings.alpha,
            beta=settings.beta,
        )
        (its_loss * share).backward()
        loss += its_loss.detach() * share
        similarity += its_similarity.detach() * share
    crops.backward(seen.grad)
    optimizer.step()
    return loss.item(), similarity.item(), picture.detach()


class Run:
    """A text on its way to a picture: iterate it for frames; stop and go on as often as you like.

    frames: what was shown and kept. history: (index, iteration, loss, similarity) of every step.
    changes: (length of history, what changed). size: (height, width) in pixels.
    """

    def __init__(self, pair: Pair, settings: Settings) -> None:
        self.pair, self.settings = pair, settings
        height, width = settings.height or pair.size, settings.width or pair.size
        step = pair.vqgan.step
        self.size = (max(step, height // step * step), max(step, width // step * step))
        if self.size != (height, width):
            warnings.warn(
                f"{height}×{width} becomes {self.size[0]}×{self.size[1]}: "
                f"this generator paints in steps of {step} pixels",
                stacklevel=2,
            )
        self._start = open_picture(settings.init_image, self.size) if settings.init_image else None
        self.encodings = create_encodings(pair, settings)
        self.frames: list[Frame] = []
        self.history: list[tuple[int, int, float, float]] = []
        self.changes: list[tuple[int, dict[str, Any]]] = []
        self.seconds = 0.0
        self._last: Frame | None = None
        self._begin(0)

    def _begin(self, index: int) -> None:
        """Fresh latent, optimizer and random numbers for picture `index`, from the same seed."""
        s, step = self.settings, self.pair.vqgan.step
        self.index, self.iteration = index, 0
        # Seeded before the latent is drawn, and apart from the global generator.
        self.generator = torch.Generator().manual_seed(s.seed)
        start = None
        if self._start is not None:
            with torch.no_grad():
                start = self.pair.vqgan.encode(self._start.to(self.pair.device))
        shape = (1, self.pair.vqgan.channels, self.size[0] // step, self.size[1] // step)
        self.params = Parameters(
            shape,
            activation=s.activation,
            at=s.activation_at,
            generator=self.generator,
            start=start,
        ).to(self.pair.device)
        self.average = self.params.data.detach().clone()
        self._make_optimizer()

    def _make_optimizer(self) -> None:
        self.optimizer = torch.optim.AdamW(
            [self.params.data],
            lr=self.settings.learning_rate,
            weight_decay=self.settings.weight_decay,
        )

    @property
    def done(self) -> bool:
        return self.index >= len(self.settings.include)

    @property
    def seconds_left(self) -> float:
        """Estimate from the steps so far; 0 before the first."""
        left = (len(self.settings.include) - self.index) * self.settings.total_iter - self.iteration
        return self.seconds / max(1, len(self.history)) * max(0, left)

    @property
    def image(self) -> Image.Image | None:
        """The last picture so far, RGB; None before the first step."""
        return self._last.image if self._last else None

    @property
    def similarity(self) -> float | None:
        """Guide's similarity over the last ten steps, which evens out their random crops."""
        return float(np.mean([row[3] for row in self.history[-10:]])) if self.history else None

    def change(self, **changes: Any) -> None:
        """New values for live settings, from the next step on; ValueError names what needs a
        restart."""
        settings = self.settings.replace(**changes)
        changed = {
            k: getattr(settings, k)
            for k in KNOBS
            if getattr(settings, k) != getattr(self.settings, k)
        }
        fixed = [k for k in changed if not KNOBS[k].live]
        if fixed:
            raise ValueError(
                f"{', '.join(fixed)} cannot change while a picture forms: start a new run"
            )
        if not self.done and len(settings.include) <= self.index:
            raise ValueError(
                f"include has {len(settings.include)} entries, but picture {self.index + 1} is "
                "forming: keep at least as many"
            )
        if {"include", "exclude", "extras"} & changed.keys():
            self.encodings = create_encodings(self.pair, settings)
        self.settings = settings
        self.optimizer.param_groups[0].update(
            lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        if changed:
            self.changes.append((len(self.history), changed))

    def step(self) -> Frame:
        """One optimisation step; StopIteration when all pictures are done."""
        if self.done:
            raise StopIteration
        began, s = time.perf_counter(), self.settings
        enc, before = self.encodings, self._state()
        try:
            loss, similarity, picture = optimize(
                self.params,
                self.optimizer,
                self.pair,
                s,
                enc.include[self.index],
                enc.extras,
                enc.exclude,
                self.generator,
            )
        except BaseException as e:  # an interrupt too: the step is taken again from its beginning
            self._set_state(before)
            if not isinstance(e, torch.cuda.OutOfMemoryError):
                raise
            raise MemoryError(
                f"the GPU's memory is full: lower crops (now {s.crops}) or height and width "
                f"(now {self.size[0]}×{self.size[1]})"
            ) from e
        last = self.iteration + 1 >= s.total_iter
        shown = last or (self.iteration >= s.show_from and self.iteration % s.show_step == 0)
        if s.average:
            keep = min(s.average, self.iteration / (self.iteration + 10))
            self.average.lerp_(before["z"].to(self.average), 1 - keep)
            if shown:
                with torch.no_grad():
                    latent = self.params(self.average)
                    picture = norm_data(paint(self.pair.vqgan, latent, quantize=s.quantize))
        pixels = (picture[0] * 255).round().byte().permute(1, 2, 0).cpu().numpy()
        frame = Frame(self.iteration, self.index, loss, similarity, shown, pixels)
        self.history.append((self.index, self.iteration, loss, similarity))
        self._last = frame
        if shown:
            frame.keep(before)
            self.frames.append(frame)
            self._thin_states()
        self.iteration += 1
        if last:
            self.index += 1
            if not self.done:
                self._begin(self.index)
        self.seconds += time.perf_counter() - began
        return frame

    def __iter__(self) -> Iterator[Frame]:
        return training_loop(self)

    # -- states: what it takes to continue bit for bit

    def _state(self) -> dict[str, torch.Tensor]:
        state = {"z": self.params.data.detach().cpu().clone(), "random": self.generator.get_state()}
        if self.settings.average:
            state["average"] = self.average.cpu().clone()
        for key, value in self.optimizer.state.get(self.params.data, {}).items():
            state[f"adam.{key}"] = value.cpu().clone()
        return state

    def _set_state(self, state: dict[str, torch.Tensor]) -> None:
        device = self.pair.device
        with torch.no_grad():
            self.params.data.copy_(state["z"])
        self.average = state.get("average", state["z"]).to(device, copy=True)
        self.generator.set_state(state["random"].clone())
        self._make_optimizer()
        adam = {k[5:]: v for k, v in state.items() if k.startswith("adam.")}
        if adam:  # AdamW keeps its step count on the CPU
            self.optimizer.state[self.params.data] = {
                k: v.clone() if k == "step" else v.to(device, copy=True) for k, v in adam.items()
            }

    def _thin_states(self) -> None:
        with_state = [f for f in self.frames if f.state]
        if len(with_state) > STATES_KEPT:
            for frame, after in zip(with_state[1:-1:2], with_state[2::2], strict=False):
                if frame.index == after.index:  # each picture's last is what a morph goes through
                    frame.state = {}

    def branch(self, frame: Frame, **changes: Any) -> Run:
        """A second run that continues from a kept `frame` of this one, with live settings changed.

        ValueError if the frame's state is no longer kept (see STATES_KEPT).
        """
        if not frame.state:
            raise ValueError(
                f"iteration {frame.iteration} can no longer be continued: choose a frame near it"
            )
        run = Run(self.pair, self.settings)
        run.index, run.iteration = frame.index, frame.iteration
        run._set_state(frame.state)
        at = self._steps(frame)
        run.history, run.changes = self.history[:at], [c for c in self.changes if c[0] <= at]
        run.frames = [
            f for f in self.frames if (f.index, f.iteration) < (frame.index, frame.iteration)
        ]
        run._last, run.seconds = frame, self.seconds * at / max(1, len(self.history))
        if changes:
            run.change(**changes)
        return run

    # -- files

    def _portable(self, *, exact: bool) -> Settings:
        """The settings with the start picture itself in place of its path."""
        if self._start is None:
            return self.settings
        return self.settings.replace(init_image=as_data(self._start, exact=exact))

    def _steps(self, frame: Frame) -> int:
        """How many steps came before `frame`."""
        return self.history.index((frame.index, frame.iteration, frame.loss, frame.similarity))

    def recipe(self, frame: Frame | None = None) -> dict[str, Any]:
        """What is written into exported files: settings, pair, versions and how the picture, or
        that of an earlier `frame`, was made."""
        steps = self._steps(frame) + 1 if frame else len(self.history)
        changes = [[at, change] for at, change in self.changes if at < steps]
        return recipe(self._portable(exact=False), self.pair, steps=steps, changes=changes)

    def _images(self) -> list[Image.Image]:
        if not self.frames:
            raise ValueError("nothing to save yet: take at least one step")
        return [f.image for f in self.frames]

    def save_png(self, path: str | Path) -> Path:
        """Write the last picture."""
        if self.image is None:
            raise ValueError("nothing to save yet: take at least one step")
        return save_png(self.image, path, self.recipe())

    def save_gif(self, path: str | Path, *, fps: float = 10, boomerang: bool = False) -> Path:
        """Write the kept frames as an animation; `boomerang` plays it back again."""
        return save_gif(self._images(), path, self.recipe(), fps=fps, boomerang=boomerang)

    def save_mp4(self, path: str | Path, *, fps: float = 10, boomerang: bool = False) -> Path:
        """Write the kept frames as a film."""
        return save_mp4(self._images(), path, self.recipe(), fps=fps, boomerang=boomerang)

    def save(self, path: str | Path) -> Path:
        """Write everything needed to go on later, as safetensors; see `resume`."""
        from safetensors.torch import save_file

        path = Path(path)
        tensors = {} if self.done else {f"now.{k}": v for k, v in self._state().items()}
        tensors["history"] = torch.tensor(self.history, dtype=torch.float64).view(-1, 4)
        for i, frame in enumerate(self.frames):
            tensors[f"frame.{i}.png"] = torch.frombuffer(bytearray(frame.pixels), dtype=torch.uint8)
            tensors.update({f"frame.{i}.{k}": v for k, v in frame.state.items()})
        last = [] if self._last is None else [self._last.index, self._last.iteration]
        metadata = {
            "settings": self._portable(exact=True).to_json(),
            "pair": self.pair.name,
            "hashes": json.dumps(self.pair.hashes),
            "place": json.dumps([self.index, self.iteration, self.seconds, last]),
            "changes": json.dumps(self.changes),
            "frames": json.dumps(
                [[f.iteration, f.index, f.loss, f.similarity] for f in self.frames]
            ),
        }
        part = path.with_name(path.name + ".part")
        try:
            save_file(tensors, part, metadata)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        return path

    @classmethod
    def resume(cls, path: str | Path, pair: Pair) -> Run:
        """A saved run, to be continued bit for bit. WeightsError if the file is damaged, ValueError
        if it was made with other networks.
        """
        tensors, metadata = read_state(path)
        if "place" not in metadata:
            raise WeightsError(f"{path} holds no saved run")
        if json.loads(metadata["hashes"]) != pair.hashes:
            raise ValueError(
                f"{path} was made with the pair {metadata['pair']!r} of other weights than "
                f"{pair.name!r} here"
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # said when the run was first made
            run = cls(pair, Settings.from_json(metadata["settings"]))
        run.index, run.iteration, run.seconds, last = json.loads(metadata["place"])
        run.changes = [(at, change) for at, change in json.loads(metadata["changes"])]
        run.history = [(int(a), int(b), c, d) for a, b, c, d in tensors["history"].tolist()]
        for i, (iteration, index, loss, similarity) in enumerate(json.loads(metadata["frames"])):
            state = {
                k.split(".", 2)[2]: v for k, v in tensors.items() if k.startswith(f"frame.{i}.")
            }
            png = bytes(state.pop("png").tolist())
            run.frames.append(Frame(iteration, index, loss, similarity, True, png, state))
        run._last = run.frames[-1] if run.frames and last else None
        if not run.done:
            run._set_state({k[4:]: v for k, v in tensors.items() if k.startswith("now.")})
        return run


def training_loop(run: Run) -> Iterator[Frame]:
    """Yield a `Frame` for every step until the last picture is done.

    Whoever iterates decides what to do with a frame; leaving early, or an interrupt, loses nothing:
    iterating the run again goes on where it stopped.
    """
    while not run.done:
        yield run.step()


@torch.no_grad()
def morph(runs: Sequence[Run], between: int = 12) -> Iterator[Image.Image]:
    """Pictures on the way through the last latents of every picture of `runs` (the report's res_z).

    ValueError for fewer than two pictures, for unlike sizes, or for runs of different pairs.
    """
    if len({id(run.pair) for run in runs}) > 1:
        raise ValueError("a morph needs pictures that were painted with the same pair")
    ends = [
        run.params(frame.state.get("average", frame.z).to(run.pair.device))
        for run in runs
        for frame in {f.index: f for f in run.frames if f.state}.values()
    ]
    for latent in interpolate(ends, between):
        picture = norm_data(paint(runs[0].pair.vqgan, latent, quantize=runs[0].settings.quantize))
        yield picture_of(picture[0])
