"""A frame: one step of a run with its picture; and the training loop, which yields frames."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from PIL import Image

from .images import open_image, to_pil
from .loop import State

if TYPE_CHECKING:
    from .run import Run

STATES_KEPT = 64  # frames with a state to branch from; beyond that every other state is dropped


@dataclass(eq=False)
class Frame:
    """One step: the picture before its update, with loss and similarity.

    iteration: from 0 within picture number `index` of include. loss, similarity: means over the
    crops. shown: whether the run keeps the frame. state: what it takes to continue from before this
    step; empty if it is no longer kept.
    """

    iteration: int
    index: int
    loss: float
    similarity: float
    shown: bool
    pixels: bytes | Callable[[], torch.Tensor] = field(repr=False)  # PNG, or how to make it
    own: Callable[[], torch.Tensor] | None = field(default=None, repr=False)  # of the step alone
    state: State = field(default_factory=dict, repr=False)

    @property
    def image(self) -> Image.Image:
        """The picture, RGB."""
        if isinstance(self.pixels, bytes):
            return open_image(self.pixels, ("PNG",))
        return to_pil(self.pixels()[0])

    @property
    def preview(self) -> Image.Image:
        """The step's own picture, which needs no decoding; once the frame is kept, `image`."""
        return to_pil(self.own()[0]) if self.own else self.image

    @property
    def z(self) -> torch.Tensor | None:
        """The latent (1, c, h, w) that made the picture."""
        return self.state.get("z")

    def png(self) -> bytes:
        """The picture as a PNG file."""
        if isinstance(self.pixels, bytes):
            return self.pixels
        file = io.BytesIO()
        self.image.save(file, "PNG", compress_level=1)
        return file.getvalue()

    def keep(self) -> None:
        """Make the picture now, and compress it."""
        self.pixels, self.own = self.png(), None


def thin_states(frames: Sequence[Frame]) -> None:
    """Drop every other state if there are more than `STATES_KEPT`, never a picture's last."""
    with_state = [f for f in frames if f.state]
    if len(with_state) > STATES_KEPT:
        for frame, after in zip(with_state[1:-1:2], with_state[2::2], strict=False):
            if frame.index == after.index:  # each picture's last is what a morph goes through
                frame.state = {}


def training_loop(run: Run) -> Iterator[Frame]:
    """Yield a `Frame` for every step until the last picture is done.

    Whoever iterates decides what to do with a frame; leaving early, or an interrupt, loses nothing:
    iterating the run again goes on where it stopped.
    """
    while not run.done:
        yield run.step()
