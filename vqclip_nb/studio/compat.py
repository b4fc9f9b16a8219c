"""What ipywidgets 7 and 8 do differently."""

from __future__ import annotations

import html
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ipywidgets as w

PRESS = """
(function wait(image, tries) {
  var box = image.closest('.vq-timer'), play = box && box.querySelector('button');
  if (play) play.click();
  else if (tries) setTimeout(wait, 100, image, tries - 1);
})(this, 100)
"""


def tip(control: w.Widget, text: str) -> None:
    """What shows when the pointer rests on `control`."""
    setattr(control, "tooltip" if control.has_trait("tooltip") else "description_tooltip", text)


class Timer:
    """A timer of the page that the kernel starts and stops; `clock.value` counts its ticks.

    Version 8 starts a Play when its `playing` is set. Version 7 starts one only by its own button:
    there a script presses it, as soon as the page shows it.
    """

    def __init__(self) -> None:
        self.clock = w.Play(min=0, max=2**31 - 1, interval=100)
        self._press = w.HTML()
        self.box = w.HBox([self.clock, self._press], layout=w.Layout(display="none"))
        self.box.add_class("vq-timer")
        self.on = False

    def turn(self, on: bool) -> None:
        """Start or stop; to stop a timer that is stopped makes sure of it."""
        self.on = on
        if self.clock.has_trait("playing"):
            self.clock.playing = on
        elif on:
            self._press.value = f'<img alt="" src="data:," onerror="{html.escape(PRESS)}">'
        else:
            self._press.value, self.clock._playing = "", False
            self.clock.send_state("_playing")  # here it may be false already, there it is not


def uploaded(value: Any) -> tuple[str, bytes] | None:
    """Name and content of a FileUpload's file; None if it was emptied."""
    if not value:
        return None
    name, file = (
        next(iter(value.items())) if isinstance(value, dict) else (value[0]["name"], value[0])
    )
    return Path(name).name, bytes(file["content"])


def on_enter(text: w.Text, call: Callable[[], None]) -> None:
    """Call when Enter is pressed in a one-line text. `on_submit` is deprecated in 8; its message is
    the same in both."""
    text.on_msg(lambda _, content, __: call() if content.get("event") == "submit" else None)
