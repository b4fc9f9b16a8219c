"""Many runs at once, on any executor: lists of settings in, a pandas frame of scores out."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import pickle
import threading
import uuid
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor, as_completed
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from ..export import save_png
from ..files import write_atomically
from ..models.clip import ClipModel
from ..models.pair import Pair, load_judge, load_pair
from ..run import Run
from ..settings import Settings
from ..weights import CLIPS, sha256_of
from .scores import concepts, rank, similarity

if TYPE_CHECKING:
    import pandas

Source = str | Pair | Callable[[], Pair]
BY_PAIR = "by pair"
SCORES = ("similarity", "judge", "rank", "seconds")

_loaded: dict[str, tuple[Any, Any]] = {}  # "pair" and "judge": what this process opened last
_lock = threading.RLock()


def combinations(**settings: Any) -> list[Settings]:
    """Every combination of the lists among `settings`, the last one varying fastest.

    Lists, tuples, ranges and arrays count as lists; `include` gives one cell for each prompt.
    Raises what `Settings` raises, and ValueError for an empty list.
    """
    choices = []
    for name, value in settings.items():
        value = _plain(value)
        values = list(value) if isinstance(value, list | tuple | range) else [value]
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

    Returns a row for every combination, in order: the settings; similarity under the guide, in
    [-1, 1]; judge, the same under the judge; rank among the distractors (by the judge, else by the
    guide); seconds of painting; error, empty if all went well; picture, a PNG with its recipe.

    Results land in `folder` as they come, and what is there is not made again; a cell that failed
    or whose files are damaged is. Picture files among the settings are known by their names alone.
    An interrupt loses only what is being painted. Bad settings raise at once, as in `Settings`.
    """
    import pandas
    from tqdm.auto import tqdm

    asked = combinations(**settings)
    if judge not in (judges := (BY_PAIR, None, "emoji", *CLIPS)):
        raise ValueError(f"judge {judge!r} is not known: choose one of {judges}")
    if isinstance(pair, Pair) and not isinstance(executor, ThreadPoolExecutor | None):
        raise ValueError("an open pair stays in its process: give a name or a function that opens")
    distractors = tuple(concepts() if distractors is None else distractors)
    bench = (pair, b"" if isinstance(pair, Pair) else pickle.dumps(pair), judge)
    # A worker knows the weights: this process need not hold them, nor have the disk they are on.
    # Dask hands out what it remembers for equal arguments, and what failed is to be tried again.
    again = uuid.uuid4().hex
    hashes = executor.submit(_hashes, *bench, again).result() if executor else _hashes(*bench)

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    facts = json.dumps([hashes, distractors], sort_keys=True)
    paths = [
        folder / f"{hashlib.sha256((s.to_json() + facts).encode()).hexdigest()[:20]}.json"
        for s in asked
    ]
    results = {path: _read(path) for path in paths}
    missing = {p: s for p, s in zip(paths, asked, strict=True) if results[p] is None}
    said: set[str] = set()
    work = _results(executor, missing, (*bench, hashes, distractors, again))
    with tqdm(total=len(results), initial=len(results) - len(missing)) as bar, closing(work):
        for path, result in work:
            new = set(result.pop("warnings", ())) - said
            results[path] = result if "error" in result else _keep(path, result)
            bar.update()
            said |= new
            for text in new:
                warnings.warn(text, stacklevel=2)
    rows = [
        asdict(s)
        | {"include": s.include[0], **dict.fromkeys(SCORES), "error": "", "picture": None}
        | results[path]
        for s, path in zip(asked, paths, strict=True)
    ]
    return pandas.DataFrame(rows).astype(dict.fromkeys(SCORES, float))


# -- the process that asks: files and executor


