"""Files arrive whole or not at all, whatever happens on the way."""

from __future__ import annotations

import socket

import pytest
from published import sha256, write
from served import CKPT, YAML, assert_same_networks, cached, load

import vqclip_nb as vq


def test_a_cut_connection_goes_on_where_it_stopped(made, shelf, publish):
    publish()
    shelf.faults[CKPT] = "cut"
    assert_same_networks(load(), made.plain, made.guide)
    starts = [start for path, start in shelf.asked if path == CKPT]
    assert len(starts) == 4 and starts[0] == 0 and starts == sorted(set(starts))
    assert shelf.sent[CKPT] < 1.05 * len(made.checkpoint)


def test_what_an_earlier_session_left_is_used(made, shelf, publish):
    cache = publish()
    begun = made.checkpoint[: len(made.checkpoint) // 2]
    write(cache, "vqgan.ckpt.part", begun)
    assert_same_networks(load(), made.plain, made.guide)
    assert [start for path, start in shelf.asked if path == CKPT] == [len(begun)]


def test_all_had_arrived_but_was_not_checked(made, shelf, publish):
    cache = publish()
    write(cache, "vqgan.ckpt.part", made.checkpoint)
    assert_same_networks(load(), made.plain, made.guide)
    assert CKPT not in dict(shelf.asked)


@pytest.mark.parametrize("begun", ["other", "whole"])
def test_a_beginning_of_another_file_is_dropped(made, shelf, publish, begun):
    cache = publish()
    size = len(made.checkpoint) if begun == "whole" else 4000
    write(cache, "vqgan.ckpt.part", b"x" * size)
    assert_same_networks(load(), made.plain, made.guide)
    assert [start for path, start in shelf.asked if path == CKPT][-1] == 0


def test_more_than_there_is_cannot_be_a_beginning(made, shelf, publish):
    cache = publish()
    write(cache, "vqgan.ckpt.part", made.checkpoint + b"more")
    assert_same_networks(load(), made.plain, made.guide)
    assert [start for path, start in shelf.asked if path == CKPT] == [0]


def test_a_mirror_whose_file_is_shorter_does_not_cost_what_arrived(made, shelf, publish):
    cache = publish(mirrors=["short.ckpt", CKPT])
    shelf.files["short.ckpt"] = made.checkpoint[:4000]
    write(cache, "vqgan.ckpt.part", made.checkpoint[:5000])
    assert_same_networks(load(), made.plain, made.guide)
    assert 416 in shelf.statuses and (CKPT, 5000) in shelf.asked


def test_a_server_that_cannot_continue_sends_everything(made, shelf, publish):
    cache = publish()
    write(cache, "vqgan.ckpt.part", made.checkpoint[:5000])
    shelf.faults[CKPT] = "no range"
    assert_same_networks(load(), made.plain, made.guide)
    assert (CKPT, 5000) in shelf.asked and shelf.sent[CKPT] == len(made.checkpoint)


def test_a_server_that_packs_texts(made, shelf, publish):
    publish()
    shelf.faults[YAML] = "packs"
    assert_same_networks(load(), made.plain, made.guide)


@pytest.mark.parametrize("fault", ["wrong contents", 404, 503, "closed port"])
def test_the_second_mirror_helps(made, shelf, publish, fault):
    with socket.create_server(("127.0.0.1", 0)) as s:
        closed = f"http://127.0.0.1:{s.getsockname()[1]}/{CKPT}"
    first = closed if fault == "closed port" else "first.ckpt"
    publish(mirrors=[first, CKPT])
    # As large as the right one: only the hash can tell.
    shelf.files["first.ckpt"] = made.checkpoint[:-1] + b"x"
    if isinstance(fault, int):
        shelf.faults["first.ckpt"] = fault
    assert_same_networks(load(), made.plain, made.guide)
    assert ("first.ckpt" in dict(shelf.asked)) == (fault != "closed port")
    assert (CKPT, 0) in shelf.asked


def test_when_no_mirror_helps_the_message_does(made, shelf, publish):
    cache = publish(mirrors=["gone.ckpt", "other.ckpt"])
    other = shelf.files["other.ckpt"] = bytes(len(made.checkpoint))
    with pytest.raises(vq.WeightsError) as error:
        load()
    words = str(error.value)
    assert shelf.url("gone.ckpt") in words and "404" in words
    assert shelf.url("other.ckpt") in words and sha256(other) in words
    assert str(cache / "vqgan.ckpt") in words and "by hand" in words
    assert not {"vqgan.ckpt", "vqgan.ckpt.part", "imagenet.safetensors"} & cached(cache)
    write(cache, "vqgan.ckpt", made.checkpoint)  # by hand
    assert_same_networks(load(), made.plain, made.guide)
