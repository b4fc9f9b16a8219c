"""What the Studio says, and how clicks and keys reach its code: one at a time, errors shown; and
work in short pieces, so that they are heard in between."""

import contextlib
import html
import logging
import os
import re
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator

import ipywidgets as w

from ..files import errno_of
from ..settings import KNOBS, label
from ..weights import WeightsError
from .widgets import row, script, tip, uploaded

log = logging.getLogger(__name__)
KINDS = ("error", "warning", "note")
_NAMES = re.compile(rf"\b({'|'.join(n for n in KNOBS if label(n) != n and n != 'start')})\b")
TICK = 0.05  # seconds of work between two looks at the controls
REST = 0.002  # seconds in which another thread can have the lock


def for_people(text: str) -> str:
    """An error's first line with the labels of settings in place of their names in code."""
    line = text.strip().partition("\n")[0].rstrip(":")
    return _NAMES.sub(lambda found: label(found[0]), line)


class Messages:
    """One line for each topic, errors first; a topic's new line takes the place of its old one, so
    that a warning never hides an error. The topics of PLACES stand where they are caused, all
    others in `box`. public: strangers read it."""

    PLACES = ("now", "back", "export", "download")

    def __init__(self, *, public: bool = False) -> None:
        self.public = public
        self.lines: dict[str, tuple[str, str]] = {}  # topic: kind, text
        self.box = w.HTML().add_class("vq-messages")
        self.at = {topic: w.HTML().add_class("vq-messages") for topic in self.PLACES}

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

    def _show(self) -> None:
        shown = dict.fromkeys((self.box, *self.at.values()), "")
        lines = sorted(self.lines.items(), key=lambda line: KINDS.index(line[1][0]))
        for topic, (kind, text) in lines:
            role = "alert" if kind == "error" else "status"
            text = html.escape(text).replace("\n", "<br>")
            line = f'<div class="vq-line vq-{kind}" role="{role}">{text}</div>'
            shown[self.at.get(topic, self.box)] += line
        for box, said in shown.items():
            box.value = said


class Callbacks:
    """Runs callbacks under one lock, for they may come on any thread; shows what goes wrong.

    failed: called when one raised. after: called when one is done, well or not.
    """

    def __init__(self, *, public: bool = False) -> None:
        self.messages = Messages(public=public)
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
        """Warnings inside are said in the Studio, unless they name the unknown words again."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            try:
                yield
            finally:
                _, words = self.messages.lines.get("words", ("", ""))
                for text in (str(warning.message) for warning in caught):
                    if text.partition(": ")[2] != words:
                        self.messages.say("warning", for_people(text), "warning")

    def guard(self, call: Callable[[], None]) -> None:
        """Run a callback; whatever goes wrong is shown, never lost."""
        with self.lock:
            with self.listening():
                try:
                    call()
                except Exception as e:
                    self.fail(e)
            self.after()

    def fail(self, error: Exception) -> None:
        """Stop what is going on, and say why."""
        log.info("in the Studio", exc_info=error)
        self.failed()
        advice = "" if isinstance(error, ValueError) else ". Change it and press Continue or Run."
        text = for_people(self.messages.words(error)) or "something went wrong"
        self.messages.say("problem", text.rstrip(".") + advice, "error")

    def watch(self, control: w.Widget, call: Callable[[], None]) -> None:
        """Call whenever the value of `control` changes."""
        control.observe(lambda _: self.guard(call), "value")

    def on(self, control: w.Widget, call: Callable[[], None]) -> None:
        """Call when a person moves `control`; what we set ourselves is not heard."""
        # Asked under the lock: another thread's quiet is not this one's.
        self.watch(control, lambda: None if self._quiet else call())

    def act(self, call: Callable[[], None]) -> None:
        """A click: what was said about the last one is taken back."""
        with self.lock:
            self.messages.clear("problem", "warning", "now")
            self.guard(call)

    def button(self, name: str, help: str, call: Callable[[], None]) -> w.Button:
        button = w.Button(description=name).add_class("vq-button")
        tip(button, help)
        button.on_click(lambda _: self.act(call))
        return button

    def upload(
        self, name: str, help: str, accept: str, css: str, call: Callable[[str, bytes], None]
    ) -> w.FileUpload:
        """A button for a file; `call` takes the file's name and content."""
        upload = w.FileUpload(accept=accept, description=name).add_class("vq-button")
        upload.add_class("vq-upload").add_class(css)
        tip(upload, help)
        # The front-end empties it too.
        self.on(upload, lambda: call(*uploaded(upload.value)) if upload.value else None)
        return upload


