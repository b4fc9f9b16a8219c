"""PNG, GIF and MP4 from the picture that is looked at, with a way to download them."""

from __future__ import annotations

import base64
import html
import mimetypes
import sys
from collections.abc import Sequence
from pathlib import Path

import ipywidgets as w
from PIL import Image

from ..export import file_name, morph, save_gif, save_mp4, save_png
from ..files import free_path
from ..frames import Frame
from ..run import Run
from .callbacks import Callbacks
from .controls import Number, labelled
from .tiles import jpeg

SIDES = (16, 4096)  # pixels of an exported picture's longer side
RATES = (0.1, 50)  # frames a second
LONGEST = 6  # seconds that a GIF or MP4 plays, the last frame's rest not counted
SMALL = 160  # pixels of the still that stands for an MP4 beside its link


def resized(image: Image.Image, side: int) -> Image.Image:
    """`image` with its longer side `side` pixels long."""
    scale = side / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.LANCZOS)


class Exporter:
    """What to write, the button that writes it, and its progress and result beside it."""

    def __init__(self, calls: Callbacks, folder: Path, *, public: bool = False) -> None:
        self.folder, self._written, self.public = folder, folder, public
        self.kind = w.Dropdown(options=("GIF", "PNG", "MP4"), description="file")
        self.motion = w.Dropdown(options=("as it formed", "morph"), description="motion")
        self.side = Number("pixels", 512, low=SIDES[0], high=SIDES[1], whole=True)
        self.fps = Number("frames/s", 10, low=RATES[0], high=RATES[1])
        self.boomerang = w.Checkbox(description="boomerang", indent=False)
        for control, help in (
            (self.kind, "which kind of file to write"),
            (self.motion, "morph: through the last pictures of all prompts, or of ticked tries"),
            (self.side.text, "longer side of the file's picture"),
            (
                self.fps.text,
                "frames a second; more where it would play over 6 seconds",
            ),
            (self.boomerang, "play it forwards, then backwards"),
        ):
            labelled(control, help, "88px")
        self.bar = w.IntProgress(description="writing", layout=w.Layout(display="none"))
        self.bar.add_class("vq-bar")
        self.link = w.HTML()  # a download link; Colab needs a button that calls its own
        self.link.add_class("vq-link")
        self.preview = w.Image(layout=w.Layout(display="none"))
        self.preview.add_class("vq-exported")
        self.download = calls.button("Download", "to your computer", self._download)
        self.download.layout.display = "none"
        calls.on(self.kind, self._fit)
        for control in (self.kind, self.side, self.fps):
            calls.on(control, lambda: calls.messages.say("export", self.wrong(), "error"))

    def _fit(self) -> None:
        """A PNG does not move."""
        still = self.kind.value == "PNG"
        for control in (self.motion, self.fps, self.boomerang):
            control.disabled = still

    def wrong(self) -> str:
        """What keeps a file from being written; empty if nothing does."""
        return self.side.wrong() or (self.kind.value != "PNG" and self.fps.wrong()) or ""

    def clear(self) -> None:
        """Take back the last file's link, which is of another picture now."""
        self.link.value = ""
        for part in (self.preview, self.download):
            part.layout.display = "none"

    def write(self, run: Run, frame: Frame, ticked: Sequence[Run]) -> Path:
        """Write the chosen kind of file and offer it; ValueError for a size or rate out of
        range."""
        if wrong := self.wrong():
            raise ValueError(wrong)
        side, fps, kind = self.side.value, self.fps.value, self.kind.value
        prompt = run.settings.include[min(frame.index, len(run.settings.include) - 1)]
        path = free_path(self.folder / file_name(prompt, kind))
        if kind == "PNG":
            save_png(resized(frame.image, side), path, run.recipe(frame))
        else:
            runs = list(ticked) or [run]
            moving = self.motion.value == "morph"
            images = list(morph(runs)) if moving else [f.image for f in run.frames]
            shown = len(images) * (2 if self.boomerang.value else 1)
            fps = min(max(fps, shown / LONGEST), RATES[1])
            most = int(fps * LONGEST * len(images) / shown)  # what is over is left out evenly
            if len(images) > most:
                images = [images[round(i * (len(images) - 1) / (most - 1))] for i in range(most)]
            try:
                (save_gif if kind == "GIF" else save_mp4)(
                    [resized(image, side) for image in images],
                    path,
                    run.recipe(),
                    fps=fps,
                    boomerang=self.boomerang.value,
                    progress=self._count,
                )
            finally:
                self.bar.layout.display = "none"
        self._offer(path, resized(frame.image, SMALL))
        return path

    def _count(self, done: int, of: int) -> None:
        self.bar.max, self.bar.value = of, done
        self.bar.layout.display = ""

    def _offer(self, path: Path, still: Image.Image) -> None:
        self._written, kilobytes = path, path.stat().st_size / 1000
        size = f"{kilobytes / 1000:.1f} MB" if kilobytes >= 1000 else f"{kilobytes:.0f} kB"
        name = html.escape(path.name)
        content = path.read_bytes()
        film = path.suffix == ".mp4"
        self.preview.format = "jpeg" if film else path.suffix[1:]
        self.preview.value, self.preview.layout.display = jpeg(still) if film else content, ""
        where = "" if self.public else f", in {html.escape(str(path.resolve().parent))}"
        if "google.colab" in sys.modules:
            self.link.value = f"{name}, {size}{where}"
            self.download.layout.display = ""
            return
        kind = mimetypes.guess_type(path.name)[0]
        data = base64.b64encode(content).decode()
        self.link.value = (
            f'<a class="vq-download" download="{name}" href="data:{kind};base64,{data}">'
            f"Download {name}</a>, {size}{where}"
        )

    def _download(self) -> None:
        from google.colab import files

        files.download(str(self._written))
