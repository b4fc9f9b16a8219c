"""Many runs at once, on any executor: lists of settings in, a pandas frame of scores out."""

from __future__ import annotations

import hashlib
import itertools
import json
import pickle
import uuid
import warnings
from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..export import save_png
from ..files import FORBIDDEN, FULL, read_bounded, write_atomically
from ..images import open_image
from ..models.pair import Pair
from ..settings import TYPES, Settings
from ..weights import sha256_of
from .scores import concepts
from .workers import BY_PAIR, Source, answers, facts_of, paint

if TYPE_CHECKING:
    import pandas

RANGES = {  # of the scores; None stands for one that was not asked for
    "similarity": (-1.0, 1.0),
    "judge": (-1.0, 1.0),
    "rank": (1, 10**9),
    "seconds": (0.0, 10.0**9),
}
MAX_PICTURE, MAX_SCORES = 200_000_000, 20_000  # bytes; a picture's recipe may hold others
ROUNDING = 1e-4  # by which a cosine may leave [-1, 1]


def combinations(**settings: Any) -> list[Settings]:
    """Every combination of the lists among `settings`, the last one varying fastest.

    Lists, tuples, ranges and arrays count as lists; `include` gives one cell for each prompt. Of
    regions, attributes and palette a list of texts is one value, and several are a list of lists.
    Raises what `Settings` raises, and ValueError for an empty list.
    """
    choices = []
    for name, value in settings.items():
        value = _plain(value)
        values = list(value) if isinstance(value, list | tuple | range) else [value]
        if TYPES.get(name) == "list[str]" and name != "include":
            values = [values] if all(isinstance(v, str) for v in values) else values
        if not values:
            raise ValueError(f"{name}={value!r}: give at least one value")
        choices.append([[v] if name == "include" else _plain(v) for v in values])
    return [
        Settings.preset("default", **dict(zip(settings, chosen, strict=True)))
        for chosen in itertools.product(*choices)
    ]


def _plain(value: Any) -> Any:
    """numpy's arrays and numbers as Python's own."""
    return value.tolist() if hasattr(value, "tolist") else value


def grid(
    pair: Source,
    *,
    folder: str | Path = "grid",
    executor: Executor | None = None,
    judge: str | None = BY_PAIR,
    distractors: Sequence[str] | None = None,
    **settings: Any,
) -> pandas.DataFrame:
    """Paint and score every combination of `settings`, any of which may be a list.

    pair: a name for `load_pair`, a picklable function that opens one, as
    `functools.partial(vq.open_pair, clip=..., vqgan=...)`, or an open pair (without an executor, or
    with threads). executor: any `concurrent.futures.Executor`; each of its processes opens the pair
    once. judge: "emoji", one of OpenAI's names, or None; by default "emoji" for the emoji pair and
    "RN50" for others. distractors: what `rank` compares with; None is `scores.concepts()`.

    Returns a row for every combination, in order: the settings, those left empty as the pair fills
    them; similarity under the guide, in [-1, 1]; judge, the same under the judge; rank among the
    distractors (by the judge, else by the guide); seconds of painting; note, what happened
    if a picture diverged; error, empty if all went well; picture, a PNG with
    its recipe. A row with an error has no scores.

    Results land in `folder` as they come, and what is there is not made again; a cell that failed
    or whose files are damaged is. Any number of grids may share a folder. Picture files among the
    settings are known by their names alone. An interrupt loses only what is being painted, a killed
    worker process nothing: see `workers.answers`. Bad settings raise at once, as in `Settings`, and
    a folder that cannot be written (any more) raises OSError.
    """
    import pandas
    from tqdm.auto import tqdm

    asked = combinations(**settings)
    if isinstance(pair, Pair) and not isinstance(executor, ThreadPoolExecutor | None):
        raise ValueError("an open pair stays in its process: give a name or a function that opens")
    if isinstance(distractors, str) or not all(isinstance(d, str) for d in distractors or ()):
        raise ValueError(f"distractors={str(distractors)[:80]!r}: give a list of texts")
    distractors = tuple(concepts() if distractors is None else distractors)
    bench = (pair, b"" if isinstance(pair, Pair) else pickle.dumps(pair), judge)
    # A worker knows the pair: this process need not hold it, nor have the disk that it is on.
    # Dask hands out what it remembers for equal arguments, and what failed is to be tried again.
    again = uuid.uuid4().hex
    ((_, facts),) = answers(executor, facts_of, {"": (*bench, again)})
    if isinstance(facts, Exception):
        raise facts
    asked = [s.for_pair(facts["defaults"]) for s in asked]

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    more = json.dumps([facts, distractors], sort_keys=True)
    digests = (hashlib.sha256((s.to_json() + more).encode()).hexdigest() for s in asked)
    paths = [folder / f"{digest[:20]}.json" for digest in digests]
    found = {path: read(path) for path in paths}
    jobs = {
        path: (s, *bench, facts, distractors, again)
        for path, s in zip(paths, asked, strict=True)
        if found[path] is None
    }
    said: set[str] = set()
    work: Any = answers(executor, paint, jobs)  # a generator: it can be closed
    with tqdm(total=len(found), initial=len(found) - len(jobs)) as bar, closing(work):
        for path, answer in work:
            found[path], new = _row(path, answer)
            bar.update()
            for text in new:
                if text not in said:
                    warnings.warn(text, stacklevel=2)
                    said.add(text)
    empty = {**dict.fromkeys(RANGES), "note": "", "error": "", "picture": None}
    rows = [
        asdict(s) | {"include": s.include[0]} | empty | (found[path] or {})
        for s, path in zip(asked, paths, strict=True)
    ]
    return pandas.DataFrame(rows).astype(dict.fromkeys(RANGES, float))


def _row(path: Path, answer: Any) -> tuple[dict[str, Any], list[str]]:
    """What a worker's answer adds to its row, kept on disk if it is a result; and its warnings."""
    try:
        if isinstance(answer, Exception):
            raise answer
        said = [str(text) for text in answer.get("warnings", ())]
        if "error" in answer:
            return {"error": str(answer["error"])}, said
        return keep(path, answer), said
    except Exception as e:  # a worker that died or that answers something else
        if isinstance(e, OSError) and e.errno in FULL + FORBIDDEN:  # the next would fail alike
            raise
        return {"error": f"{type(e).__name__}: {e}"}, []


# -- results on disk: a picture with its recipe, and its scores beside it


def keep(path: Path, answer: dict[str, Any]) -> dict[str, Any]:
    """Write a worker's answer: its `png` with its `recipe` beside `path`, the scores last, for they
    say that all is there. Returns them with the path of the picture.

    Errors of `_scores` and `open_image` for an answer that is none; OSError.
    """
    scores, png, recipe = _scores(answer), answer["png"], answer["recipe"]
    if not isinstance(png, bytes) or not isinstance(recipe, dict):  # a path would be opened
        raise ValueError("the worker's answer is none: its png is no bytes or its recipe no dict")
    picture = save_png(open_image(png, ("PNG",)), path.with_suffix(".png"), recipe)
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