def in_a_kernel() -> bool:
    """Whether this is a notebook's kernel, with a page that can show what a thread paints."""
    ipython = sys.modules.get("IPython")
    return getattr(ipython and ipython.get_ipython(), "kernel", None) is not None


def running_cell() -> tuple[str, str]:
    """The ids of the notebook's cell that is running, and of this run of it; empty where the page
    does not tell."""
    ipython = sys.modules.get("IPython")
    asked = getattr(ipython and ipython.get_ipython(), "parent_header", None) or {}
    return asked.get("metadata", {}).get("cellId", ""), asked.get("header", {}).get("msg_id", "")


def in_colab() -> bool:
    """Whether Colab shows the page."""
    return "google.colab" in sys.modules


class Clock:
    """Calls `tick` again and again while it is on.

    In a notebook a thread does, every `rest` seconds: also while the page is reloaded or another
    cell runs. Colab's page does not show what a thread changes (googlecolab/colabtools#3373): there
    a timer of the page does, which is in `box`. Without a page nobody does.

    Version 8 of ipywidgets starts a Play when its `playing` is set. Version 7 starts one only by
    its own button: there a script presses it, as soon as the page shows it.
    """

    def __init__(self, calls: Callbacks, tick: Callable[[], None], rest: float) -> None:
        self.calls, self.tick, self.rest, self.on = calls, tick, rest, False
        self._thread: threading.Thread | None = None
        self.timer = w.Play(min=0, max=2**31 - 1, interval=100) if in_colab() else None
        self._press = w.HTML()
        self.box = row(*filter(None, (self.timer, self._press)), css="vq-timer")
        if self.timer:
            calls.on(self.timer, tick)

    def turn(self, on: bool) -> None:
        """Start or stop; to stop a timer that is stopped makes sure of it."""
        self.on = on
        if self.timer is None:
            if on and self._thread is None and in_a_kernel():
                self._thread = threading.Thread(target=self._work, daemon=True)
                self._thread.start()
        elif self.timer.has_trait("playing"):
            self.timer.playing = on
        else:
            self._press.value = script("timer") if on else ""
            if not on:
                self.timer._playing = False
                self.timer.send_state("_playing")  # here it may be false already, there it is not

    def _work(self) -> None:
        while True:
            with self.calls.lock:
                if not self.on:
                    self._thread = None
                    return
                self.calls.guard(self.tick)
            time.sleep(self.rest)


class Ticker:
    """What is being done (`job`), one step at a time, always under the lock.

    A clock asks for the steps. `to_the_end` takes the same steps in one blocking call. Without a
    page whoever shows the Studio calls `tick`.
    """

    def __init__(self, calls: Callbacks) -> None:
        self.calls, self.clock = calls, Clock(calls, self.tick, REST)
        self.job: Iterator[None] | None = None
        self.playing = self._blocking = False

    def play(self, on: bool) -> None:
        self.playing = on
        self.clock.turn(on and not self._blocking)

    def begin(self, job: Iterator[None]) -> None:
        self.job = job
        self.play(True)

    def end(self) -> None:
        self.job = None
        self.play(False)

    def tick(self) -> None:
        """Work for `TICK` seconds, one step at least."""
        if not self.playing:  # a tick that was on its way when it was stopped
            self.clock.turn(False)
        until = time.perf_counter() + TICK
        while self.playing and self.job is not None:
            job = self.job
            if next(job, "done") == "done" and self.job is job:  # it may have begun another
                self.end()
            if time.perf_counter() > until:
                break

    def to_the_end(self, begin: Callable[[], None]) -> None:
        """Begin a job and take its steps in this call, on no other thread, until it is done or
        paused; errors are raised."""
        self._blocking = True
        try:
            with self.calls.lock, self.calls.listening():
                begin()
            while self.playing:
                with self.calls.lock, self.calls.listening():
                    self.tick()
                time.sleep(REST)  # lets a callback on another thread have the lock
        finally:
            self._blocking = False
