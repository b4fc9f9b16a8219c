"""Work handed to an executor, and finished although workers die; and what a worker does: it opens
the pair and the judge once, paints cells and scores them."""

import contextlib
import functools
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import (
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    as_completed,
)
from typing import Any, TypeVar

from ..loading import load_judge, load_pair
from ..models.clip import ClipModel
from ..models.pair import Pair
from ..run import Run
from ..settings import Settings
from .scores import rank, similarity

Source = str | Pair | Callable[[], Pair]
BY_PAIR = "by pair"

_loaded: dict[str, tuple[Any, Any]] = {}  # "pair" and "judge": what this process opened last
_lock = threading.RLock()
Key = TypeVar("Key")


def answers(
    executor: Executor | None, function: Callable[..., Any], jobs: Mapping[Key, tuple]
) -> Iterator[tuple[Key, Any]]:
    """Each job's key with `function(*job)`, or with the error that it raised, as they come.

    Without an executor the work is done here, one after the other, and errors are raised. A killed
    worker breaks a pool of processes for good: what it left is done in a new process, one job at a
    time, with a warning; a job that ends that process too gets its error. Leaving early cancels
    what has not begun.
    """
    if executor is None:
        for key, job in jobs.items():
            yield key, function(*job)
        return
    left, futures = dict(jobs), dict[Future, Key]()
    try:
        with contextlib.suppress(BrokenExecutor):
            for key, job in jobs.items():
                futures[executor.submit(function, *job)] = key
        for future in as_completed(futures):
            answer = _answer(future)
            if not isinstance(answer, BrokenExecutor):
                del left[futures[future]]
                yield futures[future], answer
    finally:
        for future in futures:
            future.cancel()
    if left:
        warnings.warn(
            f"a worker died and broke the executor: the {len(left)} left are done one at a time, "
            "outside it",
            stacklevel=3,
        )
        yield from _one_by_one(executor, function, left)


def _one_by_one(
    executor: Executor, function: Callable[..., Any], jobs: Mapping[Key, tuple]
) -> Iterator[tuple[Key, Any]]:
    pool = None
    try:
        for key, job in jobs.items():
            # Started as those that died were; Python has no public name for the way.
            pool = pool or ProcessPoolExecutor(1, getattr(executor, "_mp_context", None))
            answer = _answer(pool.submit(function, *job))
            yield key, answer
            if isinstance(answer, BrokenExecutor):
                pool = None
    finally:
        if pool:
            pool.shutdown(wait=False, cancel_futures=True)


def _answer(future: Future) -> Any:
    """What the job gave, or its error."""
    try:
        return future.result()
    except Exception as e:
        return e


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
        if judge == BY_PAIR:
            judge = "emoji" if pair.name == "emoji" else "RN50"
        if not judge:
            return pair, None
        make = functools.partial(load_judge, judge, device=pair.device)
        return pair, once("judge", (judge, str(pair.device)), make)


def facts_of(source: Source, key: bytes, judge: str | None, again: str = "") -> dict[str, Any]:
    """What results depend on besides settings: the hashes of all weights and drawings, what the
    pair adds, what it fills into settings left empty. ValueError for a pair without hashes."""
    pair, its_judge = _open(source, key, judge)
    if not pair.hashes:
        raise ValueError(f"{pair} has no hashes, so that its results could not be told from others")
    return {
        "hashes": {**pair.hashes, "judge": its_judge.hashes["clip"] if its_judge else None},
        "adds": [pair.default_background, pair.clip.dropout],
        "library": pair.library.digest if pair.library else None,
        "prior": pair.prior.digest if pair.prior else None,
        "defaults": dict(pair.defaults),
    }


def paint(
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
        if (here := facts_of(source, key, judge)) != facts:
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
