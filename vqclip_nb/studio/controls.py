"""One control for each setting, made from its `Knob`, with what is wrong said below it; and the way
from a control that a person moved to the run that paints."""

import html
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import ipywidgets as w

from ..models.pair import Pair
from ..prompts import read_all
from ..reading import Reading, readable
from ..recipe import without_pictures
from ..run import Run
from ..settings import KNOBS, PRESETS, TYPES, Settings, label
from .callbacks import Callbacks, Ticker, for_people
from .widgets import Number, column, labelled, set_class, set_shown

PROMPTS = ("include", "exclude", "extras")
CARD = ("learning_rate", "total_iter", "activation", "noise_factor")  # the first of all controls
TYPED = (*PROMPTS, "regions", "attributes", "palette")  # changed in several moves
TYPING = 0.7  # seconds without a key until a prompt counts as typed


def make_control(name: str, value: Any) -> w.Widget:
    """The widget of the setting `name`."""
    k, kind = KNOBS[name], TYPES[name]
    if kind in ("int", "float"):
        how = dict(log=k.log, whole=kind == "int", slider=k.log or kind == "float")
        return Number(label(name), value, k.help, low=k.low, high=k.high, **how)
    make = partial(labelled, description=label(name), help=k.help)
    if name == "include":
        prompt = make(w.Text, width="initial", value=value[0], placeholder="what shall it paint?")
        return prompt.add_class("vq-prompt")
    if k.choices:
        choice = w.SelectionSlider if name == "activation" else w.Dropdown
        return make(choice, options=k.choices, value=value)
    if kind == "bool":
        return make(w.Checkbox, indent=False, value=value)
    if kind == "list[str]":
        return make(w.Textarea, rows=3, value="\n".join(value))
    return make(w.Text, value=value)


def lines(text: str) -> list[str]:
    """The lines of a text that are not empty."""
    return [line.strip() for line in text.splitlines() if line.strip()]


