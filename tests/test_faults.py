"""Every way of writing a file × what goes wrong: what stood there stays whole, nothing is left."""

import os
import subprocess
import sys
import time

import pytest

import vqclip_nb as vq
from vqclip_nb.recipe import read_recipe
from vqclip_nb.weights import read_checked, write_state

SUFFIX = dict(png=".png", gif=".gif", mp4=".mp4", run=".state", weights=".safetensors")
WRITER = """
import resource, sys, warnings
warnings.simplefilter("ignore")
import torch
torch.set_num_threads(1)
import vqclip_nb as vq
from vqclip_nb.weights import write_state
kind, path, limit = sys.argv[1], sys.argv[2], int(sys.argv[3])
pair = vq.load_pair("emoji", device="cpu")
small = dict(total_iter=2, crops=2, height=32, width=32, start="library")
run = vq.Run(pair, vq.Settings(include=["a fox"], **small))
list(run)
run.frames *= 12
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
print("ready", flush=True)
while True:
    if kind == "weights":
        from pathlib import Path
        write_state(Path(path), {"w": torch.rand(300_000)}, {})
    else:
        (run.save if kind == "run" else getattr(run, f"save_{kind}"))(path)
    if limit:
        break
"""


@pytest.fixture(scope="module")
def run(pair):
    small = dict(total_iter=3, crops=2, height=32, width=32, start="library")
    run = vq.Run(pair, vq.Settings(include=["a fox"], **small))
    list(run)
    return run


def write(kind, run, path):
    if kind == "weights":
        import torch

        write_state(path, {"w": torch.rand(9)}, {})
    else:
        (run.save if kind == "run" else getattr(run, f"save_{kind}"))(path)


def is_whole(kind, path, pair) -> bool:
    if kind == "weights":
        return bool(read_checked(path))
    return bool(vq.Run.resume(path, pair) if kind == "run" else read_recipe(path))


def others(folder) -> set[str]:
    """Names in the folder but those that belong there."""
    kept = (".previous", ".sha256")
    return {n for n in os.listdir(folder) if not n.startswith("made.") or n.endswith(".part")} - {
        n for n in os.listdir(folder) if n.endswith(kept)
    }


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["png", "mp4", "run", "weights"])
def test_killed_in_the_middle(run, pair, tmp_path, kind):
    path = tmp_path / f"made{SUFFIX[kind]}"
    write(kind, run, path)
    child = subprocess.Popen([sys.executable, "-c", WRITER, kind, path, "0"], stdout=-1)
    child.stdout.readline()
    for pause in (0.05, 0.11, 0.17):  # while the child writes one after another
        time.sleep(pause)
        if kind != "weights":  # a pair of files: between its two renames the check may not fit
            assert is_whole(kind, path, pair)
    child.kill()
    child.wait()
    write(kind, run, path)
    assert is_whole(kind, path, pair) and not others(tmp_path)


@pytest.mark.parametrize("kind", SUFFIX)
def test_no_permission(run, pair, tmp_path, kind, monkeypatch):
    path = tmp_path / f"made{SUFFIX[kind]}"
    write(kind, run, path)

    def denied(self, target):
        raise PermissionError(13, "denied", str(self))

    with monkeypatch.context() as m, pytest.raises((PermissionError, vq.WeightsError)) as error:
        m.setattr("pathlib.Path.replace", denied)
        m.setattr("pathlib.Path.rename", denied)
        write(kind, run, path)
    assert "permission" in str(error.value)
    assert is_whole(kind, path, pair) and not others(tmp_path)
