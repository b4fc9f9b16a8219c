"""A picture from a file as the value of a setting, with a small view of it and a way to drop it."""

from __future__ import annotations

import ipywidgets as w

from ..images import open_image, to_data_url, to_tensor
from ..settings import label
from .callbacks import Callbacks
from .compat import tip, uploaded
from .controls import Controls
from .steering import Steering
from .tiles import Tile

MOST = 1024  # pixels of the picture's longer side


class PictureUpload:
    """The setting `name`, a picture file, as a button and a tile.

    words: what the button says. use: what the picture is for, as in "start from".
    """

    def __init__(
        self, name: str, words: str, use: str, *, controls: Controls, steering: Steering
    ) -> None:
        self.drop = f"✕ remove {label(name)}"
        self.name, self.use, self.controls, self.steering = name, use, controls, steering
        self.calls: Callbacks = controls.calls
        self.upload = w.FileUpload(accept="image/*", description=words)
        for css in ("vq-button", "vq-upload", f"vq-{name}"):
            self.upload.add_class(css)
        tip(self.upload, f"a picture file to {use}")
        self.calls.on(self.upload, self._take)
        self.tile = Tile(self.calls, lambda: self.set(""), self.drop)
        self.box = w.HBox([self.upload, self.tile.box])
        controls[name].layout.display = "none"  # a picture as text says nothing to people
        controls[name].observe(lambda _: self.calls.guard(self.show), "value")
        self.calls.guard(self.show)

    def show(self) -> None:
        """The picture, if there is one."""
        source = self.controls[self.name].value
        self.tile.box.layout.display = "" if source else "none"
        if source:
            self.tile.show(open_image(source), self.drop, f"do not {self.use} this picture")

    def set(self, source: str) -> None:
        """Another picture, as a data URL, or none."""
        self.controls.set(**{self.name: source})
        self.steering.changed(self.name)

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
        if not self.steering.touched:
            self.calls.messages.say("now", f"Press Run to {self.use} {name}.")
