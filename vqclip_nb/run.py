"""`Run`: pictures that are optimised one after another for the prompts of include: steps, frames,
steering, and what is written of them."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image

from . import export
from .checkpoint import load_run, save_run
from .frames import Frame, thin_states, training_loop
from .latents import fitting_size
from .loop import Crops, State
from .models.pair import Pair
from .objectives import Objective, Term
from .parts import PartBuilder
from .picture import Painting
from .prompts import create_encodings, embed_pictures
from .recipe import Changes, make_recipe
from .settings import Settings
from .weights.errors import out_of_memory

if TYPE_CHECKING:
    from .emoji.drawings import Start


class Run:
    """An optimisation of pictures for prompts; iterating it takes the steps and yields frames.

    Settings left empty follow the pair. Parts of the loop can be replaced: `objective` (see
    `objectives`) in place of the report's loss; `crops`, a function of picture (1, 3, h, w) and
    generator to views (n, 3, s, s); `latent`, a start (1, c, h, w); `optimizer`, a function of a
    list of parameters.

    frames: those that are kept, by show_from and show_step. history: (index, iteration, loss,
    similarity) of every step. changes: (length of history, changed settings). size: (height, width)
    in pixels. first: the settings at the start. settings: the current ones. tried: similarity of
    each try of the current picture.
    """

    def __init__(
        self,
        pair: Pair,
        settings: Settings,
        *,
        objective: Objective | Term | None = None,
        crops: Crops | None = None,
        latent: torch.Tensor | None = None,
        optimizer: Callable[[list[torch.Tensor]], torch.optim.Optimizer] | None = None,
    ) -> None:
        self.pair = pair
        parts = dict(objective=objective, crops=crops, latent=latent, optimizer=optimizer)
        self.parts: dict[str, Any] = {k: v for k, v in parts.items() if v is not None}
        if latent is not None and settings.prior is None:
            settings = settings.replace(prior=0.0)  # it would draw over what is given
        settings = settings.for_pair(pair.defaults)
        self.size = fitting_size(settings.height, settings.width, pair.vqgan.downsample_factor)
        pair.check(settings)
        self.settings = self.first = embed_pictures(pair, settings, self.size)
        self.encodings = create_encodings(pair, self.settings)
        self.builder = PartBuilder(pair, settings, self.size, self.parts)
        self.frames: list[Frame] = []
        self.history: list[tuple[int, int, float, float]] = []
        self.changes: list[tuple[int, dict[str, Any]]] = []
        self.seconds = 0.0
        self.last: Frame | None = None
        self._begin(0)

    def _begin(self, index: int) -> None:
        """Start picture `index`; past the last one the run is done."""
        self.index = index
        if not self.done:
            self.tried: list[float] = []
            self.painting = self._painting(0 if self.settings.tries == 1 else None)

    def _painting(self, attempt: int | None) -> Painting:
        return Painting(self.builder, self.settings, self.encodings, self.index, attempt)

    # -- where it stands

    @property
    def iteration(self) -> int:
        """Steps of the current picture so far."""
        return 0 if self.done else self.painting.optimization.iteration

    @property
    def done(self) -> bool:
        return self.index >= len(self.settings.include)

    @property
    def seconds_left(self) -> float:
        """Estimate from the steps so far; 0 before the first."""
        count, ahead = len(self.settings.include), self.settings.steps_ahead
        begun = self.index + (self.iteration > 0)  # pictures whose tries are done
        left = (count - self.index) * self.settings.total_iter - self.iteration
        left += (count - begun) * ahead
        return self.seconds / max(1, len(self.history) + begun * ahead) * max(0, left)

    @property
    def start(self) -> Start | None:
        """What the current picture started from, if that is from library or prior; else None."""
        return self.builder.found(self.painting)

    @property
    def image(self) -> Image.Image | None:
        """The last picture so far, RGB; None before the first step."""
        return self.last.image if self.last else None

    @property
    def similarity(self) -> float | None:
        """CLIP's similarity over the last ten steps, which evens out their random crops."""
        return float(np.mean([row[3] for row in self.history[-10:]])) if self.history else None

    # -- steps

    def step(self) -> Frame:
        """One optimisation step; StopIteration when all pictures are done. With several tries, the
        first step of a picture takes longer: it includes theirs.

        After an error or an interrupt the run is as it was before. On NaN or divergence it goes
        back a step and on at half the learning rate, three times at most; then the picture ends as
        it last was, with a warning. MemoryError says what to lower.
        """
        if self.done:
            raise StopIteration
        began, painting = time.perf_counter(), self.painting
        before, last_good = painting.state(), painting.last_good
        index, last, steps, kept = self.index, self.last, len(self.history), len(self.frames)
        try:
            frame = self._step(before)
        except BaseException as e:
            self.painting, self.index, self.last = painting, index, last
            del self.history[steps:], self.frames[kept:]
            painting.load(before, last_good)
            if not out_of_memory(e):
                raise
            raise MemoryError(
                f"the memory of {self.pair.device} is full: lower crops (now {self.settings.crops})"
                f" or height and width (now {self.size[0]}×{self.size[1]})"
            ) from e
        self.seconds += time.perf_counter() - began
        return frame

    def _step(self, before: State) -> Frame:
        s, at = self.settings, self.iteration
        if self.painting.attempt is None:
            while len(self.tried) < s.tries:
                self.tried.append(self._painting(len(self.tried)).try_out())
            self.painting = self._painting(self.tried.index(max(self.tried)))
            before = self.painting.state()
        result = self.painting.step(before)
        last = result is None or at + 1 >= s.total_iter
        if result is None:  # the last good picture stands
            assert self.last is not None  # the first step raises
            frame, new = self.last, not self.last.shown
            frame.shown = True
        else:
            new = last or (at >= s.show_from and at % s.show_step == 0)
            pixels = self.painting.pixels(result, last=last)
            frame = Frame(at, self.index, result.loss, result.similarity, new, *pixels)
            self.history.append((self.index, at, result.loss, result.similarity))
        if new:
            frame.state = {k: v.cpu() for k, v in before.items()}
            frame.keep()
            self.frames.append(frame)
            thin_states(self.frames)
        self.last = frame
        if last:
            self._begin(self.index + 1)
        return frame

    def __iter__(self) -> Iterator[Frame]:
        return training_loop(self)

    # -- steering

    def change(self, **changes: Any) -> None:
        """New values for live settings, from the next step on; ValueError names what needs a
        restart.

        With a changed prompt, the latent moves by `loosen` towards a new start; so it does when
        `loosen` itself is given.
        """
        settings = self.settings.replace(**changes).for_pair(self.pair.defaults)
        self.pair.check(settings)
        settings = embed_pictures(self.pair, settings, self.size, changes)
        changed = {k: v for k, v in vars(settings).items() if v != getattr(self.settings, k)}
        if "loosen" in changes:
            changed["loosen"] = settings.loosen
        if fixed := [k for k in changed if not self.settings.live(k)]:
            raise ValueError(
                f"{', '.join(fixed)} cannot change while a picture forms: start a new run"
            )
        if not self.done and len(settings.include) <= self.index:
            raise ValueError(
                f"include has {len(settings.include)} entries, but picture {self.index + 1} is "
                "forming: keep at least as many"
            )
        self.builder.areas(settings)  # raises before anything changes
        asked = {"include", "exclude", "extras", "regions", "attributes"} & changed.keys()
        if asked:
            self.encodings = create_encodings(self.pair, settings)
        was_done, self.settings = self.done, settings
        if not was_done and self.painting.attempt is None:
            self.tried = []  # they were made with the settings before
        if changed:
            self.changes.append((len(self.history), changed))
        if was_done:
            self._begin(self.index)  # there may be one more prompt now
            if self.done and changed:
                warnings.warn(
                    "every picture is finished: this change has no effect; start a new run, or "
                    "add a prompt to include",
                    stacklevel=2,
                )
            return
        if "learning_rate" in changed:
            self.painting.slowed = 0
        self.painting.apply(settings, self.encodings)
        if settings.loosen and (asked or {"palette", "loosen"} & changed.keys()):
            self.painting.loosen(settings.loosen)

    # -- exports

    def recipe(self, frame: Frame | None = None) -> dict[str, Any]:
        """What is written into exported files; of the picture of an earlier `frame` if given."""
        return make_recipe(self, self.steps_before(frame) + 1 if frame else len(self.history))

    def save_png(self, path: str | Path) -> Path:
        """Write the last picture."""
        if self.image is None:
            raise ValueError(export.NOTHING)
        return export.save_png(self.image, path, self.recipe())

    def save_gif(self, path: str | Path, *, fps: float = 10, boomerang: bool = False) -> Path:
        """Write the kept frames as an animation; `boomerang` adds them in reverse."""
        images = [frame.image for frame in self.frames]
        return export.save_gif(images, path, self.recipe(), fps=fps, boomerang=boomerang)

    def save_mp4(self, path: str | Path, *, fps: float = 10, boomerang: bool = False) -> Path:
        """Write the kept frames as a film; `boomerang` adds them in reverse."""
        images = [frame.image for frame in self.frames]
        return export.save_mp4(images, path, self.recipe(), fps=fps, boomerang=boomerang)

    # -- going on from a state

    def steps_before(self, frame: Frame) -> int:
        """How many steps came before `frame`; ValueError if it is none of this run's."""
        return self.history.index((frame.index, frame.iteration, frame.loss, frame.similarity))

    def branch(self, frame: Frame, **changes: Any) -> Run:
        """A second run that continues from a kept `frame` of this one, with the current settings
        and live ones changed.

        ValueError if the frame's state is no longer kept (see `frames.STATES_KEPT`).
        """
        if not frame.state:
            raise ValueError(
                f"iteration {frame.iteration} can no longer be continued: choose a frame near it"
            )
        at = self.steps_before(frame)
        run = type(self)(self.pair, self.first, **self.parts)
        run.history, run.seconds = self.history[:at], self.seconds * at / len(self.history)
        run.frames = [f for f in self.frames if self.steps_before(f) < at]
        run.go_to(frame.index, [c for c in self.changes if c[0] <= at], frame.state)
        run.last = frame
        now = {k: v for k, v in vars(self.settings).items() if self.settings.live(k)}
        del now["loosen"]
        run.change(**now | changes)
        return run

    def go_to(self, index: int, changes: Changes, state: State) -> None:
        """Load a state that a run with the same pair and first settings was in."""
        self.changes = list(changes)
        self.settings = self.first.replace(**{k: v for _, c in changes for k, v in c.items()})
        self.encodings = create_encodings(self.pair, self.settings)
        self._begin(index)
        if not self.done:
            self.painting.load(state)

    def save(self, path: str | Path) -> Path:
        """Write everything needed to continue later, as safetensors; see `resume`. The copy that
        was there stays beside it as PATH.previous."""
        return save_run(path, self)

    @classmethod
    def resume(cls, path: str | Path, pair: Pair, **parts: Any) -> Run:
        """A saved run, which continues bit for bit.

        If the file is damaged, the copy before it is used, with a warning. parts: those of `Run`
        that replaced a part of the loop. FileNotFoundError; WeightsError if file and copy are
        damaged or no saved run; ValueError if it was made with other networks or parts; TypeError
        for an option that is no part. A picture that it names by path is never opened.
        """
        return load_run(path, cls, pair, parts)
