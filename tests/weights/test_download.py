"""Files arrive whole or not at all; mirrors that are silent, slow or hostile are left soon."""

import time
from types import SimpleNamespace

import pytest
import requests
from published import cached, sha256, write
from shelf import HOSTILE, closed

from vqclip_nb.weights import File, WeightsError, download, fetch

DATA = bytes(range(256)) * 40
N = len(DATA)


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Limits of tenths of seconds, so that the tests need not wait for the real ones."""
    for name, value in (("CONNECT", 0.6), ("SILENCE", 0.4), ("WINDOW", 0.3), ("TRIES", 4)):
        monkeypatch.setattr(download, name, value)


def published(shelf, *paths: str, size: int | None = N, at_most: int = 0) -> File:
    urls = tuple(p if "://" in p else shelf.url(p) for p in paths)
    return File("file.ckpt", urls, sha256(DATA), size, "MIT", at_most)


@pytest.mark.parametrize(
    ("begun", "fault", "starts"),
    [
        (b"", "cut", [0, 3413, 5688, 7205]),
        (b"", "packs", [0]),
        (b"", lambda data, start: iter([b"HTTP/1.1 200 OK\r\n\r\n" + data]), [0]),  # no length
        (DATA[:5000], None, [5000]),
        (DATA[:5000], "no range", [5000]),
        (DATA, None, []),
        (DATA + b"more", None, [0]),
        (b"x" * 4000, None, [4000, 0]),
        (b"x" * N, None, [0]),
    ],
)
def test_a_download_goes_on_where_it_stopped(shelf, cache, begun, fault, starts):
    shelf.files["file"], shelf.faults = DATA, {"file": fault} if fault else {}
    if begun:
        write(cache, "file.ckpt.part", begun)
    assert fetch(published(shelf, "file")).read_bytes() == DATA
    assert [start for _, start in shelf.asked] == starts and cached(cache) == {"file.ckpt"}


def test_a_mirror_whose_file_is_shorter_does_not_cost_what_arrived(shelf, cache):
    shelf.files |= {"short": DATA[:4000], "good": DATA}
    write(cache, "file.ckpt.part", DATA[:5000])
    nowhere = ("http://name.invalid/x", "http:///x", "gopher://x/y")
    assert fetch(published(shelf, *nowhere, "short", "good")).read_bytes() == DATA
    assert shelf.asked == [("short", 5000), ("good", 5000)]


def test_when_no_mirror_helps_the_message_does(shelf, cache):
    nowhere = closed()
    other = shelf.files["other"] = bytes(N)  # as large as the right one: only the hash can tell
    shelf.faults["busy"] = 503
    with pytest.raises(WeightsError) as error:
        fetch(published(shelf, "gone", "busy", nowhere, "other"))
    first, *reasons, last = str(error.value).split("\n  ")
    assert first == "could not fetch file.ckpt (0 MB):"
    assert reasons[0] == f"{shelf.url('gone')}: answers 404 Not Found"
    assert reasons[1] == f"{shelf.url('busy')}: answers 503 Service Unavailable"
    assert reasons[2] == f"{nowhere}: cannot be reached"
    assert reasons[3] == f"{shelf.url('other')}: wrong contents, SHA-256 {sha256(other)}"
    assert last.endswith(f"put the file there by hand: {cache / 'file.ckpt'}")
    assert not cached(cache)
    write(cache, "file.ckpt", DATA)  # by hand
    assert fetch(published(shelf, "gone")).read_bytes() == DATA


@pytest.mark.parametrize("fault", [*HOSTILE, 403, 404, 500, 204, 206])
def test_a_hostile_mirror_is_named_and_passed_over_and_the_disk_stays_free(shelf, cache, fault):
    shelf.files |= {"bad": DATA, "good": DATA}
    shelf.faults["bad"] = HOSTILE.get(fault, fault)
    with pytest.raises(WeightsError) as e:
        fetch(published(shelf, "bad"))
    _, reason, _ = str(e.value).split("\n  ")
    assert reason.startswith(shelf.url("bad") + ": ") and len(reason) < 250
    size = sum(p.stat().st_size for p in cache.iterdir())
    assert size <= N and "file.ckpt" not in cached(cache)
    write(cache, "file.ckpt.part", DATA[:5000])
    began = time.monotonic()
    path = fetch(published(shelf, "bad", "good"))
    assert path.read_bytes() == DATA and time.monotonic() - began < 4
    assert cached(cache) == {"file.ckpt"}


def test_without_a_known_size_no_more_comes_than_the_limit(shelf, cache):
    shelf.files["file"] = DATA
    file = published(shelf, "file", size=None, at_most=2 * N)
    assert fetch(file).read_bytes() == DATA
    (cache / "file.ckpt").unlink()
    file = published(shelf, "file", size=None, at_most=1000)
    with pytest.raises(WeightsError, match="announces 10,240 bytes, at most 1,000"):
        fetch(file)
    shelf.faults["file"] = HOSTILE["announces nothing, sends for ever"]
    with pytest.raises(WeightsError, match="more than the 1,000 bytes"):
        fetch(file)
    assert sum(p.stat().st_size for p in cache.iterdir()) <= 1000


def test_an_encrypted_address_that_leads_to_a_plain_one(shelf, cache, monkeypatch):
    """A redirect away from https could be answered by anybody on the way."""
    shelf.files["file"] = DATA
    get = requests.get

    def redirected(url, **options):
        answer = get(shelf.url("file"), stream=True)
        answer.history = [SimpleNamespace(url=url)]
        return answer

    monkeypatch.setattr(requests, "get", redirected)
    with pytest.raises(WeightsError, match="not encrypted: http://127.0.0.1"):
        fetch(published(shelf, "https://example.org/file"))
