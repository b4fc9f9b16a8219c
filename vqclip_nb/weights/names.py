"""What the pickles of torch's files may name, and what it stands for here: descriptions of tensors,
plain containers, inert stand-ins. Nothing is imported or called."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch

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
FIRST = (  # calls that give their first argument, for all that matters here
    "torch._utils._rebuild_parameter",
    "torch._utils._rebuild_parameter_with_state",
    "torch.jit._pickle.restore_type_tag",
)
TYPED = "torch._tensor._rebuild_from_type_v2"  # a tensor with attributes: how, type, arguments
LIGHTNING = "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint"
INERT = {  # what else a checkpoint may name; it is not needed, so it stays a name
    "torch.Size",
    "torch.device",
    "torch.Tensor",
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
    """A tensor as the pickle describes it; `archives` checks that it fits its storage."""

    storage: Storage
    offset: Any
    size: Any
    stride: Any


def named(name: str) -> Global:
    """A name that may stand in a pickle. Raises ForeignName for others."""
    known = name in DTYPES or name in TENSORS or name in FIRST or name in INERT
    other = name in ("collections.OrderedDict", TYPED, LIGHTNING)
    if known or other or name.startswith("__torch__."):
        return Global(name)
    raise ForeignName(name)


def new(cls: Any) -> Inert:
    """An object of a class that may be named."""
    if isinstance(cls, Global) and (cls.name == LIGHTNING or cls.name.startswith("__torch__.")):
        return Inert(cls.name)
    if isinstance(cls, Global):
        raise ForeignName(cls.name)
    raise ValueError("it makes an object of something that is no class")


def rebuilt(function: Any, arguments: Any) -> Any:
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
    if name == TYPED:
        return rebuilt(arguments[0], arguments[2])
    if name == "collections.OrderedDict" and not arguments:
        return {}
    if name in INERT:
        return Inert(name)
    raise ForeignName(name)


def stored(description: Any) -> Storage:
    """("storage", type, key, device, length), and None in files from before torch 1.6."""
    kind, of, key, _, numel, *more = description
    if kind != "storage" or not isinstance(of, Global) or any(v is not None for v in more):
        raise ValueError("it refers to something outside that is no storage")
    if type(key) is not str or type(numel) is not int or not 0 <= numel < 1 << 48:
        raise ValueError("it describes a storage that cannot be")
    return Storage(DTYPES[of.name], key, numel)
