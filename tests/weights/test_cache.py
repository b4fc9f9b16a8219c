"""The cache holds what was checked, and mends itself."""

from __future__ import annotations

import errno
import logging
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from published import write
from served import CKPT, CLIP, YAML, assert_same_networks, cached, load, nobody

import vqclip_nb as vq
from vqclip_nb import loading as pairs
from vqclip_nb import weights


def test_a_corrupt_original_is_fetched_again(made, shelf, publish, caplog):
    cache = publish()
    write(cache, "vqgan.ckpt", made.checkpoint[:-9] + b"corrupted")
    assert_same_networks(load(), made.plain, made.guide)
    assert shelf.asked.count((CKPT, 0)) == 1 and "vqgan.ckpt is corrupt" in caplog.text


@pytest.mark.parametrize("damage", ["one byte", "cut off", "hash gone", "hash empty"])
def test_a_corrupt_slim_copy_is_made_anew(made, shelf, publish, caplog, damage):
    cache = publish()
    before = load().hashes
    slim, asked = cache / "imagenet.safetensors", len(shelf.asked)
    data = bytearray(slim.read_bytes())
    data[-1000] ^= 1
    if damage == "one byte":
        slim.write_bytes(data)
    elif damage == "cut off":
        slim.write_bytes(data[:-500])
    elif damage == "hash gone":
        slim.with_suffix(".sha256").unlink()
    else:
        slim.with_suffix(".sha256").write_text("")
    with caplog.at_level(logging.WARNING):
        pair = load()
    assert "imagenet" in caplog.text and pair.hashes == before
    assert_same_networks(pair, made.plain, made.guide)
    assert [path for path, _ in shelf.asked[asked:]] == [CKPT]
    load()
    assert len(shelf.asked) == asked + 1


def test_several_at_once_fetch_once(made, shelf, publish):
    publish()
    with ThreadPoolExecutor(3) as pool:
        for pair in pool.map(lambda _: load(), range(3)):
            assert_same_networks(pair, made.plain, made.guide)
    assert sorted(path for path, _ in shelf.asked) == sorted([CKPT, YAML, CLIP])


def test_the_pair_that_ships_is_checked_too(monkeypatch, tmp_path):
    for file in pairs.EMOJI.iterdir():
        if file.suffix in (".safetensors", ".sha256"):
            write(tmp_path, file.name, file.read_bytes())
    monkeypatch.setattr(pairs, "EMOJI", tmp_path)
    assert load("emoji").clip.vocabulary
    data = bytearray((tmp_path / "vqgan.safetensors").read_bytes())
    data[-1] ^= 1
    write(tmp_path, "vqgan.safetensors", bytes(data))
    with pytest.raises(vq.WeightsError, match="vqgan.safetensors is corrupt"):
        load("emoji")


@pytest.mark.parametrize("when", ["download", "tensors", "hash"])
def test_a_full_disk_is_named_and_nothing_half_is_left(made, shelf, publish, when):
    cache = publish()
    with pytest.MonkeyPatch.context() as m:
        if when == "tensors":

            def full(path, content):
                with open(path, "wb") as file:
                    file.write(b"half")
                raise OSError(errno.ENOSPC, "No space left on device")

            m.setattr(Path, "write_bytes", full)
        elif when == "hash":

            def full(path, text):
                raise OSError(errno.ENOSPC, "No space left on device")

            m.setattr(Path, "write_text", full)
        else:  # the system's own file that has no room
            (cache / "vqgan.ckpt.part").symlink_to("/dev/full")
        with pytest.raises(
            vq.WeightsError, match="disk of .* is full: .* MB are needed.*VQCLIP_CACHE"
        ):
            load()
    left = {"vqgan.ckpt.part"} if when == "download" else {CLIP}  # CLIP comes first
    assert cached(cache) - {"ViT-B-32.safetensors", "ViT-B-32.sha256"} == left
    (cache / "vqgan.ckpt.part").unlink(missing_ok=True)  # room was made
    assert_same_networks(load(), made.plain, made.guide)
    assert shelf.asked.count((CKPT, 0)) == (2 if when == "download" else 1)


def test_a_folder_without_permission_is_named(publish, monkeypatch):
    publish()
    load()  # so that every module is there
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setenv("VQCLIP_CACHE", folder)
        os.chmod(folder, 0o555)
        with nobody(), pytest.raises(vq.WeightsError) as error:
            load()
        os.chmod(folder, 0o755)
    assert f"no permission to write in {folder}" in str(error.value)
    assert "VQCLIP_CACHE" in str(error.value)


def test_a_cache_that_is_only_read(made, shelf, publish):
    cache = publish()
    load()
    for file in cache.iterdir():
        if file.suffix == ".lock":
            file.unlink()
    asked = len(shelf.asked)
    with tempfile.TemporaryDirectory() as folder:
        for file in cache.iterdir():
            write(Path(folder), file.name, file.read_bytes()).chmod(0o444)
        os.chmod(folder, 0o555)
        with pytest.MonkeyPatch.context() as m, nobody():
            m.setenv("VQCLIP_CACHE", folder)
            assert_same_networks(load(), made.plain, made.guide)
        os.chmod(folder, 0o755)
    assert len(shelf.asked) == asked


def test_a_cache_that_is_no_folder(publish, monkeypatch, tmp_path):
    publish()
    below = write(tmp_path, "file", "here") / "below"
    monkeypatch.setenv("VQCLIP_CACHE", str(below))
    with pytest.raises(vq.WeightsError, match="cannot make the cache folder .*below.*VQCLIP_CACHE"):
        load()


def test_other_errors_of_the_disk_are_not_hidden(publish, monkeypatch):
    publish()

    def broken(path):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(weights.download, "sha256_of", broken)
    with pytest.raises(OSError, match="Input/output error"):
        load()
