"""What the Studio says, and how clicks and keys reach its code: one at a time, errors shown."""

from __future__ import annotations

import contextlib
import html
import logging
import os
import re
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ipywidgets as w

from ..files import errno_of
from ..settings import KNOBS, label
from ..weights import WeightsError

log = logging.getLogger(__name__)
KINDS = ("error", "warning", "note")
_NAMES = re.compile(rf"\b({'|'.join(n for n in KNOBS if label(n) != n and n != 'start')})\b")


def for_people(text: str) -> str:
    """An error's first line with the labels of settings in place of their names in code."""
    line = text.strip().partition("\n")[0].rstrip(":")
    return _NAMES.sub(lambda found: label(found[0]), line)


class Messages:
    """One line for each topic, errors first; a topic's new line takes the place of its old one, so
    that a warning never hides an error. The topics of PLACES stand where they are caused, all
    others in `box`. public: strangers read it."""

    PLACES = ("now", "back", "export")

    def __init__(self, *, public: bool = False) -> None:
        self.public = public
        self.lines: dict[str, tuple[str, str]] = {}  # topic: kind, text
        self.box = w.HTML()
        self.at = {topic: w.HTML() for topic in self.PLACES}
        for box in (self.box, *self.at.values()):
            box.add_class("vq-messages")

    def say(self, topic: str, text: str, kind: str = "note") -> None:
        """Say something on a topic; an empty text takes back what was said."""
        if text:
            self.lines[topic] = (kind, text)
        else:
            self.lines.pop(topic, None)
        self._show()

    def clear(self, *topics: str) -> None:
        for topic in topics:
            self.lines.pop(topic, None)
        self._show()

    def words(self, error: Exception) -> str:
        """What to say of an error; strangers are told of no file where it is."""
        if not self.public or not isinstance(error, OSError | WeightsError):
            return str(error)
        number = errno_of(error)
        return os.strerror(number) if number else "A file cannot be read or written"

    def __contains__(self, text: str) -> bool:
        """Whether `text` can be read now."""
        return any(text in said for _, said in self.lines.values())

    def _show(self) -> None:
        shown = dict.fromkeys((self.box, *self.at.values()), "")
        for topic, (kind, text) in sorted(
            self.lines.items(), key=lambda line: KINDS.index(line[1][0])
        ):
            role = "alert" if kind == "error" else "status"
            line = f'<div class="vq-line vq-{kind}" role="{role}">{html.escape(text)}</div>'
            shown[self.at.get(topic, self.box)] += line
        for box, lines in shown.items():
            box.value = lines


class Callbacks:
    """Runs callbacks under one lock, for they may come on any thread; shows what goes wrong.

    failed: called with the exception. after: called when a callback is done, well or not.
    """

    def __init__(self, messages: Messages) -> None:
        self.messages = messages
        self.lock = threading.RLock()
        self.failed: Callable[[], None] = lambda: None
        self.after: Callable[[], None] = lambda: None
        self._quiet = False  # controls are being set by us, not by a person

    @contextlib.contextmanager
    def quietly(self) -> Iterator[None]:
        """Controls that are set inside do not count as moved by a person."""
        before, self._quiet = self._quiet, True
        try:
            yield
        finally:
            self._quiet = before

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Warnings inside are said in the Studio."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            try:
                yield
            finally:
                for warning in caught:
                    self.warn(str(warning.message))

    def guard(self, call: Callable[[], None]) -> None:
        """Run a callback; whatever goes wrong is shown, never lost."""
        with self.lock:
            with self.listening():
                try:
                    call()
                except Exception as e:
                    self.fail(e)
            self.after()

    def warn(self, text: str) -> None:
        """Say a warning, unless the unknown words that it is about are said already."""
        if text.partition(": ")[2] != self.messages.lines.get("words", ("", ""))[1]:
            self.messages.say("warning", for_people(text), "warning")

    def fail(self, error: Exception) -> None:
        """Stop what is going on, and say why."""
        log.info("in the Studio", exc_info=error)
        self.failed()
        advice = "" if isinstance(error, ValueError) else ". Change it and press Continue or Run."
        text = for_people(self.messages.words(error)) or "something went wrong"
        self.messages.say("problem", text.rstrip(".") + advice, "error")

    def on(self, control: w.Widget, call: Callable[[], None]) -> None:
        """Call when a person moves `control`; what we set ourselves is not heard."""

        def heard() -> None:  # asked under the lock: another thread's quiet is not this one's
            if not self._quiet:
                call()

        control.observe(lambda _: self.guard(heard), "value")

    def act(self, call: Callable[[], None]) -> None:
        """A click: what was said about the last one is taken back."""

        def fresh() -> None:
            self.messages.clear("problem", "warning", "now")
            call()

        self.guard(fresh)

    def button(self, name: str, help: str, call: Callable[[], None], **options: Any) -> w.Button:
        button = w.Button(description=name, **options)
        tip(button, help)
        button.add_class("vq-button")
        button.on_click(lambda _: self.act(call))
        return button


# -- what ipywidgets 7 and 8 do differently


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
