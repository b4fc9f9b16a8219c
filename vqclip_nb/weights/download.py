"""The cache folder, and the checked, resumable download into it from the first mirror that helps.
A mirror may be silent, slow, endless, or say anything."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import WeightsError, disk_errors
from .registry import File

if TYPE_CHECKING:
    from requests import Response

log = logging.getLogger(__name__)

TRIES = 5  # connections to one mirror, as long as each brings bytes
ANSWER = 20.0  # seconds until a mirror has answered: name, connection, redirects, headers
SILENCE = 20.0  # seconds without a byte after which a connection counts as cut
UNKNOWN_SIZE = 1_000_000  # bytes at most where neither size nor limit is published
SLOWEST, WINDOW = 20_000, 20.0  # bytes a second, averaged over so many seconds
REDIRECTS = 8
CHUNK = 1 << 16
DRIVE = Path("/content/drive/MyDrive")  # where Colab mounts it


class MirrorError(Exception):
    """What is wrong with a mirror. `cut`: the download may continue where it stopped."""

    def __init__(self, words: str, *, cut: bool = False) -> None:
        super().__init__(words)
        self.cut = cut


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
    folder = cache_folder(local=True)
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
    by_hand = f"Try again later (what arrived is kept), or put the file there by hand: {target}"
    raise WeightsError("\n  ".join([f"could not fetch {file.name}{size}:", *problems, by_hand]))


def _fetch_from(url: str, part: Path, file: File) -> None:
    """Make `part` the whole and right file, with one mirror's help. Raises MirrorError."""
    for _ in range(2):
        began = _download(url, part, file)
        found = sha256_of(part)
        if file.sha256 in (None, found):
            log.info("%s: SHA-256 %s", file.name, found)
            return
        part.unlink()
        if began == 0:  # else the beginning came from elsewhere: once more, from scratch
            break
    raise MirrorError(f"wrong contents, SHA-256 {found}")


def _download(url: str, part: Path, file: File) -> int:
    """Fetch `url` into `part`, continuing what is there; returns where it began, in bytes."""
    size, most = file.bytes, file.at_most or UNKNOWN_SIZE
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
            answer = _ask(url, have)
            if answer.status_code != 206:
                began = have = before = 0
            total = _announced(answer, have, file)
            with open(part, "ab" if have else "wb") as out:
                for chunk in _chunks(answer, have, total or most, part.stem):
                    out.write(chunk)
                    have += len(chunk)
            if total in (have, None):
                break
            raise MirrorError(f"closed after {have:,} of {total:,} bytes", cut=True)
        except MirrorError as e:
            passed = time.monotonic() - since
            slow = passed >= WINDOW and (have - before) / passed < SLOWEST
            if not e.cut or have == before or slow or attempt == TRIES - 1:
                raise
            time.sleep(min(0.2 * 2**attempt, 5))
    return began


# -- one answer


def _ask(url: str, have: int) -> Response:
    """The answer to a request for what follows the first `have` bytes."""
    import requests

    # Compressed on the way, a file has not the announced length, nor places to continue from.
    headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={have}-"} if have else {})}

    def get() -> Response:
        with requests.Session() as session:
            session.max_redirects = REDIRECTS
            return session.get(url, headers=headers, stream=True, timeout=(ANSWER / 2, SILENCE))

    answer = _within(ANSWER, get)
    hops = [hop.url for hop in (*answer.history, answer)]
    plain = [hop for hop in hops if not hop.startswith("https:")]
    if url.startswith("https:") and plain:
        problem = f"leads to an address that is not encrypted: {plain[0][:100]}"
    elif answer.status_code not in (200, 206):
        problem = f"answers {answer.status_code} {answer.reason}"
    else:
        return answer
    answer.close()
    raise MirrorError(problem)


def _within(seconds: float, get: Callable[[], Response]) -> Response:
    """What `get` returns. It is abandoned when it takes too long: the time limits of sockets are
    for one packet, not for many addresses, redirects, and headers that come in drops."""
    done: list[Any] = []
    late = threading.Event()

    def work() -> None:
        try:
            done.append(get())
        except Exception as e:  # whatever a hostile answer makes the libraries raise
            done.append(e)
        else:
            if late.is_set():
                done[0].close()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    if not done:
        late.set()
        raise MirrorError(f"no answer within {seconds:g} seconds")
    if isinstance(done[0], Exception):
        raise _problem(done[0]) from done[0]
    return done[0]


def _problem(error: Exception) -> MirrorError:
    """A network's error in a few words."""
    import requests

    if isinstance(error, requests.Timeout):
        return MirrorError("silent for too long", cut=True)
    if isinstance(error, requests.TooManyRedirects):
        return MirrorError(f"redirects more than {REDIRECTS} times")
    if isinstance(error, requests.exceptions.SSLError):
        return MirrorError("its certificate or encryption is not in order")
    if isinstance(error, requests.ConnectionError):
        return MirrorError("cannot be reached", cut=True)
    return MirrorError(f"{type(error).__name__}: {str(error)[:120]}")


def _announced(answer: Response, have: int, file: File) -> int | None:
    """Length of the whole file in bytes, before a byte of it is written; None if neither `file` nor
    the headers tell. Raises MirrorError for another length than its own, and for other parts."""
    size, headers, total, problem = file.bytes, answer.headers, file.bytes, ""
    length, place = headers.get("Content-Length"), headers.get("Content-Range")
    if length is not None and re.fullmatch("[0-9]{1,15}", length):
        total = have + int(length)
    elif length is not None:
        problem = f"announces a length that is no number: {length[:80]!r}"
    if headers.get("Content-Encoding", "identity") not in ("", "identity"):
        problem = "sends it compressed, so that its length cannot be checked"
    elif answer.status_code == 206 and place is not None:
        known = re.fullmatch(r"bytes +([0-9]{1,15})-[0-9]*/([0-9]{1,15}|\*)", place, re.I)
        if not known or int(known[1]) != have:
            problem = f"sends another part than was asked for: {place[:80]!r}"
        elif total is not None and known[2] not in ("*", str(total)):
            problem = f"announces two lengths: {place[:80]!r}"
    if not problem and size is not None and total != size:
        problem = f"announces {total:,} bytes, the file has {size:,}"
    most = file.at_most or UNKNOWN_SIZE
    if not problem and size is None and (total or 0) > most:
        problem = f"announces {total:,} bytes, at most {most:,} are expected"
    if problem:
        answer.close()
        raise MirrorError(problem)
    return total


def _chunks(answer: Response, have: int, most: int, name: str) -> Iterator[bytes]:
    """What arrives after the first `have` bytes, under a progress bar. Raises MirrorError when more
    than `most` come, when too little comes in `WINDOW` seconds, or when the connection breaks."""
    from tqdm.auto import tqdm

    mark, waited = have, 0.0  # a slow disk is not the mirror's fault: only waiting counts
    with answer, tqdm(total=most, initial=have, unit="B", unit_scale=True, desc=name) as bar:
        while True:
            since = time.monotonic()
            try:
                chunk = answer.raw.read1(CHUNK)  # what is there, were it one byte
            except Exception as e:
                raise MirrorError("broke off", cut=True) from e
            if not chunk:
                return
            waited += time.monotonic() - since
            have += len(chunk)
            if have > most:
                raise MirrorError(f"sends more than the {most:,} bytes that were expected")
            yield chunk
            bar.update(len(chunk))
            if waited >= WINDOW:
                if (speed := (have - mark) / waited) < SLOWEST:
                    raise MirrorError(f"sends only {speed:,.0f} bytes a second")
                mark, waited = have, 0.0
