"""Results on disk: a picture with its recipe, and its scores beside it. Nothing that is read is
trusted: a file may be damaged, or not ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..export import save_png
from ..files import read_bounded, write_atomically
from ..images import open_image
from ..weights import sha256_of

RANGES = {  # of the scores; None stands for one that was not asked for
    "similarity": (-1.0, 1.0),
    "judge": (-1.0, 1.0),
    "rank": (1, 10**9),
    "seconds": (0.0, 10.0**9),
}
MAX_PICTURE, MAX_SCORES = 200_000_000, 20_000  # bytes; a picture's recipe may hold others
ROUNDING = 1e-4  # by which a cosine may leave [-1, 1]


def keep(path: Path, answer: dict[str, Any]) -> dict[str, Any]:
    """Write a worker's answer: its `png` with its `recipe` beside `path`, the scores last, for they
    say that all is there. Returns them with the path of the picture.

    Errors of `_scores` and `open_image` for an answer that is none; OSError.
    """
    scores, image = _scores(answer), open_image(answer["png"], ("PNG",))
    picture = save_png(image, path.with_suffix(".png"), answer["recipe"])
    text = json.dumps({**scores, "sha256": sha256_of(picture)}, ensure_ascii=False, indent=1)
    write_atomically(path, lambda part: part.write_text(text, encoding="utf8"))
    return scores | {"picture": picture}


def read(path: Path) -> dict[str, Any] | None:
    """What `keep` wrote; None where it is missing, damaged or forged."""
    picture = path.with_suffix(".png")
    try:
        found = json.loads(read_bounded(path, MAX_SCORES))
        scores, png = _scores(found), read_bounded(picture, MAX_PICTURE)
        if found["sha256"] != sha256_of(picture):
            return None
        open_image(png, ("PNG",))
        return scores | {"picture": picture}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _scores(found: dict[str, Any]) -> dict[str, Any]:
    """Scores and note of an answer or a file; ValueError, KeyError or TypeError if they are not
    what `grid` gives."""
    scores = {name: found[name] for name in RANGES}
    for name, value in scores.items():
        if value is None and name == "judge":
            continue
        low, high = RANGES[name]
        kinds = (int,) if name == "rank" else (int, float)
        if type(value) not in kinds or not low - ROUNDING <= value <= high + ROUNDING:
            raise ValueError(f"{name}={str(value)[:40]} is no score from {low} to {high}")
    if not isinstance(found["note"], str):
        raise TypeError("note is no text")
    return scores | {"note": found["note"]}
