"""A small picture that is a button all over."""

from __future__ import annotations

import io
from collections.abc import Callable

import ipywidgets as w
from PIL import Image

from .callbacks import Callbacks
from .compat import tip

SIDE = 256  # longer side of a small picture, in pixels
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
