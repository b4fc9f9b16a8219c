"""Pictures of all sessions: each finished or exported one as a PNG with its recipe inside."""

from __future__ import annotations

import hashlib
import logging
import re
import time
from collections.abc import Callable
from pathlib import Path

import ipywidgets as w

from ..export import save_png
from ..files import is_regular
from ..frames import Frame
from ..images import open_image
from ..reading import readable
from ..recipe import read_recipe
from ..run import Run
from .callbacks import Callbacks
from .tiles import Tile

log = logging.getLogger(__name__)
SHOWN = 12
# A number that grows from picture to picture and begins as the time, then a hash of the pixels.
NAME = re.compile(r"(\d{8}-?\d{6,})-[0-9a-f]{12}\.png")


class Gallery:
    """A folder of pictures, its newest as tiles; a click on one calls `restore` with its path.

    keep: how many pictures stay, None for all. Only files that have both a name and a recipe of
    ours are ever removed, the first added first.
    """

    def __init__(
        self,
        calls: Callbacks,
        folder: Path,
        restore: Callable[[Path], None],
        keep: int | None = None,
    ) -> None:
        if keep is not None and (isinstance(keep, bool) or not isinstance(keep, int) or keep < 1):
            raise ValueError(f"keep={keep!r}: give a number of pictures from 1, or None for all")
        self.folder, self.keep, self.paths = folder, keep, list[Path]()
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

    def add(self, run: Run, frame: Frame) -> int:
        """Add a picture of `run`, unless it is here already; returns how many were removed."""
        data = hashlib.sha256(frame.image.tobytes()).hexdigest()[:12]
        self.folder.mkdir(parents=True, exist_ok=True)
        files, removed = self._files(), 0
        if not any(path.name.endswith(f"-{data}.png") for path in files):
            number = int(time.strftime("%Y%m%d%H%M%S"))
            if files:  # whatever the clock says, the new picture is the newest
                number = max(number, _number(files[0]) + 1)
            save_png(frame.image, self.folder / f"{number}-{data}.png", run.recipe(frame))
            for old in files[self.keep - 1 :] if self.keep else []:
                if _is_ours(old):
                    old.unlink(missing_ok=True)
                    removed += 1
        self._first = 0
        self.show()
        return removed

    def _files(self) -> list[Path]:
        """Files with names of ours, the last added first."""
        try:
            files = [path for path in self.folder.iterdir() if NAME.fullmatch(path.name)]
        except OSError:
            return []
        return sorted(filter(is_regular, files), key=_number, reverse=True)

    def show(self) -> None:
        """The tiles of this page; a file that is no picture of ours is passed over."""
        every = self._files()
        self.paths, captions, pictures = [], [], []
        self._first = max(0, min(self._first, len(every) - 1))
        for path in every[self._first : self._first + SHOWN]:
            try:
                caption, picture = _prompt(path), open_image(path, ("PNG",))
            except (OSError, ValueError, LookupError, TypeError, ArithmeticError) as e:
                log.info("not shown: %s", e)
            else:
                self.paths.append(path)
                captions.append(caption)
                pictures.append(picture)
        for i, tile in enumerate(self.tiles):
            path = self.paths[i] if i < len(self.paths) else None
            tile.box.layout.display = "" if path else "none"
            if path and path != self._shown[i]:
                tile.show(pictures[i], captions[i][:80], f"{captions[i]}: use its settings again")
            self._shown[i] = path
        self.newer.disabled = self._first == 0
        self.older.disabled = self._first + SHOWN >= len(every)
        several = len(every) > SHOWN
        self.pages.layout.display = "" if several else "none"
        self.note.value = "" if every else "Finished pictures are kept here."

    def _turn(self, by: int) -> None:
        self._first += by
        self.show()


def _number(path: Path) -> int:
    found = NAME.fullmatch(path.name)
    return int(found[1].replace("-", "")) if found else 0


def _is_ours(path: Path) -> bool:
    try:
        return bool(read_recipe(path))
    except (OSError, ValueError):
        return False


def _prompt(path: Path) -> str:
    """The prompt that a picture ended with."""
    recipe = read_recipe(path)
    settings, changes = recipe["settings"], recipe.get("changes", ())
    prompts = [settings["include"], *(c["include"] for _, c in changes if "include" in c)][-1]
    if isinstance(prompts, list):
        each = settings.get("total_iter") or recipe["steps"]
        prompts = prompts[min((recipe["steps"] - 1) // each, len(prompts) - 1)]
    return readable(str(prompts))