def _results(
    executor: Executor | None, missing: dict[Path, Settings], more: tuple
) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Paths with what became of them, as they come; leaving early cancels the rest."""
    if executor is None:
        for path, settings in missing.items():
            yield path, _paint(settings, *more)
        return
    futures = {}
    try:
        for path, settings in missing.items():
            futures[executor.submit(_paint, settings, *more)] = path
        for future in as_completed(futures):
            try:
                yield futures[future], future.result()
            except Exception as e:  # the worker died, or could not be told what to do
                yield futures[future], {"error": f"{type(e).__name__}: {e}"}
    finally:
        for future in futures:
            future.cancel()


def _keep(path: Path, result: dict[str, Any]) -> dict[str, Any]:
    """Write picture and scores, the scores last: they say that the cell is done."""
    image = Image.open(io.BytesIO(result.pop("png")))
    picture = save_png(image, path.with_suffix(".png"), result["recipe"])
    text = json.dumps({**result, "sha256": sha256_of(picture)}, ensure_ascii=False, indent=1)
    write_atomically(path, lambda part: part.write_text(text, encoding="utf8"))
    return {k: result[k] for k in SCORES} | {"picture": picture}


def _read(path: Path) -> dict[str, Any] | None:
    """What `_keep` wrote; None if it is not there or damaged."""
    picture = path.with_suffix(".png")
    try:
        result = json.loads(path.read_text(encoding="utf8"))
        if result["sha256"] != sha256_of(picture):
            return None
        return {k: result[k] for k in SCORES} | {"picture": picture}
    except (OSError, ValueError, KeyError, TypeError):
        return None


# -- the process that works


def _open(source: Source, key: bytes, judge: str | None) -> tuple[Pair, ClipModel | None]:
    """Pair and judge, opened once in a process; `key` stands for the source."""

    def once(kind: str, key: Any, make: Callable[[], Any]) -> Any:
        if _loaded.get(kind, (None,))[0] != key:
            _loaded.pop(kind, None)  # makes room for the next one
            _loaded[kind] = key, make()
        return _loaded[kind][1]

    with _lock:
        if not isinstance(source, Pair):
            opener = source if callable(source) else lambda: load_pair(source)
            source = once("pair", key, opener)
        if judge == BY_PAIR:
            judge = "emoji" if source.name == "emoji" else "RN50"
        device = source.device
        return source, judge and once(
            "judge", (judge, str(device)), lambda: load_judge(judge, device=device)
        )


def _hashes(source: Source, key: bytes, judge: str | None, again: str = "") -> dict[str, Any]:
    """SHA-256 of all weights; ValueError for a pair without."""
    pair, its_judge = _open(source, key, judge)
    if not pair.hashes:
        raise ValueError(f"{pair} has no hashes, so that its results could not be told from others")
    return {**pair.hashes, "judge": its_judge.hashes["clip"] if its_judge else None}


def _paint(
    settings: Settings,
    source: Source,
    key: bytes,
    judge: str | None,
    hashes: dict[str, Any],
    distractors: tuple[str, ...],
    again: str = "",
) -> dict[str, Any]:
    """One cell: its scores, PNG, recipe and warnings, or its error."""
    said: list[warnings.WarningMessage] = []
    try:
        if (here := _hashes(source, key, judge)) != hashes:
            raise ValueError(f"this worker has other weights: {here}, not {hashes}")
        pair, its_judge = _open(source, key, judge)
        # Python's filters belong to the whole process: threads take turns while they are changed.
        with _lock, warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            run = Run(pair, settings)
        for _ in run:
            pass
        text, image = settings.include[0], run.image
        with _lock, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the same ones again
            scores = {
                "similarity": similarity(pair.clip, image, text),
                "judge": similarity(its_judge, image, text) if its_judge else None,
                "rank": rank(its_judge or pair.clip, image, text, distractors),
                "seconds": run.seconds,
            }
    except Exception as e:  # a cell that fails does not stop the others
        return {"error": f"{type(e).__name__}: {e}", "warnings": [str(w.message) for w in said]}
    return {
        **scores,
        "recipe": run.recipe(),
        "png": run.frames[-1].pixels,
        "warnings": [str(w.message) for w in said],
    }
