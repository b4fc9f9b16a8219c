"""Reads safetensors, TorchScript archives and checkpoints of torch 1.6 and later as data: bounded,
and nothing in them is run."""

import io
import sys
import zipfile
from collections.abc import Callable, Iterator
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import torch

from .errors import WeightsError, memory_errors, out_of_memory
from .unpickle import MAX_PICKLE, ForeignName, Placeholder, Storage, View, unpickle

MAX_HEADER = 100_000_000  # bytes of a safetensors file's description of its tensors: the format's
MAX_QUOTES = 2_000_000  # in it, eight or more for each tensor; a picture as text has none
MAX_DIRECTORY = 16_000_000  # bytes of a zip's list of contents
MAX_TENSORS, MAX_DEPTH = 100_000, 64  # attributes of modules, modules inside each other
MAX_DIMENSIONS = 16
MAX_NAME = 1000  # letters of a weight's full name
CHUNK = 1 << 20

Tensors = dict[str, torch.Tensor]
Keep = Callable[[str], bool]
Read = Callable[[Storage], bytearray]


def read_state(path: str | Path, keep: Keep | None = None) -> tuple[Tensors, dict[str, str]]:
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
    with memory_errors(f"read {path} ({size / 1e6:,.0f} MB)"), open(path, "rb") as file:
        try:
            head = file.read(9)
            if path.suffix == ".safetensors" or head[8:] == b"{":
                return _read_safetensors(path, file, keep)
            return _read_pickled(file, size, keep), {}
        except ForeignName as e:
            raise WeightsError(
                f"{path} holds more than tensors and was not read: it names {str(e)[:200]}"
            ) from e
        except Exception as e:
            if out_of_memory(e):
                raise
            words = str(e).partition("\n")[0][:200] or type(e).__name__
            raise WeightsError(f"{path} is damaged or no weight file: {words}") from e


def _read_safetensors(path: Path, file: BinaryIO, keep: Keep) -> tuple[Tensors, dict[str, str]]:
    from safetensors import safe_open

    file.seek(0)
    length = int.from_bytes(file.read(8), "little")
    if length > MAX_HEADER:
        raise ValueError(f"its header is said to have {length:,} bytes")
    if file.read(length).count(b'"') > MAX_QUOTES:
        raise ValueError("its header names too many tensors")
    with safe_open(path, "pt") as f:  # checks sizes and places against the file by itself
        return {k: f.get_tensor(k) for k in f.keys() if keep(k)}, f.metadata() or {}


def _read_pickled(file: BinaryIO, size: int, keep: Keep) -> Tensors:
    """Tensors of the state dict in a file of `size` bytes."""
    file.seek(0)
    views: dict[Any, Any] = {}
    if file.read(2) != b"PK":
        raise ValueError(
            "it is neither safetensors nor a zip of torch's; a file from before torch 1.6 is one "
            "once torch has read and saved it"
        )
    found, read = _open_zip(file, size)
    if isinstance(found, Placeholder):
        views = dict(_of_module(found))
    elif isinstance(found, dict):
        found = found.get("state_dict", found.get("model", found))  # Lightning's, LlamaGen's
        views = found if isinstance(found, dict) else {}
    views = {k: v for k, v in views.items() if isinstance(k, str) and isinstance(v, View)}
    if not views:
        raise ValueError("it holds no state dict")
    return _materialize({k: v for k, v in views.items() if keep(k)}, size, read)


# -- tensors


def _materialize(views: dict[str, View], size: int, read: Read) -> Tensors:
    """The tensors themselves; every storage is read once, and together they hold no more than
    twice the file."""
    for name, view in views.items():
        _check(name, view)
    total = sum(prod(v.size) * v.storage.dtype.itemsize for v in views.values())
    if total > 2 * size:
        raise ValueError(f"its tensors would take {total:,} bytes, the file has {size:,}")
    rows: Tensors = {}
    for storage in {v.storage for v in views.values()}:
        # `frombuffer` takes no empty buffer.
        data = read(storage) if storage.numel else bytearray(storage.dtype.itemsize)
        rows[storage.key] = torch.frombuffer(data, dtype=storage.dtype)
    return {
        name: rows[view.storage.key].as_strided(view.size, view.stride, view.offset)
        for name, view in views.items()
    }


