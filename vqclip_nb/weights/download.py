"""The cache folder, and the checked, resumable download into it from the first mirror that
helps."""

from __future__ import annotations

import hashlib
import logging
import os
import time
from pathlib import Path

from . import mirrors
from .errors import WeightsError, disk_errors
from .mirrors import MirrorError, announced, ask, chunks
from .published import File

log = logging.getLogger(__name__)

TRIES = 5  # connections to one mirror, as long as each brings bytes


def cache_folder() -> Path:
    """`VQCLIP_CACHE`, or the platform's cache folder; made if need be."""
    import platformdirs

    folder = Path(os.environ.get("VQCLIP_CACHE") or platformdirs.user_cache_dir("vqclip_nb"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise WeightsError(
            f"cannot make the cache folder {folder} ({e.strerror}): "
            "set VQCLIP_CACHE to a folder that can be written"
        ) from e
    return folder


def sha256_of(path: Path) -> str:
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def fetch(file: File, *, accept_unknown: bool = False) -> Path:
    """Path of `file` in the cache, downloaded if need be and checked against its SHA-256 before
    anyone reads it.

    Mirrors are tried in turn, and left when they are silent, slow, or announce another length.
    WeightsError lists what went wrong with each, and how to do it by hand.
    """
    from filelock import FileLock

    if file.sha256 is None and not accept_unknown:
        raise WeightsError(
            f"no SHA-256 is published for {file.name}, so it cannot be told from a tampered file. "
            "If you trust its source, say so: load_pair(..., accept_unknown=True)"
        )
    folder = cache_folder()
    target, part = folder / file.name, folder / (file.name + ".part")
    with disk_errors(folder, file.bytes), FileLock(folder / (file.name + ".lock")):
        if target.exists():
            if file.sha256 in (None, sha256_of(target)):
                return target
            log.warning("%s is corrupt: removed, fetched again", target)
            target.unlink()
        problems = []
        for url in file.urls:
            try:
                _fetch_from(url, part, file)
            except MirrorError as e:
                log.info("%s: %s", url, e)
                problems.append(f"{url}: {e}")
            else:
                part.replace(target)
                return target
    size = "" if file.bytes is None else f" ({file.bytes / 1e6:,.0f} MB)"
    raise WeightsError(
        "\n  ".join(
            [
                f"could not fetch {file.name}{size}:",
                *problems,
                f"Try again later (what arrived is kept), or put the file there by hand: {target}",
            ]
        )
    )


def _fetch_from(url: str, part: Path, file: File) -> None:
    """Make `part` the whole and right file, with one mirror's help. Raises MirrorError."""
    for _ in range(2):
        began = _download(url, part, file.bytes)
        found = sha256_of(part)
        if file.sha256 in (None, found):
            log.info("%s: SHA-256 %s", file.name, found)
            return
        part.unlink()
        if began == 0:  # else the beginning came from elsewhere: once more, from scratch
            break
    raise MirrorError(f"wrong contents, SHA-256 {found}")


def _download(url: str, part: Path, size: int | None) -> int:
    """Fetch `url` into `part`, continuing what is there; returns where it began, in bytes."""
    have = part.stat().st_size if part.exists() else 0
    if size is None or have > size:  # whether it is a beginning of this file cannot be told
        part.unlink(missing_ok=True)
        have = 0
    began = have
    for attempt in range(TRIES):
        if have == size:
            break
        before, since = have, time.monotonic()
        try:
            answer = ask(url, have)
            if answer.status_code != 206:
                began = have = before = 0
            total = announced(answer, have, size)
            with open(part, "ab" if have else "wb") as out:
                for chunk in chunks(answer, have, total, part.stem):
                    out.write(chunk)
                    have += len(chunk)
            if have == total or (size is None and total == mirrors.UNKNOWN_SIZE):
                break
            raise MirrorError(f"closed after {have:,} of {total:,} bytes", cut=True)
        except MirrorError as e:
            passed = time.monotonic() - since
            slow = passed >= mirrors.WINDOW and (have - before) / passed < mirrors.SLOWEST
            if not e.cut or have == before or slow or attempt == TRIES - 1:
                raise
            time.sleep(min(0.2 * 2**attempt, 5))
    return began
