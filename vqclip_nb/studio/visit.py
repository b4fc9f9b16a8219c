"""What a visitor of a public Studio finds again when the page is loaded again."""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import logging
import os
import re
import shutil
import stat
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import ipywidgets as w

from ..files import lock
from ..recipe import read_recipe
from ..show import total_steps
from .widgets import row, script

if TYPE_CHECKING:
    from .studio import Studio

log = logging.getLogger(__name__)
KEY = re.compile(r"[0-9a-f]{64}")
NAME = re.compile(r"visit-[0-9a-f]{64}")
KEPT = 24 * 3600  # seconds that a visit stays after it was last written to
PATIENCE = 5.0  # seconds that the kernel of the page before has to save its run
SAVE_EVERY = 5.0  # seconds; the page can be loaded again at any time


class Visit:
    """The folder that a public Studio keeps all in.

    It goes with the kernel, until the page sends its key: 256 random bits that the browser keeps
    for this tab alone. Then the folder is one that is named by the hash of the key, and a page
    that sends the same key to another kernel finds it again. Nothing tells which folders there are.
    """

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self._own = tempfile.TemporaryDirectory(prefix="vqclip-")  # removed with the kernel
        self.folder = Path(self._own.name)
        self.key = w.Text(continuous_update=False)
        self.box = row(self.key, w.HTML(script("visit")), css="vq-visit")
        studio.calls.on(self.key, self._take)

    def _take(self) -> None:
        """The page sent a key; only the first one counts."""
        key, self.key.value = self.key.value, ""
        if not KEY.fullmatch(key) or self.folder != Path(self._own.name):
            return
        try:
            self.folder = hold(key)
        except OSError as e:
            return log.info("a page that is loaded again is a new visit: %s", e)
        # All is kept in the folder from now on, and what was on its way in it is shown.
        s = self.studio
        autosave, gallery = s.autosave, s.gallery
        autosave.folder, gallery.folder = self.folder / "sessions", self.folder / "gallery"
        s.exporter.folder, autosave.every = self.folder, SAVE_EVERY
        if s.run:
            autosave.begin(s.run)
        gallery.show()
        until = time.monotonic() + PATIENCE
        while autosave.ask() and time.monotonic() < until:
            time.sleep(0.1)
        found = [*autosave.others(s.controls.pair)]
        done = (path for path in gallery.paths if read_recipe(path).get("done"))  # others: exported
        finished = max((path.stat().st_mtime for path in done), default=0.0)
        tries = [item for item in s.history.items if item.run.done]
        for item in tries:
            gallery.add_all(item.run)
        self._own.cleanup()
        atexit.register(self._leave)
        untouched = s.run is s.begun and not s.drafts.shown  # what the notebook began by itself
        if untouched and found and found[0].stat().st_mtime > finished:
            s.history.items = tries
            s.controller.resume(found[0], paint=False)
            steps = f"{len(s.run.history)} of {total_steps(s.run)}"
            s.messages.say("warning", f"Paused at step {steps}: press Continue.")
        elif s.run and not s.run.done:
            autosave.hold()  # its steps so far are not in this folder yet
            if not s.ticker.playing or s.drafts.shown:
                autosave.rest(s.run)
        s.controller.offer_unfinished()

    def _leave(self) -> None:
        """The kernel ends, maybe because the page was loaded again: save what is being painted.

        What rests is saved already, and another page may have gone on with it.
        """
        s = self.studio
        with s.calls.lock:
            s.ticker.playing = False
            try:
                s.autosave.rest(s.run)
            except Exception:  # there is nobody to tell
                log.info("not saved at the end", exc_info=True)


def hold(key: str) -> Path:
    """The folder of a visit, which nobody removes while this process lives; OSError if it cannot
    be made for us alone. Visits of old are removed."""
    if os.name == "nt":
        raise OSError("this system locks no folders")
    root = Path(tempfile.gettempdir()) / f"vqclip-visits-{os.getuid()}"
    with contextlib.suppress(FileExistsError):
        root.mkdir(0o700)
    status = root.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise PermissionError(f"{root} is no folder that we alone can read")
    folder = root / f"visit-{hashlib.sha256(key.encode()).hexdigest()}"
    whole = _open(root)
    try:
        if not lock(whole, wait=True):  # only one process at a time takes or removes a visit
            raise OSError("this folder cannot be locked")
        remove_old(root)
        folder.mkdir(0o700, exist_ok=True)
        lock(_open(folder), shared=True)  # several tabs may have it; the system ends it with us
        os.utime(folder)
    finally:
        os.close(whole)
    return folder


def remove_old(root: Path) -> None:
    """Remove visits that nobody holds and that were not written to for a day; nothing else."""
    for folder in root.iterdir():
        if NAME.fullmatch(folder.name):
            with contextlib.suppress(OSError):  # no folder, or held
                file = _open(folder)
                try:
                    if lock(file):
                        newest = max(p.lstat().st_mtime for p in (folder, *folder.rglob("*")))
                        if newest < time.time() - KEPT:
                            shutil.rmtree(folder)
                finally:
                    os.close(file)


def _open(folder: Path) -> int:
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
