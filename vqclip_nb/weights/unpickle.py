"""Python's pickles read as data: an interpreter of the instructions that `torch.save` and
TorchScript write (protocol 2). It yields descriptions of tensors, plain containers and
placeholders; nothing is imported, and nothing is called but what stands here.

What would cost much time or memory (many instructions, keys that take long to hash) is refused.
"""

import pickletools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch

MAX_PICKLE = 4_000_000  # bytes; the published files' pickles have about 100,000
MAX_INSTRUCTIONS = 300_000  # the published files have about 35,000
MAX_ARGUMENTS = 16  # of a call; torch's have seven


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


@dataclass(frozen=True)
class Name:
    """A class or function, as in "torch.Size"."""

    full: str


@dataclass(eq=False)
class Placeholder:
    """An object whose class is not needed, with the attributes that were stored."""

    name: str
    attributes: dict[str, Any] = field(default_factory=dict)


DTYPES = {
    f"torch.{name}Storage": dtype
    for dtype, name in (
        *((torch.float32, "Float"), (torch.float16, "Half"), (torch.bfloat16, "BFloat16")),
        *((torch.float64, "Double"), (torch.int64, "Long"), (torch.int32, "Int")),
        *((torch.int16, "Short"), (torch.int8, "Char"), (torch.uint8, "Byte")),
        (torch.bool, "Bool"),
    )
}
CALLS: dict[str, Callable[..., Any]] = {  # by name, what a call of it yields
    "torch._utils._rebuild_tensor": lambda *arguments: View(*arguments[:4]),
    "torch._utils._rebuild_tensor_v2": lambda *arguments: View(*arguments[:4]),
    "torch._utils._rebuild_parameter": lambda tensor, *_: tensor,
    "torch._utils._rebuild_parameter_with_state": lambda tensor, *_: tensor,
    "torch._tensor._rebuild_from_type_v2": lambda name, of, arguments, *_: _call(name, arguments),
    "torch.jit._pickle.restore_type_tag": lambda value, *_: value,
    "collections.OrderedDict": lambda: {},
}
UNNEEDED = {  # what else a checkpoint may hold
    *("torch.Size", "torch.device", "torch.Tensor", "torch.nn.parameter.Parameter"),
    *("collections.Counter", "collections.defaultdict", "_codecs.encode"),
    *(f"{m}.{n}" for m in ("builtins", "__builtin__") for n in ("set", "bytearray", "complex")),
    *map(str, DTYPES.values()),
    *(f"torch.jit._pickle.build_{n}list" for n in ("int", "double", "bool", "tensor")),
    *("pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint", "argparse.Namespace"),
}
KEYS = (str, bool, type(None), Name)  # hashed in no time; whole numbers too, if they are small


def unpickle(pickled: bytes) -> Any:
    """The object of a pickle. Raises ForeignName for a name that is not listed here, ValueError and
    the like for what `torch.save` and TorchScript do not write."""
    stack: list[Any] = []
    marks: list[int] = []
    memo: dict[int, Any] = {}
    storages: dict[str, Storage] = {}

    def popped(count: int) -> list[Any]:
        if count > len(stack):
            raise ValueError("it takes more than there is")
        mark = len(stack) - count
        found = stack[mark:]
        del stack[mark:]
        return found

    def above() -> list[Any]:
        """What lies above the last mark."""
        return popped(max(0, len(stack) - marks.pop()))

    argument: Any
    for count, (instruction, argument, _) in enumerate(pickletools.genops(pickled)):
        if count == MAX_INSTRUCTIONS:
            raise ValueError(f"it has more than {MAX_INSTRUCTIONS:,} instructions")
        match instruction.name:
            case "PROTO":
                pass
            case "STOP":
                return stack.pop()
            case "MARK":
                marks.append(len(stack))
            case "NONE":
                stack.append(None)
            case "NEWTRUE" | "NEWFALSE":
                stack.append(instruction.name == "NEWTRUE")
            case "BINUNICODE" | "BININT" | "BININT1" | "BININT2" | "LONG1" | "BINFLOAT":
                stack.append(argument)
            case "GLOBAL":
                stack.append(_name(argument.replace(" ", ".")))
            case "EMPTY_TUPLE":
                stack.append(())
            case "TUPLE":
                stack.append(tuple(above()))
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                stack.append(tuple(popped(int(instruction.name[-1]))))
            case "EMPTY_LIST":
                stack.append([])
            case "APPEND" | "APPENDS":
                values = popped(1) if instruction.name == "APPEND" else above()
                if type(stack[-1]) is not list:
                    raise ValueError("it appends to what is no list")
                stack[-1].extend(values)
            case "EMPTY_DICT":
                stack.append({})
            case "SETITEM" | "SETITEMS":
                values = popped(2) if instruction.name == "SETITEM" else above()
                if type(stack[-1]) is not dict:
                    raise ValueError("it fills what is no dictionary")
                if not all(_is_key(key) for key in values[::2]):
                    raise ValueError("it has a key that is neither text nor small number")
                stack[-1].update(zip(values[::2], values[1::2], strict=True))
            case "BINPUT" | "LONG_BINPUT":
                memo[argument] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(memo[argument])
            case "BINPERSID":
                stack.append(_storage(stack.pop(), storages))
            case "REDUCE":
                stack.append(_call(*popped(2)))
            case "NEWOBJ":
                stack.append(Placeholder(popped(2)[0].full))
            case "BUILD":
                state = stack.pop()
                if type(stack[-1]) is Placeholder and type(state) is dict:
                    stack[-1].attributes = state
            case unknown:
                raise ValueError(f"it has the unknown instruction {unknown}")


def _is_key(key: Any) -> bool:
    return type(key) in KEYS or (type(key) is int and abs(key) < 1 << 31)


def _name(full: str) -> Name:
    listed = full in CALLS or full in DTYPES or full in UNNEEDED
    if not listed and not full.startswith("__torch__."):
        raise ForeignName(full)
    return Name(full)


def _call(name: Any, arguments: Any) -> Any:
    """What a call would have made, described."""
    if type(name) is not Name or type(arguments) is not tuple:
        raise ValueError("it calls what is not callable")
    if name.full in DTYPES:
        raise ForeignName(name.full)
    if len(arguments) > MAX_ARGUMENTS:
        raise ValueError(f"it calls {name.full} with {len(arguments):,} arguments")
    return CALLS[name.full](*arguments) if name.full in CALLS else Placeholder(name.full)


def _storage(pid: Any, known: dict[str, Storage]) -> Storage:
    """The storage that ("storage", type, key, device, length) describes."""
    kind, of, key, _, numel = pid
    if kind != "storage" or type(of) is not Name:
        raise ValueError("it refers to something outside that is no storage")
    if type(key) is not str or type(numel) is not int or not 0 <= numel < 1 << 48:
        raise ValueError("it describes an impossible storage")
    storage = Storage(DTYPES[of.full], key, numel)
    if known.setdefault(key, storage) != storage:
        raise ValueError(f"it describes storage {key!r} in two ways")
    return storage