def _check(name: str, view: View) -> None:
    """A view must lie within its storage and show no number more often than it is there."""
    storage, offset, size, stride = view
    if not isinstance(storage, Storage):
        raise ValueError(f"{name!r} has no storage")
    if not (type(size) is type(stride) is tuple and len(size) == len(stride) <= MAX_DIMENSIONS):
        raise ValueError(f"{name!r} has no shape")
    odd = any(type(n) is not int or not 0 <= n < 1 << 48 for n in (offset, *size, *stride))
    if odd or prod(n for n in size if n) >= 1 << 48:
        raise ValueError(f"{name!r} has an impossible shape")
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    held = storage.numel
    if prod(size) > held or (prod(size) and last >= held) or offset > held:
        raise ValueError(f"{name!r} is larger than what is stored of it")


def _of_module(root: Placeholder) -> Iterator[tuple[str, View]]:
    """Tensors of a stored module and the modules in it, by their full names."""
    waiting = [("", root, 0)]
    count = 0
    while waiting:
        prefix, module, depth = waiting.pop()
        inside = []
        for name, value in module.attributes.items():
            count += 1
            if count > MAX_TENSORS or depth > MAX_DEPTH:
                raise ValueError("its modules are nested too deep, or are too many")
            if type(name) is not str or len(prefix) + len(name) > MAX_NAME:
                raise ValueError("it has names that are too long, or no texts")
            if isinstance(value, Placeholder):
                inside.append((f"{prefix}{name}.", value, depth + 1))
            elif isinstance(value, View):
                yield f"{prefix}{name}", value
        waiting += reversed(inside)


# -- torch's zip


class _Bounded(io.BufferedReader):
    """A file that never gives more than `MAX_DIRECTORY` bytes at once: a zip's list of contents is
    read whole, at the length that the zip declares."""

    def read(self, size: int | None = -1) -> bytes:
        if size is not None and size > MAX_DIRECTORY:
            raise ValueError("its list of contents is too long")
        return super().read(size)


def _open_zip(file: BinaryIO, size: int) -> tuple[Any, Read]:
    """The pickled object, and how to read its storages."""
    archive = zipfile.ZipFile(_Bounded(file.raw))  # type: ignore[attr-defined]
    entries = sorted(archive.infolist(), key=lambda e: e.header_offset)
    names = {entry.filename for entry in entries}
    if len(names) < len(entries):
        raise ValueError("two of its entries have the same name")
    ends = [e.header_offset + 30 + e.compress_size for e in entries]
    if any(end > after.header_offset for end, after in zip(ends, entries[1:], strict=False)):
        raise ValueError("its entries overlap")
    if not entries or ends[-1] > size:
        raise ValueError("its entries are larger than the file")
    roots = [n.partition("/")[0] for n in names if n.count("/") == 1 and n.endswith("/data.pkl")]
    if len(roots) != 1:
        raise ValueError("it holds no pickle of torch's" if not roots else "it holds two pickles")
    root = roots[0]

    def small(name: str, limit: int) -> bytes:
        entry = archive.getinfo(name)
        if entry.file_size > limit:
            raise ValueError(f"{name} has {entry.file_size:,} bytes, more than {limit:,}")
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"{name} is compressed in an unusual way")
        return archive.read(entry)

    def read(storage: Storage) -> bytearray:
        entry = archive.getinfo(f"{root}/data/{storage.key}")
        stored = entry.compress_type == zipfile.ZIP_STORED
        if not stored or not storage.nbytes == entry.file_size == entry.compress_size:
            raise ValueError(f"storage {storage.key!r} has not the size that was declared")
        data = bytearray()
        with archive.open(entry) as file:  # compares its checksum at the end
            while part := file.read(CHUNK):
                data += part
        return data

    order = f"{root}/byteorder"
    if order in names and small(order, 100).decode().strip() != sys.byteorder:
        raise ValueError("it was written on a machine with another byte order")
    return unpickle(small(f"{root}/data.pkl", MAX_PICKLE)), read
