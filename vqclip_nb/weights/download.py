"""The published files, and their checked, resumable download into the cache folder from the first
mirror that helps. A mirror may be silent, slow, endless, or say anything."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import threading
import time
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import WeightsError, disk_errors

if TYPE_CHECKING:
    from requests import Response

log = logging.getLogger(__name__)

TRIES = 5  # connections to one mirror, as long as each brings bytes
CONNECT, SILENCE = 10.0, 20.0  # seconds until a mirror is reached, and without a byte from it
SLOWEST, WINDOW = 20_000, 20.0  # bytes a second, averaged over so many seconds
CHUNK = 1 << 16
DRIVE = Path("/content/drive/MyDrive")  # where Colab mounts it


@dataclass(frozen=True)
class File:
    """A published file. bytes: None where the size is not known; at_most: then its limit. facts:
    see `parse_facts`."""

    name: str
    urls: Sequence[str]
    sha256: str
    bytes: int | None = None
    licence: str = ""
    at_most: int = 0
    facts: Mapping[str, Any] = field(default_factory=dict)


_FOUND = tomllib.loads(Path(__file__).with_name("published.toml").read_text("utf8"))
CLIPS = {name: File(**facts) for name, facts in _FOUND["clip"].items()}
VQGANS: dict[str, tuple[File, File | dict[str, Any]]] = {  # weights and configuration
    name: (File(**of["weights"]), File(**of["config"]) if "urls" in of["config"] else of["config"])
    for name, of in _FOUND["vqgan"].items()
}


class MirrorError(Exception):
    """What is wrong with a mirror."""


class BrokeOffError(MirrorError):
    """The download may continue where it stopped."""


def cache_folder(*, local: bool = False) -> Path:
    """`VQCLIP_CACHE`, else in Colab a folder on the mounted Drive, which outlives the machine, else
    the platform's cache folder; made if need be. local: not on Drive, whose trash would fill."""
    import platformdirs

    folder = Path(os.environ.get("VQCLIP_CACHE") or platformdirs.user_cache_dir("vqclip_nb"))
    if not local and "VQCLIP_CACHE" not in os.environ and os.access(DRIVE, os.W_OK):
        folder = DRIVE / "vqclip_nb"
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


def fetch(file: File) -> Path:
    """Path of `file` in the cache, downloaded if need be and checked against its SHA-256 before
    anyone reads it.

    Mirrors are tried in turn, and left when they are silent, slow, or announce another length.
    WeightsError lists what went wrong with each, and how to do it by hand.
    """
    from filelock import FileLock

    folder = cache_folder(local=True)
    target, part = folder / file.name, folder / (file.name + ".part")
    with disk_errors(folder, file.bytes), FileLock(folder / (file.name + ".lock")):
        if target.exists():
            if file.sha256 == sha256_of(target):
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
    by_hand = f"Try again later (what arrived is kept), or put the file there by hand: {target}"
    raise WeightsError("\n  ".join([f"could not fetch {file.name}{size}:", *problems, by_hand]))


def _fetch_from(url: str, part: Path, file: File) -> None:
    """Make `part` the whole and right file, with one mirror's help. Raises MirrorError."""
    for attempt in range(1, TRIES + 1):
        have = size_of(part)
        if file.bytes is None or have > file.bytes:  # not known to be a beginning of this file
            part.unlink(missing_ok=True)
            have = 0
        try:
            if have != file.bytes:
                _continue(url, part, file, have)
        except BrokeOffError:
            if size_of(part) <= have or attempt == TRIES:
                raise
            time.sleep(min(0.1 * 2**attempt, 5))
            continue
        found = sha256_of(part)
        if file.sha256 == found:
            return
        part.unlink()
        if have == 0:  # else the beginning came from elsewhere: once more, from scratch
            break
    raise MirrorError(f"wrong contents, SHA-256 {found}")


