"""Safe reading of weights and configurations from anywhere: bounded, and nothing in them is run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from .archives import read_tensors
from .errors import WeightsError, memory_errors, out_of_memory
from .unpickling import ForeignName

MAX_HEADER = 100_000_000  # bytes of a safetensors file's description of its tensors: the format's
MAX_QUOTES = 2_000_000  # in it, eight or more for each tensor; a picture as text has none
MAX_CONFIG = 65_536  # bytes of a configuration; the published ones have less than 1,000
MAX_CONFIG_DEPTH = 20


def read_state(
    path: str | Path, keep: Callable[[str], bool] | None = None
) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Tensors by name, and metadata, out of safetensors, a TorchScript archive, or a (Lightning)
    checkpoint; with `keep` only those whose names it wants.

    All are read as data. Raises WeightsError if the file is none of these, is cut off, declares
    more than it holds, or names other classes; MemoryError if it does not fit into memory.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"{path}: no such file")
    keep = keep or (lambda name: True)
    with memory_errors(path):
        try:
            with open(path, "rb") as file:
                size = path.stat().st_size
                head = file.read(9)
                if path.suffix == ".safetensors" or head[8:] == b"{":
                    length = int.from_bytes(head[:8], "little")
                    if length > MAX_HEADER:
                        raise ValueError(f"its header is said to have {length:,} bytes")
                    file.seek(8)
                    if file.read(length).count(b'"') > MAX_QUOTES:
                        raise ValueError("its header names too many tensors")
                    return _read_safetensors(path, keep)
                tensors = read_tensors(file, size, keep)
        except ForeignName as e:
            raise WeightsError(
                f"{path} holds more than tensors and was not read: it names {str(e)[:200]}"
            ) from e
        except Exception as e:
            if out_of_memory(e):
                raise
            words = str(e).partition("\n")[0][:200] or type(e).__name__
            raise WeightsError(f"{path} is damaged or no weight file: {words}") from e
    if tensors is None:
        raise WeightsError(f"{path} holds no state dict")
    return tensors, {}


def _read_safetensors(
    path: Path, keep: Callable[[str], bool]
) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    from safetensors import safe_open

    with safe_open(path, "pt") as f:  # checks sizes and places against the file by itself
        tensors = {k: f.get_tensor(k) for k in f.keys() if keep(k)}  # noqa: SIM118
        return tensors, f.metadata() or {}


def read_config(path: str | Path) -> dict[str, Any]:
    """A VQGAN's OmegaConf yaml as a plain dict with ddconfig, embed_dim and n_embed.

    Raises WeightsError, also for aliases, tags and `${...}`: nothing in it is resolved.
    """
    try:
        with open(path, "rb") as file:
            text = file.read(MAX_CONFIG + 1)
        if len(text) > MAX_CONFIG:
            raise ValueError(f"it is longer than {MAX_CONFIG:,} bytes")
        return parse_config(text.decode())
    except Exception as e:
        raise WeightsError(
            f"{path} is no VQGAN configuration: it needs ddconfig, embed_dim and n_embed "
            f"({str(e)[:300] or type(e).__name__})"
        ) from e


def parse_config(text: str) -> dict[str, Any]:
    """As `read_config`, of a yaml's text. Raises ValueError and the like."""
    from omegaconf import OmegaConf

    _check_yaml(text)
    config = OmegaConf.to_container(OmegaConf.create(text), resolve=False)
    while "ddconfig" not in config:  # published files nest it as model.params, Gumbel ones as ours
        config = config["model" if "model" in config else "params"]
    found = {key: config[key] for key in ("ddconfig", "embed_dim", "n_embed")}
    if not isinstance(found["ddconfig"], dict):
        raise ValueError("its ddconfig is no list of settings")
    for key in ("embed_dim", "n_embed"):
        if type(found[key]) is not int or not 0 < found[key] <= 1 << 20:
            raise ValueError(f"its {key} is {found[key]!r}, not a whole number from 1 to 1,048,576")
    return found


def _check_yaml(text: str) -> None:
    """ValueError for what makes a short yaml large, deep, or dependent on this machine."""
    import yaml

    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise ValueError("it repeats parts by aliases, which are not read")
        if getattr(event, "tag", None):
            raise ValueError(f"it has the tag {event.tag!r}, and tags are not read")
        if isinstance(event, yaml.ScalarEvent) and "${" in event.value:
            raise ValueError(f"it refers to {event.value[:80]!r}, and references are not resolved")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_CONFIG_DEPTH:
            raise ValueError(f"it is nested deeper than {MAX_CONFIG_DEPTH} levels")
