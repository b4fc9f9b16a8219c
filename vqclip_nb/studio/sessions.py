"""Each Studio's run in a file of its own, to go on with after the kernel or the page is gone."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from weakref import WeakKeyDictionary

from ..checkpoint import previous
from ..models.pair import Pair
from ..reading import readable
from ..run import Run
from ..settings import Settings

log = logging.getLogger(__name__)
OFFERED, KEPT, DAYS = 3, 10, 30  # sessions offered; kept at most; and for how long
ALIVE = 10.0  # seconds that a run counts as going on after its last step, beside three more steps


@dataclass(frozen=True)
class Saved:
    """A run that was cut off."""

    path: Path
    prompt: str
    steps: int
    when: float  # seconds since 1970

    @property
    def title(self) -> str:
        at = time.strftime("%d %b %H:%M", time.localtime(self.when))
        return f"Continue “{self.prompt[:40]}”, step {self.steps}, {at}"


class Sessions:
    """Saves each run of one Studio in a file of its own, and finds what others left.

    While a Studio lives it holds a lock on a file beside its own, which the system lets go when its
    process ends, and keeps that file's time in the future while it paints. A run is offered when it
    is not both locked and of the future.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.name = folder, ""
        self._names: WeakKeyDictionary[Run, str] = WeakKeyDictionary()
        self._lock: IO[bytes] | None = None
        self._beat = 0.0

    @property
    def path(self) -> Path:
        return self.folder / f"{self.name}.safetensors"

    def begin(self, run: Run, saved: Saved | None = None) -> None:
        """Turn to `run`; `saved`: the file that it was read from, which becomes ours."""
        name = saved.path.stem if saved else f"session-{secrets.token_hex(4)}"
        name = self._names.setdefault(run, name)
        if name != self.name:
            self.resting()
            self.close()
            self.name = name

    def alive(self, run: Run) -> None:
        """Tell the others that `run` is going on."""
        now = time.time()
        if now < self._beat:
            return
        self._beat = now + ALIVE / 4
        marker = _marker(self.path)
        with contextlib.suppress(OSError):
            if self._lock is None:
                self.folder.mkdir(parents=True, exist_ok=True)
                self._lock = open(marker, "ab")
                _try_lock(self._lock)
            until = now + ALIVE + 3 * run.seconds / max(1, len(run.history))
            os.utime(marker, (until, until))

    def resting(self) -> None:
        """Tell the others that nothing is going on here."""
        self._beat = 0.0
        if self._lock is not None:
            with contextlib.suppress(OSError):
                os.utime(_marker(self.path), (0, 0))

    def save(self, run: Run) -> None:
        """Keep `run` as it is now; a finished one needs no keeping."""
        if run.done:
            self.forget(self.path)
        else:
            self.folder.mkdir(parents=True, exist_ok=True)
            run.save(self.path)

    def forget(self, path: Path) -> None:
        """Remove a saved run, and its copy."""
        path.unlink(missing_ok=True)
        previous(path).unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the lock."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None
            with contextlib.suppress(OSError):
                _marker(self.path).unlink(missing_ok=True)

    def others(self, pair: Pair) -> list[Saved]:
        """Runs of `pair` that were cut off and that nobody is painting, newest first."""
        self.tidy()
        found = []
        for path in self._files():
            if path == self.path or going_on(path):
                continue
            try:
                saved = _read(path, pair)
            except Exception as e:  # an old or foreign file must not keep the Studio from opening
                log.info("%s cannot be continued: %s", path.name, e)
                continue
            if saved:
                found.append(saved)
        return found[:OFFERED]

    def tidy(self) -> None:
        """Remove what is too old or too much, and the markers of Studios that are gone."""
        oldest = time.time() - DAYS * 86400
        for i, path in enumerate(self._files()):
            old = i >= KEPT or path.stat().st_mtime < oldest
            if old and path != self.path and not going_on(path):
                self.forget(path)
        for marker in self.folder.glob("session-*.alive"):
            path = marker.with_suffix(".safetensors")
            if path != self.path and not path.exists() and not _locked(marker):
                with contextlib.suppress(OSError):
                    marker.unlink(missing_ok=True)

    def _files(self) -> list[Path]:
        def when(path: Path) -> float:
            try:
                return path.stat().st_mtime
            except OSError:
                return 0.0

        files = self.folder.glob("session-*.safetensors") if self.folder.is_dir() else ()
        return sorted(files, key=when, reverse=True)


def going_on(path: Path) -> bool:
    """Whether a Studio that lives is painting the run that is saved at `path`."""
    marker = _marker(path)
    try:
        return marker.stat().st_mtime > time.time() and _locked(marker)
    except OSError:
        return False


def _read(path: Path, pair: Pair) -> Saved | None:
    """What a saved run says of itself; None if another pair painted it."""
    from safetensors import safe_open

    with safe_open(path, "np") as file:
        words = file.metadata()
        steps = file.get_slice("history").get_shape()[0]
    if json.loads(words["hashes"]) != pair.hashes:
        return None
    prompt = readable(Settings.from_json(words["settings"]).include[0])
    return Saved(path, prompt, steps, path.stat().st_mtime)


def _marker(path: Path) -> Path:
    return path.with_suffix(".alive")


def _locked(marker: Path) -> bool:
    with open(marker, "ab") as file:
        return not _try_lock(file)


def _try_lock(file: IO[bytes]) -> bool:
    """Whether the lock on `file` could be had; it is held until the file is closed."""
    if os.name == "nt":
        import msvcrt

        try:
            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks: the marker's time alone decides
        return False
    return True
