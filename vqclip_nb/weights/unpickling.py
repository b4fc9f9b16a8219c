"""Reads pickles as data: an interpreter of the few instructions that torch writes, bounded in size
and steps. Of Python's pickle module it uses the instructions' names and nothing else."""

from __future__ import annotations

import pickle
import struct
from typing import Any

from .names import Global, Inert, Storage, named, new, rebuilt, stored

MAX_PICKLE = 16_000_000  # bytes; the published files' pickles have less than one million
MAX_INSTRUCTIONS = 1_000_000  # each makes one small object at most


def unpickle(data: bytes, at: int = 0) -> tuple[Any, int, dict[str, Storage]]:
    """The object of the pickle that begins at byte `at`, where it ends, and its storages by key.

    Knows the instructions that `torch.save` and TorchScript write (protocol 2). Raises ForeignName
    for any name that `names` does not list, ValueError, IndexError, KeyError or TypeError for what
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
            case pickle.BINGET:
                stack.append(memo[number(1)])
            case pickle.BINPUT:
                memo[number(1)] = stack[-1]
            case pickle.MARK:
                marks.append(len(stack))
            case pickle.TUPLE:
                stack.append(tuple(marked()))
            case pickle.BININT1:
                stack.append(number(1))
            case pickle.BININT2:
                stack.append(number(2))
            case pickle.BININT:
                stack.append(int.from_bytes(take(4), "little", signed=True))
            case pickle.LONG1:
                stack.append(int.from_bytes(take(number(1)), "little", signed=True))
            case pickle.BINUNICODE:
                stack.append(take(number(4)).decode("utf8", "surrogatepass"))
            case pickle.REDUCE:
                arguments, function = stack.pop(), stack.pop()
                stack.append(rebuilt(function, arguments))
            case pickle.EMPTY_TUPLE:
                stack.append(())
            case pickle.BINPERSID:
                storage = stored(stack.pop())
                if storages.setdefault(storage.key, storage) != storage:
                    raise ValueError(f"it describes storage {storage.key!r} in two ways")
                stack.append(storage)
            case pickle.LONG_BINPUT:
                memo[number(4)] = stack[-1]
            case pickle.LONG_BINGET:
                stack.append(memo[number(4)])
            case pickle.NONE:
                stack.append(None)
            case pickle.NEWTRUE | pickle.NEWFALSE as op:
                stack.append(op == pickle.NEWTRUE)
            case pickle.BINFLOAT:
                stack.append(struct.unpack(">d", take(8))[0])
            case pickle.EMPTY_DICT:
                stack.append({})
            case pickle.EMPTY_LIST:
                stack.append([])
            case pickle.TUPLE1 | pickle.TUPLE2 | pickle.TUPLE3 as op:
                items = [stack.pop() for _ in range(1 + op[0] - pickle.TUPLE1[0])]
                stack.append(tuple(reversed(items)))
            case pickle.SETITEMS:
                put(marked())
            case pickle.SETITEM:
                value, key = stack.pop(), stack.pop()
                put([key, value])
            case pickle.APPENDS:
                append(marked())
            case pickle.APPEND:
                append([stack.pop()])
            case pickle.GLOBAL:
                stack.append(named(f"{line()}.{line()}"))
            case pickle.NEWOBJ:
                _, cls = stack.pop(), stack.pop()
                stack.append(new(cls))
            case pickle.BUILD:
                state = stack.pop()
                if isinstance(stack[-1], Inert) and type(state) is dict:
                    stack[-1].attributes = state  # what a dict carries besides is not needed
            case pickle.PROTO:
                take(1)
            case pickle.STOP:
                return stack.pop(), at, storages
            case other:
                raise ValueError(f"it has the unknown instruction {other!r}")
    raise ValueError(f"it has more than {MAX_INSTRUCTIONS:,} instructions")
