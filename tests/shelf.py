"""A server on this machine with the faults of real mirrors, and with those of hostile ones."""

from __future__ import annotations

import contextlib
import socket
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

PAUSE = 0.05  # seconds between drops


def closed() -> str:
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}/x"


@dataclass
class Shelf:
    """`files` and `faults` by path; what was `asked`: (path, first byte).

    Faults: "cut" closes after a third of the answer, three times; "no range" sends everything;
    "packs" compresses for whoever accepts that; an int is the status of every answer; a function
    gets the bytes and what was asked for as first one, and yields what is sent, headers and all.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, str | int | Callable[[bytes, int], Iterator[bytes]]] = field(
        default_factory=dict
    )
    asked: list[tuple[str, int]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    sent: Counter = field(default_factory=Counter)

    def __post_init__(self) -> None:
        shelf = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                shelf.answer(self)

            def log_message(self, *what: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/{path}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path = request.path.strip("/")
        data, fault = self.files.get(path, b""), self.faults.get(path)
        wanted = request.headers.get("Range", "")
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        self.asked.append((path, start))
        if callable(fault):
            with contextlib.suppress(OSError):
                for part in fault(data, start):
                    request.wfile.write(part)
                    self.sent[path] += len(part)
                request.connection.shutdown(socket.SHUT_RDWR)
            return
        status = 206 if wanted else 200
        if isinstance(fault, int) or path not in self.files:
            status, body = fault or 404, b"<html>not today</html>"
        elif fault == "no range":
            status, body = 200, data
        elif wanted and start >= len(data):
            status, body = 416, b""
        else:
            body = data[start:]
        self.statuses.append(status)
        request.send_response(status)
        if fault == "packs" and "gzip" in request.headers.get("Accept-Encoding", ""):
            packer = zlib.compressobj(wbits=31)
            body = packer.compress(body) + packer.flush()
            request.send_header("Content-Encoding", "gzip")
        if status == 206:
            place = f"bytes {start}-{len(data) - 1}/{len(data)}"
            request.send_header("Content-Range", place)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        if fault == "cut" and sum(p == path for p, _ in self.asked) <= 3:
            body = body[: max(1, len(body) // 3)]
        with contextlib.suppress(ConnectionError):
            request.wfile.write(body)
            self.sent[path] += len(body)


# -- hostile answers ------------------------------------------------------------------------------


def head(*lines: str | bytes, status: str = "200 OK") -> bytes:
    raw = [f"HTTP/1.1 {status}", *lines, "Connection: close", "", ""]
    return b"\r\n".join(v if isinstance(v, bytes) else v.encode() for v in raw)


def redirect(where: str | bytes) -> Callable[[bytes, int], Iterator[bytes]]:
    where = where if isinstance(where, bytes) else where.encode()
    return lambda data, start: iter([head(b"Location: " + where, status="302 Found")])


def lengths(*lines: str, part: bool = False) -> Callable[[bytes, int], Iterator[bytes]]:
    """The right bytes under headers with {n}, the whole length, and {s}, the first byte."""

    def answer(data: bytes, start: int) -> Iterator[bytes]:
        filled = [line.format(n=len(data), s=start, rest=len(data) - start) for line in lines]
        yield head(*filled, status="206 Partial Content" if part else "200 OK")
        yield data[start:] if part else data

    return answer


def silent(data: bytes, start: int) -> Iterator[bytes]:
    time.sleep(60)
    yield b""


def stalls(data: bytes, start: int) -> Iterator[bytes]:
    yield head(f"Content-Length: {len(data)}") + data[:100]
    time.sleep(60)


def in_drops(data: bytes, start: int) -> Iterator[bytes]:
    yield head(f"Content-Length: {len(data)}")
    for i in range(len(data)):
        yield data[i : i + 1]
        time.sleep(PAUSE)


def endless(*lines: str) -> Callable[[bytes, int], Iterator[bytes]]:
    def answer(data: bytes, start: int) -> Iterator[bytes]:
        yield head(*lines) + data
        while True:
            yield bytes(1 << 16)

    return answer


def many_headers(data: bytes, start: int) -> Iterator[bytes]:
    yield head(*(f"X-{i}: 1" for i in range(5000)))


def endless_header(data: bytes, start: int) -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nX: "
    while True:
        yield b"x" * (1 << 16)


def chunked(*chunks: bytes) -> Callable[[bytes, int], Iterator[bytes]]:
    def answer(data: bytes, start: int) -> Iterator[bytes]:
        yield head("Transfer-Encoding: chunked")
        yield from chunks

    return answer


def chunked_for_ever(data: bytes, start: int) -> Iterator[bytes]:
    yield head("Transfer-Encoding: chunked")
    while True:
        yield b"10000\r\n" + bytes(1 << 16) + b"\r\n"


def gzip_bomb(data: bytes, start: int) -> Iterator[bytes]:
    packer = zlib.compressobj(wbits=31)
    body = packer.compress(bytes(50_000_000)) + packer.flush()
    yield head("Content-Encoding: gzip", f"Content-Length: {len(body)}") + body


HOSTILE: dict[str, Callable[[bytes, int], Iterator[bytes]]] = {
    "accepts and is silent": silent,
    "closes at once": lambda data, start: iter([]),
    "stops in the middle": stalls,
    "bytes in drops": in_drops,
    "no HTTP": lambda data, start: iter([b"220 ftp ready\r\n"]),
    "half a header": lambda data, start: iter([b"HTTP/1.1 200 OK\r\nContent-Le"]),
    "status that is none": lambda data, start: iter([b"HTTP/1.1 banana OK\r\n\r\n"]),
    "5,000 headers": many_headers,
    "a header without end": endless_header,
    "announces 10 GB": endless("Content-Length: 10000000000"),
    "announces less": lengths("Content-Length: 10"),
    "announces nothing, sends for ever": endless(),
    "announces nothing, ends early": lambda data, start: iter([head() + data[:-10]]),
    "sends more than announced": endless("Content-Length: {n}"),
    "length is no number": lengths("Content-Length: banana"),
    "length is negative": lengths("Content-Length: -5"),
    "length has 5,000 digits": lengths("Content-Length: " + "9" * 5000),
    "length in other digits": lengths("Content-Length: ٣"),
    "two lengths": lengths("Content-Length: {n}", "Content-Length: 7"),
    "chunks without sense": chunked(b"zz\r\nabc\r\n"),
    "a chunk of negative length": chunked(b"-5\r\nabc\r\n"),
    "chunks without end": chunked_for_ever,
    "packed though not asked": gzip_bomb,
    "another part": lengths("Content-Length: {n}", "Content-Range: bytes 7-{n}/{n}", part=True),
    "range is no number": lengths("Content-Range: bytes a-b/c", part=True),
    "redirect to nowhere": redirect("http://"),
    "redirect without address": lambda data, start: iter([head(status="302 Found")]),
    "redirect to a broken address": redirect("http://[::bad/x"),
    "redirect to a port that is none": redirect("http://127.0.0.1:99999999/x"),
    "redirect to a name too long": redirect("http://" + "a" * 300 + ".invalid/"),
    "redirect to bytes": redirect(b"http://\xff\xfe\xfd/"),
    "redirect to a file": redirect("file:///etc/passwd"),
    "redirect to ftp": redirect("ftp://127.0.0.1/x"),
    "redirect to itself": redirect("?again"),
}
