"""Unfinished runs, saved while they are painted, to go on with later."""

import contextlib
import json
import logging
import re
import secrets
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from weakref import WeakKeyDictionary

from filelock import FileLock, Timeout
from safetensors import safe_open

from ..checkpoint import previous
from ..files import is_regular
from ..models.pair import Pair
from ..reading import readable
from ..run import Run
from ..settings import Settings
from ..weights import WeightsError, cache_folder
from .callbacks import Messages
from .exporter import number_of, numbered

log = logging.getLogger(__name__)
OFFERED, KEPT = 3, 10  # unfinished runs offered, and kept at most
SAVE_EVERY = 20.0  # seconds
SHARE = 49  # wait so many times as long as saving took: at most a fiftieth of the time
NAME = re.compile(r"session-(?:(\d+)-)?[0-9a-f]{8}\.safetensors")


class Autosave:
    """The folder of unfinished runs, one file for each, numbered in the order they were begun. A
    failure is said, and painting goes on.

    While a run is being painted its Studio holds a lock on a file beside it, which the system
    releases when the process ends. Files that are not saved runs of ours are left alone.
    """

    def __init__(self, folder: Path, messages: Messages) -> None:
        self.folder, self.messages = folder, messages
        self.every, self._due, self.name = SAVE_EVERY, 0.0, ""
        self._names: WeakKeyDictionary[Run, str] = WeakKeyDictionary()
        self._left: dict[str, int] = {}  # when a file was changed by us or read, by its name
        self.held: FileLock | None = None  # on the run, since steps were taken after `rest`

    @property
    def path(self) -> Path:
        return self.folder / f"{self.name}.safetensors"

    def begin(self, run: Run, saved: Path | None = None) -> None:
        """Turn to `run`; `saved`: the file that it was read from, which becomes ours. The oldest
        runs beyond `KEPT` are removed."""
        self.release()
        if saved:
            self._names[run], self._left[saved.stem] = saved.stem, _changed(saved)
        if run not in self._names:
            number = max((number_of(path, NAME) for path in self._files()), default=0) + 1
            self._names[run] = f"session-{number:06}-{secrets.token_hex(4)}"
        self.name, self._due = self._names[run], time.monotonic() + self.every / 4
        old = [path for path in self._resting(self._files()[KEPT:]) if _read(path)]
        for path in old:
            _forget(path)
        if old:
            text = f"Only the {KEPT} newest unfinished runs are kept: {len(old)} older removed."
            self.messages.say("tidied", text)

    def hold(self) -> bool:
        """Tell other Studios that this run is being painted; False if one of them goes on with it,
        or did."""
        if self.held is None:
            self.held = _locked(self.path)
            if self.held and _changed(self.path) not in (0, self._left.get(self.name)):
                self.release()
            elif self.held:
                with contextlib.suppress(OSError):
                    self.path.with_suffix(".asked").unlink(missing_ok=True)
        return self.held is not None

    def release(self) -> None:
        """Tell other Studios that they may go on with this run."""
        if self.held is not None:
            with contextlib.suppress(OSError):
                self.held.release()
            self.held = None

    def rest(self, run: Run | None) -> None:
        """Painting stopped: save what is not saved yet, and let other Studios go on with it."""
        if run and run.history and not run.done and self.held:
            self.save(run)
        self.release()

    def stepped(self, run: Run) -> None:
        """A step is done: save when it is time."""
        if time.monotonic() > self._due:
            self.save(run)

    def save(self, run: Run) -> None:
        """Save `run` as it is now; a finished one needs no saving any more."""
        began = time.monotonic()
        try:
            if run.done:
                self.release()
                _forget(self.path)
            else:
                self.folder.mkdir(parents=True, exist_ok=True)
                run.save(self.path)
                self._left[self.name] = _changed(self.path)
            self.messages.clear("session")
        except Exception as e:  # a full disk, say: safetensors has an error of its own for it
            log.info("not saved", exc_info=True)
            text = f"This run cannot be saved for later: {self.messages.words(e)}"
            self.messages.say("session", text, "warning")
        now = time.monotonic()
        self._due = now + max(self.every, SHARE * (now - began))

    # -- runs of other Studios

    def ask(self) -> bool:
        """Ask other Studios to pause and leave us their runs; whether any is still painting."""
        busy = [path for path in self._files() if path != self.path and going_on(path)]
        for path in busy:
            path.with_suffix(".asked").touch()
        return bool(busy)

    @property
    def asked(self) -> bool:
        """Whether another Studio asks for the run that is being painted."""
        return self.path.with_suffix(".asked").exists()

    def others(self, pair: Pair) -> dict[Path, str]:
        """Unfinished runs of `pair` that nobody is painting, newest first, with their titles."""
        found = {path: _read(path) for path in self._resting(self._files())}
        ours = [(path, said[0]) for path, said in found.items() if said and said[1] == pair.hashes]
        return dict(ours[:OFFERED])

    def _files(self) -> list[Path]:
        """Saved runs by name, the last begun first."""
        return numbered(self.folder, NAME)

    def _resting(self, files: Iterable[Path]) -> list[Path]:
        """Those of other runs that nobody is painting."""
        return [path for path in files if path != self.path and not going_on(path)]


def going_on(path: Path) -> bool:
    """Whether a Studio is painting the run that is saved at `path`."""
    if not is_regular(path.with_suffix(".lock")):
        return False
    if held := _locked(path):
        held.release()
    return held is None


def _read(path: Path) -> tuple[str, dict[str, str]] | None:
    """A saved run's title, and its pair's hashes; None if it cannot be read."""
    try:
        with safe_open(path, "np") as file:
            words = file.metadata()
            steps = file.get_slice("history").get_shape()[0]
        prompt = readable(Settings.from_json(words["settings"]).include[0])
        at = time.strftime("%d %b %H:%M", time.localtime(path.stat().st_mtime))
        return f"Continue “{prompt[:40]}”, step {steps}, {at}", json.loads(words["hashes"])
    except Exception as e:  # a damaged or foreign file must not keep the Studio from opening
        log.info("%s cannot be continued: %s", path.name, e)
        return None


def _forget(path: Path) -> None:
    for file in (path, previous(path), path.with_suffix(".lock"), path.with_suffix(".asked")):
        file.unlink(missing_ok=True)


def _changed(path: Path) -> int:
    """When a file was last written to, in nanoseconds; 0 if it is not there."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _locked(path: Path) -> FileLock | None:
    """A lock on the run at `path`; None if a Studio has it."""
    lock = FileLock(path.with_suffix(".lock"), timeout=0, thread_local=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        return None
    except (OSError, NotImplementedError):  # a file system without locks
        pass
    return lock


def kept_folder(messages: Messages) -> Path:
    """Where runs and pictures are kept: in the cache; for this session alone, and said, if that
    cannot be written."""
    try:
        return cache_folder()
    except WeightsError as e:
        messages.say("folder", str(e), "warning")
        return Path(tempfile.mkdtemp())
