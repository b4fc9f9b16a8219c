"""What outlives a run: copies of it while it paints, and its pictures when it is done."""

from __future__ import annotations

import logging
import os
import tempfile
import time
from pathlib import Path

from ..run import Run
from ..weights import WeightsError, cache_folder
from .gallery import Gallery
from .messages import Messages
from .sessions import Saved, Sessions

log = logging.getLogger(__name__)
SAVE_EVERY = 20.0  # seconds between two copies for a session that is cut off
SHARE = 49  # rest so many times as long as a copy took: a fiftieth of the time


class Keeper:
    """Keeps runs and pictures; a failure is said, and painting goes on."""

    def __init__(self, sessions: Sessions, gallery: Gallery, messages: Messages) -> None:
        self.sessions, self.gallery, self.messages = sessions, gallery, messages
        self._due = 0.0

    def begin(self, run: Run, saved: Saved | None = None) -> None:
        """Turn to `run`; `saved`: what it was read from."""
        self.sessions.begin(run, saved)
        self._due = time.monotonic() + SAVE_EVERY / 4

    def going_on(self, run: Run) -> None:
        """A step is done: tell other Studios, and make a copy when it is time."""
        self.sessions.alive(run)
        if time.monotonic() > self._due:
            self.save(run)

    def save(self, run: Run) -> None:
        """Keep `run` as it is now."""
        began = time.monotonic()
        try:
            self.sessions.save(run)
            self.messages.clear("session")
        except Exception as e:  # a full disk, say: safetensors has an error of its own for it
            log.info("not saved", exc_info=True)
            self.messages.say("session", f"This run cannot be kept for later: {e}", "warning")
        took = time.monotonic() - began
        self._due = time.monotonic() + max(SAVE_EVERY, SHARE * took)

    def finished(self, run: Run) -> None:
        """Put the last picture of each prompt into the gallery; the copy is of no use any more."""
        self.save(run)
        try:
            for frame in {f.index: f for f in run.frames}.values():
                self.gallery.keep(run, frame)
        except OSError as e:
            self.messages.say("session", f"The picture is not in the gallery: {e}", "warning")


def kept_folder(messages: Messages) -> Path:
    """Where runs and pictures are kept: in Colab on a connected Drive, which outlives the machine;
    else in the cache; for this session alone, and said, if that cannot be written."""
    drive = Path("/content/drive/MyDrive")
    if os.access(drive, os.W_OK):
        return drive / "vqclip_nb"
    try:
        return cache_folder()
    except WeightsError as e:
        messages.say("folder", str(e), "warning")
        return Path(tempfile.mkdtemp())
