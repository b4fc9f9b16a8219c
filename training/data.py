"""Emoji as training data: fetch the sets and render them; `scenes` composes pictures of them.

python -m training.data FOLDER     # npm and resvg-py needed, minutes on two cores
"""

from __future__ import annotations

import argparse
import io
import json
import logging
import os
import re
import shutil
import subprocess
import sys
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from .sets import (
    HELD_OUT,
    OWN_STYLE,
    STYLES,
    UNLIKE,
    UNREAD,
    own_drawings,
    people_and_signs,
    silhouettes,
)

log = logging.getLogger(__name__)
# emojibase: faces, animals and nature, food, travel, activities, objects
GROUPS = (0, 3, 4, 5, 6, 7)
LABELS = "emojibase-data@17.0.0"
RENDERS = "@lobehub/fluent-emoji-3d@1.1.0"  # MIT: the originals that the style 3d redraws as SVG
# Of a figure, in shares of its height: its head, how wide that is at most, and how far it hides the
# body; the head of the body, in shares of its own height; and how much broader it becomes.
HEAD, WIDEST, CHIN, NECK, BROADER = 0.5, 0.62, 0.04, 0.24, 1.2


def fetch(folder: Path) -> None:
    """Bring the emoji packages into `folder` with npm, which checks their published digests.

    FileNotFoundError if there is no npm; RuntimeError with npm's own words if it fails.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise FileNotFoundError(
            "npm brings the emoji sets and was not found: install Node.js (https://nodejs.org), "
            "which contains it, and run this again"
        )
    for package in [LABELS, RENDERS, *(style.package for style in STYLES.values())]:
        target = _unpacked(folder, package)
        if target.exists():
            continue
        done = subprocess.run(
            [npm, "pack", "--json", package], cwd=folder, capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(f"npm could not fetch {package}: {done.stderr.strip()[-500:]}")
        archive = folder / json.loads(done.stdout)[0]["filename"].lstrip("@").replace("/", "-")
        part = target.with_name(f"{target.name}.{os.getpid()}.part")
        with tarfile.open(archive) as tar:
            tar.extractall(part, filter="data")
        part.rename(target)
        archive.unlink()


def _unpacked(folder: Path, package: str) -> Path:
    return folder / package.lstrip("@").replace("/", "-")


def _read(folder: Path, package: str, name: str) -> dict | list:
    path = _unpacked(folder, package) / "package" / name
    return json.loads(path.read_text(encoding="utf8"))


def _icon_name(
    style: str, label: str, hexcode: str, chars: dict[str, str], icons: dict
) -> str | None:
    if style == HELD_OUT:
        guess = re.sub(r"[^a-z0-9]", "", label.lower())
        return guess if guess in icons else None
    if not chars:  # named as the label
        slug = re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-")
        if style == "silhouette":
            return None if label in UNLIKE else silhouettes().get(label, slug)
        names = (slug, f"{slug}-1", f"{slug}-face", f"{slug}-face-1")  # the first of several
        return next((name for name in names if name in icons), slug)
    code = hexcode.lower()
    return chars.get(code) or chars.get(code.replace("-fe0f", ""))


def _documents(folder: Path, name: str, emoji: list[dict]) -> dict[int, str]:
    """The SVG of each of `emoji` that the style `name` has, by its place."""
    package = STYLES[name].package
    sheet = _read(folder, package, "icons.json")
    chars = _read(folder, package, "chars.json")
    if name == "3d":  # no list of its own; its icons are named as the flat set's
        chars = _read(folder, STYLES["flat"].package, "chars.json")
    icons = sheet["icons"]
    aliases = {a: v["parent"] for a, v in sheet.get("aliases", {}).items()}
    documents = {}
    for place, e in enumerate(emoji):
        if name == HELD_OUT and e["group"] == UNREAD:  # its names are those it always had
            continue
        icon = _icon_name(name, e["label"], e["hexcode"], chars, icons)
        icon = icons.get(aliases.get(icon, icon))
        if icon is None:
            continue
        w = icon.get("width", sheet.get("width", 16))
        h = icon.get("height", sheet.get("height", 16))
        side = max(w, h)  # some icons are not square: centre them
        x, y = icon.get("left", 0) - (side - w) / 2, icon.get("top", 0) - (side - h) / 2
        body = icon["body"].replace("currentColor", "#111")
        documents[place] = (
            '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
            f'viewBox="{x} {y} {side} {side}">{body}</svg>'
        )
    return documents


def _unread(every: list[dict]) -> list[dict]:
    """What the library alone shows: what has a silhouette, then the other people and signs, then
    what was drawn for it."""
    codes = {e["label"]: e["hexcode"] for e in every}
    taught = {e["hexcode"] for e in every if e.get("group") in GROUPS}
    emoji = people_and_signs()
    own = [name for name in own_drawings() if codes.get(name) not in taught]
    found = []
    for name in dict.fromkeys((*silhouettes(), *emoji, *own)):
        e = emoji.get(name)
        code, also = (codes.get(e.label, ""), e.also) if e else ("", ())
        found.append({"label": name, "hexcode": code, "group": UNREAD, "also": also})
    return found


def figure(head: np.ndarray, body: np.ndarray) -> np.ndarray:
    """Somebody who stands, with a face that can be seen: a head on the body of a standing figure,
    whose own is left out; all (size, size, 4), as `_draw`."""
    size = head.shape[0]
    head, body = _inside(head), _inside(body)
    zoom = min(HEAD * size / head.shape[0], WIDEST * size / head.shape[1])
    head = _scaled(head, zoom * head.shape[1], zoom * head.shape[0])
    body = body[round(NECK * body.shape[0]) :]
    top = round(head.shape[0] - CHIN * size)
    zoom = (size - top) / body.shape[0]
    body = _scaled(body, BROADER * zoom * body.shape[1], size - top)
    whole = np.zeros((size, size, 4))
    for part, high in ((body, top), (head, 0)):
        left = (size - part.shape[1]) // 2
        under = whole[high : high + part.shape[0], left : left + part.shape[1]]
        under[:] = under * (1 - part[..., 3:] / 255) + part
    return whole.round().clip(0, 255).astype(np.uint8)


def _inside(sprite: np.ndarray) -> np.ndarray:
    rows, columns = (np.flatnonzero(sprite[..., 3].max(axis) > 40) for axis in (1, 0))
    return sprite[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _scaled(sprite: np.ndarray, width: float, height: float) -> np.ndarray:
    picture = Image.fromarray(sprite, "RGBa")
    return np.asarray(picture.resize((round(width), round(height)), Image.Resampling.BILINEAR))


def _draw(svg: str, size: int) -> np.ndarray:
    """(size, size, 4) uint8, colour premultiplied by alpha."""
    import resvg_py

    png = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=size, height=size))
    rgba = np.asarray(Image.open(io.BytesIO(png), formats=["PNG"]).convert("RGBA")).astype(
        np.float32
    )
    rgba[..., :3] *= rgba[..., 3:] / 255
    return rgba.round().astype(np.uint8)


def _renders(folder: Path, emoji: list[dict]) -> dict[int, Path]:
    """The 3-D render of each of `emoji` that there is one of, by its place."""
    assets = _unpacked(folder, RENDERS) / "package" / "assets"
    found = {}
    for place, e in enumerate(emoji):
        code = e["hexcode"].lower()
        names = (code, code.replace("-fe0f", ""), f"{code}-fe0f")
        paths = [path for name in names if (path := assets / f"{name}.webp").exists()]
        if paths:
            found[place] = paths[0]
    return found


def _shrunk(path: Path, size: int) -> np.ndarray:
    """As `_draw`, of a picture."""
    premultiplied = Image.open(path, formats=["WEBP"]).convert("RGBA").convert("RGBa")
    return np.asarray(premultiplied.resize((size, size), Image.Resampling.BOX))


def render(folder: Path, *, size: int = 128) -> None:
    """Render every concept in every style into `folder`: sprites.npy and concepts.json.

    sprites.npy: uint8 (styles, concepts, size, size, 4), RGBA with colour premultiplied by alpha;
    an icon that a set lacks is all zeros.
    """
    every = _read(folder, LABELS, "en/data.json")
    emoji = [e for e in every if e.get("group") in GROUPS] + _unread(every)
    part = folder / f"sprites.{os.getpid()}.part"
    shape = (len(STYLES), len(emoji), size, size, 4)
    sprites = np.lib.format.open_memmap(part, "w+", np.uint8, shape)
    labels = [e["label"] for e in emoji]
    composed = {
        labels.index(name): [labels.index(part) for part in unread.label.split(" + ")]
        for name, unread in people_and_signs().items()
        if " + " in unread.label
    }
    for row, name in enumerate(STYLES):
        documents = _documents(folder, name, emoji)
        with ThreadPoolExecutor() as pool:
            pictures = pool.map(lambda svg: _draw(svg, size), documents.values())
            for place, picture in zip(documents, pictures, strict=True):
                sprites[row, place] = picture
        if name == "3d":
            for place, path in _renders(folder, emoji).items():
                sprites[row, place] = _shrunk(path, size)
        if name == OWN_STYLE:
            for label, path in own_drawings().items():
                sprites[row, labels.index(label)] = _draw(path.read_text(encoding="utf8"), size)
        for place, (head, body) in composed.items():
            if sprites[row, head].any() and sprites[row, body].any():
                sprites[row, place] = figure(sprites[row, head], sprites[row, body])
        log.info("%s: %d of %d concepts", name, len(documents), len(emoji))
    sprites.flush()
    concepts = [{k: e.get(k, []) for k in ("label", "group", "tags", "also")} for e in emoji]
    text = json.dumps(concepts, ensure_ascii=False, indent=0)
    (folder / "concepts.json").write_text(text, encoding="utf8")
    part.rename(folder / "sprites.npy")


def main(argv: list[str] | None = None) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", type=int, default=128, help="pixels along a side")
    args = parser.parse_args(argv)
    args.folder.mkdir(parents=True, exist_ok=True)
    try:
        fetch(args.folder)
    except (FileNotFoundError, RuntimeError) as e:
        sys.exit(str(e))
    render(args.folder, size=args.size)


if __name__ == "__main__":
    main()
