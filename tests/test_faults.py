"""Every way of writing a file × what goes wrong: what stood there stays whole, nothing is left."""

import errno
import multiprocessing
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

import vqclip_nb as vq
from vqclip_nb.recipe import read_recipe
from vqclip_nb.weights import read_checked, write_state

END = dict(png=b"IEND\xaeB`\x82", gif=b";")  # the last bytes
SUFFIX = dict(png=".png", gif=".gif", mp4=".mp4", run=".state", weights=".safetensors")


@pytest.fixture(scope="module")
def run(pair):
    small = dict(total_iter=3, crops=2, height=32, width=32, start="library")
    run = vq.Run(pair, vq.Settings(include=["a fox"], **small))
    list(run)
    return run


def write(kind, run, path):
    if kind == "weights":
        write_state(path, {"w": torch.rand(300_000)}, {})
    else:
        (run.save if kind == "run" else getattr(run, f"save_{kind}"))(path)


def is_whole(kind, path, pair) -> bool:
    if kind == "weights":
        return bool(read_checked(path))
    if kind == "run":
        return bool(vq.Run.resume(path, pair))
    return bool(read_recipe(path)) and path.read_bytes().endswith(END.get(kind, b""))


def others(folder) -> set[str]:
    """Names in the folder but those that belong there."""
    kept = (".previous", ".sha256")
    return {n for n in os.listdir(folder) if not n.startswith("made.") or n.endswith(".part")} - {
        n for n in os.listdir(folder) if n.endswith(kept)
    }


def write_for_ever(kind, run, path):
    torch.set_num_threads(1)
    run.frames = run.frames * 12
    while True:
        write(kind, run, path)


@pytest.mark.skipif(sys.platform != "linux", reason="a process is not copied elsewhere")
@pytest.mark.parametrize("kind", SUFFIX)
def test_killed_in_the_middle(run, pair, tmp_path, kind):
    path = tmp_path / f"made{SUFFIX[kind]}"
    write(kind, run, path)
    fork = multiprocessing.get_context("fork")
    child = fork.Process(target=write_for_ever, args=(kind, run, path))
    child.start()
    for pause in (0.05, 0.11, 0.17, 0.0):  # while the child writes one after another, and after
        time.sleep(pause)
        if not pause:
            child.kill()
            child.join()
        if kind != "weights":  # a pair of files: between its two renames the check may not fit
            assert is_whole(kind, path, pair)
    write(kind, run, path)
    assert is_whole(kind, path, pair) and not others(tmp_path)


@pytest.mark.parametrize("kind", SUFFIX)
@pytest.mark.parametrize("number, words", [(errno.EACCES, "permission"), (errno.ENOSPC, "is full")])
def test_no_permission_and_no_room(run, pair, tmp_path, kind, number, words, monkeypatch):
    path = tmp_path / f"made{SUFFIX[kind]}"
    write(kind, run, path)

    def refused(self, target):
        raise OSError(number, "refused", str(self))

    with monkeypatch.context() as m, pytest.raises((OSError, vq.WeightsError), match=words):
        m.setattr("pathlib.Path.replace", refused)
        m.setattr("pathlib.Path.rename", refused)
        write(kind, run, path)
    assert is_whole(kind, path, pair) and not others(tmp_path)


@pytest.mark.parametrize("kind", ["png", "run"])
def test_three_writers_at_once(run, pair, tmp_path, kind):
    path = tmp_path / f"made{SUFFIX[kind]}"
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: write(kind, run, path), range(24)))
    assert is_whole(kind, path, pair) and not others(tmp_path)
