"""Python's unpickler with a fixed table of names: a pickle yields descriptions of tensors, plain
containers and placeholders, and cannot import or run anything.

The C unpickler calls what `find_class` returns and hands it state, so nothing here does more than
describe, and nothing here can be changed by a pickle: no class has a `__dict__`. What could still
cost time or memory (many instructions, large memo indices, hashes of nested tuples) is refused
before the unpickler starts.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from collections.abc import Callable
from typing import Any, NamedTuple

import torch

MAX_PICKLE = 4_000_000  # bytes; the published files' pickles have about 100,000
MAX_INSTRUCTIONS = 300_000  # the published files have about 35,000
MAX_NAMES = 10_000  # each is a class here; the published archives have about 250
KEYS = frozenset(  # instructions whose results are hashed in no time
    "BINUNICODE BININT BININT1 BININT2 LONG1 BINFLOAT NONE NEWTRUE NEWFALSE GLOBAL".split()
)
INSTRUCTIONS = KEYS.union(  # all that `torch.save` and TorchScript write (protocol 2)
    "PROTO STOP MARK TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_TUPLE EMPTY_LIST EMPTY_DICT APPEND APPENDS "
    "SETITEM SETITEMS BINGET LONG_BINGET BINPUT LONG_BINPUT BINPERSID REDUCE NEWOBJ BUILD".split()
)


class ForeignName(ValueError):
    """The pickle names something that is neither a tensor nor a plain container."""


class Storage(NamedTuple):
    """`numel` numbers in a row, stored elsewhere under `key`."""

    dtype: torch.dtype
    key: str
    numel: int

    @property
    def nbytes(self) -> int:
        return self.numel * self.dtype.itemsize


class View(NamedTuple):
    """A tensor as the pickle describes it, not yet checked."""

    storage: Any
    offset: Any
    size: Any
    stride: Any


class Placeholder:
    """An object whose class is not needed, with the attributes that were stored."""

    __slots__ = ("attributes",)
    name = ""
    attributes: dict[str, Any]

    def __new__(cls, *_: Any) -> Placeholder:
        made = super().__new__(cls)
        made.attributes = {}
        return made

    def __setstate__(self, state: Any) -> None:
        if type(state) is dict:
            self.attributes = state


class Ordered(dict):
    """An OrderedDict without the attributes that may be stored with it."""

    __slots__ = ()

    def __setstate__(self, state: Any) -> None:
        pass


class Name:
    """A class or function that is only a name; a call describes what it would have made."""

    __slots__ = ("full",)

    def __init__(self, full: str) -> None:
        self.full = full

    def __call__(self, *arguments: Any) -> Any:
        if self.full not in CALLS:
            raise ForeignName(self.full)
        return CALLS[self.full](*arguments)

    def __setstate__(self, state: Any) -> None:
        raise ValueError(f"it changes {self.full}")


DTYPES = {
    f"torch.{name}Storage": dtype
    for dtype, name in (
        *((torch.float32, "Float"), (torch.float16, "Half"), (torch.bfloat16, "BFloat16")),
        *((torch.float64, "Double"), (torch.int64, "Long"), (torch.int32, "Int")),
        *((torch.int16, "Short"), (torch.int8, "Char"), (torch.uint8, "Byte")),
        (torch.bool, "Bool"),
    )
}
CALLS: dict[str, Callable[..., Any]] = {
    "torch._utils._rebuild_tensor": lambda *arguments: View(*arguments[:4]),
    "torch._utils._rebuild_tensor_v2": lambda *arguments: View(*arguments[:4]),
    "torch._utils._rebuild_parameter": lambda tensor, *_: tensor,
    "torch._utils._rebuild_parameter_with_state": lambda tensor, *_: tensor,
    "torch._tensor._rebuild_from_type_v2": lambda name, type, arguments, *_: name(*arguments),
    "torch.jit._pickle.restore_type_tag": lambda value, *_: value,
    "collections.OrderedDict": Ordered,
    **dict.fromkeys(  # what else a checkpoint may hold, none of it needed
        (
            *("torch.Size", "torch.device", "torch.Tensor", "torch.nn.parameter.Parameter"),
            *("collections.Counter", "collections.defaultdict", "_codecs.encode"),
            *(f"{m}.{n}" for m in ("builtins", "__builtin__") for n in ("set", "bytearray")),
            *("builtins.complex", "__builtin__.complex", *map(str, DTYPES.values())),
            *(f"torch.jit._pickle.build_{n}list" for n in ("int", "double", "bool", "tensor")),
        ),
        Placeholder,
    ),
}
# Objects beside the weights in published checkpoints: taming's, LlamaGen's.
INERT = ("pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint", "argparse.Namespace")


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file)
        self.names: dict[str, Any] = {}
        self.storages: dict[str, Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        full = f"{module}.{name}"
        if full not in self.names:
            if len(self.names) == MAX_NAMES:
                raise ValueError(f"it names more than {MAX_NAMES:,} classes")
            if full in INERT or full.startswith("__torch__."):
                self.names[full] = type("Stored", (Placeholder,), {"__slots__": (), "name": full})
            elif full in CALLS or full in DTYPES:
                self.names[full] = Name(full)
            else:
                raise ForeignName(full)
        return self.names[full]

    def persistent_load(self, pid: Any) -> Storage:
        """("storage", type, key, device, length)."""
        kind, of, key, _, numel = pid
        if kind != "storage" or not isinstance(of, Name):
            raise ValueError("it refers to something outside that is no storage")
        if type(key) is not str or type(numel) is not int or not 0 <= numel < 1 << 48:
            raise ValueError("it describes an impossible storage")
        storage = Storage(DTYPES[of.full], key, numel)
        if self.storages.setdefault(key, storage) != storage:
            raise ValueError(f"it describes storage {key!r} in two ways")
        return storage


def unpickle(pickled: bytes) -> Any:
    """The object of a pickle. Raises ForeignName for a name that is not listed here, ValueError and
    the like for what `torch.save` and TorchScript do not write."""
    _check(pickled)
    return _Unpickler(io.BytesIO(pickled)).load()


def _check(pickled: bytes) -> None:
    """ValueError for unknown instructions, too many of them, memo indices that waste memory, and
    dictionary keys that take long to hash. Follows the stack with only this known of each object:
    whether it may be a key."""
    stack: list[bool] = []
    marks: list[int] = []
    memo: dict[int, bool] = {}
    argument: Any
    for count, (instruction, argument, _) in enumerate(pickletools.genops(pickled)):
        name = instruction.name
        if name not in INSTRUCTIONS:
            raise ValueError(f"it has the unknown instruction {name}")
        if count == MAX_INSTRUCTIONS:
            raise ValueError(f"it has more than {MAX_INSTRUCTIONS:,} instructions")
        if name == "MARK":
            marks.append(len(stack))
        elif name in ("BINPUT", "LONG_BINPUT"):
            if argument > count:
                raise ValueError(f"its memo has a gap before {argument:,}")
            memo[argument] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif name != "PROTO":
            before = instruction.stack_before
            size = len(before)
            if pickletools.markobject in before:
                size -= 2  # the mark and what lies above it
                mark = marks.pop()
                above = stack[mark:]
                del stack[mark:]
            else:
                above = stack[len(stack) - 2 :]
            if name in ("SETITEM", "SETITEMS") and not all(above[::2]):
                raise ValueError("it has a key that is neither text nor number")
            if size:
                del stack[-size:]
            stack += [name in KEYS for _ in instruction.stack_after]
