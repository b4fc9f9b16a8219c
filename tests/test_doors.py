"""Every door for files gets the same hostile ones, and random ones: only documented errors come."""

import gzip
import json
import nturl2path
import os
import pickle
import warnings
import zipfile
from io import BytesIO
from pathlib import Path

import fuzz
import pytest
from crafting import Bomb, bombed, own_parent, packed, picture, tensors_header
from hostile import configs, noticed
from hypothesis import HealthCheck, given, settings
from PIL import Image

import vqclip_nb as vq
from vqclip_nb.export import save_png
from vqclip_nb.images import load_image
from vqclip_nb.reading import parse_prompt
from vqclip_nb.regions import Region, parse_region
from vqclip_nb.weights import WeightsError, read_config, read_state

STARTED = {"os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "socket.connect"}


def harmful(event, arguments):
    return event in STARTED or (event == "open" and "bait" in str(arguments[0]))


def recipe(**settings) -> str:
    return json.dumps({"made_by": "vqclip_nb", "form": 2, "settings": settings})


def hostile_files(folder) -> dict[str, bytes]:
    """Each would, if it were believed, make the folder "ran" or open the file "bait"."""
    ran, bait = folder / "ran", folder / "bait.png"
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("../ran", "out of its folder")
    bomb = pickle.dumps(Bomb(ran))
    script = b"%%!PS-Adobe-3.0 EPSF-3.0\n%%%%BoundingBox: 0 0 8 8\n%%%%EndComments\n%s\n%%%%EOF\n"
    named = dict(include=[f"{bait}"], init_image=f"{bait}", regions=[f"{bait}: a cat"])
    yaml = {name: text.encode("utf8", "surrogatepass") for name, (_, text) in configs().items()}
    return {
        "empty": b"",
        "zeros": bytes(5000),
        "text": b"a fox",
        "EPS that writes": script % f"({ran}) (w) file closefile".encode(),
        "EPS that hangs": script % b"{} loop",
        "script": f"#!/bin/sh\ntouch {ran}\n".encode(),
        "SVG that reads": f'<svg><image href="file://{bait}"/></svg>'.encode(),
        "list of films": f"ffconcat version 1.0\nfile '{bait}'\n".encode(),
        "playlist": f"#EXTM3U\n#EXTINF:1,\nfile://{bait}\n".encode(),
        "pickle": bomb,
        "pickle in a zip": packed(bomb),
        "zip bomb": bombed(),
        "zip out of its folder": archive.getvalue(),
        "gzip bomb": gzip.compress(bytes(50_000_000)),
        "module in itself": own_parent(),
        "header of safetensors": tensors_header(b"[" * 100_000),
        "metadata of safetensors": tensors_header({"__metadata__": {"settings": "{}"}}),
        "YAML that runs": yaml["python"],
        "YAML of laughs": yaml["laughs"],
        "YAML of the environment": yaml["environment"],
        "cut PNG": picture()[:-40],
        "cut PNG with a recipe": picture(recipe=recipe(include=["a cat"]))[:-40],
        "PNG of 6,000 pixels a side": picture("PNG", (6000, 6000)),
        "cut GIF": picture("GIF")[:20],
        "cut TIFF": picture("TIFF")[:-100],
        "cut WEBP": picture("WEBP")[:30],
        "ICO": picture("ICO"),
        "deep recipe": picture(recipe="[" * 200_000),
        "recipe of paths": picture(recipe=recipe(**named)),
        "recipe of a list": picture(recipe="[1]"),
        "recipe of a number": picture(recipe="3"),
        "recipe of wrong types": picture(recipe=recipe(include=3, regions={"a": 1}, seed=[])),
    }


@pytest.fixture
def doors(pair, studio, tmp_path):
    """Where files come in: the name that they have there, how they are opened, what is raised."""
    sessions, gallery = studio.autosave, studio.gallery
    return {
        "picture": ("a.png", load_image, ValueError),
        "recipe": ("a.png", vq.open_recipe, ValueError),
        "film's recipe": ("a.mp4", vq.open_recipe, ValueError),
        "replay": ("a.png", lambda path: vq.replay(path, pair), ValueError),
        "saved run": ("a.safetensors", lambda path: vq.Run.resume(path, pair), WeightsError),
        "weights": ("a.pt", read_state, WeightsError),
        "configuration": ("a.yaml", read_config, WeightsError),
        "session": (
            sessions.folder / "session-000001-0123abcd.safetensors",
            lambda path: sessions.others(pair),
        ),
        "gallery": (gallery.folder / "20260101000000-0123456789ab.png", lambda _: gallery.show()),
    }


@pytest.mark.skipif(os.name == "nt", reason="no pipes and devices there")
def test_no_door_believes_a_hostile_file(doors, tmp_path):
    special = tmp_path / "special"  # what is no file of its own
    (special / "folder.png").mkdir(parents=True)
    (special / "dangling.png").symlink_to(special / "nowhere")
    (special / "endless.png").symlink_to("/dev/zero")
    os.mkfifo(special / "pipe.png")
    save_png(Image.new("RGB", (8, 8)), tmp_path / "bait.png", {})
    files = {**hostile_files(tmp_path), **{p.name: p for p in sorted(special.iterdir())}}
    wrong = []
    for door, (name, opened, *documented) in doors.items():
        documented = (*documented, *([FileNotFoundError, PermissionError] if documented else []))
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        for what, content in files.items():
            path.write_bytes(content) if isinstance(content, bytes) else content.rename(path)
            with noticed(harmful) as done, warnings.catch_warnings(action="ignore"):
                try:
                    opened(path)
                except documented:
                    pass
                except Exception as e:
                    wrong.append(f"{door}, {what}: {type(e).__name__}: {e}"[:300])
            if done and not (door == "film's recipe" and all("ffmpeg" in d for d in done)):
                wrong.append(f"{door}, {what}: {done[:3]}")
            path.unlink() if isinstance(content, bytes) else path.rename(content)
            assert not (tmp_path / "ran").exists(), f"{door}, {what}: ran"
    assert not wrong


def test_on_windows_an_address_names_a_drive_and_a_path_may_be_a_prompt_and_a_mask(monkeypatch):
    for path in (r"C:\Users\me\cat.png", r"\\server\pets\cat 2.jpg", "D:/{a/1:2.gif"):
        assert parse_prompt(f"{path}:2 | a fox") == [(path, 2), ("a fox", 1)]
        assert parse_region(f"{path}: a fox") == Region(path, "a fox")
    monkeypatch.setattr("vqclip_nb.images.url2pathname", nturl2path.url2pathname)
    opened = []
    monkeypatch.setattr("vqclip_nb.images.Path", lambda path: opened.append(path) or Path(path))
    for address in ("file:///C:/my%20cat.png", "file://C:/my%20cat.png"):
        with pytest.raises(FileNotFoundError):
            load_image(address)
        assert opened.pop() == r"C:\my cat.png"


FEW = [("settings", 20), ("recipes", 40), ("saved_runs", 100), ("weights", 150)]
FEW += [pytest.param("weights", 4_000, marks=pytest.mark.slow)]
MORE = int(os.environ.get("FUZZ", "1"))  # times as many tries


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "tries"), FEW)
def test_nothing_undocumented_happens(pair, tmp_path, name, tries):
    """Of random settings, recipes, saved runs and weight files: see fuzz.py."""
    drawn, done_with = fuzz.FUZZERS[name]
    seen = set()
    how = dict(deadline=None, database=None, suppress_health_check=list(HealthCheck))

    @settings(max_examples=tries * MORE, derandomize=MORE == 1, **how)
    @given(drawn)
    def tried(what):
        seen.add(done_with(what, pair, tmp_path))

    tried()
    assert "refused" in seen and ("painted" in seen or name in ("saved_runs", "weights"))


def test_code_that_is_run_is_noticed(monkeypatch, tmp_path):
    monkeypatch.setattr(fuzz, "read_state", lambda path: os.mkdir(path.with_name("made")))
    with pytest.raises(AssertionError, match="os.mkdir"):
        fuzz.read_one(Path(tmp_path) / "a.pt", b"")
