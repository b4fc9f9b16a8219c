"""A pair that is downloaded while another one paints: how far it is, then a button for it."""

from __future__ import annotations

import html
import sys
import threading
import time
from collections.abc import Callable

import ipywidgets as w

from ..loading import download_pair, download_progress
from .callbacks import Callbacks
from .ticker import Timer

LOOK, OVER = 0.5, 10.0  # seconds between two looks, and that the speed is measured over


class Download:
    """A line and a button (`box`), hidden as long as nothing is asked for.

    change: called when the person wants to paint with what has arrived.
    """

    def __init__(self, calls: Callbacks, change: Callable[[str], None]) -> None:
        self.calls, self.change, self.name = calls, change, ""
        self.line = w.HTML()
        self.button = calls.button("", "", self._press)
        self.box = w.VBox([self.line, self.button])
        self.box.add_class("vq-messages")
        self._hide(self.box, True)
        self.timer = Timer() if "google.colab" in sys.modules else None
        if self.timer:  # see `Ticker`
            self.box.children += (self.timer.box,)
            calls.on(self.timer.clock, self.look)
        self._thread = threading.Thread()
        self._error: Exception | None = None
        self._seen: list[tuple[float, int]] = []

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def begin(self, name: str) -> None:
        """Fetch the published pair of that name, on a thread."""
        self.name, self._error, self._seen = name, None, []
        self._thread = threading.Thread(target=self._fetch, daemon=True)
        self._thread.start()
        self._hide(self.box, False)
        self.look()
        if self.timer:
            self.timer.turn(True)
        else:
            threading.Thread(target=self._watch, daemon=True).start()

    def look(self) -> None:
        """Say how far it is."""
        done, whole = download_progress(self.name)
        self._seen = [*self._seen, (time.monotonic(), done)][-round(OVER / LOOK) :]
        (began, first), (now, _) = self._seen[0], self._seen[-1]
        speed = (done - first) / max(now - began, 1e-3)
        text = f"{self.name}: {done / whole:.0%} of {whole / 1e6:,.0f} MB"
        if done == whole:
            text += ", being checked"
        elif speed > 0:
            left = (whole - done) / speed
            time_left = f"{left:.0f} s" if left < 100 else f"{left / 60:.0f} min"
            text += f", {speed / 1e6:.2g} MB a second, {time_left} left"
        self._hide(self.button, self.running)
        if self.running:
            self._say(f"{text}. The pair that is here paints meanwhile.")
            return
        if self.timer:
            self.timer.turn(False)
        if self._error is None:
            self._say(f"{self.name} is here.")
        else:
            self._say(f"{self._error}\nThe pair that is here goes on painting.", "error")
        self.button.description = "Try again" if self._error else f"Paint with {self.name}"

    def _press(self) -> None:
        if self._error:
            self.begin(self.name)
        else:
            self._hide(self.box, True)
            self.change(self.name)

    def _fetch(self) -> None:
        try:
            download_pair(self.name)
        except Exception as e:  # shown by `look`
            self._error = e

    def _watch(self) -> None:
        going_on = True
        while going_on:
            self._thread.join(LOOK)
            going_on = self.running
            with self.calls.lock:
                self.look()

    def _say(self, text: str, kind: str = "note") -> None:
        lines = "<br>".join(html.escape(line) for line in text.splitlines())
        self.line.value = f'<div class="vq-line vq-{kind}" role="status">{lines}</div>'

    @staticmethod
    def _hide(widget: w.Widget, hidden: bool) -> None:
        widget.layout.display = "none" if hidden else ""
