"""Reads the pickles of torch's files as data: a small interpreter that can make nothing but plain
containers, descriptions of tensors, and inert stand-ins. Nothing is imported or called."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any

import torch

MAX_PICKLE = 16_000_000  # bytes; the published files' pickles have less than one million
MAX_INSTRUCTIONS = 1_000_000  # each makes one small object at most

DTYPES = {
    f"torch.{name}Storage": dtype
    for name, dtype in {
        "Float": torch.float32,
        "Half": torch.float16,
        "BFloat16": torch.bfloat16,
        "Double": torch.float64,
        "Long": torch.int64,
        "Int": torch.int32,
        "Short": torch.int16,
        "Char": torch.int8,
        "Byte": torch.uint8,
        "Bool": torch.bool,
    }.items()
}
TENSORS = ("torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor")
FIRST = ("torch._utils._rebuild_parameter", "torch.jit._pickle.restore_type_tag")
LIGHTNING = "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint"
INERT = {  # what else a checkpoint may name; it is not needed, so it stays a name
    "torch.Size",
    "torch.device",
    "torch.nn.parameter.Parameter",
    "collections.Counter",
    "collections.defaultdict",
    "_codecs.encode",
    "__builtin__.set",
    "__builtin__.bytearray",
    "__builtin__.complex",
    "builtins.set",
    "builtins.bytearray",
    "builtins.complex",
    *(f"torch.jit._pickle.build_{kind}list" for kind in ("int", "double", "bool", "tensor")),
    *(str(dtype) for dtype in DTYPES.values()),
}


class ForeignName(ValueError):
    """The pickle names something that is neither a tensor nor a plain container."""


@dataclass(frozen=True)
class Global:
    """A name that stands for a class or function, never looked up."""

    name: str


@dataclass(eq=False)
class Inert:
    """An object of a class that is only a name, with the attributes that were stored."""

    name: str
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Storage:
    """Numbers in a row, stored elsewhere under `key`."""

    dtype: torch.dtype
    key: str
    numel: int

    @property
    def nbytes(self) -> int:
        return self.numel * self.dtype.itemsize


@dataclass(frozen=True)
class View:
    """A tensor as the pickle describes it; `reading` checks that it fits its storage."""

    storage: Storage
    offset: Any
    size: Any
    stride: Any


def unpickle(data: bytes, at: int = 0) -> tuple[Any, int, dict[str, Storage]]:
    """The object of the pickle that begins at byte `at`, where it ends, and its storages by key.

    Knows the instructions that `torch.save` and TorchScript write (protocol 2). Raises ForeignName
    for any name outside the lists above, ValueError, IndexError, KeyError or TypeError for what
    they do not write.
    """
    stack: list[Any] = []
    marks: list[int] = []
    memo: dict[int, Any] = {}
    storages: dict[str, Storage] = {}

    def take(count: int) -> bytes:
        nonlocal at
        if at + count > len(data):
            raise ValueError("it ends too early")
        at += count
        return data[at - count : at]

    def number(count: int) -> int:
        return int.from_bytes(take(count), "little")

    def line() -> str:
        nonlocal at
        begin, at = at, data.index(b"\n", at, at + 1000) + 1
        return data[begin : at - 1].decode()

    def marked() -> list[Any]:
        mark = marks.pop()
        items = stack[mark:]
        del stack[mark:]
        return items

    def put(items: list[Any]) -> None:
        if type(stack[-1]) is not dict or len(items) % 2:
            raise ValueError("it stores items in something else than a dict")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, str | int | float | None | Global | Inert):
                raise ValueError(f"it has a key of type {type(key).__name__}")
            stack[-1][key] = value

    def append(items: list[Any]) -> None:
        if type(stack[-1]) is not list:
            raise ValueError("it appends to something else than a list")
        stack[-1].extend(items)

    for _ in range(MAX_INSTRUCTIONS):
        match take(1):
            case b"h":
                stack.append(memo[number(1)])
            case b"q":
                memo[number(1)] = stack[-1]
            case b"(":
                marks.append(len(stack))
            case b"t":
                stack.append(tuple(marked()))
            case b"K":
                stack.append(number(1))
            case b"M":
                stack.append(number(2))
            case b"J":
                stack.append(int.from_bytes(take(4), "little", signed=True))
            case b"\x8a":
                stack.append(int.from_bytes(take(number(1)), "little", signed=True))
            case b"X":
                stack.append(take(number(4)).decode("utf8", "surrogatepass"))
            case b"R":
                arguments, function = stack.pop(), stack.pop()
                stack.append(_rebuilt(function, arguments))
            case b")":
                stack.append(())
            case b"Q":
                storage = _storage(stack.pop())
                if storages.setdefault(storage.key, storage) != storage:
                    raise ValueError(f"it describes storage {storage.key!r} in two ways")
                stack.append(storage)
            case b"r":
                memo[number(4)] = stack[-1]
            case b"j":
                stack.append(memo[number(4)])
            case b"\x88" | b"\x89" | b"N" as op:
                stack.append({b"\x88": True, b"\x89": False, b"N": None}[op])
            case b"G":
                stack.append(struct.unpack(">d", take(8))[0])
            case b"}" | b"]" as op:
                stack.append({} if op == b"}" else [])
            case b"\x85" | b"\x86" | b"\x87" as op:
                items = [stack.pop() for _ in range(op[0] - 0x84)]
                stack.append(tuple(reversed(items)))
            case b"u":
                put(marked())
            case b"s":
                value, key = stack.pop(), stack.pop()
                put([key, value])
            case b"e":
                append(marked())
            case b"a":
                append([stack.pop()])
            case b"c":
                stack.append(_named(f"{line()}.{line()}"))
            case b"\x81":
                _, cls = stack.pop(), stack.pop()
                stack.append(Inert(cls.name) if _is_class(cls) else _foreign(cls))
            case b"b":
                state = stack.pop()
                if isinstance(stack[-1], Inert) and type(state) is dict:
                    stack[-1].attributes = state  # what a dict carries besides is not needed
            case b"\x80":
                take(1)
            case b".":
                return stack.pop(), at, storages
            case other:
                raise ValueError(f"it has the unknown instruction {other!r}")
    raise ValueError(f"it has more than {MAX_INSTRUCTIONS:,} instructions")


def _named(name: str) -> Global:
    known = name in DTYPES or name in TENSORS or name in FIRST or name in INERT
    if known or name in ("collections.OrderedDict", LIGHTNING) or name.startswith("__torch__."):
        return Global(name)
    raise ForeignName(name)


def _is_class(cls: Any) -> bool:
    return isinstance(cls, Global) and (cls.name == LIGHTNING or cls.name.startswith("__torch__."))


def _foreign(what: Any) -> Any:
    if isinstance(what, Global):
        raise ForeignName(what.name)
    raise ValueError("it makes an object of something that is no class")


def _rebuilt(function: Any, arguments: Any) -> Any:
    """What a call in the pickle stands for."""
    if not isinstance(function, Global) or type(arguments) is not tuple:
        raise ValueError("it calls something that has no name")
    name = function.name
    if name in TENSORS:
        storage, offset, size, stride = arguments[:4]
        if not isinstance(storage, Storage):
            raise ValueError("it makes a tensor of something that is no storage")
        return View(storage, offset, size, stride)
    if name in FIRST:
        return arguments[0]
    if name == "collections.OrderedDict" and not arguments:
        return {}
    if name in INERT:
        return Inert(name)
    raise ForeignName(name)


def _storage(description: Any) -> Storage:
    """("storage", type, key, device, length), and None in files from before torch 1.6."""
    kind, of, key, _, numel, *more = description
    if kind != "storage" or not isinstance(of, Global) or any(v is not None for v in more):
        raise ValueError("it refers to something outside that is no storage")
    if type(key) is not str or type(numel) is not int or not 0 <= numel < 1 << 48:
        raise ValueError("it describes a storage that cannot be")
    return Storage(DTYPES[of.name], key, numel)
