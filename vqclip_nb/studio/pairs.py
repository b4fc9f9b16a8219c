"""Which pair paints, and one that is downloaded while another one paints."""

import threading
import time
from collections.abc import Callable

import ipywidgets as w

from ..loading import available_pairs, download_pair, download_progress, is_here, load_pair
from ..models.pair import Pair
from .callbacks import Clock
from .controls import Controls
from .widgets import duration, labelled, set_shown

LOOK = 0.5  # seconds between two looks at a download


class Pairs:
    """Which pair paints the next picture; one is fetched on a thread while another one paints.

    start: called when the person wants to paint with what has arrived. control: the choice. box: a
    line that says how far the download is, then a button, hidden as long as there is none.
    """

    def __init__(self, controls: Controls, start: Callable[[], None]) -> None:
        self.controls, self.start = controls, start
        self.first = controls.pair  # of files, maybe, which no name finds again
        calls, self.messages = controls.calls, controls.calls.messages
        published = () if self.messages.public else available_pairs()
        names = list(dict.fromkeys([self.first.name, *published]))
        help = "the networks: emoji ships with the package, others are downloaded"
        self.control = labelled(w.Dropdown, "pair", help, options=names)
        load = "Press Run to load this pair and paint with it."
        calls.on(self.control, lambda: self.messages.say("now", load))
        self.line, self.button = self.messages.at["download"], calls.button("", "", self._press)
        self.clock = Clock(calls, self.look, LOOK)
        self.box = w.VBox([self.line, self.button, self.clock.box])
        set_shown(self.box, False)
        self._wanted, self._thread = "", threading.Thread()
        self._error: Exception | None = None
        self._began = (0.0, 0)  # when, and with how many bytes

    def choose(self, name: str | None) -> bool:
        """Set the control, without loading; whether there is such a pair."""
        known = name in self.control.options
        with self.controls.calls.quietly():
            self.control.value = name if known else self.controls.pair.name
        return known

    def load(self) -> Pair:
        """The chosen pair; while that has to be downloaded, which this begins, the one of now."""
        name, now = self.control.value, self.controls.pair
        here = {self.first.name: self.first, now.name: now}
        if name in here:
            return here[name]
        if not is_here(name):
            if not (self.downloading and name == self._wanted):
                self.download(name)
            self.choose(now.name)
            return now
        self.messages.say("now", f"Loading {name} …")
        try:
            return load_pair(name)
        finally:
            self.messages.clear("now")

    @property
    def downloading(self) -> bool:
        return self._thread.is_alive()

    def download(self, name: str) -> None:
        """Begin to fetch the published pair of that name."""
        self._wanted, self._error = name, None
        self._began = (time.monotonic(), download_progress(name)[0])
        self._thread = threading.Thread(target=self._fetch, args=[name], daemon=True)
        self._thread.start()
        set_shown(self.box)
        self.look()
        self.clock.turn(True)

    def look(self) -> None:
        """Say how far the download is."""
        name, over, kind = self._wanted, not self.downloading, "note"
        set_shown(self.button, over)
        if over:
            self.clock.turn(False)
            text, button = f"{name} is here.", f"Paint with {name}"
            if self._error:
                text, kind = f"{self._error}\nThe pair that is here goes on painting.", "error"
                button = "Try again"
            self.button.description = button
        else:
            text = f"{self._progress()}. The pair that is here paints meanwhile."
        self.messages.say("download", text, kind)

    def _progress(self) -> str:
        done, whole = download_progress(self._wanted)
        when, first = self._began
        speed = (done - first) / max(time.monotonic() - when, 1e-3)
        text = f"{self._wanted}: {done / whole:.0%} of {whole / 1e6:,.0f} MB"
        if done == whole:
            return f"{text}, being checked"
        if speed <= 0:
            return text
        left = duration((whole - done) / speed)
        return f"{text}, {speed / 1e6:.2g} MB a second, {left} left"

    def _press(self) -> None:
        if self._error:
            return self.download(self._wanted)
        set_shown(self.box, False)
        self.choose(self._wanted)
        self.start()

    def _fetch(self, name: str) -> None:
        try:
            download_pair(name)
        except Exception as e:  # shown by `look`
            if name == self._wanted:
                self._error = e
