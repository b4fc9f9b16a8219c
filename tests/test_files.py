"""The atomic writer: old or new and never half, whatever stops it, however many write."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from published import read_only

from vqclip_nb import files
from vqclip_nb.files import write_atomically


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


@pytest.mark.skipif(os.name == "nt", reason="folders have no such mode there")
def test_no_permission_is_said():
    with tempfile.TemporaryDirectory() as folder, read_only(folder):
        with pytest.raises(PermissionError, match="no permission to write .*a.txt"):
            write_atomically(Path(folder) / "a.txt", lambda part: part.write_text("new"))


WRITER = """
import runpy, sys, time
write_atomically = runpy.run_path(sys.argv.pop(1))["write_atomically"]  # without waiting for torch
def save(part):
    with open(part, "w") as f:
        for _ in range(50):
            f.write(sys.argv[2] * 2000); f.flush()
            if sys.argv[3:]: print("writing", flush=True); time.sleep(60)
for _ in range(1 if sys.argv[3:] else 60):
    write_atomically(sys.argv[1], save)
"""


def writer(path: Path, *words: str) -> subprocess.Popen:
    command = [sys.executable, "-c", WRITER, files.__file__, str(path), *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_many_processes_write_one_path(tmp_path):
    path = tmp_path / "a.txt"
    both = [writer(path, name) for name in "ab"]
    assert [p.wait(60) for p in both] == [0, 0]
    assert path.read_text() in {name * 100_000 for name in "ab"}
    assert list(tmp_path.iterdir()) == [path]


def kill_while_writing(path: Path) -> None:
    process = writer(path, "x", "slow")
    assert process.stdout.readline() == "writing\n"
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    process.stdout.close()


@pytest.mark.skipif(os.name == "nt", reason="files are not locked there")
def test_what_killed_writers_left_goes_with_the_next_write(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    alive = writer(path, "y", "slow")
    alive.stdout.readline()
    (live,) = set(tmp_path.iterdir()) - {path}
    kill_while_writing(path)
    kill_while_writing(tmp_path / "other.png")
    assert path.read_text() == "old" and len(list(tmp_path.iterdir())) == 4
    own = tmp_path / ".mine.part.txt"  # not of our form: not ours to remove
    own.write_text("")
    write_atomically(path, lambda part: part.write_text("new"))
    assert set(tmp_path.iterdir()) == {path, own, live}
    alive.kill()
    alive.wait(10)
    alive.stdout.close()


def test_what_an_encoder_keeps_beside_its_file_is_left_alone(tmp_path):
    def save(part: Path) -> None:
        part.with_suffix(".mov").write_text("half")
        write_atomically(tmp_path / "b.txt", lambda other: other.write_text("new"))
        assert part.with_suffix(".mov").exists()
        part.with_suffix(".mov").replace(part)

    assert write_atomically(tmp_path / "a.mp4", save).read_text() == "half"


def test_what_other_machines_left_goes_after_a_day(tmp_path):
    theirs = tmp_path / ".a-00000000-12-0123abcd-part.txt"
    theirs.write_text("half")
    write_atomically(tmp_path / "a.txt", lambda part: part.write_text("new"))
    assert theirs.exists()
    os.utime(theirs, (0, time.time() - files.STALE - 10))
    write_atomically(tmp_path / "a.txt", lambda part: part.write_text("new"))
    assert not theirs.exists()
