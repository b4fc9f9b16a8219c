"""The recipe in an exported file: settings, changes and versions, to make the picture again."""

from __future__ import annotations

import dataclasses
import json
import platform
import re
import subprocess
import warnings
from collections.abc import Collection, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from .export import IPTC, KEY
from .images import read_info
from .prompts import map_pictures
from .settings import KNOBS, Settings

if TYPE_CHECKING:
    from .run import Run

Changes = Sequence[tuple[int, dict[str, Any]]]  # after how many steps, which settings

FORM = 2  # form 1 held a run's last settings in place of its first
# Fields that form 1 named otherwise, and values of those that it lacked.
RENAMED = {"average": "ema_decay"}
BEFORE: dict[str, Any] = {
    "start": "noise",
    "start_strength": 1.0,
    "keep_edges": 0.0,
    "keep_colours": 0.0,
    "loosen": 0.0,
}
# For recipes from before these settings existed.
ALWAYS: dict[str, Any] = {
    "precision": "float32",
    "random": "cpu",
    "crop_method": "anchored",
    "within_codebook": False,
    "distance": "cosine",
}
MAX_RECIPE = 200_000_000  # bytes
PARTS = ("objective", "crops", "latent", "optimizer")  # what `Run` takes in place of its own


def make_recipe(run: Run, steps: int) -> dict[str, Any]:
    """How the picture after `steps` steps of a run was made."""
    pair, first = run.pair, run.first
    library = pair.library if first.start == "library" else None
    prior = pair.prior if first.uses_prior else None
    versions = {"python": platform.python_version()}
    for package in ("vqclip_nb", "torch", "openai-clip", "taming-transformers"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:  # used from a checkout
            versions[package] = "unknown"
    return {
        "made_by": KEY,
        "digital_source_type": IPTC,  # early, where a GIF's comment is still in one piece
        "form": FORM,
        "settings": json.loads(first.to_json()),
        "changes": [[at, change] for at, change in run.changes if at < steps],
        "steps": steps,
        "done": run.done and steps == len(run.history),
        "parts": sorted(run.parts),
        "pair": pair.name,
        "hashes": pair.hashes,
        "library": library and library.digest,
        "prior": prior and prior.digest,
        "pair_adds": {
            "default_background": pair.default_background,
            "dropout": pair.clip.dropout,
        },
        "device": str(pair.device),
        "threads": torch.get_num_threads(),
        "versions": versions,
    }


def read_recipe(path: str | Path) -> dict[str, Any]:
    """The recipe inside a PNG, GIF or MP4 that we wrote; FileNotFoundError if there is no such
    file, ValueError if there is no recipe in it."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {str(path)!r}")
    try:
        if path.suffix.lower() == ".mp4":
            text = _film_comment(path)
        else:
            info = read_info(path)
            text = info.get(KEY) or info.get("comment")
        if text is not None and len(text) > MAX_RECIPE:
            raise ValueError(f"it is longer than {MAX_RECIPE // 10**6} MB")
        found = json.loads(text) if text else None
    except MemoryError:
        raise
    except Exception as e:  # a damaged file: Pillow's decoders fail in many ways
        raise ValueError(f"{path} holds no recipe that can be read: {type(e).__name__}: {e}") from e
    if not isinstance(found, dict) or found.get("made_by") != KEY:
        raise ValueError(
            f"{path} holds no recipe: it was not written by vqclip_nb, or lost it in a conversion"
        )
    if not isinstance(found.get("settings"), dict):
        raise ValueError(f"{path} holds a recipe without settings")
    return found


def _film_comment(path: Path) -> str | None:
    import imageio_ffmpeg

    # Absolute: in a relative name ffmpeg takes what stands before a colon for a protocol. Only as
    # a film: other formats, as lists of files, make it open what they name.
    source = ["-protocol_whitelist", "file", "-f", "mp4", "-i", str(path.resolve())]
    told = subprocess.run(
        [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", *source, "-f", "ffmetadata", "-"],
        capture_output=True,
        encoding="utf8",
        errors="replace",
        timeout=60,
        stdin=subprocess.DEVNULL,
    )
    found = re.search(r"^comment=(.*?)(?=^\w+=|\Z)", told.stdout, re.M | re.S)
    return re.sub(r"\\(.)", r"\1", found[1], flags=re.S).strip() if found else None


def open_recipe(path: str | Path) -> Settings:
    """The `Settings` that a PNG, GIF or MP4 of ours began with.

    Settings that this version lacks are left out. A path of a picture is never opened: it is left
    out too, and a warning says so. Errors as in `read_recipe`; ValueError for a wrong value.
    """
    return recipe_settings(read_recipe(path))


def recipe_settings(recipe: dict[str, Any]) -> Settings:
    """The settings at the start; see `open_recipe`."""
    values: dict[str, Any] = dict(recipe["settings"])
    if recipe.get("form") != FORM:
        values = BEFORE | {RENAMED.get(k, k): v for k, v in values.items()}
    values = ALWAYS | values
    settings = Settings(**{k: v for k, v in values.items() if k in KNOBS})
    kept = without_pictures(dataclasses.asdict(settings))
    if not kept:
        return settings
    warnings.warn(
        f"{', '.join(kept)} named pictures on another machine, which are left out: add your own",
        stacklevel=3,
    )
    if not all(kept.get("include", settings.include)):
        raise ValueError("the recipe paints nothing but a picture file, which it does not hold")
    return settings.replace(**kept)


def without_pictures(values: Mapping[str, Any]) -> dict[str, Any]:
    """What to put in place of settings that name a picture by its path, which is never opened."""
    kept = map_pictures(values, lambda picture, _: picture if picture.startswith("data:") else "")
    return {name: value for name, value in kept.items() if value != values[name]}


def check_parts(path: str | Path, needed: object, given: Collection[str]) -> None:
    """ValueError if the picture or run at `path` needs parts of the loop that are not given;
    TypeError for what is no part."""
    if wrong := set(given) - set(PARTS):
        raise TypeError(
            f"{', '.join(sorted(wrong))}: {path} keeps its settings; give only parts "
            f"({', '.join(PARTS)}), and change settings afterwards with run.change"
        )
    if not isinstance(needed, list) or not all(isinstance(name, str) for name in needed):
        raise ValueError(f"{path} names its parts in a way that cannot be read: {needed!r}")
    if missing := set(needed) - set(given):
        raise ValueError(
            f"{path} was made with parts of its own: give {', '.join(sorted(missing))}"
        )
