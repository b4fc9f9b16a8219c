"""Work handed to an executor, and finished although workers die."""

from __future__ import annotations

import contextlib
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
