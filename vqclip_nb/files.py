"""The one way files are written: whole or not at all, and safe beside other writers."""

import contextlib
import errno
import itertools
import os
import platform
import re
import secrets
import shutil
import stat
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

FULL = (errno.ENOSPC, errno.EDQUOT)
FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
STALE = 24 * 3600  # seconds; a temporary file of another machine is left alone for that long
HOST = f"{zlib.crc32(platform.node().encode()):08x}"
TEMPORARY = re.compile(r"\..*-([0-9a-f]{8}-(?:\d{1,10}-)?[0-9a-f]{8})-part(\.[^.]*)?")


def read_bounded(path: str | Path, most: int) -> bytes:
    """What is in a file of at most `most` bytes.

    Only regular files are read, for pipes and devices may never end. FileNotFoundError,
    PermissionError; ValueError if it is empty, too large or no regular file.
    """
    # Without waiting, for opening a pipe waits for its writer.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    if os.path.isdir(path):
        raise ValueError("it is a folder")
    with open(path, "rb", opener=lambda name, _: os.open(name, flags)) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("it is a pipe or a device, no file")
        if not status.st_size:  # as what a kernel makes up, which may never end either
            raise ValueError("the file is empty")
        content = file.read(most + 1) if status.st_size <= most else b""
    if not 0 < len(content) <= most:
        raise ValueError(f"it is longer than {most:,} bytes")
    return content


def write_atomically(path: str | Path, save: Callable[[Path], object]) -> Path:
    """Let `save` write to a temporary name beside `path`, then rename; returns `path`.

    The temporary name is new for every call, so any number of processes and threads may write the
    same path: the last one wins. It ends as `path` does, for encoders that choose by it. On a
    failure or an interrupt what stood at `path` stays, and the temporary file is removed; those
    that killed processes left in the folder are removed by the next write that succeeds.

    Raises FileNotFoundError (no such folder), IsADirectoryError, PermissionError, OSError with
    errno ENOSPC (disk full), and whatever else `save` raises.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"no folder {str(path.parent)!r} to write {path.name} in")
    if path.is_dir():
        raise IsADirectoryError(f"{str(path)!r} is a folder: give the name of a file")
    with plain_errors(path), _temporary(path) as part:
        save(part)
        if not part.is_file() or not part.stat().st_size:
            raise OSError(f"nothing was written to {path}")
        part.replace(path)
    remove_stale(path.parent)
    return path


@contextlib.contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    """An empty file of a new name beside `path`, removed at the end. While it is used it is locked,
    which tells other processes, and the system unlocks it when this one is killed."""
    while True:
        token = f"{HOST}-{secrets.token_hex(4)}"
        part = path.with_name(f".{path.stem.lstrip('.')[:40]}-{token}-part{path.suffix}")
        file = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        locked = lock(file, wait=True)
        if part.exists():
            break
        os.close(file)  # taken for an orphan before it was locked
    if not locked:  # Windows renames no open file
        os.close(file)
    try:
        yield part
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        if locked:
            os.close(file)


def lock(file: int, *, wait: bool = False, shared: bool = False) -> bool:
    """Lock an open file or folder until it is closed, alone or shared with others that do so too;
    False where another has it, or none can have it."""
    if fcntl is None:
        return False
    try:
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        fcntl.flock(file, kind | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True


def free_path(path: Path, ending: str = "") -> Path:
    """`path`, or with a number so that no file has this name with `ending`: "fox-2.png"."""
    numbers = itertools.chain([""], (f"-{n}" for n in itertools.count(2)))
    names = (path.with_stem(path.stem + number) for number in numbers)
    return next(name for name in names if not name.with_stem(name.stem + ending).exists())


def is_regular(path: Path) -> bool:
    """Whether `path` is a file itself: no folder, pipe, device or link."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


@contextlib.contextmanager
def plain_errors(path: Path) -> Iterator[None]:
    """Say in words that there is no room or no permission for a file or folder; anything else
    passes as it is."""
    try:
        yield
    except Exception as e:
        number = errno_of(e)
        if number in FULL:
            free = shutil.disk_usage(path if path.is_dir() else path.parent).free / 1e6
            words = f"the disk is full: {free:,.0f} MB are free for {path}"
            error = OSError(f"{words}; make room or choose another folder")
        elif number in FORBIDDEN or isinstance(e, PermissionError):
            error = PermissionError(f"no permission to write {path}: choose another folder")
        else:
            raise
        error.errno = number
        raise error from e


def errno_of(error: BaseException | None) -> int | None:
    """The system's number behind an error, also where a library wrapped it in a class of its own
    (safetensors does, in words)."""
    for _ in range(10):  # a chain of causes can be a ring
        if error is None:
            break
        if isinstance(error, OSError) and error.errno:
            return error.errno
        if "No space left on device" in str(error) or "(os error 112)" in str(error):
            return errno.ENOSPC
        error = error.__cause__ or error.__context__
    return None


def remove_stale(folder: Path) -> None:
    """Remove temporary files of ours in `folder` whose writers were killed: those of this machine
    that nobody has locked, and whatever is older than `STALE`."""
    found: dict[str, list[Path]] = {}
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if (named := TEMPORARY.fullmatch(path.name)) and is_regular(path):
                found.setdefault(named[1], []).append(path)  # an encoder may need several
    for token, paths in found.items():
        with contextlib.suppress(OSError), contextlib.ExitStack() as held:
            if token.startswith(HOST) and all(_locked_until(held, path) for path in paths):
                orphans = paths
            else:
                orphans = [p for p in paths if time.time() - p.lstat().st_mtime > STALE]
            for path in orphans:
                path.unlink(missing_ok=True)


def _locked_until(end: contextlib.ExitStack, path: Path) -> bool:
    """Lock a file until `end`; False if another process has it."""
    file = os.open(path, os.O_RDWR | getattr(os, "O_NONBLOCK", 0))
    end.callback(os.close, file)
    return lock(file)
