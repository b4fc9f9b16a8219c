"""Files of our own: safetensors with their SHA-256 beside them, and the slim cache of published
networks made of them."""

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from ..files import write_atomically
from .config import read_config
from .download import File, cache_folder, fetch, sha256_of, size_of
from .errors import WeightsError, disk_errors, memory_errors
from .read import read_state

log = logging.getLogger(__name__)

Checked = tuple[dict[str, torch.Tensor], dict[str, str], str]


def write_state(path: Path, state: dict[str, torch.Tensor], metadata: dict[str, str]) -> str:
    """Write safetensors, leave the SHA-256 beside it, return it. Raises WeightsError if the disk is
    full or may not be written, MemoryError."""
    from safetensors.torch import save

    with memory_errors(f"write {path}"):
        tensors = {k: v.detach().cpu().contiguous() for k, v in state.items()}
        shared = Counter(v.untyped_storage().data_ptr() for v in tensors.values())
        for name, tensor in tensors.items():  # safetensors refuses two tensors in one place
            if shared[tensor.untyped_storage().data_ptr()] > 1:
                tensors[name] = tensor.clone()
        content = save(tensors, metadata)  # `save_file` leaves a temporary file when it is killed
    digest = hashlib.sha256(content).hexdigest()

    def write(part: Path) -> None:
        part.write_bytes(content)
        line = f"{digest}  {path.name}\n"
        write_atomically(path.with_suffix(".sha256"), lambda beside: beside.write_text(line))

    with disk_errors(path.parent, len(content)):
        write_atomically(path, write)
    return digest


def read_checked(path: Path) -> Checked:
    """Tensors, metadata, SHA-256 of a file that `write_state` wrote; a corrupt one is refused."""
    digest, beside = sha256_of(path), path.with_suffix(".sha256")
    if not beside.is_file():
        raise WeightsError(f"{path} has no SHA-256 beside it, in {beside.name}")
    if beside.read_bytes()[:64] != digest.encode():
        raise WeightsError(f"{path} is corrupt: its SHA-256 is {digest}")
    return *read_state(path), digest


def slim_path(name: str) -> Path:
    """Where the slim copy of a published network is, or will be."""
    return cache_folder() / f"{name.replace('/', '-')}.safetensors"


def arrived(name: str, file: File) -> int:
    """Bytes of a published network's file that are here; all of them if its slim copy is."""
    if slim_path(name).exists():
        return file.bytes or 0
    whole = cache_folder(local=True) / file.name
    return max(size_of(whole), size_of(whole.with_name(f"{whole.name}.part")))


def slim_cache(
    name: str,
    keep: Callable[[str], bool],
    file: File,
    config: File | Mapping[str, Any] | None = None,
) -> Checked:
    """Tensors, metadata and SHA-256 of a published network, from the slim cache.

    The first call fetches the published file, keeps the tensors that `keep` names as safetensors
    with the configuration inside, and removes the original; a corrupt cache file is made anew.
    Raises WeightsError, or MemoryError if the network does not fit into memory.
    """
    from filelock import FileLock

    path = slim_path(name)
    if found := _sound(path):
        return found
    with disk_errors(path.parent, file.bytes), FileLock(path.with_suffix(".lock")):
        if found := _sound(path):  # made by another process while this one waited
            return found
        path.unlink(missing_ok=True)
        original = fetch(file)
        metadata = dict(source=file.name, source_sha256=file.sha256, licence=file.licence)
        if file.facts:
            metadata["facts"] = json.dumps(file.facts)
        if config:
            if isinstance(config, File):
                config = read_config(fetch(config))
            metadata["config"] = json.dumps(config)
        write_state(path, read_state(original, keep)[0], metadata)
        original.unlink()
    return read_checked(path)


def _sound(path: Path) -> Checked | None:
    """What `read_checked` reads, or None if the file is not there or corrupt."""
    try:
        return read_checked(path) if path.exists() else None
    except (WeightsError, OSError) as e:
        log.warning("%s: made anew", e)
        return None
