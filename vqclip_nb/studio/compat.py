"""What ipywidgets 7 and 8 do differently."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ipywidgets as w


def tip(control: w.Widget, text: str) -> None:
    """What shows when the pointer rests on `control`."""
    setattr(control, "tooltip" if control.has_trait("tooltip") else "description_tooltip", text)


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