def size_of(path: Path) -> int:
    """Bytes of a file; 0 if it is not there."""
    return path.stat().st_size if path.exists() else 0


def _continue(url: str, part: Path, file: File, have: int) -> None:
    """Append to `part` what follows the first `have` bytes of `url`. Raises MirrorError when more
    comes than is allowed, or less than was announced, or too slowly."""
    from tqdm.auto import tqdm

    answer = _ask(url, have)
    if answer.status_code == 200:  # all of it, whatever was asked for
        have = 0
    with answer:
        total = _announced(answer, have, file)
        most = total or file.at_most
        mark, since = have, time.monotonic()
        beside = threading.current_thread() is not threading.main_thread()  # shows its own
        how = dict(unit="B", unit_scale=True, desc=part.stem, disable=beside)
        mode = "ab" if have else "wb"
        with tqdm(total=most, initial=have, **how) as bar, open(part, mode) as out:
            while True:
                try:
                    chunk = answer.raw.read1(CHUNK)  # what is there, were it one byte
                except Exception as e:
                    slow = time.monotonic() - since >= WINDOW
                    raise (MirrorError if slow else BrokeOffError)("broke off") from e
                if not chunk:
                    break
                have += len(chunk)
                if have > most:
                    raise MirrorError(f"sends more than the {most:,} bytes that were expected")
                out.write(chunk)
                bar.update(len(chunk))
                if (passed := time.monotonic() - since) >= WINDOW:
                    if (speed := (have - mark) / passed) < SLOWEST:
                        raise MirrorError(f"sends only {speed:,.0f} bytes a second")
                    mark, since = have, time.monotonic()
    if total not in (have, None):
        raise BrokeOffError(f"closed after {have:,} of {total:,} bytes")


def _ask(url: str, have: int) -> Response:
    """The answer to a request for what follows the first `have` bytes."""
    import requests

    # Compressed on the way, a file has not the announced length, nor places to continue from.
    headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={have}-"} if have else {})}
    try:
        answer = requests.get(url, headers=headers, stream=True, timeout=(CONNECT, SILENCE))
    except requests.Timeout as e:
        raise MirrorError("silent for too long") from e
    except requests.exceptions.SSLError as e:
        raise MirrorError("its certificate or encryption is not in order") from e
    except requests.ConnectionError as e:
        raise MirrorError("cannot be reached") from e
    except Exception as e:  # whatever a hostile answer makes the libraries raise
        raise MirrorError(f"{type(e).__name__}: {str(e)[:120]}") from e
    plain = [hop.url for hop in (*answer.history, answer) if not hop.url.startswith("https:")]
    if url.startswith("https:") and plain:
        problem = f"leads to an address that is not encrypted: {plain[0][:100]}"
    elif answer.status_code not in (200, 206):
        problem = f"answers {answer.status_code} {answer.reason}"
    else:
        return answer
    answer.close()
    raise MirrorError(problem)


def _announced(answer: Response, have: int, file: File) -> int | None:
    """Length of the whole file in bytes, before a byte of it is written; None if neither `file` nor
    the headers tell. Raises MirrorError for another length than its own, and for another part."""
    length, place = (answer.headers.get(f"Content-{name}") for name in ("Length", "Range"))
    if answer.status_code == 206 and place and not re.match(f"bytes +{have}-", place, re.I):
        raise MirrorError(f"sends another part than was asked for: {place[:80]!r}")
    if length is None:
        return file.bytes
    if not re.fullmatch("[0-9]{1,15}", length):
        raise MirrorError(f"announces a length that is no number: {length[:80]!r}")
    total = have + int(length)
    if file.bytes is not None and total != file.bytes:
        raise MirrorError(f"announces {total:,} bytes, the file has {file.bytes:,}")
    if file.bytes is None and total > file.at_most:
        raise MirrorError(f"announces {total:,} bytes, at most {file.at_most:,} are expected")
    return total
