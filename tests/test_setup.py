"""Set-up: an index that is silent costs three seconds once, what was interrupted is made anew."""

import contextlib
import os
import socket
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
from shelf import Shelf, closed

import install

ROOT = Path(__file__).parents[1]


@pytest.fixture
def silent():
    """An address that takes every connection and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/cpu"


@pytest.fixture
def answering():
    shelf = Shelf({"cpu/torch": b"<html>torch</html>"})
    with contextlib.closing(shelf):
        yield shelf.url("cpu")


@pytest.fixture
def asked(monkeypatch):
    """What pip would have been asked for; it fails when asked for another index."""
    calls = []

    def pip(python, *arguments):
        calls.append(arguments)
        return "--index-url" not in arguments

    monkeypatch.setattr(install, "pip", pip)
    return calls


@pytest.mark.parametrize("listens", [True, False])
def test_an_index_that_does_not_answer_is_done_without(listens, silent, monkeypatch, asked, capsys):
    monkeypatch.setenv("TORCH_INDEX", silent if listens else closed())
    began = time.monotonic()
    install.install("python", ["notebooks"])
    assert time.monotonic() - began < 4
    assert asked == [("-e", ".[notebooks]")]
    assert "doing without it" in capsys.readouterr().out


def test_an_index_that_answers_is_asked_for_torch_alone(answering, monkeypatch, asked, capsys):
    monkeypatch.setenv("TORCH_INDEX", answering)
    install.install("python", ["notebooks", "test"])
    first, rest = asked
    assert first[:2] == ("--index-url", answering) and rest == ("-e", ".[notebooks,test]")
    assert first[-2:] == ("torch>=2.4", "torchvision>=0.19")
    assert "broke off" in capsys.readouterr().out  # the fake pip fails there, the rest is installed


def test_no_index_is_asked_with_a_gpu_or_when_told_so(monkeypatch):
    monkeypatch.setenv("TORCH_INDEX", "")
    assert install.torch_index() == ""
    monkeypatch.delenv("TORCH_INDEX")
    monkeypatch.setattr(install.shutil, "which", lambda name: "/usr/bin/nvidia-smi")
    assert install.torch_index() == ""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A copy of what set-up reads, with nothing to install but the venv itself."""
    for name in ("pyproject.toml", "requirements.txt"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    monkeypatch.setattr(install, "ROOT", tmp_path)
    for name in ("VENV", "READY", "UNFINISHED", "LOG", "PYTHON"):
        monkeypatch.setattr(install, name, tmp_path / getattr(install, name).relative_to(ROOT))
    return tmp_path


def test_a_venv_is_made_once_and_redone_when_it_must_be(project, monkeypatch, capsys):
    calls, run = [], subprocess.run

    def without_pip(command, **how):  # which takes most of the time
        return run([*command, *["--without-pip"] * ("venv" in command)], **how)

    monkeypatch.setattr(install.subprocess, "run", without_pip)
    monkeypatch.setattr(install, "install", lambda python, extras: calls.append(extras))
    install.make_venv(["notebooks"])
    install.make_venv(["notebooks"])
    assert calls == [["notebooks"]]  # the second call found it complete
    install.make_venv(["test"])
    assert calls[1] == ["notebooks", "test"]  # more was asked for
    with open(project / "requirements.txt", "a") as file:
        file.write("six\n")
    install.make_venv(["notebooks"])
    assert calls[2] == ["notebooks", "test"] and "up to date" in capsys.readouterr().out

    left = install.VENV / "left-from-before"
    left.touch()

    def interrupted(python, extras):
        raise KeyboardInterrupt

    (project / "requirements.txt").write_text("torch>=2.4\n")
    monkeypatch.setattr(install, "install", interrupted)
    with pytest.raises(KeyboardInterrupt):
        install.make_venv(["notebooks"])
    assert left.exists()
    monkeypatch.setattr(install, "install", lambda python, extras: calls.append(extras))
    install.make_venv(["notebooks"])
    assert not left.exists() and "Making .venv" in capsys.readouterr().out


def test_what_pip_says_is_kept_and_shown_when_it_fails(project, capsys):
    install.VENV.mkdir()
    assert not install.pip(sys.executable, "--no-index", "no-such-package-anywhere")
    assert "no-such-package-anywhere" in capsys.readouterr().out
    assert "no-such-package-anywhere" in install.LOG.read_text()


def test_an_old_python_and_a_wrong_word_are_refused(monkeypatch):
    with pytest.raises(SystemExit, match="gpu: not known"):
        install.main(["gpu"])
    monkeypatch.setattr(install.sys, "version_info", (3, 10, 1))
    with pytest.raises(SystemExit, match=r"3\.11 or newer is needed"):
        install.main([])


def test_every_package_is_in_the_wheel():
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    folders = [p.parent.relative_to(ROOT) for p in (ROOT / "vqclip_nb").rglob("__init__.py")]
    assert sorted(listed) == sorted([*(".".join(f.parts) for f in folders), "vqclip_nb.notebooks"])


HOSTILE = [
    'a "fox"; touch hit; "',
    "it's $HOME and $(touch hit) and `touch hit`",
    "$(shell touch hit) ${PATH} $@ 100%",
    "a \\ fox & touch hit | touch hit # x",
    "--help",
]


@pytest.mark.skipif(os.name == "nt", reason="a shell script stands in for Python")
@pytest.mark.parametrize("prompt", HOSTILE)
def test_make_hands_the_prompt_over_as_it_was_typed(prompt, tmp_path):
    """Python is replaced by a script that writes down what it was called with."""
    stand_in = tmp_path / "python"
    stand_in.write_text('#!/bin/sh\nprintf "%s\\n" "$@" > "$(dirname "$0")/called"\n')
    stand_in.chmod(0o755)
    for given in ([f"PROMPT={prompt}"], []):  # on make's command line, and in the environment
        subprocess.run(
            ["make", "-f", ROOT / "Makefile", "demo", "PYTHON=true", f"BIN={tmp_path}", *given],
            cwd=tmp_path,
            env={**os.environ, **({} if given else {"PROMPT": prompt})},
            check=True,
        )
        *options, last = (tmp_path / "called").read_text().splitlines()
        assert last == prompt and options[-1] == "--"
        assert sorted(p.name for p in tmp_path.iterdir()) == ["called", "outputs", "python"]
