"""Crafted files run nothing, write nothing, take little, and are refused in words."""

from __future__ import annotations

import multiprocessing
import sys
import time
import warnings

import crafting
import hostile
import pytest
import torch
from published import write

from vqclip_nb.weights import WeightsError, read_config, read_state

WEIGHTS, CONFIGS = hostile.weights(), hostile.configs()


def peak() -> int:
    """The most memory that this process had, in kB; 0 where the system counts in other units."""
    if sys.platform != "linux":
        return 0
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def test_an_archive_that_writes_a_file_is_read_as_data(tmp_path):
    mark = tmp_path / "written"
    path = write(tmp_path, "a.pt", crafting.scripted(crafting.Writes(str(mark))))
    with pytest.raises(WeightsError, match="no state dict"):
        read_state(path)
    assert not mark.exists()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.load(path)
    assert mark.exists(), "the archive was harmless: this test proves nothing"


@pytest.mark.parametrize("name", WEIGHTS)
def test_crafted_weights_are_refused(tmp_path, monkeypatch, name):
    words, data = WEIGHTS[name]
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path, name, data)
    began, before = time.monotonic(), peak()
    with pytest.raises(WeightsError, match=f"(?s){name}.*({words})") as e:
        read_state(path)
    assert time.monotonic() - began < 20 and len(str(e.value)) < 500
    assert peak() - before < 200_000
    assert [p.name for p in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", CONFIGS)
def test_crafted_configurations_are_refused(tmp_path, monkeypatch, name):
    words, text = CONFIGS[name]
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path, "model.yaml", text.encode("utf8", "surrogateescape"))
    began = time.monotonic()
    with pytest.raises(WeightsError, match=f"(?s)model.yaml is no VQGAN configuration.*({words})"):
        read_config(path)
    assert time.monotonic() - began < 20
    assert [p.name for p in tmp_path.iterdir()] == ["model.yaml"]


def _read_with_little_memory(path, answers) -> None:
    import resource

    now = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + (64 << 20), now + (64 << 20)))
    try:
        read_state(path)
    except BaseException as e:
        answers.put((type(e).__name__, str(e)))
    else:
        answers.put(("nothing", ""))


@pytest.mark.skipif(sys.platform != "linux", reason="memory cannot be limited elsewhere")
@pytest.mark.parametrize("form", ["pt", "safetensors"])
def test_memory_that_runs_out_is_said(tmp_path, form):
    from safetensors.torch import save_file

    path = tmp_path / f"large.{form}"
    state = {"w": torch.zeros(50_000_000)}
    torch.save(state, path) if form == "pt" else save_file(state, path)
    fork = multiprocessing.get_context("fork")
    answers = fork.SimpleQueue()
    process = fork.Process(target=_read_with_little_memory, args=(path, answers))
    process.start()
    process.join(60)
    kind, words = answers.get()
    assert kind == "MemoryError", (kind, words)
    assert f"not enough memory to read {path} (200 MB): close other programs and" in words
