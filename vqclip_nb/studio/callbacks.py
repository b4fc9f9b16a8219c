"""How a person's clicks and keys reach the Studio's code: one at a time, and never in silence."""

from __future__ import annotations

import contextlib
import logging
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import ipywidgets as w

from .compat import tip
from .messages import Messages, for_people

log = logging.getLogger(__name__)


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
        text = for_people(str(error)) or "something went wrong"
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
