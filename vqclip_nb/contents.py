"""What a picture or film file holds, in words: `vqclip --what FILE`."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

from .images import open_image
from .knobs import shown
from .marks import read_mark
from .recipe import probe_film, read_recipe, recipe_settings
from .settings import KNOBS


def describe(path: str | Path) -> str:
    """Size, mark, recipe and settings of a file that anyone may have made, one a line.

    Pictures are opened as everywhere (`images.open_image`), films by ffmpeg as MP4 alone; texts
    from the file come as Python writes them, without control characters. FileNotFoundError;
    ValueError if it is neither a picture nor a film.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {str(path)!r}")
    lines = [f"size: {_size(path)}"]
    mark = read_mark(path)
    lines.append(f"mark: {mark.rpartition('/')[2]} ({mark})" if mark else "mark: none")
    try:
        recipe = read_recipe(path)
        lines += _recipe(recipe)
    except ValueError as e:
        lines.append(f"recipe: none ({shown(str(e))})")
    return "\n".join(lines)


def _size(path: Path) -> str:
    if path.suffix.lower() != ".mp4":
        width, height = open_image(path).size
        return f"{width}×{height} pixels"
    told = probe_film(path).stderr
    side = re.search(r"^  Stream #0:\d+.*Video: .*?\b(\d{2,5})x(\d{2,5})\b", told, re.M)
    length = re.search(r"^  Duration: (\d\d:\d\d:\d\d\.\d\d)", told, re.M)
    if not side or not length:
        raise ValueError(f"{path} is no film that can be read")
    return f"{side[1]}×{side[2]} pixels, {length[1]} long"


def _recipe(recipe: dict[str, Any]) -> list[str]:
    versions = recipe.get("versions")
    version = versions.get("vqclip_nb") if isinstance(versions, dict) else None
    words = [f"vqclip_nb {shown(version)}", f"pair {shown(recipe.get('pair'))}"]
    words.append(f"{shown(recipe.get('steps'))} steps")
    lines = [f"recipe: {', '.join(words)}"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # paths are left out, which the settings show
        settings = recipe_settings(recipe)
    for name, k in KNOBS.items():
        if (value := getattr(settings, name)) != k.default:
            lines.append(f"  {name}: {shown(value)}")
    changes = recipe.get("changes") or []
    if isinstance(changes, list):
        lines += [f"  changed: {shown(change)}" for change in changes]
    return lines
