"""What all trainings share: optimizer, schedule, averaged weights, checkpoints, log and curves."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn
from torch.optim.swa_utils import AveragedModel

from vqclip_nb.files import write_atomically
from vqclip_nb.loop import warmed_up
from vqclip_nb.show import Figure

from .options import Options

log = logging.getLogger(__name__)


class Stateful(Protocol):
    """A part of a training that a checkpoint must hold."""

    def state_dict(self) -> Mapping[str, Any]: ...

    def load_state_dict(self, state: Any) -> Any: ...


def autocast(device: str | torch.device = "cpu") -> torch.autocast:
    """bfloat16 on a GPU, and on a CPU that computes in it: others imitate it, ten times slower."""
    kind = torch.device(device).type
    fast = kind == "cuda" or torch.backends.cpu.get_cpu_capability().startswith("AVX512")
    return torch.autocast(kind, torch.bfloat16, enabled=fast)


def _ema(average: torch.Tensor, value: torch.Tensor, count: torch.Tensor) -> torch.Tensor:
    """Exponential moving average with decay .998, shorter at the beginning; counters are copied."""
    if not average.is_floating_point():
        return value
    return average.lerp(value, 1 - warmed_up(0.998, int(count) + 1))


T = TypeVar("T", bound=Options)


def run(train: Callable[[T], Iterator[Trainer]], options: T) -> None:
    """Train to the end and log what is measured: what the training scripts do on a command line."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for _ in train(options):
        pass


class Trainer:
    """Takes the optimizer's steps for one network and keeps all that it takes to go on.

    parts: whatever else changes while training (a discriminator, its optimizer, generated
    negatives), each with `state_dict` and `load_state_dict`. A checkpoint holds them, the network,
    its average, optimizer, schedule and all random states, so that an interrupted training that
    goes on ends with the same weights as one that was not. One that exists is loaded at once; what
    is random must come from `rng`, `generator` or torch's global generator.
    """

    def __init__(
        self,
        name: str,
        model: nn.Module,
        options: Options,
        *,
        weight_decay: float,
        parts: Mapping[str, Stateful] | None = None,
    ) -> None:
        self.name, self.model, self.options = name, model, options
        options.out.mkdir(parents=True, exist_ok=True)
        self.optimizer = torch.optim.AdamW(
            _groups(model, weight_decay), lr=options.lr, betas=(0.9, 0.98)
        )
        warm, total = min(200, options.steps / 10), options.steps
        # Flat, then down to nothing over the last 40 %.
        self.scheduler = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer,
            lambda i: min((i + 1) / warm, max(0.002, min(1, (total - i) / (0.4 * total)))),
        )
        self.average = AveragedModel(model, avg_fn=_ema, use_buffers=True)
        self.average.eval().requires_grad_(False)
        self.generator = torch.Generator().manual_seed(options.seed)
        self.rng = np.random.default_rng(options.seed)
        self.step, self.seconds = 0, 0.0
        self.running: dict[str, float] = {}
        self.parts = {
            "model": model,
            "average": self.average,
            "optimizer": self.optimizer,
            "scheduler": self.scheduler,
            **(parts or {}),
        }
        if self.checkpoint.exists():
            self._load()
        self._clock = time.time()

    @property
    def checkpoint(self) -> Path:
        return self.options.out / f"{self.name}.ckpt"

    @property
    def done(self) -> bool:
        return self.step >= self.options.steps

    @property
    def due(self) -> bool:
        """Whether it is time to measure and to write a checkpoint."""
        return self.step % self.options.every == 0 or self.done

    def optimizer_step(self, loss: torch.Tensor, /, **figures: float) -> None:
        """Descend along `loss`; `figures` enter the log as running means."""
        if not torch.isfinite(loss):
            raise FloatingPointError(f"{self.name}: the loss is {loss.item()} at step {self.step}")
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.scheduler.step()
        self.average.update_parameters(self.model)
        self.step += 1
        for key, value in figures.items():
            self.running[key] = self.running.get(key, value) * 0.98 + value * 0.02

    def report(self, **figures: float) -> None:
        """Write a checkpoint and a line of the log with the running means and `figures`."""
        now = time.time()
        self.seconds, self._clock = self.seconds + now - self._clock, now
        self._save()
        row = {"step": self.step, "minutes": self.seconds / 60, **self.running, **figures}
        row = {k: round(v, 4) for k, v in row.items()}
        with open(self.options.out / f"{self.name}.jsonl", "a", encoding="utf8") as file:
            file.write(json.dumps(row) + "\n")
        left = (self.options.steps - self.step) * self.seconds / max(1, self.step) / 60
        log.info("%s %s, %.0f minutes left", self.name, row, left)

    def export(self, tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> Path:
        """Write weights, as they are to ship, to NAME.safetensors."""
        path = self.options.out / f"{self.name}.safetensors"
        return write_atomically(path, lambda part: save_file(tensors, part, metadata))

    def curves(self) -> Figure:
        """Every figure of the log over the steps."""
        with open(self.options.out / f"{self.name}.jsonl", encoding="utf8") as file:
            rows = [json.loads(line) for line in file]
        names = [k for k in rows[-1] if k not in ("step", "minutes", "scale", "adv_eps")]
        figure = Figure(figsize=(2.6 * len(names), 2.4), layout="constrained")
        for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
            known = [row for row in rows if name in row]
            axes.plot([row["step"] for row in known], [row[name] for row in known], marker=".")
            axes.set(title=name, xlabel="step")
        return figure

    def _save(self) -> None:
        state = {key: part.state_dict() for key, part in self.parts.items()}
        state["step"], state["seconds"], state["running"] = self.step, self.seconds, self.running
        state["random"] = {
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
            "generator": self.generator.get_state(),
            "numpy": json.dumps(self.rng.bit_generator.state),
        }
        write_atomically(self.checkpoint, partial(torch.save, state))

    def _load(self) -> None:
        state = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
        missing = self.parts.keys() - state.keys()
        if missing:
            raise ValueError(
                f"{self.checkpoint} holds no {', '.join(sorted(missing))}: it is from a training "
                "with other options; choose another folder"
            )
        for key, part in self.parts.items():
            part.load_state_dict(state[key])
        self.step, self.seconds, self.running = state["step"], state["seconds"], state["running"]
        random = state["random"]
        torch.set_rng_state(random["torch"])
        if random["cuda"] and torch.cuda.is_available():
            torch.cuda.set_rng_state_all(random["cuda"])
        self.generator.set_state(random["generator"])
        self.rng.bit_generator.state = json.loads(random["numpy"])
        log.info("%s: resumed at step %d", self.name, self.step)


def _groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Matrices and kernels with `weight_decay`; biases, norms, embeddings and codes without."""
    decayed, free = [], []
    for key, p in model.named_parameters():
        if p.requires_grad:
            small = p.ndim < 2 or "embedding" in key or "codebook" in key
            (free if small else decayed).append(p)
    return [
        {"params": decayed, "weight_decay": weight_decay},
        {"params": free, "weight_decay": 0.0},
    ]
