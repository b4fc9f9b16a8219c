"""Crafted files run nothing, write nothing, take little, and are refused in words."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
import time
import warnings

import crafting
import hostile
import pytest
import torch
from published import write

from vqclip_nb.weights import WeightsError, read_config, read_state

WEIGHTS = {name: (words, data) for name, words, data in hostile.weights()}
CONFIGS = {name: (words, text) for name, words, text in hostile.configs()}


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


def test_nobody_calls_torchscript_or_pickle(monkeypatch, tmp_path):
    import pickle

    def never(*_, **__):
        raise AssertionError("called")

    for owner, name in ((torch.jit, "load"), (torch, "load"), (pickle, "Unpickler")):
        monkeypatch.setattr(owner, name, never)
    monkeypatch.setattr(torch._C, "import_ir_module", never)
    path = write(tmp_path, "a.pt", crafting.scripted(torch.nn.Linear(2, 3)))
    assert set(read_state(path)[0]) == {"weight", "bias"}


@pytest.mark.parametrize("kind", [crafting.Hangs, crafting.Grows])
def test_an_archive_that_never_ends_or_takes_all_memory(tmp_path, kind):
    path = write(tmp_path, "a.pt", crafting.scripted(kind("unused")))
    began = time.monotonic()
    with pytest.raises(WeightsError, match="no state dict"):
        read_state(path)
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("name", WEIGHTS)
def test_crafted_weights_are_refused(tmp_path, monkeypatch, name):
    words, data = WEIGHTS[name]
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path, name, data)
    began = time.monotonic()
    with pytest.raises(WeightsError, match=f"(?s){name}.*({words})") as e:
        read_state(path)
    assert time.monotonic() - began < 20 and len(str(e.value)) < 500
    assert [p.name for p in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", CONFIGS)
def test_crafted_configurations_are_refused(tmp_path, monkeypatch, name):
    words, text = CONFIGS[name]
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "model.yaml"
    path.write_bytes(text.encode("utf8", "surrogateescape"))
    began = time.monotonic()
    with pytest.raises(WeightsError, match=f"(?s)model.yaml is no VQGAN configuration.*({words})"):
        read_config(path)
    assert time.monotonic() - began < 20
    assert [p.name for p in tmp_path.iterdir()] == ["model.yaml"]


MEASURE = """
import resource, sys, torch
from vqclip_nb.weights import WeightsError, read_state
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
read_state(sys.argv[1])
for path in sys.argv[2:]:
    before = peak()
    try: read_state(path)
    except WeightsError: pass
    if peak() - before > 300_000: print(path, peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is counted in other units elsewhere")
def test_no_small_file_takes_much_memory(tmp_path):
    good = write(tmp_path, "good.pt", crafting.one(crafting.row(4), crafting.row(1)))
    objects = b"\x80\x02" + crafting.name("__torch__", "M") + b"q\x00" + b"h\x00)\x81" * 330_000
    more = {"objects.pt": crafting.packed(objects + b".")}
    spec = b'"%06d":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}'
    header = b"{" + b",".join(spec % i for i in range(190_000)) + b"}"
    more["many.safetensors"] = crafting.tensors_header(header)
    large = ("declares 4 GB", "bomb", "code bomb", "packed pickle", "400,000 entries")
    files = {f"{name}.pt": WEIGHTS[f"{name}.pt"][1] for name in large}
    paths = [write(tmp_path, name, data) for name, data in {**files, **more}.items()]
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, good, *paths], capture_output=True, text=True, check=True
    )
    assert done.stdout == ""


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
    answers = multiprocessing.get_context("fork").SimpleQueue()
    process = multiprocessing.get_context("fork").Process(
        target=_read_with_little_memory, args=(path, answers)
    )
    process.start()
    process.join(60)
    kind, words = answers.get()
    assert kind == "MemoryError", (kind, words)
    assert f"not enough memory to read {path} (200 MB): close other programs and" in words
