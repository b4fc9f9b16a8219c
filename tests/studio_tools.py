"""What the Studio's tests share: the clicks of a person, without a browser."""

import io
from datetime import datetime

import ipywidgets
from PIL import Image


def tick(studio, times: int = 1) -> None:
    """What the front-end's timer does."""
    for _ in range(times):
        studio.player.timer.clock.value += 1


def finish(studio) -> None:
    for _ in range(400):
        if not studio.player.playing:
            return
        tick(studio)
    raise AssertionError("the run did not end")


def said(studio, kind: str = "") -> str:
    """All that the Studio says, or what it says of one kind."""
    lines = studio.messages.lines.values()
    return "\n".join(text for k, text in lines if kind in ("", k))


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
