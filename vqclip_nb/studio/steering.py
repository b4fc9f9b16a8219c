"""From a control that a person moved to the run that paints."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ..reading import Reading, describe_substitutions, read_prompt, readable
from ..regions import parse_region
from ..run import Run
from ..settings import label
from .callbacks import Callbacks, Messages, for_people
from .controls import PROMPTS, Controls

TYPED = (*PROMPTS, "regions", "attributes", "palette")  # changed in several moves
TYPING = 0.7  # seconds without a key until a prompt counts as typed


class Steering:
    """Checks what a person changes, says what comes of it, and hands it to the run in time."""

    def __init__(self, controls: Controls, calls: Callbacks, messages: Messages) -> None:
        self.controls, self.messages = controls, messages
        self.run: Run | None = None
        self.playing: Callable[[], bool] = lambda: False
        self.restart = False  # a control was moved that only the next run hears
        self.suggest: Callable[[list[str]], None] = lambda unknown: None
        self.touched: dict[str, float] = {}  # controls moved since the last step, and when
        for name in controls:
            calls.on(controls[name], lambda name=name: self.changed(name))
        calls.on(controls.more, lambda: self.changed("include"))
        self.check()

    def changed(self, name: str) -> None:
        """A person moved a control."""
        self.messages.clear("problem", "now")
        if not self.check() or self.run is None or self.run.done or name == "loosen":
            return
        following = "" if self.playing() else ", once you press Continue"
        if self.run.settings.live(name):
            self.touched[name] = time.monotonic() if name in TYPED else 0.0
            self.messages.say("now", f"{label(name)}: changes with the next step{following}.")
        else:
            self.restart = self.controls.value(name) != getattr(self.run.settings, name)
            self.messages.say("now", f"{label(name)}: takes effect with the next run. Press Run.")

    def check(self) -> bool:
        """Say what is wrong or unusual about the controls; whether they can be used."""
        wrong = self.controls.wrong()
        pair, found = self.controls.pair, list[Reading]()
        words = pair.clip.vocabulary
        include, exclude, extras = (self.controls.value(name) for name in PROMPTS)
        regions = [] if wrong else self.controls.value("regions")
        regions = [parse_region(text) for text in regions]
        try:
            readings = [pair.read(text, extras, regions) for text in include]
            found += [*readings, read_prompt(extras, words)]
            found.append(read_prompt(exclude, words, stand_ins=False))
            found += [part for reading in readings for _, part in reading.regions]
        except ValueError as e:
            wrong.setdefault("include", for_people(str(e)))
        self.controls.mark(wrong)
        names = ", ".join(map(label, wrong))
        self.messages.say("controls", f"To be changed first: {names}." if wrong else "", "error")
        start, prior, picture = map(self.controls.value, ("start", "prior", "init_image"))
        drawn = not picture and (start == "library" or (start == "noise" and prior))
        self.messages.say("words", describe_substitutions(found, from_drawing=drawn), "warning")
        self.suggest(
            [
                word
                for reading in found[: len(include)]
                for word, thing in reading.substitutions.items()
                if thing is None and not (drawn and word in reading.in_drawing)
            ]
        )
        own = pair.facts.default_background
        asked = [reading for reading in found[: len(include)] if reading.known]
        added = bool(own) and any(reading.ending == f" {own}" for reading in asked)
        self.messages.say("ground", f"Painted {own}, unless you name another." if added else "")
        return not wrong

    def take(self, names: tuple[str, ...]) -> None:
        """What we set for a person counts as moved: the run follows at once."""
        self.check()
        if self.run is not None and not self.run.done:
            self.touched |= dict.fromkeys(names, 0.0)

    def steer(self, wait: float = TYPING) -> None:
        """Hand the run what was changed; prompts `wait` seconds after the last key."""
        now = time.monotonic()
        if not self.touched or now - max(self.touched.values()) < wait:
            return
        touched, self.touched = self.touched, {}
        if self.controls.wrong():
            return
        values = {n: self.controls.value(n) for n in touched if self.run.settings.live(n)}
        if not values:
            return
        asked = values.keys() & set(TYPED)  # all of them may undo what is painted
        loosen = {"loosen": self.controls.value("loosen")} if asked else {}
        try:
            self.run.change(**values, **{k: v for k, v in loosen.items() if v})
        except ValueError as e:
            return self.messages.say("problem", for_people(str(e)), "error")
        words = "; ".join(f"{label(n)} {_shown(n, v)}" for n, v in values.items())
        self.messages.say("now", f"from step {len(self.run.history) + 1} on: {words}")

    def loosen(self) -> None:
        """Let the prompt of now undo what is painted, as far as the control says."""
        amount = self.controls.value("loosen")
        self.steer(wait=0)
        self.run.change(loosen=amount)
        self.messages.say(
            "now", f"from step {len(self.run.history) + 1} on: loosened by {amount:.0%}"
        )


def _shown(name: str, value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    between = ", then " if name == "include" else ", "
    text = between.join(value) if isinstance(value, list) else f"{value}"
    return readable(text)[:120] or "nothing"
