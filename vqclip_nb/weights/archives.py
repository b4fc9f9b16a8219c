"""The three forms of torch's files, as data: TorchScript archives, checkpoints in a zip, and
checkpoints from before torch 1.6. Nothing in them is run."""

from __future__ import annotations

import io
import re
import sys
import zipfile
from collections.abc import Callable, Iterator
from math import prod
from typing import Any, BinaryIO

import torch

from .names import Inert, Storage, View
from .unpickling import MAX_PICKLE, unpickle

MAX_CODE = 16_000_000  # bytes of an archive's code, of which only the names of weights are read
MAX_NAMES, MAX_DEPTH = 100_000, 64  # weights in a module, modules inside each other
MAX_DIMENSIONS = 16
CHUNK = 1 << 20

Keep = Callable[[str], bool]
Read = Callable[[Storage], bytearray]


def read_tensors(file: BinaryIO, size: int, keep: Keep) -> dict[str, torch.Tensor] | None:
    """Tensors of the state dict in an open file of `size` bytes whose names `keep` wants, or None
    if it holds none. Raises ValueError and the like for what is damaged or crafted."""
    file.seek(0)
    if file.read(2) == b"PK":
        found, read, declared = _open_zip(file, size)
    else:
        found, read, declared = *_open_legacy(file, size), {}
    if isinstance(found, Inert):
        views = dict(_of_module(found, declared))
    elif isinstance(found, dict):
        found = found.get("state_dict", found)
        views = found if isinstance(found, dict) else {}
    else:
        views = {}
    views = {k: v for k, v in views.items() if isinstance(k, str) and isinstance(v, View)}
    if not views:
        return None
    return _materialize({k: v for k, v in views.items() if keep(k)}, size, read)


def _materialize(views: dict[str, View], size: int, read: Read) -> dict[str, torch.Tensor]:
    """The tensors themselves; every storage is read once, and together they hold no more than
    twice the file."""
    for name, view in views.items():
        _check(name, view)
    total = sum(prod(v.size) * v.storage.dtype.itemsize for v in views.values())
    if total > 2 * size:
        raise ValueError(f"its tensors would take {total:,} bytes, the file has {size:,}")
    rows: dict[str, torch.Tensor] = {}
    tensors = {}
    for name, view in views.items():
        storage = view.storage
        if storage.key not in rows:
            rows[storage.key] = (
                torch.frombuffer(read(storage), dtype=storage.dtype)
                if storage.numel
                else torch.empty(0, dtype=storage.dtype)
            )
        tensors[name] = rows[storage.key].as_strided(view.size, view.stride, view.offset)
    return tensors


def _check(name: str, view: View) -> None:
    """A view must lie within its storage and show no number more often than it is there."""
    size, stride, offset = view.size, view.stride, view.offset
    if not (type(size) is type(stride) is tuple and len(size) == len(stride) <= MAX_DIMENSIONS):
        raise ValueError(f"{name!r} has no shape")
    if any(type(n) is not int or not 0 <= n < 1 << 48 for n in (offset, *size, *stride)):
        raise ValueError(f"{name!r} has a shape that cannot be")
    if prod(n for n in size if n) >= 1 << 48:
        raise ValueError(f"{name!r} has a shape that cannot be")
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    held = view.storage.numel
    if prod(size) > held or (prod(size) and last >= held) or offset > held:
        raise ValueError(f"{name!r} is larger than what is stored of it")


def _of_module(root: Inert, declared: dict[str, set[str] | None]) -> Iterator[tuple[str, View]]:
    """Parameters and buffers of a stored module and the modules in it, by their full names."""
    waiting = [("", root, 0)]
    count = 0
    while waiting:
        prefix, module, depth = waiting.pop()
        if module.name not in declared:  # an object, but no module
            continue
        names = declared[module.name]
        inside = []
        for name, value in module.attributes.items():
            count += 1
            if count > MAX_NAMES or depth > MAX_DEPTH:
                raise ValueError("its modules lie too deep inside each other, or are too many")
            if isinstance(value, Inert):
                inside.append((f"{prefix}{name}.", value, depth + 1))
            elif isinstance(value, View) and (names is None or name in names):
                yield f"{prefix}{name}", value
        waiting += reversed(inside)


class _Bounded(io.BufferedReader):
    """A file whose reader may not ask for more at once than a pickle may have: a zip's list of
    contents is read whole, at the length that the zip declares."""

    def read(self, size: int | None = -1) -> bytes:
        if size is not None and size > MAX_PICKLE:
            raise ValueError("its list of contents is too long")
        return super().read(size)


