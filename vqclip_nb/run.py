"""`Run`: pictures that are optimised one after another, and their files: exports, saved runs."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from PIL import Image

from . import export
from .base_run import BaseRun, steps_ahead
from .checkpoint import Saved, load_run, reading, save_run
from .frames import Frame
from .loop import State
from .models.pair import Pair
from .parts import crop_ranges
from .prompts import create_encodings
from .recipe import (
    Changes,
    check_parts,
    check_recipe,
    make_recipe,
    read_recipe,
    recipe_changes,
    recipe_settings,
)
from .settings import KNOBS

PARTS = ("objective", "crops", "latent", "optimizer")  # what `Run` takes in place of its own
MAX_REPLAY = 2e9  # pixels that a replay paints unasked: 7,100 steps of 512×512 with 12 crops
VIEWED = 1 / 3  # of the time of a painted pixel, for one that CLIP sees: 1.2 and 4 µs, emoji, CPU
PIXEL = 1.2e-6  # seconds for a painted pixel, emoji, CPU
STEP = 25_000  # pixels that a step costs at least, however small: 30 ms
AT_ONCE = 500  # a step of a replay may paint MAX_REPLAY / AT_ONCE pixels: 2000×2000


class Run(BaseRun):
    __doc__ = BaseRun.__doc__

    # -- exports

    def recipe(self, frame: Frame | None = None) -> dict[str, Any]:
        """What is written into exported files; of the picture of an earlier `frame` if given."""
        steps = self.steps_before(frame) + 1 if frame else len(self.history)
        done = self.done and steps == len(self.history)
        about = (self.pair, self.first, self.changes)
        return make_recipe(*about, steps=steps, done=done, parts=self.parts)

    def _images(self) -> list[Image.Image]:
        if not self.frames:
            raise ValueError("nothing to save yet: take at least one step")
        return [frame.image for frame in self.frames]

    def save_png(self, path: str | Path) -> Path:
        """Write the last picture."""
        if self.image is None:
            raise ValueError("nothing to save yet: take at least one step")
        return export.save_png(self.image, path, self.recipe())

    def save_gif(self, path: str | Path, *, fps: float = 10, boomerang: bool = False) -> Path:
        """Write the kept frames as an animation; `boomerang` adds them in reverse."""
        images, recipe = self._images(), self.recipe()
        return export.save_gif(images, path, recipe, fps=fps, boomerang=boomerang)

    def save_mp4(self, path: str | Path, *, fps: float = 10, boomerang: bool = False) -> Path:
        """Write the kept frames as a film; `boomerang` adds them in reverse."""
        images, recipe = self._images(), self.recipe()
        return export.save_mp4(images, path, recipe, fps=fps, boomerang=boomerang)

    @classmethod
    def replay(
        cls, path: str | Path, pair: Pair, *, limit: float | None = MAX_REPLAY, **parts: Any
    ) -> Run:
        """Paint the picture of a PNG, GIF or MP4 of ours again, steered or not: the same bytes on
        the same machine.

        limit: pixels painted in all steps together, with a third of those that CLIP sees, and at
        most a 500th of them painted in one; None for any number. parts: those of `Run` that
        replaced a part of the loop. ValueError if the file holds no recipe, if `pair` has other
        weights, if a part is missing, or if it would paint more than `limit`; TypeError for an
        option that is no part; a warning says what else may change the bytes.
        """
        _only_parts(parts, "a recipe")
        recipe = read_recipe(path)
        check_recipe(recipe, pair)
        check_parts(path, recipe.get("parts", []), parts)
        changes, steps = recipe_changes(recipe), recipe.get("steps")
        if not isinstance(steps, int) or steps < 1:
            raise ValueError(f"{path} does not say after how many steps the picture was taken")
        first = recipe_settings(recipe)
        full = first.for_pair(pair.defaults)
        along = [full]  # a change may ask for more steps, or for more pictures
        try:
            for _, change in changes:
                along.append(along[-1].replace(**change).for_pair(pair.defaults))
        except TypeError as e:  # a name that is no setting
            raise ValueError(f"the recipe's changes cannot be read: {e}") from e
        total = max(steps_ahead(s) * len(s.include) for s in along)
        total += min(steps, max(s.total_iter * len(s.include) for s in along))
        views = max(crop_ranges(s.crops, len(s.regions))[-1].stop for s in along)
        pixels = full.height * full.width
        each = max(STEP, pixels + VIEWED * views * pair.clip.resolution**2)
        if limit is not None and max(each * total, pixels * AT_ONCE) > limit:
            raise ValueError(
                f"{path} takes {total:,} steps of {full.width}×{full.height} pixels and {views} "
                f"crops, about {each * total * PIXEL / 60:,.0f} minutes on two cores, more than "
                f"{limit:.3g} pixels in all or {limit / AT_ONCE:.3g} in a step: "
                "give limit=None to paint it all the same"
            )
        run = cls(pair, first, **parts)
        while len(run.history) < steps:
            while changes and changes[0][0] == len(run.history):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # given when it was painted
                    run.change(**changes.pop(0)[1])
            if run.done:
                break
            run.step()
        if recipe.get("done") and not run.done:  # the picture diverged here and was ended
            run.step()
        return run

    # -- going on from a state

    def steps_before(self, frame: Frame) -> int:
        """How many steps came before `frame`; ValueError if it is none of this run's."""
        return self.history.index((frame.index, frame.iteration, frame.loss, frame.similarity))

    def branch(self, frame: Frame, **changes: Any) -> Run:
        """A second run that continues from a kept `frame` of this one, with the current settings
        and live ones changed.

        ValueError if the frame's state is no longer kept (see `base_run.STATES_KEPT`).
        """
        if not frame.state:
            raise ValueError(
                f"iteration {frame.iteration} can no longer be continued: choose a frame near it"
            )
        at = self.steps_before(frame)
        run = type(self)(self.pair, self.first, **self.parts)
        run.history, run.seconds = self.history[:at], self.seconds * at / len(self.history)
        run.frames = [f for f in self.frames if self.steps_before(f) < at]
        run._go_to(frame.index, [c for c in self.changes if c[0] <= at], frame.state)
        run.last = frame
        live = [k for k in KNOBS if self.settings.live(k) and k != "loosen"]
        now = {k: getattr(self.settings, k) for k in live}
        run.change(**now | changes)
        return run

    def _go_to(self, index: int, changes: Changes, state: State) -> None:
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
        saved = Saved(
            first=self.first,
            pair=self.pair.name,
            hashes=self.pair.hashes,
            parts=sorted(self.parts),
            index=self.index,
            seconds=self.seconds,
            history=self.history,
            changes=self.changes,
            frames=self.frames,
            last=self.last,
            state={} if self.done else self.painting.state(),
            last_good={} if self.done else self.painting.last_good,
        )
        return save_run(path, saved)

    @classmethod
    def resume(cls, path: str | Path, pair: Pair, **parts: Any) -> Run:
        """A saved run, which continues bit for bit.

        If the file is damaged, the copy before it is used, with a warning. parts: those of `Run`
        that replaced a part of the loop. FileNotFoundError; WeightsError if file and copy are
        damaged or no saved run; ValueError if it was made with other networks or parts; TypeError
        for an option that is no part. A picture that it names by path is never opened.
        """
        _only_parts(parts, "a saved run")
        saved = load_run(path)
        if saved.hashes != pair.hashes:
            raise ValueError(
                f"{path} was made with the pair {saved.pair!r} of other weights than "
                f"{pair.name!r} here"
            )
        check_parts(path, saved.parts, parts)
        with reading(path), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # given when the run was first made
            run = cls(pair, saved.first, **parts)
            run.seconds, run.history, run.frames = saved.seconds, saved.history, saved.frames
            run._go_to(saved.index, saved.changes, saved.state)
            if not run.done:
                run.painting.last_good = saved.last_good
            run.last = saved.last
        return run


def _only_parts(parts: dict[str, Any], what: str) -> None:
    if wrong := parts.keys() - set(PARTS):
        raise TypeError(
            f"{', '.join(sorted(wrong))}: {what} keeps its settings; give only parts "
            f"({', '.join(PARTS)}), and change settings afterwards with run.change"
        )
