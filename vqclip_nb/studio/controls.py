"""One widget for each setting, made from its `Knob`."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any

import ipywidgets as w

from ..models.pair import Pair
from ..settings import KNOBS, PRESETS, TYPES, Settings, label
from .callbacks import Callbacks
from .compat import tip

PROMPTS = ("include", "exclude", "extras")


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
    if k.choices:
        control: w.Widget = w.Dropdown(options=k.choices, value=value, **options)
    elif kind == "bool":
        control = w.Checkbox(value=value, indent=False, **options)
    elif kind == "int":  # not a bounded one, which would change a wrong value in silence
        control = w.IntText(value=value, **options)
    elif kind == "float":
        control = w.FloatText(value=value, step=0.01, **options)
    elif kind == "list[str]" and name != "include":
        control = w.Textarea(value="\n".join(value), rows=3, **options)
    else:
        control = w.Text(value="".join(value[:1]) if name == "include" else value, **options)
    return labelled(control, k.help)


def with_slider(name: str, number: w.Widget) -> w.Widget:
    """A number with a slider behind it, where the setting `name` has a range to slide over."""
    k, kind = KNOBS[name], TYPES[name]
    if kind not in ("int", "float") or not (k.log or kind == "float"):
        return number
    return sliding(number, k.low, k.high, log=k.log, whole=kind == "int")


def sliding(
    number: w.Widget, low: float, high: float, *, log: bool = False, whole: bool = False
) -> w.Widget:
    """A number with a slider behind it.

    The number counts and carries the label: front-ends snap a slider's value to its steps, and give
    it no name that a screen reader could say; the script in `style` gives it the number's.
    """
    place = math.log10 if log else float

    def inside(value: float) -> float:
        return place(min(max(value, low), high))

    slider = w.FloatSlider(
        value=inside(number.value), min=place(low), max=place(high), step=0.01, readout=False
    )

    def slid(change: dict[str, Any]) -> None:
        if abs(change["new"] - inside(number.value)) > 0.0051:  # else it only snapped
            value = float(f"{10 ** change['new']:.3g}") if log else round(change["new"], 2)
            number.value = min(max(round(value) if whole else value, low), high)

    slider.observe(slid, "value")
    w.dlink((number, "disabled"), (slider, "disabled"))
    number.observe(lambda change: setattr(slider, "value", inside(change["new"])), "value")
    return beside(number, slider)


def beside(*widgets: w.Widget) -> w.HBox:
    """Widgets in one line, the first as wide as a labelled number."""
    row = w.HBox(widgets)
    row.add_class("vq-row")
    return row


class Controls(Mapping[str, w.Widget]):
    """The widgets by the names of their settings.

    more: further prompts, painted in the same run after the first, one a line.
    """

    def __init__(self, pair: Pair, settings: Settings, calls: Callbacks) -> None:
        self.pair, self.calls = pair, calls
        start = settings.for_pair(self._defaults)
        self._widgets = {
            f.name: make_control(f.name, getattr(start, f.name))
            for f in dataclasses.fields(Settings)
        }
        self["include"].placeholder = "what shall it paint?"
        self["include"].style.description_width = "initial"
        self["include"].add_class("vq-prompt")
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

    @property
    def _defaults(self) -> dict[str, Any]:
        return self.pair.defaults

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
            raise ValueError(wrong)
        return Settings(**{name: self.value(name) for name in self})

    def wrong(self) -> str:
        """What keeps the controls from being used, in people's words; empty if nothing does."""
        if not self["include"].value.strip():
            return "Type a prompt: what shall it paint?"
        for name in self:
            k, value = KNOBS[name], self[name].value
            if k.high is not None and not k.low <= value <= k.high:
                allowed = f"{k.low:g} to {k.high:.10g} {k.unit}".rstrip()
                return f"{label(name)}: {value:.12g} is out of range; allowed is {allowed}."
        try:
            Settings(**{name: self.value(name) for name in self})
        except ValueError as e:
            return str(e)
        return ""

    def set(self, **values: Any) -> None:
        """Put values into controls; None for what the pair uses itself."""
        with self.calls.quietly():
            for name, value in values.items():
                if value is None:
                    value = self._defaults.get(name, KNOBS[name].usual)
                if name == "include":
                    value = [value] if isinstance(value, str) else value
                    self.more.value, value = "\n".join(value[1:]), value[0]
                elif TYPES[name] == "list[str]":
                    value = "\n".join(value)
                self[name].value = value

    def follow(self, pair: Pair) -> None:
        """Take another pair's defaults for what was left at those of the last pair."""
        before, self.pair = self._defaults, pair
        left = [n for n, k in KNOBS.items() if k.empty and before.get(n, k.usual) == self[n].value]
        self.set(**dict.fromkeys(left))