class Controls(dict[str, w.Widget]):
    """The widgets by the names of their settings, and the run that they steer: what a person
    changes is checked, what comes of it is said, and the run gets it in time.

    notes: what is wrong with each; fields: each with its note below it. more: further prompts,
    painted in the same run after the first, one a line. run: the one that is shown; None before the
    first. usable: whether the controls are. restart: whether one was moved that only the next run
    hears. suggest: called with the words that the pair does not know. Where the public uses them,
    names of picture files are refused.
    """

    def __init__(self, pair: Pair, settings: Settings, calls: Callbacks, ticker: Ticker) -> None:
        self.pair, self.calls, self.ticker = pair, calls, ticker
        self.say = calls.messages.say
        self.run: Run | None = None
        self.usable = self.restart = False
        self.suggest: Callable[[list[str]], None] = lambda words: None
        self._touched: dict[str, float] = {}  # controls moved since the last step, and when
        start = settings.for_pair(pair.defaults)
        super().__init__({name: make_control(name, getattr(start, name)) for name in KNOBS})
        self.notes = {name: w.HTML().add_class("vq-field-error") for name in self}
        self.fields = {n: column(self[n], self.notes[n], css="vq-field") for n in self}
        # What the page's script fills when Enter is pressed: the whole prompt, at once.
        self.entered = w.Text(continuous_update=False).add_class("vq-entered")
        help, more = "painted after the first in the same run, one a line", start.include[1:]
        help += "; a morph joins them"
        self.more = labelled(w.Textarea, "more prompts", help, value="\n".join(more), rows=2)
        help = "set many controls at once; report: the figures of the report"
        self.preset = labelled(w.Dropdown, "preset", help, options=list(PRESETS))
        for name, control in (*self.items(), ("include", self.more)):
            calls.on(control, partial(self._moved, name))

    def value(self, name: str) -> Any:
        """What a control says, as the setting's value."""
        value = self[name].value
        if TYPES[name] != "list[str]":
            return value
        if name == "include":
            value += f"\n{self.more.value}"
        return lines(value)

    @property
    def settings(self) -> Settings:
        """The controls as checked `Settings`; ValueError says what is wrong."""
        if wrong := self.wrong():
            raise ValueError(next(iter(wrong.values())))
        return Settings(**{name: self.value(name) for name in self})

    def wrong(self) -> dict[str, str]:
        """What keeps the controls from being used, by their names."""
        if not self["include"].value.strip():
            return {"include": "Type a prompt: what shall it paint?"}
        found = {name: self._wrong(name) for name in self}
        return {name: text for name, text in found.items() if text}

    def _wrong(self, name: str) -> str:
        if isinstance(self[name], Number):
            return self[name].wrong()
        given = {name: self.value(name)}
        try:
            Settings(**{"include": ["a"]} | given)
            if not self.calls.messages.public or not without_pictures(given):
                return ""
        except ValueError as e:
            return for_people(str(e))
        return f"{label(name)}: no names of picture files here: upload the picture."

    def _note(self, wrong: Mapping[str, str]) -> None:
        """Say beside each control what is wrong with it."""
        for name, note in self.notes.items():
            text = wrong.get(name, "")
            note.value = f'<div role="alert">{html.escape(text)}</div>' if text else ""
            set_shown(note, bool(text))
            set_class(self[name], "vq-wrong", bool(text))

    def set(self, **values: Any) -> None:
        """Put values into controls, as a person does; None for what the pair uses itself. A text as
        include is the first prompt alone."""
        for name, value in values.items():
            if value is None:
                value = self.pair.defaults.get(name, KNOBS[name].usual)
            if name == "include" and isinstance(value, list):
                self.more.value, value = "\n".join(value[1:]), value[0]
            self[name].value = "\n".join(value) if isinstance(value, list) else value

    def follow(self, pair: Pair) -> None:
        """Take another pair's defaults for what was left at those of the last pair."""
        before, self.pair = self.pair.defaults, pair
        left = [n for n, k in KNOBS.items() if k.empty and before.get(n, k.usual) == self[n].value]
        with self.calls.quietly():
            self.set(**dict.fromkeys(left))

    # -- the run

    def begin(self, run: Run) -> None:
        """Turn to another run."""
        self.run, self._touched, self.restart = run, {}, False

    def _moved(self, name: str) -> None:
        """A person moved a control."""
        self.calls.messages.clear("problem", "now")
        if not self.check() or self.run is None or self.run.done or name == "loosen":
            return
        following = "" if self.ticker.playing else ", once you press Continue"
        if self.run.settings.live(name):
            self._touched[name] = time.monotonic() if name in TYPED else 0.0
            self.say("now", f"{label(name)}: changes with the next step{following}.")
        else:
            self.restart = self.value(name) != getattr(self.run.settings, name)
            self.say("now", f"{label(name)}: takes effect with the next run. Press Run.")

    def check(self) -> bool:
        """Say what is wrong or unusual about the controls; whether they can be used."""
        wrong, pair = self.wrong(), self.pair
        readings, told, drawn = list[Reading](), "", False
        if not wrong:
            settings = self.settings
            drawn = settings.drawn
            try:
                readings, _, _, told = read_all(pair, settings)
            except ValueError as e:
                wrong["include"] = for_people(str(e))
        self._note(wrong)
        names = ", ".join(map(label, wrong))
        self.say("controls", names and f"To be changed first: {names}.", "error")
        self.say("words", told, "warning")
        own = pair.default_background
        added = own and any(reading.known and reading.ending == f" {own}" for reading in readings)
        self.say("ground", f"Painted {own}, unless you name another." if added else "")
        unknown = list[str]()
        for reading in readings:
            left_out = [word for word, thing in reading.substitutions.items() if thing is None]
            unknown += [w for w in left_out if not (drawn and w in reading.in_drawing)]
        self.suggest(unknown)
        self.usable = not wrong
        return self.usable

    def put(self, **values: Any) -> bool:
        """Put values into the controls that the run does not follow; whether they can be used."""
        with self.calls.quietly():
            self.set(**values)
        return self.check()

    def take(self, **values: Any) -> None:
        """Put values into the controls that the run follows at once."""
        self.put(**values)
        if self.run is not None and not self.run.done:
            self._touched |= dict.fromkeys(values, 0.0)

    def steer(self, wait: float = TYPING) -> None:
        """Hand the run what was changed; prompts `wait` seconds after the last key."""
        if not self._touched or time.monotonic() - max(self._touched.values()) < wait:
            return
        touched, self._touched = self._touched, {}
        if self.wrong():
            return
        changes = {name: self.value(name) for name in touched}
        told = "; ".join(value_in_words(name, value) for name, value in changes.items())
        if touched.keys() & set(TYPED) and (amount := self.value("loosen")):
            changes["loosen"] = amount  # all of them may undo what is painted
        try:
            self.run.change(**changes)
        except ValueError as e:
            return self.say("problem", for_people(str(e)), "error")
        self._say_from_now(told)

    def loosen(self) -> None:
        """Let the prompt of now undo what is painted, as far as the control says."""
        amount = self.value("loosen")
        self.steer(wait=0)
        self.run.change(loosen=amount)
        self._say_from_now(f"loosened by {amount:.0%}")

    def _say_from_now(self, text: str) -> None:
        self.say("now", f"from step {len(self.run.history) + 1} on: {text}")


def value_in_words(name: str, value: Any, most: int = 120) -> str:
    """A setting with its value, of at most so many letters: "learning rate 0.1"."""
    text = f"{value:.4g}" if isinstance(value, float) else f"{value}"
    if isinstance(value, list):
        text = (", then " if name == "include" else ", ").join(value)
    return f"{label(name)} {readable(text)[:most] or 'nothing'}"
