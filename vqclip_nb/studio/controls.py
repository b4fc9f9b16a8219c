"""One control for each setting, made from its `Knob`, with what is wrong said below it."""

from __future__ import annotations

import dataclasses
import html
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

import ipywidgets as w
import traitlets

from ..models.pair import Pair
from ..recipe import without_pictures
from ..settings import KNOBS, PRESETS, TYPES, Settings, label
from .callbacks import Callbacks, for_people, tip

PROMPTS = ("include", "exclude", "extras")
CARD = ("learning_rate", "total_iter", "activation", "noise_factor")  # the first of all controls


def parse_number(text: str) -> float | None:
    """The number in "1e3", "1,000", "1 000", ".5" or "0,5"; None if there is none."""
    text = re.sub(r"[\s_]", "", text)
    if re.fullmatch(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?", text):
        text = text.replace(",", "")
    try:
        value = float(text.replace(",", ".", 1))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


class Number(w.HBox):
    """A number that is typed, moved with a slider if it has one, or both.

    value: the number, or the text as it was typed where that is none. The text field counts: page
    front-ends round a slider to its steps.
    """

    value = traitlets.Any()
    disabled = traitlets.Bool()

    def __init__(
        self,
        description: str,
        value: float,
        help: str = "",
        *,
        low: float = 0,
        high: float = 1,
        log: bool = False,
        whole: bool = False,
        slider: bool = False,
    ) -> None:
        self.description, self.whole = description, whole
        self.low, self.high, self.powers = low, high, log
        self.text = w.Text(continuous_update=False)
        self.text.add_class("vq-number")
        self.slider: w.Widget | None = None
        if slider and log:
            self.slider = w.FloatLogSlider(
                base=10, min=math.log10(low), max=math.log10(high), step=0.01, value=low
            )
        elif slider and whole:
            self.slider = w.IntSlider(min=low, max=high)
        elif slider:
            self.slider = w.FloatSlider(min=low, max=high, step=0.01)
        named = self.slider or self.text
        named.description = description
        if self.slider:
            self.slider.readout = False
        for control in filter(None, (self.slider, self.text)):
            tip(control, help)
        super().__init__([*filter(None, (self.slider, self.text))])
        self.add_class("vq-row")
        self.observe(lambda _: self._show(), "value")
        self.observe(self._disable, "disabled")
        self.value = value
        self._show()
        self.text.observe(lambda change: self._typed(change["new"]), "value")
        if self.slider:
            self.slider.observe(lambda change: self._slid(change["new"]), "value")

    def wrong(self) -> str:
        """What is wrong with the value; empty if nothing is."""
        allowed = f"allowed is {self.low:g} to {self.high:.10g}"
        if isinstance(self.value, str):
            given = f"{self.value[:30]!r} is no number" if self.value.strip() else "it is empty"
            return f"{self.description}: {given}; {allowed}."
        if self.whole and self.value != int(self.value):
            return f"{self.description}: {self.value:.12g} is not whole; {allowed}."
        if not self.low <= self.value <= self.high:
            return f"{self.description}: {self.value:.12g} is out of range; {allowed}."
        return ""

    def _typed(self, text: str) -> None:
        number = parse_number(text)
        if number is not None and number == int(number) and self.whole:
            number = int(number)
        self.value = text if number is None else number

    def _slid(self, value: float) -> None:
        least = 0.5 if self.whole and not self.powers else 0.0051  # less: the page rounded it
        if abs(self._place(value) - self._place(self._inside())) > least:
            value = float(f"{value:.3g}") if self.powers else round(value, 2)
            self.value = round(value) if self.whole else min(max(value, self.low), self.high)

    def _place(self, value: float) -> float:
        return math.log10(value) if self.powers else value

    def _inside(self) -> float:
        number = self.low if isinstance(self.value, str) else self.value
        return min(max(number, self.low), self.high)

    def _show(self) -> None:
        text = self.value if isinstance(self.value, str) else f"{self.value:.10g}"
        if isinstance(self.value, str) or parse_number(self.text.value) != self.value:
            self.text.value = text
        if self.slider and not isinstance(self.value, str):
            self.slider.value = self._inside()

    def _disable(self, change: dict[str, Any]) -> None:
        for control in self.children:
            control.disabled = change["new"]


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

    more: further prompts, painted in the same run after the first, one a line. public: strangers
    use them, so names of picture files are refused.
    """

    def __init__(
        self, pair: Pair, settings: Settings, calls: Callbacks, *, public: bool = False
    ) -> None:
        self.pair, self.calls, self.public = pair, calls, public
        start = settings.for_pair(pair.defaults)
        self._widgets = {
            f.name: make_control(f.name, getattr(start, f.name))
            for f in dataclasses.fields(Settings)
        }
        self._notes = {name: w.HTML(layout=w.Layout(display="none")) for name in self._widgets}
        self._fields: dict[str, w.VBox] = {}
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
        if name not in self._fields:
            self._fields[name] = w.VBox([self[name], self._notes[name]])
            self._fields[name].add_class("vq-field")
        return self._fields[name]

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
                    if self.public and without_pictures({name: self.value(name)}):
                        text = f"{label(name)}: no names of picture files here: upload the picture."
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
