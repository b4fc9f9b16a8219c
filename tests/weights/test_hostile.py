"""Crafted files run nothing, write nothing, take little, and are refused in words."""

import time
import warnings
from unittest.mock import Mock

import crafting
import hostile
import pytest
import torch
from published import write
from safetensors.torch import save_file

from vqclip_nb.weights import WeightsError, read_config, read_state

WEIGHTS, CONFIGS = hostile.weights(), hostile.configs()


def test_an_archive_that_writes_a_file_is_read_as_data(tmp_path):
    mark = tmp_path / "written"
    path = write(tmp_path, "a.pt", crafting.scripted(crafting.Writes(str(mark))))
    with pytest.raises(WeightsError, match="no state dict"):
        read_state(path)
    assert not mark.exists()
    with warnings.catch_warnings(action="ignore"):
        torch.jit.load(path)
    assert mark.exists(), "the archive was harmless: this test proves nothing"


@pytest.mark.parametrize("name", WEIGHTS)
def test_crafted_weights_are_refused(tmp_path, monkeypatch, name):
    words, data = WEIGHTS[name]
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path, name, data)
    began, before = time.monotonic(), hostile.peak()
    with pytest.raises(WeightsError, match=f"(?s){name}.*({words})") as e:
        read_state(path)
    assert time.monotonic() - began < 20 and len(str(e.value)) < 500
    assert hostile.peak() - before < 200_000
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


@pytest.mark.parametrize("form", ["pt", "safetensors"])
def test_memory_that_runs_out_is_said(tmp_path, form):
    full = Mock(side_effect=RuntimeError("DefaultCPUAllocator: can't allocate memory"))
    path, state = tmp_path / f"large.{form}", {"w": torch.zeros(1_000_000)}
    torch.save(state, path) if form == "pt" else save_file(state, path)
    words = rf"not enough memory to read {path} \(4 MB\): close other programs and"
    with pytest.raises(MemoryError, match=words):
        read_state(path, full)
