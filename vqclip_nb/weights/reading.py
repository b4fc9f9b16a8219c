"""Safe reading of weights from anywhere: bounded, and nothing in them is run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from .archives import read_tensors
from .errors import WeightsError, memory_errors, out_of_memory
from .names import ForeignName

MAX_HEADER = 100_000_000  # bytes of a safetensors file's description of its tensors: the format's
MAX_QUOTES = 2_000_000  # in it, eight or more for each tensor; a picture as text has none


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
    size = path.stat().st_size
    with memory_errors(f"read {path} ({size / 1e6:,.0f} MB)"):
        try:
            with open(path, "rb") as file:
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
        tensors = {k: f.get_tensor(k) for k in f.keys() if keep(k)}
        return tensors, f.metadata() or {}
