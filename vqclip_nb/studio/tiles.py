"""Clickable thumbnails, rows of buttons, and a picture from a file as the value of a setting."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

import ipywidgets as w
from PIL import Image, ImageOps

from ..images import open_image, to_data_url, to_tensor
from ..settings import label
from .callbacks import Callbacks, tip, uploaded
from .controls import Controls

SIDE = 256  # longer side of a small picture, in pixels
MOST = 1024  # longer side of a picture from a file
BLANK = Image.new("RGB", (64, 64), "#d8d8d8")


def jpeg(image: Image.Image, side: int = 0) -> bytes:
    """A picture as JPEG without loss of colour detail, made no larger than `side` if given."""
    if side:
        image = image.copy()
        image.thumbnail((side, side))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=92, subsampling=0)
    return file.getvalue()


class Tile:
    """A picture, blank at first, with a caption; a click anywhere on it calls `call`."""

    def __init__(
        self, calls: Callbacks, call: Callable[[], None], caption: str = "", help: str = ""
    ) -> None:
        self.picture = w.Image(format="jpeg", value=jpeg(BLANK))
        self.button = calls.button(caption, help, call)
        self.box = w.VBox([self.picture, self.button])
        self.box.add_class("vq-tile")

    def show(self, image: Image.Image, caption: str, help: str) -> None:
        """Another picture in the same place."""
        self.picture.value = jpeg(image, SIDE)
        self.button.description = caption
        tip(self.button, help)


class ButtonRow:
    """Buttons whose words change, as many as there are texts; a click calls `take` with its
    number."""

    def __init__(self, calls: Callbacks, most: int, help: str, take: Callable[[int], None]) -> None:
        self._slots = [calls.button("", help, lambda i=i: take(i)) for i in range(most)]
        self.box = w.HBox()
        for css in ("vq-chips", "vq-long"):
            self.box.add_class(css)

    def show(self, texts: Sequence[str]) -> None:
        slots = self._slots[: len(texts)]
        for slot, text in zip(slots, texts, strict=True):
            slot.description = text
        self.box.children = slots


class PictureUpload:
    """The setting `name`, a picture file, as a button and a tile.

    words: what the button says. use: what the picture is for, as in "start from". changed: called
    with `name`. image: the picture, a start cropped to the shape of the next run's.
    """

    def __init__(
        self,
        name: str,
        words: str,
        use: str,
        controls: Controls,
        changed: Callable[[str], None],
    ) -> None:
        self.drop = f"✕ remove {label(name)}"
        self.name, self.use, self.controls, self.changed = name, use, controls, changed
        self.image: Image.Image | None = None
        self.calls: Callbacks = controls.calls
        self.upload = w.FileUpload(accept="image/*", description=words)
        for css in ("vq-button", "vq-upload", f"vq-{name}"):
            self.upload.add_class(css)
        tip(self.upload, f"a picture file to {use}")
        self.calls.on(self.upload, self._take)
        self.tile = Tile(self.calls, lambda: self.set(""), self.drop)
        self.box = w.VBox([self.upload, self.tile.box])
        controls[name].layout.display = "none"  # a picture as text says nothing to people
        for other in (name, *(("height", "width") if name == "init_image" else ())):
            controls[other].observe(lambda _: self.calls.guard(self.show), "value")
        self.calls.guard(self.show)

    def show(self) -> None:
        """The picture, if there is one."""
        source = self.controls[self.name].value
        if self.controls.public and not source.startswith("data:"):
            source = ""  # refused where the controls are checked, and never opened
        self.tile.box.layout.display = "" if source else "none"
        self.image = open_image(source) if source else None
        if self.image and self.name == "init_image":
            sides = [self.controls[name] for name in ("width", "height")]
            if not any(side.wrong() for side in sides):
                self.image = ImageOps.fit(self.image, [side.value for side in sides])
        if self.image:
            self.tile.show(self.image, self.drop, f"do not {self.use} this picture")

    def set(self, source: str) -> None:
        """Another picture, as a data URL, or none."""
        self.controls.set(**{self.name: source})
        self.changed(self.name)

    def _take(self) -> None:
        file = uploaded(self.upload.value)
        if file is None:  # the front-end emptied it
            return
        name, content = file
        try:
            image = open_image(content)
        except ValueError as e:
            raise ValueError(f"{name}: {e}") from e
        image.thumbnail((MOST, MOST))
        self.set(to_data_url(to_tensor(image)))
        if self.name == "init_image" or not self.calls.messages.lines.get("now"):
            self.calls.messages.say("now", f"Press Run to {self.use} {name}.")
