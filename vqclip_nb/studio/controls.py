"""One control for each setting, made from its `Knob`, with what is wrong said below it."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Iterator, Mapping
from typing import Any

import ipywidgets as w

from ..models.pair import Pair
from ..settings import KNOBS, PRESETS, TYPES, Settings, label
from .callbacks import Callbacks, for_people
from .compat import tip
from .numbers import Number

PROMPTS = ("include", "exclude", "extras")
CARD = ("learning_rate", "total_iter", "activation", "noise_factor")  # the first of all controls


def labelled(control: w.Widget, help: str, width: str = "112px") -> w.Widget:
    """The control with its help, its label so wide that those below each other end in one line."""
    if not isinstance(control, w.Checkbox):
        control.style.description_width = width
    tip(control, help)
    control.add_class("vq-control")
    return control


def make_control(name: str, value: Any) -> w.Widget:
    """The widget of the setting `name`."""
    k, kind = KNOBS[name], TYPES[name]
    options: dict[str, Any] = {"description": label(name)}
    if kind in ("int", "float"):
        number = Number(
            label(name),
            value,
            k.help,
            low=k.low,
            high=k.high,
            log=k.log,
            whole=kind == "int",
            slider=k.log or kind == "float",
        )
        for control in number.children:
            labelled(control, k.help)
        return number
    if name == "activation":
        control: w.Widget = w.SelectionSlider(options=k.choices, value=value, **options)
    elif k.choices:
        control = w.Dropdown(options=k.choices, value=value, **options)
    elif kind == "bool":
        control = w.Checkbox(value=value, indent=False, **options)
    elif kind == "list[str]" and name != "include":
        control = w.Textarea(value="\n".join(value), rows=3, **options)
    else:
        control = w.Text(value="".join(value[:1]) if name == "include" else value, **options)
    return labelled(control, k.help)


class Controls(Mapping[str, w.Widget]):
    """The widgets by the names of their settings; `field(name)` is one with its error below it.

    more: further prompts, painted in the same run after the first, one a line.
    """

    def __init__(self, pair: Pair, settings: Settings, calls: Callbacks) -> None:
        self.pair, self.calls = pair, calls
        start = settings.for_pair(pair.defaults)
        self._widgets = {
            f.name: make_control(f.name, getattr(start, f.name))
            for f in dataclasses.fields(Settings)
        }
        self._notes = {name: w.HTML(layout=w.Layout(display="none")) for name in self._widgets}
        for note in self._notes.values():
            note.add_class("vq-field-error")
        self["include"].placeholder = "what shall it paint?"
        self["include"].style.description_width = "initial"
        self["include"].add_class("vq-prompt")
        # What the page's script fills when Enter is pressed: the whole prompt, at once.
        self.entered = w.Text(continuous_update=False)
        self.entered.add_class("vq-entered")
        self.more = labelled(
            w.Textarea(value="\n".join(start.include[1:]), rows=2, description="more prompts"),
            "painted after the first in the same run, one a line; a morph joins them",
        )
        self.preset = labelled(
            w.Dropdown(options=list(PRESETS), description="preset"),
            "set many controls at once; report: the figures of the report",
        )

    def __getitem__(self, name: str) -> w.Widget:
        return self._widgets[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._widgets)

    def __len__(self) -> int:
        return len(self._widgets)

    def note(self, name: str) -> w.HTML:
        """What is wrong with a control, for those that stand apart from it."""
        return self._notes[name]

    def field(self, name: str) -> w.VBox:
        """A control, and what is wrong with it."""
        box = w.VBox([self[name], self._notes[name]])
        box.add_class("vq-field")
        return box

    def value(self, name: str) -> Any:
        """What a control says, as the setting's value."""
        value = self[name].value
        if TYPES[name] != "list[str]":
            return value
        if name == "include":
            value += f"\n{self.more.value}"
        return [line.strip() for line in value.splitlines() if line.strip()]

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
        wrong = {}
        usual = {"include": ["a"]}
        for name, control in self._widgets.items():
            try:
                if isinstance(control, Number):
                    text = control.wrong()
                else:
                    Settings(**usual | {name: self.value(name)})
                    text = ""
            except ValueError as e:
                text = for_people(str(e))
            if text:
                wrong[name] = text
        return wrong

    def mark(self, wrong: Mapping[str, str]) -> None:
        """Say beside each field what is wrong with it."""
        for name, note in self._notes.items():
            text = wrong.get(name, "")
            note.value = f'<div role="alert">{html.escape(text)}</div>' if text else ""
            note.layout.display = "" if text else "none"
            (self[name].add_class if text else self[name].remove_class)("vq-wrong")

    def set(self, **values: Any) -> None:
        """Put values into controls; None for what the pair uses itself."""
        with self.calls.quietly():
            for name, value in values.items():
                if value is None:
                    value = self.pair.defaults.get(name, KNOBS[name].usual)
                if name == "include":
                    value = [value] if isinstance(value, str) else value
                    self.more.value, value = "\n".join(value[1:]), value[0]
                elif TYPES[name] == "list[str]":
                    value = "\n".join(value)
                self[name].value = value

    def follow(self, pair: Pair) -> None:
        """Take another pair's defaults for what was left at those of the last pair."""
        before, self.pair = self.pair.defaults, pair
        left = [n for n, k in KNOBS.items() if k.empty and before.get(n, k.usual) == self[n].value]
        self.set(**dict.fromkeys(left))
