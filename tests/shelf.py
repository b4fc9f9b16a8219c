"""A server on this machine with the faults of real mirrors, and with those of hostile ones."""

import contextlib
import gzip
import itertools
import socket
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

Answer = Callable[[bytes, int], Iterator[bytes]]  # of a file and the first byte that was asked for


def closed() -> str:
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}/x"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.answer(self)

    def log_message(self, *what: object) -> None:
        pass


class Shelf(ThreadingHTTPServer):
    """`files` and `faults` by path; what was `asked`: (path, first byte).

    Faults: "cut" closes after a third of the answer, three times; "no range" sends everything;
    "packs" compresses for whoever accepts that; an int is the status of every answer; a function
    gets the bytes and what was asked for as first one, and yields what is sent, headers and all.
    """

    def __init__(self, files: dict[str, bytes] | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.asked = files or {}, list[tuple[str, int]]()
        self.faults: dict[str, str | int | Answer] = {}
        Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{path}"

    def close(self) -> None:
        self.shutdown()
        self.server_close()

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
        request.send_response(status)
        if fault == "packs" and "gzip" in request.headers.get("Accept-Encoding", ""):
            body = gzip.compress(body)
            request.send_header("Content-Encoding", "gzip")
        if status == 206:
            request.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        if fault == "cut" and sum(p == path for p, _ in self.asked) <= 3:
            body = body[: max(1, len(body) // 3)]
        with contextlib.suppress(ConnectionError):
            request.wfile.write(body)


def head(*lines: str | bytes, status: str = "200 OK") -> bytes:
    raw = [f"HTTP/1.1 {status}", *lines, "Connection: close", "", ""]
    return b"\r\n".join(v if isinstance(v, bytes) else v.encode() for v in raw)


def sends(*parts: bytes, again: bytes = b"") -> Answer:
    """An answer of these parts, and then of `again` for ever."""
    return lambda data, start: itertools.chain(parts, itertools.repeat(again) if again else ())


def redirect(where: str | bytes) -> Answer:
    where = where if isinstance(where, bytes) else where.encode()
    return sends(head(b"Location: " + where, status="302 Found"))


def lengths(*lines: str, status: str = "200 OK") -> Answer:
    """The right bytes under headers with {n}, the whole length."""

    def answer(data: bytes, start: int) -> Iterator[bytes]:
        yield head(*(line.format(n=len(data)) for line in lines), status=status)
        yield data if status == "200 OK" else data[start:]

    return answer


def slow(at_once: int, pause: float) -> Answer:
    """The right bytes, so many at once."""

    def answer(data: bytes, start: int) -> Iterator[bytes]:
        yield head(f"Content-Length: {len(data)}")
        for i in range(0, len(data), at_once):
            yield data[i : i + at_once]
            time.sleep(pause)

    return answer


def silent(data: bytes, start: int) -> Iterator[bytes]:
    time.sleep(60)
    yield b""


PART, CHUNKED = "206 Partial Content", head("Transfer-Encoding: chunked")
BLOCK = bytes(1 << 16)
BOMB = gzip.compress(bytes(5_000_000))
HOSTILE: dict[str, Answer] = {
    "accepts and is silent": silent,
    "closes at once": sends(),
    "stops in the middle": slow(100, pause=60),
    "bytes in drops": slow(1, pause=0.05),
    "no HTTP": sends(b"220 ftp ready\r\n"),
    "half a header": sends(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "status that is none": sends(b"HTTP/1.1 banana OK\r\n\r\n"),
    "5,000 headers": sends(head(*(f"X-{i}: 1" for i in range(5000)))),
    "a header without end": sends(b"HTTP/1.1 200 OK\r\nX: ", again=b"x" * len(BLOCK)),
    "announces 10 GB": sends(head("Content-Length: 10000000000"), again=BLOCK),
    "announces less": lengths("Content-Length: 10"),
    "announces nothing, sends for ever": sends(head(), again=BLOCK),
    "announces nothing, ends early": lambda data, start: iter([head() + data[:-10]]),
    "length is no number": lengths("Content-Length: banana"),
    "length in other digits": lengths("Content-Length: ٣"),
    "two lengths": lengths("Content-Length: {n}", "Content-Length: 7"),
    "chunks without sense": sends(CHUNKED, b"zz\r\nabc\r\n"),
    "a chunk of negative length": sends(CHUNKED, b"-5\r\nabc\r\n"),
    "chunks without end": sends(CHUNKED, again=b"10000\r\n" + BLOCK + b"\r\n"),
    "packed though not asked": sends(
        head("Content-Encoding: gzip", f"Content-Length: {len(BOMB)}") + BOMB
    ),
    "another part": lengths("Content-Range: bytes 7-{n}/{n}", status=PART),
    "range is no number": lengths("Content-Range: bytes a-b/c", status=PART),
    "redirect to nowhere": redirect("http://"),
    "redirect without address": sends(head(status="302 Found")),
    "redirect to a broken address": redirect("http://[::bad/x"),
    "redirect to a port that is none": redirect("http://127.0.0.1:99999999/x"),
    "redirect to a name too long": redirect("http://" + "a" * 300 + ".invalid/"),
    "redirect to bytes": redirect(b"http://\xff\xfe\xfd/"),
    "redirect to a file": redirect("file:///etc/passwd"),
    "redirect to ftp": redirect("ftp://127.0.0.1/x"),
    "redirect to itself": redirect("?again"),
}
