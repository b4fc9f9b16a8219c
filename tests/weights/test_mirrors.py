"""Mirrors that are silent, slow, endless or hostile are left soon for the next one."""

from __future__ import annotations

import logging
import socket
import time
from types import SimpleNamespace

import pytest
import requests
from published import sha256, write
from served import cached
from shelf import HOSTILE

from vqclip_nb.weights import File, WeightsError, download, fetch, mirrors

DATA = bytes(range(256)) * 40


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Limits of tenths of seconds, so that the tests need not wait for the real ones."""
    for name, value in (("ANSWER", 0.6), ("SILENCE", 0.4), ("WINDOW", 0.3)):
        monkeypatch.setattr(mirrors, name, value)
    monkeypatch.setattr(download, "TRIES", 4)


def published(shelf, *paths: str, size: int | None = len(DATA), known: bool = True) -> File:
    urls = tuple(p if "://" in p else shelf.url(p) for p in paths)
    return File("file.ckpt", urls, sha256(DATA) if known else None, size, "MIT")


@pytest.mark.parametrize("begun", [0, 5000])
@pytest.mark.parametrize("fault", HOSTILE)
def test_a_hostile_mirror_is_passed_over(shelf, cache, fault, begun):
    shelf.files |= {"bad": DATA, "good": DATA}
    shelf.faults["bad"] = HOSTILE[fault]
    if begun:
        write(cache, "file.ckpt.part", DATA[:begun])
    began = time.monotonic()
    path = fetch(published(shelf, "bad", "good"))
    assert path.read_bytes() == DATA and time.monotonic() - began < 4
    assert cached(cache) == {"file.ckpt"}


@pytest.mark.parametrize("fault", [*HOSTILE, 403, 404, 500, 503, 204, 206])
def test_alone_it_is_named_with_its_reason_and_the_disk_stays_free(shelf, cache, fault):
    shelf.files["bad"] = DATA
    shelf.faults["bad"] = HOSTILE.get(fault, fault)
    with pytest.raises(WeightsError) as e:
        fetch(published(shelf, "bad"))
    first, reason, last = str(e.value).split("\n  ")
    assert first.startswith("could not fetch file.ckpt") and "by hand" in last
    assert reason.startswith(shelf.url("bad") + ": ") and len(reason) < 250
    size = sum(p.stat().st_size for p in cache.iterdir())
    assert size <= len(DATA) and "file.ckpt" not in cached(cache)


@pytest.mark.parametrize(
    "address", ["closed", "http://name.invalid/x", "http:///x", "gopher://x/y"]
)
def test_an_address_that_leads_nowhere(shelf, cache, address):
    if address == "closed":
        with socket.create_server(("127.0.0.1", 0)) as s:
            address = f"http://127.0.0.1:{s.getsockname()[1]}/x"
    shelf.files["good"] = DATA
    assert fetch(published(shelf, address, "good")).read_bytes() == DATA


def test_a_length_that_is_not_announced_is_the_known_one(shelf, cache):
    shelf.files["file"] = DATA
    shelf.faults["file"] = lambda data, start: iter([b"HTTP/1.1 200 OK\r\n\r\n" + data])
    assert fetch(published(shelf, "file")).read_bytes() == DATA


def test_without_a_known_size_a_text_may_come_but_no_gigabytes(shelf, cache, monkeypatch):
    shelf.files["file"] = DATA
    file = published(shelf, "file", size=None, known=False)
    assert fetch(file, accept_unknown=True).read_bytes() == DATA
    (cache / "file.ckpt").unlink()
    shelf.faults["file"] = "cut"
    assert fetch(file, accept_unknown=True).read_bytes() == DATA
    (cache / "file.ckpt").unlink()
    del shelf.faults["file"]
    monkeypatch.setattr(mirrors, "UNKNOWN_SIZE", 1000)
    with pytest.raises(WeightsError, match="announces 10,240 bytes, at most 1,000"):
        fetch(file, accept_unknown=True)
    shelf.faults["file"] = HOSTILE["announces nothing, sends for ever"]
    with pytest.raises(WeightsError, match="more than the 1,000 bytes"):
        fetch(file, accept_unknown=True)
    assert sum(p.stat().st_size for p in cache.iterdir()) <= 1000


def test_an_encrypted_address_that_leads_to_a_plain_one(shelf, cache, monkeypatch):
    """A redirect away from https could be answered by anybody on the way."""
    shelf.files["file"] = DATA

    def redirected(self, url, **options):
        answer = requests.get(shelf.url("file"), stream=True)
        answer.history = [SimpleNamespace(url=url)]
        return answer

    monkeypatch.setattr(requests.Session, "get", redirected)
    with pytest.raises(WeightsError, match="not encrypted: http://127.0.0.1"):
        fetch(published(shelf, "https://example.org/file"))


def test_what_a_slow_mirror_brought_is_used_by_the_next(shelf, cache, caplog):
    shelf.files |= {"slow": DATA, "good": DATA}
    shelf.faults["slow"] = HOSTILE["bytes in drops"]
    with caplog.at_level(logging.INFO):
        assert fetch(published(shelf, "slow", "good")).read_bytes() == DATA
    assert "bytes a second" in caplog.text
    assert [start for path, start in shelf.asked if path == "good"][0] > 0
