"""PNG, GIF and MP4 that carry their recipe, and the way back from a file to its `Settings`."""

from __future__ import annotations

import json
import platform
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from PIL import Image, PngImagePlugin

from .settings import KNOBS, Settings

# IPTC's word for media made by an algorithm that learned from samples.
IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
    f'Iptc4xmpExt:DigitalSourceType="{IPTC}"/></rdf:RDF></x:xmpmeta>'
)
KEY = "vqclip_nb"
Progress = Callable[[int, int], None] | None  # called with frames done, of how many


def recipe(settings: Settings, pair: Any, **more: Any) -> dict[str, Any]:
    """How a picture was made: settings (the seed among them), pair with its hashes, versions."""
    versions = {"python": platform.python_version()}
    for package in ("vqclip_nb", "torch", "openai-clip", "taming-transformers"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:  # used from a checkout
            versions[package] = "unknown"
    return {
        "made_by": KEY,
        "settings": json.loads(settings.to_json()),
        "pair": pair.name,
        "hashes": pair.hashes,
        "device": str(pair.device),
        "versions": versions,
        "digital_source_type": IPTC,
        **more,
    }


def write_whole(path: str | Path, save: Callable[[Path], None]) -> Path:
    """Write beside `path` under a temporary name, then rename, so that a failure leaves what was
    there."""
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"no folder {str(path.parent)!r} to write {path.name} in")
    part = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        save(part)
        part.replace(path)
    except PermissionError as e:
        raise PermissionError(f"no permission to write {path}: choose another folder") from e
    finally:
        part.unlink(missing_ok=True)
    return path


def save_png(image: Image.Image, path: str | Path, recipe: dict[str, Any]) -> Path:
    """Write one picture with its recipe."""
    info = PngImagePlugin.PngInfo()
    info.add_itxt(KEY, json.dumps(recipe, ensure_ascii=False))
    info.add_itxt("XML:com.adobe.xmp", XMP)
    return write_whole(path, lambda part: image.save(part, "PNG", pnginfo=info))


def _sequence(images: Sequence[Image.Image], fps: float, boomerang: bool) -> list[Image.Image]:
    if not images:
        raise ValueError("nothing to save: no frames")
    if not 0.1 <= fps <= 50:
        raise ValueError(f"fps={fps:g} is out of range: allowed is 0.1 to 50 frames a second")
    return [*images, *images[-2:0:-1]] if boomerang else list(images)


def _counted(images: Sequence[Image.Image], progress: Progress) -> Iterator[Image.Image]:
    for i, image in enumerate(images, 1):
        yield image
        if progress:
            progress(i, len(images))


def save_gif(
    images: Sequence[Image.Image],
    path: str | Path,
    recipe: dict[str, Any],
    *,
    fps: float = 10,
    boomerang: bool = False,
    progress: Progress = None,
) -> Path:
    """Write an endless animation with its recipe; the last frame stays a second longer."""
    images = _sequence(images, fps, boomerang)
    # Quantized one by one first: Pillow's own palette step is many times slower.
    frames = [image.quantize(256) for image in _counted(images, progress)]
    durations = [round(1000 / fps)] * len(frames)
    if not boomerang:
        durations[-1] += 1000
    comment = json.dumps(recipe).encode()
    return write_whole(
        path,
        lambda part: frames[0].save(
            part,
            "GIF",
            save_all=True,
            append_images=frames[1:],
            loop=0,
            duration=durations,
            comment=comment,
        ),
    )


def save_mp4(
    images: Sequence[Image.Image],
    path: str | Path,
    recipe: dict[str, Any],
    *,
    fps: float = 10,
    boomerang: bool = False,
    progress: Progress = None,
) -> Path:
    """Write an H.264 film with its recipe."""
    import imageio.v2 as imageio
    import numpy as np

    images = _sequence(images, fps, boomerang)

    def save(part: Path) -> None:
        options = ["-metadata", f"comment={json.dumps(recipe)}", "-movflags", "use_metadata_tags"]
        with imageio.get_writer(
            part,
            format="FFMPEG",
            fps=fps,
            codec="libx264",
            quality=8,
            macro_block_size=2,
            ffmpeg_log_level="error",
            output_params=options,
        ) as film:
            for image in _counted(images, progress):
                film.append_data(np.asarray(image))

    return write_whole(path, save)


def read_recipe(path: str | Path) -> dict[str, Any]:
    """The recipe inside a PNG, GIF or MP4 that we wrote; ValueError if there is none."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {str(path)!r}")
    text: str | bytes | None = None
    try:
        if path.suffix.lower() == ".mp4":
            import imageio_ffmpeg

            done = subprocess.run(
                [
                    imageio_ffmpeg.get_ffmpeg_exe(),
                    "-v",
                    "error",
                    "-i",
                    str(path),
                    "-f",
                    "ffmetadata",
                    "-",
                ],
                capture_output=True,
                text=True,
                encoding="utf8",
            )
            found = re.search(r"^comment=(.*?)(?=^\S+?=|\Z)", done.stdout, re.M | re.S)
            text = re.sub(r"\\(.)", r"\1", found[1], flags=re.S).strip() if found else None
        else:
            with Image.open(path) as image:
                text = image.text.get(KEY) if image.format == "PNG" else image.info.get("comment")
        found = json.loads(text) if text else None
    except (OSError, ValueError, AttributeError) as e:
        raise ValueError(f"{path} holds no recipe that can be read: {e}") from e
    if not isinstance(found, dict) or found.get("made_by") != KEY:
        raise ValueError(
            f"{path} holds no recipe: it was not written by vqclip_nb, or lost it in a conversion"
        )
    return found


def open_recipe(path: str | Path) -> Settings:
    """The `Settings` that made a PNG, GIF or MP4 of ours; settings that this version lacks are left
    out."""
    values = read_recipe(path)["settings"]
    return Settings(**{k: v for k, v in values.items() if k in KNOBS})
