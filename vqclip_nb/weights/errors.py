"""What goes wrong with files too large for this machine, in the same words everywhere."""

import contextlib
import errno
import re
from collections.abc import Iterator
from pathlib import Path

from ..files import FORBIDDEN, FULL, errno_of, plain_errors

OUT_OF_MEMORY = re.compile(
    "DefaultCPUAllocator|not enough memory|allocate memory|out of memory|ALLOC_FAILED"
)


class WeightsError(RuntimeError):
    """A weight file that cannot be had, is not what it should be, or must not be read."""


@contextlib.contextmanager
def disk_errors(folder: Path, need: int | None) -> Iterator[None]:
    """As `files.plain_errors`, as a WeightsError; need: bytes to be written, None: not known."""
    try:
        with plain_errors(folder):
            yield
    except OSError as e:
        if e.errno not in FULL + FORBIDDEN:
            raise
        needed = "" if need is None else f", for {need / 1e6:,.0f} MB are needed"
        raise WeightsError(f"{e}{needed}; VQCLIP_CACHE names it") from e


@contextlib.contextmanager
def memory_errors(action: str) -> Iterator[None]:
    """Memory that runs out during `action` ("read a.ckpt") becomes a MemoryError that says what to
    do; anything else passes."""
    try:
        yield
    except Exception as e:
        if not out_of_memory(e):
            raise
        raise MemoryError(
            f"not enough memory to {action}: close other programs and shut down other notebooks, "
            "then try again"
        ) from e


def out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out: in Python, in torch on any device, or when a file was mapped."""
    known = isinstance(error, MemoryError) or errno_of(error) == errno.ENOMEM
    if isinstance(error, ValueError | WeightsError):  # ours, which may tell what a file says
        return False
    return known or bool(OUT_OF_MEMORY.search(str(error)))
