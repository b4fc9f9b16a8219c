"""What a training is asked to do: dataclasses, and the command lines made from them."""

from __future__ import annotations

import argparse
import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

import torch


def option(default: Any, help: str) -> Any:
    """A dataclass field with the words that the command line says about it."""
    return field(default=default, metadata={"help": help})


@dataclass(kw_only=True)
class Options:
    """What every training takes."""

    data: Path = option(Path("emoji/data"), "what training.data wrote")
    out: Path = option(Path("emoji/run"), "checkpoints, logs and weights go here")
    steps: int = option(8000, "optimizer steps in all")
    batch: int = option(160, "pictures in a step")
    every: int = option(250, "steps between measurements and checkpoints")
    lr: float = option(1e-3, "highest learning rate")
    seed: int = option(0, "of the weights, the scenes and all else")
    device: str = option("", "cpu or cuda; left out: cuda where there is one")

    def __post_init__(self) -> None:
        self.data, self.out = Path(self.data), Path(self.out)
        self.device = self.device or ("cuda" if torch.cuda.is_available() else "cpu")
        for name in ("steps", "batch", "every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}: give at least 1")


T = TypeVar("T", bound=Options)


def parse(cls: type[T], description: str | None, argv: list[str] | None = None) -> T:
    """An instance of `cls` from a command line: DATA OUT, and --NAME VALUE for the other fields."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    annotations = get_type_hints(cls)
    for f in dataclasses.fields(cls):
        words = f.metadata["help"]
        if f.name in ("data", "out"):
            parser.add_argument(f.name, type=Path, metavar=f.name.upper(), help=words)
            continue
        kinds = get_args(annotations[f.name]) or (annotations[f.name],)  # Path | None: a Path
        words += "" if f.default in ("", None) else f" ({f.default})"
        flag = f"--{f.name.replace('_', '-')}"
        how = {"action": argparse.BooleanOptionalAction} if bool in kinds else {"type": kinds[0]}
        parser.add_argument(flag, default=f.default, help=words, **how)
    return cls(**vars(parser.parse_args(argv)))
