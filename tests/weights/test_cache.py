"""The cache holds what was checked, and mends itself."""

import errno
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from published import cached, read_only, saved, sha256, write

import vqclip_nb as vq
from vqclip_nb import loading, weights
from vqclip_nb.weights import File, WeightsError

STATE = {"encoder.w": torch.rand(300, 4), "decoder.w": torch.rand(2)}
CKPT = saved({"state_dict": {**STATE, "loss.w": torch.rand(9)}})
YAML = b"model: {params: {ddconfig: {ch: 32}, embed_dim: 4, n_embed: 5}}"


@pytest.fixture
def slim(shelf, cache):
    """Reads the published checkpoint from the slim cache, and compares what it holds."""
    files = []
    for name, data in (("net.ckpt", CKPT), ("net.yaml", YAML)):
        shelf.files[name] = data
        files.append(File(name, (shelf.url(name),), sha256(data), len(data), "MIT"))

    def slim() -> None:
        found, metadata, _ = weights.slim_cache("net", lambda k: not k.startswith("loss."), *files)
        assert set(found) == set(STATE) and all(torch.equal(found[k], STATE[k]) for k in STATE)
        assert metadata["source_sha256"] == sha256(CKPT) and '"ch": 32' in metadata["config"]

    return slim


def test_a_corrupt_original_is_fetched_again(slim, shelf, cache, caplog):
    write(cache, "net.ckpt", CKPT[:-9] + b"corrupted")
    slim()
    assert shelf.asked.count(("net.ckpt", 0)) == 1 and "net.ckpt is corrupt" in caplog.text


DAMAGES = {
    "one byte": lambda copy: copy.write_bytes(copy.read_bytes()[:-1] + b"x"),
    "cut off": lambda copy: copy.write_bytes(copy.read_bytes()[:-500]),
    "hash gone": lambda copy: copy.with_suffix(".sha256").unlink(),
    "hash empty": lambda copy: copy.with_suffix(".sha256").write_text(""),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_corrupt_slim_copy_is_made_anew(slim, shelf, cache, caplog, damage):
    slim()
    copy, asked = cache / "net.safetensors", len(shelf.asked)
    DAMAGES[damage](copy)
    slim()
    assert f"{copy} " in caplog.text and "made anew" in caplog.text
    slim()
    assert [path for path, _ in shelf.asked[asked:]] == ["net.ckpt"]


def test_several_at_once_fetch_once(slim, shelf):
    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(slim) for _ in range(3)]:
            done.result()
    assert sorted(path for path, _ in shelf.asked) == ["net.ckpt", "net.yaml"]


def test_the_pair_that_ships_is_checked_too(monkeypatch, tmp_path):
    for file in loading.EMOJI.iterdir():
        if file.suffix in (".safetensors", ".sha256", ".txt"):
            write(tmp_path, file.name, file.read_bytes())
    monkeypatch.setattr(loading, "EMOJI", tmp_path)
    data = (tmp_path / "vqgan.safetensors").read_bytes()
    write(tmp_path, "vqgan.safetensors", data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(WeightsError, match="vqgan.safetensors is corrupt"):
        vq.load_pair("emoji", device="cpu")


@pytest.mark.parametrize("when", ["download", "tensors", "hash"])
def test_a_full_disk_is_named_and_nothing_half_is_left(slim, shelf, cache, when):
    def full(path, content):
        with open(path, "wb") as file:
            file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.MonkeyPatch.context() as m:
        if when == "download":  # the system's own file that has no room
            (cache / "net.ckpt.part").symlink_to("/dev/full")
        else:
            m.setattr(Path, "write_bytes" if when == "tensors" else "write_text", full)
        with pytest.raises(WeightsError, match="disk is full: .* MB are needed.*VQCLIP_CACHE"):
            slim()
    left = {"net.ckpt.part"} if when == "download" else {"net.ckpt", "net.yaml"}
    assert cached(cache) == left
    (cache / "net.ckpt.part").unlink(missing_ok=True)  # room was made
    slim()
    assert shelf.asked.count(("net.ckpt", 0)) == (2 if when == "download" else 1)


def test_a_folder_without_permission_is_named(slim, monkeypatch):
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setenv("VQCLIP_CACHE", folder)
        words = f"(?s)no permission to write {folder}.*VQCLIP_CACHE"
        with read_only(folder), pytest.raises(WeightsError, match=words):
            slim()


def test_a_cache_that_is_only_read(slim, shelf, cache, monkeypatch):
    slim()
    asked = len(shelf.asked)
    with tempfile.TemporaryDirectory() as folder:
        for name in cached(cache):
            write(Path(folder), name, (cache / name).read_bytes()).chmod(0o444)
        monkeypatch.setenv("VQCLIP_CACHE", folder)
        with read_only(folder):
            slim()
    assert len(shelf.asked) == asked
