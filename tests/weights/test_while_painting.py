"""A pair that is downloaded while the Studio paints with the one that ships."""

from __future__ import annotations

import threading
import time

import pytest
from served import CKPT
from shelf import head

import vqclip_nb as vq
from vqclip_nb import loading


@pytest.fixture
def begin(monkeypatch, small, tmp_path):
    """Function: a Studio that would have the published pair."""
    monkeypatch.setattr(loading, "pair_for", lambda device: "imagenet")

    def begin() -> vq.Studio:
        return vq.Studio("auto", small(total_iter=1, crops=2), folder=tmp_path)

    return begin


def ended(pairs) -> str:
    """What it says when it is over."""
    until = time.monotonic() + 20
    while pairs.downloading and time.monotonic() < until:
        time.sleep(0.01)
    pairs.look()
    return pairs.line.value


def test_the_pair_that_ships_paints_until_the_other_is_here(publish, shelf, begin):
    publish()
    rest = threading.Event()

    def slow(data: bytes, start: int):
        yield head(f"Content-Length: {len(data)}") + data[: len(data) // 2]
        rest.wait(20)
        yield data[len(data) // 2 :]

    shelf.faults[CKPT] = slow
    studio = begin()
    pairs = studio.pairs
    until = time.monotonic() + 20
    while not (50 < int(pairs.line.value.partition("%")[0].split()[-1]) < 100):
        assert time.monotonic() < until
        time.sleep(0.05)
        pairs.look()
    assert "MB a second" in pairs.line.value and " left" in pairs.line.value
    assert pairs.button.layout.display == "none"
    assert studio.paint().pair.name == "emoji"
    studio.pairs.control.value = "imagenet"  # it is not here yet
    studio.start()
    assert studio.run.pair.name == "emoji"
    rest.set()
    assert "imagenet is here" in ended(pairs)
    assert pairs.button.layout.display == "" and "imagenet" in pairs.button.description
    pairs.button.click()
    assert studio.run.pair.name == "imagenet" and pairs.box.layout.display == "none"
    pair, missing = loading.pair_at_once("auto")
    assert (pair.name, missing) == ("imagenet", "")  # the next time it is here


def test_a_failed_download_says_a_line_for_each_mirror_and_can_be_tried_again(
    publish, shelf, studio
):
    publish(mirrors=(CKPT, "gone"))
    shelf.faults[CKPT] = 403
    studio.pairs.control.value = "imagenet"
    studio.buttons["Run"].click()
    assert studio.ticker.playing and studio.run.pair.name == studio.pairs.control.value == "emoji"
    first, forbidden, gone, *_ = ended(studio.pairs).split("<br>")
    assert "could not fetch vqgan.ckpt" in first and "goes on painting" in studio.pairs.line.value
    assert "answers 403" in forbidden and "answers 404" in gone
    assert studio.paint().pair.name == "emoji"
    shelf.faults.clear()
    assert studio.pairs.button.description == "Try again"
    studio.pairs.button.click()
    assert "imagenet is here" in ended(studio.pairs)
