"""What a setting may be: its range, its words, and the check of a value."""

import os
import re
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np

MAX_TEXT = 2000  # characters of a prompt: CLIP reads 75 words at most
MAX_PICTURE = 40_000_000  # characters of a picture inside a prompt or as the start
# A picture that is a whole part of a prompt. Of a region also its place or prompt begins with one;
# `parse_region` checks the prompt again.
PICTURE = r"((?:^|[{}])\s*)data:image/[\w.+-]+;base64,[A-Za-z0-9+/=]*(?=\s*(?:[|:]|$))"
PICTURES = {
    True: re.compile(PICTURE.format("|:"), re.IGNORECASE),
    False: re.compile(PICTURE.format("|"), re.IGNORECASE),
}


@dataclass(frozen=True)
class Knob:
    """What a control needs to know about one field of `Settings`."""

    help: str
    kind: str  # str, list[str], bool, int or float
    default: Any
    label: str = ""  # what people read; left empty, the name without its underscores
    option: str = ""  # another name for it on the command line
    usual: Any = None  # what an empty setting means where the pair says nothing of it
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    unit: str = ""
    log: bool = False  # a slider for it moves in powers of ten
    live: bool = True  # a change takes effect on the next step; otherwise it needs a restart
    least: int = 0  # of a list: how few texts it takes, how many, and what one looks like
    most: int = 0
    example: str = ""

    @property
    def empty(self) -> bool:
        """Whether None is allowed, which means: as the pair's own defaults say."""
        return self.default is None


def checked(name: str, value: Any, k: Knob) -> Any:
    """`value` as the setting `name` takes it; ValueError says what was given and what is
    allowed."""
    if k.empty and value is None:
        return None
    if k.kind == "list[str]":
        texts: list[Any] = list(value) if isinstance(value, list | tuple) else [None]
        texts = [os.fspath(v) if isinstance(v, os.PathLike) else v for v in texts]
        if len(texts) < k.least or not all(isinstance(v, str) and v.strip() for v in texts):
            wanted = "at least one text that is" if k.least else "texts that are"
            raise ValueError(
                f"{name}={shown(value)}: give a list of {wanted} not empty, "
                f"for example {name}=[{k.example!r}]"
            )
        if len(texts) > k.most:
            raise ValueError(f"{name} has {len(texts):,} texts: allowed are {k.most:,}")
        return [text_of(name, v, placed=name == "regions") for v in texts]
    if k.kind in ("int", "float"):
        number = isinstance(value, Real) and not isinstance(value, bool)  # numpy's too
        whole = number and (isinstance(value, Integral) or float(value).is_integer())
        if not number or not (whole or k.kind == "float") or value != value:
            raise ValueError(
                f"{name}={shown(value)}: give a {'whole ' * (k.kind == 'int')}number "
                f"from {k.low:g} to {k.high:.10g}"
            )
        if not k.low <= value <= k.high:
            raise ValueError(
                f"{name}={shown(value)} is out of range: allowed is "
                f"{k.low:g} to {k.high:.10g} {k.unit}".rstrip()
            )
        return int(value) if k.kind == "int" else float(value)
    if k.kind == "bool":
        if not isinstance(value, bool | np.bool_):
            raise ValueError(f"{name}={shown(value)}: give True or False")
        return bool(value)
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if not isinstance(value, str):
        raise ValueError(f"{name}={shown(value)}: give a text")
    value = text_of(name, value)
    if k.choices and value not in k.choices:
        raise ValueError(
            f"{name}={shown(value)} is not known: choose one of {', '.join(k.choices)}"
        )
    return value


def shown(value: Any) -> str:
    """What was given, short enough for an error."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number of over 4,300 digits, lists in lists
        text = f"a very long {type(value).__name__}"
    return text if len(text) <= 80 else f"{text[:80]}…"


def text_of(name: str, text: str, *, placed: bool = False) -> str:
    """`text` without the space around it; ValueError if it is too long or can't be written.
    placed: it is a region with its place."""
    text = text.strip()
    words = PICTURES[placed].sub(r"\1", text)
    for length, allowed in ((len(words), MAX_TEXT), (len(text), MAX_PICTURE)):
        if length > allowed:
            raise ValueError(f"{name} has {length:,} characters: allowed are {allowed:,}")
    try:
        text.encode()
    except UnicodeEncodeError as e:
        raise ValueError(f"{name}={shown(text)} holds half a character, which no file takes") from e
    return text
