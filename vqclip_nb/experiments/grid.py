"""Many runs at once, on any executor: lists of settings in, a pandas frame of scores out."""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import pickle
import threading
import uuid
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..files import FORBIDDEN, FULL
from ..loading import load_judge, load_pair
from ..models.clip import ClipModel
from ..models.pair import Pair
from ..run import Run
from ..settings import TYPES, Settings
from ..weights import CLIPS
from . import results, workers
from .scores import concepts, rank, similarity

if TYPE_CHECKING:
    import pandas

Source = str | Pair | Callable[[], Pair]
BY_PAIR = "by pair"

_loaded: dict[str, tuple[Any, Any]] = {}  # "pair" and "judge": what this process opened last
_lock = threading.RLock()


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
    if judge not in (judges := (BY_PAIR, None, "emoji", *CLIPS)):
        raise ValueError(f"judge {judge!r} is not known: choose one of {judges}")
    if isinstance(pair, Pair) and not isinstance(executor, ThreadPoolExecutor | None):
        raise ValueError("an open pair stays in its process: give a name or a function that opens")
    if isinstance(distractors, str) or not all(isinstance(d, str) for d in distractors or ()):
        raise ValueError(f"distractors={str(distractors)[:80]!r}: give a list of texts")
    distractors = tuple(concepts() if distractors is None else distractors)
    bench = (pair, b"" if isinstance(pair, Pair) else pickle.dumps(pair), judge)
    # A worker knows the pair: this process need not hold it, nor have the disk that it is on.
    # Dask hands out what it remembers for equal arguments, and what failed is to be tried again.
    again = uuid.uuid4().hex
    ((_, facts),) = workers.answers(executor, _facts, {"": (*bench, again)})
    if isinstance(facts, Exception):
        raise facts
    asked = [s.for_pair(facts["defaults"]) for s in asked]

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    more = json.dumps([facts, distractors], sort_keys=True)
    paths = [
        folder / f"{hashlib.sha256((s.to_json() + more).encode()).hexdigest()[:20]}.json"
        for s in asked
    ]
    found = {path: results.read(path) for path in paths}
    jobs = {
        path: (s, *bench, facts, distractors, again)
        for path, s in zip(paths, asked, strict=True)
        if found[path] is None
    }
    said: set[str] = set()
    work: Any = workers.answers(executor, _paint, jobs)  # a generator: it can be closed
    with tqdm(total=len(found), initial=len(found) - len(jobs)) as bar, closing(work):
        for path, answer in work:
            found[path], new = _row(path, answer)
            bar.update()
            for text in new:
                if text not in said:
                    warnings.warn(text, stacklevel=2)
                    said.add(text)
    empty = {**dict.fromkeys(results.RANGES), "note": "", "error": "", "picture": None}
    rows = [
        asdict(s) | {"include": s.include[0]} | empty | (found[path] or {})
        for s, path in zip(asked, paths, strict=True)
    ]
    return pandas.DataFrame(rows).astype(dict.fromkeys(results.RANGES, float))


def _row(path: Path, answer: Any) -> tuple[dict[str, Any], list[str]]:
    """What a worker's answer adds to its row, kept on disk if it is a result; and its warnings."""
    try:
        if isinstance(answer, Exception):
            raise answer
        said = [str(text) for text in answer.get("warnings", ())]
        if "error" in answer:
            return {"error": str(answer["error"])}, said
        return results.keep(path, answer), said
    except Exception as e:  # a worker that died or that answers something else
        if isinstance(e, OSError) and e.errno in FULL + FORBIDDEN:  # the next would fail alike
            raise
        return {"error": f"{type(e).__name__}: {e}"}, []


# -- the process that works


def _open(source: Source, key: bytes, judge: str | None) -> tuple[Pair, ClipModel | None]:
    """Pair and judge, opened once in a process; `key` stands for the source."""

    def once(kind: str, key: Any, make: Callable[[], Any]) -> Any:
        if _loaded.get(kind, (None,))[0] != key:
            _loaded.pop(kind, None)  # makes room for the next one
            _loaded[kind] = key, make()
        return _loaded[kind][1]

    with _lock:
        if isinstance(source, Pair):
            pair = source
        else:
            opener = source if callable(source) else functools.partial(load_pair, source)
            pair = once("pair", key, opener)
        name = judge
        if name == BY_PAIR:
            name = "emoji" if pair.name == "emoji" else "RN50"
        if not name:
            return pair, None
        make = functools.partial(load_judge, name, device=pair.device)
        return pair, once("judge", (name, str(pair.device)), make)


def _facts(source: Source, key: bytes, judge: str | None, again: str = "") -> dict[str, Any]:
    """What results depend on besides settings: the hashes of all weights and drawings, what the
    pair adds, what it fills into settings left empty. ValueError for a pair without hashes."""
    pair, its_judge = _open(source, key, judge)
    if not pair.hashes:
        raise ValueError(f"{pair} has no hashes, so that its results could not be told from others")
    return {
        "hashes": {**pair.hashes, "judge": its_judge.hashes["clip"] if its_judge else None},
        "adds": [pair.facts.default_background, pair.clip.dropout],
        "library": pair.library.digest if pair.library else None,
        "prior": pair.prior.digest if pair.prior else None,
        "defaults": dict(pair.defaults),
    }


def _paint(
    settings: Settings,
    source: Source,
    key: bytes,
    judge: str | None,
    facts: dict[str, Any],
    distractors: tuple[str, ...],
    again: str = "",
) -> dict[str, Any]:
    """One cell: its scores, note, PNG, recipe and warnings, or its error."""
    said: list[warnings.WarningMessage] = []
    try:
        if (here := _facts(source, key, judge)) != facts:
            raise ValueError(f"this worker has another pair: {here}, not {facts}")
        pair, its_judge = _open(source, key, judge)
        # Python's filters belong to the whole process: threads take turns while they are changed.
        with _lock, warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            run = Run(pair, settings)
        for _ in run:
            pass
        text, image, last = settings.include[0], run.image, run.last
        assert image and last  # painted above
        with _lock, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the same ones again
            answer = {
                "similarity": similarity(pair.clip, image, text),
                "judge": similarity(its_judge, image, text) if its_judge else None,
                "rank": rank(its_judge or pair.clip, image, text, distractors),
                "seconds": run.seconds,
                "note": _note(run),
                "recipe": run.recipe(),
                "png": last.png(),
            }
    except Exception as e:  # a cell that fails does not stop the others
        answer = {"error": f"{type(e).__name__}: {e}"}
    return answer | {"warnings": [str(w.message) for w in said]}


def _note(run: Run) -> str:
    """What happened if the picture diverged; else empty."""
    steps, slowed = len(run.history), run.painting.slowed
    if steps < run.settings.total_iter:
        return f"diverged: stopped after {steps} of {run.settings.total_iter} steps"
    return f"diverged: went on at 1/{2**slowed} of the rate" if slowed else ""
