"""One answer of one mirror, which may be silent, slow, endless, or say anything."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from requests import Response

ANSWER = 20.0  # seconds until a mirror has answered: name, connection, redirects, headers
SILENCE = 20.0  # seconds without a byte after which a connection counts as cut
SLOWEST, WINDOW = 20_000, 20.0  # bytes a second, averaged over so many seconds
REDIRECTS = 8
UNKNOWN_SIZE = 1_000_000  # bytes at most of a file whose size is not published
CHUNK = 1 << 16


class MirrorError(Exception):
    """What is wrong with a mirror. `cut`: it may go on where it stopped."""

    def __init__(self, words: str, *, cut: bool = False) -> None:
        super().__init__(words)
        self.cut = cut


def ask(url: str, have: int) -> Response:
    """The answer to a request for what follows the first `have` bytes."""
    import requests

    # Packed on the way, a file has not the announced length, nor places to continue from.
    headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={have}-"} if have else {})}

    def get() -> Response:
        with requests.Session() as session:
            session.max_redirects = REDIRECTS
            return session.get(url, headers=headers, stream=True, timeout=(ANSWER / 2, SILENCE))

    answer = _within(ANSWER, get)
    hops = [hop.url for hop in (*answer.history, answer)]
    if url.startswith("https:") and (bad := [hop for hop in hops if not hop.startswith("https:")]):
        answer.close()
        raise MirrorError(f"leads to an address that is not encrypted: {bad[0][:100]}")
    if answer.status_code not in (200, 206):
        answer.close()
        raise MirrorError(f"answers {answer.status_code} {answer.reason}")
    return answer


def _within(seconds: float, get: Callable[[], Response]) -> Response:
    """What `get` returns. It is left alone when it takes too long: the time limits of sockets are
    for one packet, not for many addresses, redirects, and headers that come in drops."""
    done: list[Any] = []
    late = threading.Event()

    def work() -> None:
        try:
            answer = get()
        except Exception as e:  # whatever a hostile answer makes the libraries raise
            done.append(e)
        else:
            done.append(answer)
            if late.is_set():
                answer.close()

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


def announced(answer: Response, have: int, size: int | None) -> int:
    """Length of the whole file in bytes, before a byte of it is written. Raises MirrorError for
    another length than `size`, and for headers that make no sense."""
    headers = answer.headers
    try:
        if headers.get("Content-Encoding", "identity") not in ("", "identity"):
            raise MirrorError("sends it packed, so that its length cannot be checked")
        length = headers.get("Content-Length")
        total = size if length is None else have + _number(length)
        if answer.status_code == 206 and (place := headers.get("Content-Range")):
            unit, _, where = place.partition(" ")
            first = where.partition("-")[0]
            whole = where.rpartition("/")[2]
            if unit.lower() != "bytes" or _number(first) != have:
                raise MirrorError(f"sends another part than was asked for: {place[:80]!r}")
            if whole != "*" and total is not None and _number(whole) != total:
                raise MirrorError(f"announces two lengths: {place[:80]!r}")
        if size is not None and total != size:
            raise MirrorError(f"announces {total:,} bytes, the file has {size:,}")
        if size is None and (total or 0) > UNKNOWN_SIZE:
            raise MirrorError(f"announces {total:,} bytes, at most {UNKNOWN_SIZE:,} are expected")
    except MirrorError:
        answer.close()
        raise
    return UNKNOWN_SIZE if total is None else total


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise MirrorError(f"announces a length that is no number: {text[:80]!r}")
    return int(text)


def chunks(answer: Response, have: int, total: int, name: str) -> Iterator[bytes]:
    """What arrives of the bytes from `have` to `total`, under a progress bar. Raises MirrorError
    when more comes, when too little comes in `WINDOW` seconds, or when the connection breaks."""
    from tqdm.auto import tqdm

    mark, waited = have, 0.0  # a slow disk is not the mirror's fault: only waiting counts
    with answer, tqdm(total=total, initial=have, unit="B", unit_scale=True, desc=name) as bar:
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
            if have > total:
                raise MirrorError(f"sends more than the {total:,} bytes that were expected")
            yield chunk
            bar.update(len(chunk))
            if waited >= WINDOW:
                if (speed := (have - mark) / waited) < SLOWEST:
                    raise MirrorError(f"sends only {speed:,.0f} bytes a second")
                mark, waited = have, 0.0
