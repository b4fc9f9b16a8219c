"""Pictures of all sessions: each finished or exported one as a PNG with its recipe inside."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable
from pathlib import Path

import ipywidgets as w
from PIL import Image

from ..export import save_png
from ..frames import Frame
from ..reading import readable
from ..recipe import read_recipe
from ..run import Run
from .callbacks import Callbacks
from .tiles import Tile

log = logging.getLogger(__name__)
KEPT = 200  # pictures; the oldest go first
SHOWN = 12


class Gallery:
    """A folder of pictures, its newest as tiles; a click on one calls `restore` with its path."""

    def __init__(self, calls: Callbacks, folder: Path, restore: Callable[[Path], None]) -> None:
        self.folder, self.paths = folder, list[Path]()
        self.tiles = [Tile(calls, lambda i=i: restore(self.paths[i])) for i in range(SHOWN)]
        self._shown: list[Path | None] = [None] * SHOWN
        self._first = 0
        self.newer = calls.button("Newer", "newer pictures", lambda: self._turn(-SHOWN))
        self.older = calls.button("Older", "older pictures", lambda: self._turn(SHOWN))
        self.note = w.HTML()
        tiles = w.HBox([tile.box for tile in self.tiles])
        tiles.add_class("vq-tiles")
        self.pages = w.HBox([self.newer, self.older])
        self.pages.add_class("vq-buttons")
        self.box = w.VBox([self.note, tiles, self.pages])
        self.box.add_class("vq-gallery")
        self.show()

    def keep(self, run: Run, frame: Frame | None = None) -> None:
        """Add the picture of a run; one that is here already is not added again."""
        frame = frame or run.last
        data = hashlib.sha256(frame.image.tobytes()).hexdigest()[:12]
        self.folder.mkdir(parents=True, exist_ok=True)
        if not any(self.folder.glob(f"*-{data}.png")):
            name = f"{time.strftime('%Y%m%d-%H%M%S')}-{data}.png"
            save_png(frame.image, self.folder / name, run.recipe(frame))
            for old in sorted(self.folder.glob("*.png"))[:-KEPT]:
                old.unlink(missing_ok=True)
        self._first = 0
        self.show()

    def show(self) -> None:
        """The tiles of this page; a file that is no picture of ours is passed over."""
        every = sorted(self.folder.glob("*.png"), reverse=True) if self.folder.is_dir() else []
        self.paths, captions = [], []
        self._first = max(0, min(self._first, len(every) - 1))
        for path in every[self._first : self._first + SHOWN]:
            try:
                captions.append(_caption(path))
            except (OSError, ValueError, LookupError, TypeError) as e:
                log.info("not shown: %s", e)
            else:
                self.paths.append(path)
        for i, tile in enumerate(self.tiles):
            path = self.paths[i] if i < len(self.paths) else None
            tile.box.layout.display = "" if path else "none"
            if path and path != self._shown[i]:
                with Image.open(path) as image:
                    tile.show(
                        image.convert("RGB"), captions[i], f"{captions[i]}: take its settings again"
                    )
            self._shown[i] = path
        self.newer.disabled = self._first == 0
        self.older.disabled = self._first + SHOWN >= len(every)
        several = len(every) > SHOWN
        self.pages.layout.display = "" if several else "none"
        self.note.value = "" if every else "Finished pictures are kept here, also for later visits."

    def _turn(self, by: int) -> None:
        self._first += by
        self.show()


def _caption(path: Path) -> str:
    prompt = read_recipe(path)["settings"]["include"]
    return readable(str(prompt[0] if isinstance(prompt, list) else prompt))[:80]
