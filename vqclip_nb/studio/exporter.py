"""Files of pictures: a PNG, GIF or MP4 to download, and the gallery of all sessions, where each
finished or exported picture is a PNG with its recipe inside."""

import base64
import hashlib
import html
import logging
import mimetypes
import re
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import ipywidgets as w
from PIL import Image, ImageOps

from ..export import file_name, morph, save_gif, save_mp4, save_png
from ..files import free_path, is_regular
from ..frames import Frame
from ..images import open_image
from ..reading import readable
from ..recipe import read_recipe
from ..run import Run
from .callbacks import Callbacks, in_colab
from .widgets import Number, Offer, Offers, column, jpeg, labelled, row, set_shown

log = logging.getLogger(__name__)
MAX_RATE = 50  # frames a second
LONGEST = 6  # seconds that a GIF or MP4 plays, the last frame's rest not counted
SMALL = 160  # pixels of the still that stands for an MP4 beside its link
SHOWN = 12  # pictures on a page of the gallery
# A number that grows from picture to picture and begins as the time, then a hash of the pixels.
NAME = re.compile(r"(\d{8}-?\d{6,})-[0-9a-f]{12}\.png")


class Exporter:
    """What to write, the button that writes it, and its progress and result beside it."""

    def __init__(self, calls: Callbacks, folder: Path) -> None:
        self.calls, self.folder, self._written = calls, folder, folder
        help = "which kind of file to write"
        self.kind = labelled(w.Dropdown, "file", help, "88px", options=("GIF", "PNG", "MP4"))
        help = "morph: through the last pictures of all prompts, or of ticked tries"
        kinds = ("as it formed", "morph")
        self.motion = labelled(w.Dropdown, "motion", help, "88px", options=kinds)
        help, how = "longer side of the file's picture", dict(width="88px", low=16, high=4096)
        self.side = Number("pixels", 512, help, whole=True, **how)
        help = "frames a second; more where it would play over 6 seconds"
        self.fps = Number("frames/s", 10, help, width="88px", low=0.1, high=MAX_RATE)
        help = "play it forwards, then backwards"
        self.boomerang = labelled(w.Checkbox, "boomerang", help, indent=False)
        self.bar = w.IntProgress(description="writing").add_class("vq-bar")
        self.link = w.HTML().add_class("vq-link")  # for download; Colab needs a button of its own
        self.preview = w.Image().add_class("vq-exported")
        self.download = calls.button("Download", "to your computer", self._download)
        set_shown(self.bar, False)
        self.clear()
        for control in (self.kind, self.side, self.fps):
            calls.on(control, self._check)

    def _check(self) -> None:
        for control in (self.motion, self.fps, self.boomerang):
            control.disabled = self.kind.value == "PNG"  # which does not move
        self.calls.messages.say("export", self.wrong(), "error")

    def wrong(self) -> str:
        """What keeps a file from being written; empty if nothing does."""
        return self.side.wrong() or (self.kind.value != "PNG" and self.fps.wrong()) or ""

    def clear(self) -> None:
        """Take back the last file's link, which is of another picture now."""
        self.link.value = ""
        for part in (self.preview, self.download):
            set_shown(part, False)

    def write(self, run: Run, frame: Frame, ticked: Sequence[Run]) -> None:
        """Write the chosen kind of file and offer it; ValueError for a size or rate out of
        range."""
        if wrong := self.wrong():
            raise ValueError(wrong)
        prompt = run.settings.include[min(frame.index, len(run.settings.include) - 1)]
        path = free_path(self.folder / file_name(prompt, self.kind.value))
        if self.kind.value == "PNG":
            save_png(self._sized(frame.image), path, run.recipe(frame))
        elif self.motion.value == "morph":
            self._write_film(path, list(morph(ticked or [run])), run)
        else:
            self._write_film(path, [f.image for f in run.frames], run)
        self._offer(path, frame.image)

    def _write_film(self, path: Path, images: list[Image.Image], run: Run) -> None:
        boomerang = self.boomerang.value
        shown = len(images) * (2 if boomerang else 1)
        fps = min(max(self.fps.value, shown / LONGEST), MAX_RATE)
        most = int(fps * LONGEST * len(images) / shown)  # what is over is left out evenly
        if len(images) > most:
            images = [images[round(i * (len(images) - 1) / (most - 1))] for i in range(most)]
        images = [self._sized(image) for image in images]
        save = save_gif if self.kind.value == "GIF" else save_mp4
        try:
            save(images, path, run.recipe(), fps=fps, boomerang=boomerang, progress=self._count)
        finally:
            set_shown(self.bar, False)

    def _sized(self, image: Image.Image) -> Image.Image:
        return ImageOps.contain(image, (self.side.value,) * 2, Image.Resampling.LANCZOS)

    def _count(self, done: int, of: int) -> None:
        self.bar.max, self.bar.value = of, done
        set_shown(self.bar)

    def _offer(self, path: Path, still: Image.Image) -> None:
        self._written, content, film = path, path.read_bytes(), path.suffix == ".mp4"
        self.preview.format = "jpeg" if film else path.suffix[1:]
        self.preview.value = jpeg(still, SMALL) if film else content
        set_shown(self.preview)
        set_shown(self.download, in_colab())
        name = link = html.escape(path.name)
        if not in_colab():
            kind, data = mimetypes.guess_type(name)[0], base64.b64encode(content).decode()
            link = f'<a class="vq-download" download="{name}" href="data:{kind};base64,{data}">'
            link += f"Download {name}</a>"
        kilobytes = len(content) / 1000
        size = f"{kilobytes / 1000:.1f} MB" if kilobytes >= 1000 else f"{kilobytes:.0f} kB"
        where = f", in {html.escape(str(path.resolve().parent))}"
        self.link.value = f"{link}, {size}{'' if self.calls.messages.public else where}"

    def _download(self) -> None:
        from google.colab import files

        files.download(str(self._written))


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
        self.folder, self.keep, self.messages = folder, keep, calls.messages
        self._restore, self._first = restore, 0
        self.paths = list[Path]()
        self.tiles = Offers(calls, SHOWN, tiles=True, css="vq-tiles")
        self.newer = calls.button("Newer", "newer pictures", partial(self._turn, -SHOWN))
        self.older = calls.button("Older", "older pictures", partial(self._turn, SHOWN))
        self.note = w.HTML()
        self.pages = row(self.newer, self.older, css="vq-buttons")
        self.box = column(self.note, self.tiles, self.pages, css="vq-gallery")
        self.show()

    def add(self, run: Run, frame: Frame) -> None:
        """Add a picture of `run`, unless it is here already; say what is removed, or why not."""
        data, removed = hashlib.sha256(frame.image.tobytes()).hexdigest()[:12], 0
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            files = numbered(self.folder, NAME)
            if not any(path.name.endswith(f"-{data}.png") for path in files):
                number = int(time.strftime("%Y%m%d%H%M%S"))
                if files:  # whatever the clock says, the new picture is the newest
                    number = max(number, number_of(files[0], NAME) + 1)
                save_png(frame.image, self.folder / f"{number}-{data}.png", run.recipe(frame))
                for old in filter(_is_ours, files[self.keep - 1 :] if self.keep else []):
                    old.unlink(missing_ok=True)
                    removed += 1
        except OSError as e:
            text = f"The picture is not in the gallery: {self.messages.words(e)}"
            return self.messages.say("session", text, "warning")
        if removed:
            many = f"{removed} oldest pictures were" if removed > 1 else "oldest picture was"
            text = f"The gallery keeps {self.keep} pictures: the {many} removed."
            self.messages.say("tidied", text)
        self._first = 0
        self.show()

    def add_all(self, run: Run) -> None:
        """Add the last picture of each prompt."""
        for frame in {f.index: f for f in run.frames}.values():
            self.add(run, frame)

    def show(self) -> None:
        """The tiles of this page; a file that is no picture of ours is passed over."""
        every, offers = numbered(self.folder, NAME), []
        self._first = max(0, min(self._first, len(every) - 1))
        self.paths = []
        for path in every[self._first : self._first + SHOWN]:
            try:
                prompt, picture = _prompt(path), open_image(path, ("PNG",))
            except (OSError, ValueError, LookupError, TypeError, ArithmeticError) as e:
                log.info("not shown: %s", e)
                continue
            help, act = f"{prompt}: use its settings again", partial(self._restore, path)
            offers.append(Offer(prompt[:80], help, act, picture))
            self.paths.append(path)
        self.tiles.offer(offers)
        self.newer.disabled = self._first == 0
        self.older.disabled = self._first + SHOWN >= len(every)
        set_shown(self.pages, len(every) > SHOWN)
        self.note.value = "" if every else "Finished pictures are kept here."

    def _turn(self, by: int) -> None:
        self._first += by
        self.show()


def numbered(folder: Path, name: re.Pattern[str]) -> list[Path]:
    """Files of a folder with names of ours, the highest number first: no links, no pipes."""
    try:
        files = [p for p in folder.iterdir() if name.fullmatch(p.name) and is_regular(p)]
    except OSError:
        return []
    return sorted(files, key=lambda path: (number_of(path, name), path.name), reverse=True)


def number_of(path: Path, name: re.Pattern[str]) -> int:
    """The number in a name of ours; 0 without one."""
    found = name.fullmatch(path.name)
    return int((found[1] or "0").replace("-", "")) if found else 0


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
