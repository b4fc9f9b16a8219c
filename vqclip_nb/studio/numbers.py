"""Numbers as people write them: a text field, with a slider where there is a range for one."""

from __future__ import annotations

import math
import re
from typing import Any

import ipywidgets as w
import traitlets

from .compat import tip


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