def _open_zip(file: BinaryIO, size: int) -> tuple[Any, Read, dict[str, set[str] | None]]:
    """The pickled object, how to read its storages, and what the code declares."""
    archive = zipfile.ZipFile(_Bounded(file.raw))
    entries = archive.infolist()
    names = {entry.filename for entry in entries}
    if len(names) < len(entries):
        raise ValueError("two of its entries have the same name")
    ordered = sorted(entries, key=lambda e: e.header_offset)
    ends = [e.header_offset + 30 + e.compress_size for e in ordered]
    if any(end > after.header_offset for end, after in zip(ends, ordered[1:], strict=False)):
        raise ValueError("its entries overlap")
    if not ordered or ends[-1] > size:
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
            raise ValueError(f"{name} is packed in an unusual way")
        return archive.read(entry)

    def read(storage: Storage) -> bytearray:
        entry = archive.getinfo(f"{root}/data/{storage.key}")
        stored = entry.compress_type == zipfile.ZIP_STORED
        if not stored or not storage.nbytes == entry.file_size == entry.compress_size:
            raise ValueError(f"storage {storage.key!r} has not the size that was declared")
        with archive.open(entry) as data:
            return _filled(data, storage.nbytes)

    order = f"{root}/byteorder"
    if order in names and small(order, 100).decode().strip() != sys.byteorder:
        raise ValueError("it was written on a machine with another byte order")
    declared: dict[str, set[str] | None] = {}
    left = MAX_CODE
    for name in sorted(names):
        if name.startswith(f"{root}/code/") and name.endswith(".py"):
            code = small(name, left)
            left -= len(code)
            module = name[len(f"{root}/code/") : -len(".py")].replace("/", ".")
            declared |= _declared(module, code.decode())
    found, _, _ = unpickle(small(f"{root}/data.pkl", MAX_PICKLE))
    return found, read, declared


def _declared(module: str, code: str) -> dict[str, set[str] | None]:
    """Names of the parameters and buffers of each module class in an archive's code, read as text;
    None for a class that lists no buffers, as torch once wrote them."""
    found: dict[str, dict[str, set[str]]] = {}
    lists: dict[str, set[str]] = {}
    for line in code.splitlines():
        if line.startswith("class "):
            lists = {}
            if line.endswith("(Module):"):
                found[f"{module}.{line[len('class ') : -len('(Module):')]}"] = lists
        elif line.startswith(("  __parameters__ = ", "  __buffers__ = ")):
            lists[line.split()[0]] = set(re.findall(r'"([^"]*)"', line))
    return {
        name: set().union(*lists.values()) if "__buffers__" in lists else None
        for name, lists in found.items()
    }


def _open_legacy(file: BinaryIO, size: int) -> tuple[Any, Read]:
    """The pickled object, and how to read its storages, which follow it one after the other."""
    file.seek(0)
    data = file.read(MAX_PICKLE)
    magic, at, _ = unpickle(data)
    if magic != torch.serialization.MAGIC_NUMBER:
        raise ValueError("it is no file of torch's")
    _, at, _ = unpickle(data, at)
    machine, at, _ = unpickle(data, at)
    if machine.get("little_endian") is not (sys.byteorder == "little"):
        raise ValueError("it was written on a machine with another byte order")
    found, at, storages = unpickle(data, at)
    keys, at, _ = unpickle(data, at)
    if type(keys) is not list or set(keys) != set(storages) or len(keys) > len(storages):
        raise ValueError("its storages are not those that its pickle names")
    begins = {}
    for key in keys:
        begins[key] = at
        at += 8 + storages[key].nbytes
    if at > size:
        raise ValueError("it ends too early")

    def read(storage: Storage) -> bytearray:
        file.seek(begins[storage.key])
        if int.from_bytes(file.read(8), "little") != storage.numel:
            raise ValueError(f"storage {storage.key!r} has not the size that was declared")
        return _filled(file, storage.nbytes)

    return found, read


def _filled(file: BinaryIO, count: int) -> bytearray:
    """The next `count` bytes; a zip's checksum is compared at the end of its entry."""
    buffer = bytearray(count)
    view = memoryview(buffer)
    at = 0
    while at < count:
        got = file.readinto(view[at : at + CHUNK])
        if not got:
            raise ValueError("it ends too early")
        at += got
    return buffer
