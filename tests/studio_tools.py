"""What the Studio's tests share: the hands of a person, without a browser."""

import html
import re
from datetime import datetime

import ipywidgets


def tick(studio, times: int = 1) -> None:
    """What the front-end's timer does."""
    for _ in range(times):
        studio.calls.guard(studio.ticker.tick)


def finish(studio) -> None:
    for _ in range(400):
        if not studio.ticker.playing:
            return
        tick(studio)
    raise AssertionError("the run did not end")


def move(studio, **values) -> None:
    """Set controls as a person does."""
    for name, value in values.items():
        studio.controls[name].value = value


def click(studio, *names: str) -> None:
    """Press the buttons that read so, one after the other."""
    for name in names:
        button(studio, name).click()


def begin(studio, **values) -> None:
    """Set controls, press Run and take a first lot of steps."""
    move(studio, **values)
    click(studio, "Run")
    tick(studio)


def said(studio, kind: str = "") -> str:
    """All that the Studio says, or what it says of one kind."""
    lines = [text for k, text in studio.messages.lines.values() if kind in ("", k)]
    notes = [re.sub("<.*?>", "", note.value) for note in studio.controls.notes.values()]
    return html.unescape("\n".join(lines + [n for n in notes if n and kind in ("", "error")]))


def offered(row) -> list[str]:
    """What the buttons of a row read."""
    return [child.description for child in row.children]


def shown(widget) -> bool:
    return widget.layout.display == ""


def widgets(box):
    for child in getattr(box, "children", ()):
        yield child
        yield from widgets(child)


def button(studio, name: str):
    buttons = (x for x in widgets(studio) if isinstance(x, ipywidgets.Button))
    return next(x for x in buttons if x.description == name)


def tooltip(control) -> str:
    return getattr(control, "tooltip" if control.has_trait("tooltip") else "description_tooltip")


def drop(upload, name: str, content: bytes | None) -> None:
    """What a front-end of ipywidgets 7 or 8 does when a file is dropped, or taken away."""
    if content is None:
        upload.set_trait("value", {} if ipywidgets.__version__ < "8" else ())
    elif ipywidgets.__version__ < "8":
        upload.set_trait("value", {name: {"metadata": {"name": name}, "content": content}})
    else:
        facts = {"size": len(content), "type": "", "last_modified": datetime.now()}
        upload.value = ({"name": name, "content": content, **facts},)
