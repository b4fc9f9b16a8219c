"""Files are written as old or new and never half, whatever stops it, however many write."""

import errno
import multiprocessing
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest.mock import Mock

import pytest
import torch
from PIL import Image
from runs import finished

import vqclip_nb as vq
from vqclip_nb import files
from vqclip_nb.files import write_atomically
from vqclip_nb.recipe import read_recipe
from vqclip_nb.weights import read_checked, write_state


@pytest.mark.parametrize("name", ["fox.png", "fox", "a.b.gif", ".hidden", "狐" * 80 + ".png"])
def test_the_suffix_is_kept_and_only_the_file_stays(tmp_path, name):
    seen = []

    def save(part: Path) -> None:
        seen.append(part)
        part.write_text("new")

    assert write_atomically(tmp_path / name, save) == tmp_path / name
    assert seen[0].suffix == Path(name).suffix and seen[0].parent == tmp_path
    assert [p.name for p in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "new"


FULL = OSError(errno.ENOSPC, "No space left on device")
WRAPPED = RuntimeError("the encoder stopped")
WRAPPED.__cause__ = FULL


@pytest.mark.parametrize(
    ("raised", "kind", "words"),
    [
        (KeyboardInterrupt("stopped"), KeyboardInterrupt, "stopped"),
        (MemoryError("stopped"), MemoryError, "stopped"),
        (FULL, OSError, "disk is full: .* MB are free for .*a.txt; make room"),
        (PermissionError(), PermissionError, "no permission to write .*a.txt: choose another"),
        (WRAPPED, OSError, "disk is full: .* MB are free for .*a.txt; make room"),
        (RuntimeError("No space left on device (os error 28)"), OSError, "disk is full"),
        (None, OSError, "nothing was written to .*a.txt"),
    ],
)
def test_a_failure_leaves_what_was_there_and_is_said(tmp_path, raised, kind, words):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def save(part: Path) -> None:
        if raised:
            part.write_text("half")
            raise raised

    with pytest.raises(kind, match=words):
        write_atomically(path, save)
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"] and path.read_text() == "old"


def test_folders_that_cannot_be_written(tmp_path):
    write = lambda part: part.write_text("new")  # noqa: E731
    with pytest.raises(FileNotFoundError, match="no folder .*gone' to write a.txt in"):
        write_atomically(tmp_path / "gone" / "a.txt", write)
    with pytest.raises(IsADirectoryError, match="is a folder: give the name of a file"):
        write_atomically(tmp_path, write)


def test_what_killed_writers_left_goes_with_the_next_write_and_nothing_else(tmp_path):
    left = tmp_path / f".b-{files.HOST}-0123abcd-part.png"  # which nobody has locked
    theirs = tmp_path / ".a-00000000-12-0123abcd-part.txt"  # another machine's, for a day
    own = tmp_path / ".mine.part.txt"  # not of our form
    for path in (left, theirs, own):
        path.write_text("half")
    write_atomically(tmp_path / "a.txt", lambda part: part.write_text("new"))
    assert left.exists() == (files.fcntl is None) and theirs.exists()
    os.utime(theirs, (0, time.time() - files.STALE - 10))
    write_atomically(tmp_path / "a.txt", lambda part: part.write_text("new"))
    assert not theirs.exists() and own.exists()


SUFFIX = dict(png=".png", gif=".gif", mp4=".mp4", run=".state", weights=".safetensors")


@pytest.fixture(scope="module")
def run(pair):
    small = dict(total_iter=3, crops=2, height=32, width=32, start="library")
    return finished(vq.Run(pair, vq.Settings(include=["a fox"], **small)))


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
    if path.suffix in (".png", ".gif"):
        with Image.open(path) as picture:
            picture.seek(picture.n_frames - 1)
            picture.load()
    return bool(read_recipe(path))


def others(folder) -> set[str]:
    """Names in the folder but those that belong there."""
    left = {n for n in os.listdir(folder) if not n.endswith((".previous", ".sha256"))}
    return {n for n in left if not n.startswith("made.") or n.endswith(".part")}


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
    for _ in range(3):  # while the child writes one after another
        time.sleep(0.1)
        # Of weights and their hash, between two renames, the check may not fit.
        assert kind == "weights" or is_whole(kind, path, pair)
    child.kill()
    child.join()
    assert kind == "weights" or is_whole(kind, path, pair)
    write(kind, run, path)
    assert is_whole(kind, path, pair) and not others(tmp_path)


@pytest.mark.parametrize("kind", SUFFIX)
@pytest.mark.parametrize("number, words", [(errno.EACCES, "permission"), (errno.ENOSPC, "is full")])
def test_no_permission_and_no_room(run, pair, tmp_path, kind, number, words, monkeypatch):
    path = tmp_path / f"made{SUFFIX[kind]}"
    write(kind, run, path)
    refused = Mock(side_effect=OSError(number, "refused", str(path)))
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
