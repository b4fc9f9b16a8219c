"""What the Studio's tests share: the clicks of a person, without a browser."""

import html
import io
import re
from datetime import datetime

import ipywidgets
from PIL import Image


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


def said(studio, kind: str = "") -> str:
    """All that the Studio says, or what it says of one kind."""
    lines = [text for k, text in studio.messages.lines.values() if kind in ("", k)]
    notes = (studio.controls.notes[name].value for name in studio.controls)
    lines += [re.sub("<.*?>", "", note) for note in notes if note and kind in ("", "error")]
    return html.unescape("\n".join(lines))


def widgets(box):
    for child in getattr(box, "children", ()):
        yield child
        yield from widgets(child)


def button(studio, name: str):
    return next(
        x for x in widgets(studio) if isinstance(x, ipywidgets.Button) and x.description == name
    )


def drop(upload, name: str, content: bytes | None) -> None:
    """What the front-end does when a person drops a file, or takes it away, in ipywidgets 7 and
    8."""
    if content is None:
        upload.set_trait("value", {} if ipywidgets.__version__ < "8" else ())
    elif ipywidgets.__version__ < "8":
        upload.set_trait("value", {name: {"metadata": {"name": name}, "content": content}})
    else:
        facts = {"size": len(content), "type": "", "last_modified": datetime.now()}
        upload.value = ({"name": name, "content": content, **facts},)


def a_png(colour: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (64, 64), colour).save(file, "PNG")
    return file.getvalue()
