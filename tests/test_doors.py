"""Every place where a file from outside is opened meets the same hostile files: nothing in them is
run, nothing they name is opened, and only documented errors are raised."""

import gzip
import json
import nturl2path
import os
import pickle
import warnings
import zipfile
from io import BytesIO
from pathlib import Path

import pytest
from crafting import Bomb, bombed, own_parent, packed, tensors_header
from hostile import configs, noticed
from PIL import Image, PngImagePlugin

import vqclip_nb as vq
from vqclip_nb.export import save_png
from vqclip_nb.images import load_image
from vqclip_nb.reading import parse_prompt
from vqclip_nb.regions import Region, parse_region
from vqclip_nb.weights import WeightsError, read_config, read_state

STARTED = {"os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "socket.connect"}


def harmful(event, arguments):
    return event in STARTED or (event == "open" and "bait" in str(arguments[0]))


def png(*, cut: int | None = None, **text) -> bytes:
    info, file = PngImagePlugin.PngInfo(), BytesIO()
    for name, words in text.items():
        info.add_itxt(name, words)
    Image.effect_noise((64, 64), 99).save(file, "PNG", pnginfo=info)
    return file.getvalue()[:cut]


def recipe(**settings) -> str:
    return json.dumps({"made_by": "vqclip_nb", "form": 2, "settings": settings})


def picture(kind: str, size=(64, 64)) -> bytes:
    file = BytesIO()
    Image.new("RGB", size).save(file, kind)
    return file.getvalue()


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
        "cut PNG": png(cut=2000),
        "cut PNG with a recipe": png(vqclip_nb=recipe(include=["a cat"]), cut=2000),
        "PNG of 6,000 pixels a side": picture("PNG", (6000, 6000)),
        "cut GIF": picture("GIF")[:20],
        "cut TIFF": picture("TIFF")[:-100],
        "cut WEBP": picture("WEBP")[:30],
        "ICO": picture("ICO"),
        "deep recipe": png(vqclip_nb="[" * 200_000),
        "recipe of paths": png(vqclip_nb=recipe(**named)),
        "recipe of a list": png(vqclip_nb="[1]"),
        "recipe of wrong types": png(vqclip_nb=recipe(include=3, regions={"a": 1}, seed=[])),
    }


def special_files(folder) -> list:
    """What is no file of its own. Made in `folder`."""
    (folder / "folder.png").mkdir()
    (folder / "dangling.png").symlink_to(folder / "nowhere")
    (folder / "endless.png").symlink_to("/dev/zero")
    os.mkfifo(folder / "pipe.png")
    return sorted(folder.iterdir())


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
        "gallery": (
            gallery.folder / "20260101000000-0123456789ab.png",
            lambda _: gallery.show(),
        ),
    }


@pytest.mark.skipif(os.name == "nt", reason="no pipes and devices there")
def test_no_door_believes_a_hostile_file(doors, tmp_path):
    (special := tmp_path / "special").mkdir()
    save_png(Image.new("RGB", (8, 8)), tmp_path / "bait.png", {})
    files = {**hostile_files(tmp_path), **{p.name: p for p in special_files(special)}}
    wrong = []
    for door, (name, opened, *documented) in doors.items():
        documented = (*documented, *([FileNotFoundError, PermissionError] if documented else []))
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        for what, content in files.items():
            path.write_bytes(content) if isinstance(content, bytes) else content.rename(path)
            with noticed(harmful) as done, warnings.catch_warnings():
                warnings.simplefilter("ignore")
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


@pytest.mark.parametrize("address", ["file:///C:/my%20cat.png", "file://C:/my%20cat.png"])
def test_an_address_of_a_file_on_windows_names_its_drive(monkeypatch, address):
    monkeypatch.setattr("vqclip_nb.images.url2pathname", nturl2path.url2pathname)
    opened = []
    monkeypatch.setattr("vqclip_nb.images.Path", lambda path: opened.append(path) or Path(path))
    with pytest.raises(FileNotFoundError):
        load_image(address)
    assert opened == [r"C:\my cat.png"]


@pytest.mark.parametrize(
    "path", [r"C:\Users\me\cat.png", r"\\server\pets\cat 2.jpg", "D:/{a/1:2.gif"]
)
def test_a_path_on_windows_may_be_a_prompt_a_mask_and_have_a_weight(path):
    assert parse_prompt(f"{path}:2 | a fox") == [(path, 2), ("a fox", 1)]
    assert parse_region(f"{path}: a fox") == Region(path, "a fox")
