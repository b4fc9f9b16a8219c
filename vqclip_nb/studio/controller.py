"""What the buttons beside the picture do: runs from the first step to the last, and drafts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping

import ipywidgets as w

from ..run import Run
from .autosave import Autosave, Saved, going_on
from .callbacks import Ticker
from .controls import PROMPTS, Controls, Steering
from .exporter import Exporter
from .preview import Preview
from .tries import Drafts, History, HistoryItem, Queue, draft_settings
from .widgets import set_shown


class Controller:
    """The run that is shown and steered, and how it gets from one state to the next.

    suggest: called with words that the pair does not know.
    """

    def __init__(
        self,
        controls: Controls,
        autosave: Autosave,
        exporter: Exporter,
        suggest: Callable[[list[str]], None],
    ) -> None:
        self.controls, self.autosave, self.exporter = controls, autosave, exporter
        calls, self.messages = controls.calls, controls.calls.messages
        self.ticker, self.preview, self.queue = Ticker(calls), Preview(calls), Queue(calls)
        self.steering = Steering(controls, self.ticker, suggest)
        self.history = History(calls, self.reopen)
        self.drafts = Drafts(calls, self.pick, self.leave_drafts)
        self.run: Run | None = None

    def say(self, text: str) -> None:
        self.messages.say("now", text)

    # -- a run

    def start(self) -> None:
        """A new picture with the controls as they are."""
        self.adopt(Run(self.controls.pair, self.controls.settings))
        self.paint()

    def adopt(self, run: Run, saved: Saved | None = None) -> None:
        """Make `run` the one that is shown and steered; `saved`: what it was read from."""
        self.leave_drafts()
        self.ticker.end()
        self.autosave.begin(run, saved)
        self.run = self.steering.run = run
        self.steering.touched, self.steering.restart = {}, False
        self.exporter.clear()
        self.preview.adopt(run)
        self.history.add(run)
        self.say("")

    def paint(self) -> None:
        """Go on with the run."""
        self.ticker.begin(self._painting(self.run))

    def _painting(self, run: Run) -> Iterator[None]:
        while not run.done:
            self._hold()
            self.steering.steer()
            run.step()
            self.preview.show(force=run.done)
            self.autosave.stepped(run)
            if self.autosave.asked and not run.done:
                self.pause()
                self.say("Paused: the page was opened again, and goes on with this picture there.")
            yield
        self.finish()

    def _hold(self) -> None:
        """Make sure before a step that nobody else goes on with the run."""
        if not self.autosave.hold():
            text = "This run is going on in another Studio."
            raise ValueError(f"{text} “Continue from here” begins a try of its own.")

    def end(self) -> None:
        """End what is going on; the run can go on later, here or in another Studio."""
        self.ticker.end()
        self.autosave.rest(self.run)

    def finish(self) -> None:
        """Keep the finished run's pictures, and turn to the next prompt of the queue."""
        self.autosave.finished(self.run)
        self.history.show()
        self.say("Done. Look back, export, or change something and press Run.")
        self.next()

    def next(self) -> None:
        """Begin with the prompt whose turn it is; one that cannot be painted is passed over."""
        while prompt := self.queue.next():
            self.steering.put(include=prompt)
            try:
                return self.start()
            except (ValueError, OSError) as e:
                self.messages.say("problem", f"“{prompt}” was passed over: {e}", "error")

    def pause(self) -> None:
        """Stop for now, or go on."""
        if self.ticker.playing:
            self.ticker.play(False)
            if self.run is not None and not self.drafts.shown:
                self.preview.show(force=True)
            self.autosave.rest(self.run)
        elif self.ticker.job is not None:
            self.ticker.play(True)
        elif self.run is not None and not self.run.done:
            self.leave_drafts()
            self.paint()

    def stop(self) -> None:
        """End what is going on; what is made so far stays."""
        drafting = self.drafts.shown
        self.end()
        if drafting:
            return self.say("Stopped. Click a draft to paint it in full.")
        if self.run:
            self.preview.show(force=True)
            self.history.show()
            n = len(self.run.history)
            self.say(f"Stopped after {n} step{'s' * (n != 1)}. Look back, export, or press Run.")

    def step(self) -> None:
        """One optimisation step by hand."""
        self.ticker.end()
        if self.run is None or self.run.done:
            self.adopt(Run(self.controls.pair, self.controls.settings))
        self.leave_drafts()
        self._hold()
        self.steering.steer(wait=0)
        self.run.step()
        self.preview.show(force=True)
        if self.run.done:
            self.finish()
        else:
            self.autosave.rest(self.run)

    # -- other ways to a run

    def branch(self) -> None:
        """A second try from the frame that is looked at, with the live controls as they are."""
        settings = dataclasses.asdict(self.controls.settings)
        now = dataclasses.asdict(self.run.settings)
        live = {n: v for n, v in settings.items() if self.run.settings.live(n)}
        if all(settings[n] == now[n] for n in PROMPTS):
            live.pop("loosen")  # nothing to make room for
        frame = self.preview.frame
        if not frame.state:
            frame = self.run.frames[-1]
        steps = self.run.steps_before(frame) + 1
        self.adopt(self.run.branch(frame, **live))
        self.paint()
        self.say(f"A new try from step {steps}; the first one is kept below.")

    def reopen(self, item: HistoryItem) -> None:
        """Show an earlier try again, with its settings."""
        self.steering.put(**dataclasses.asdict(item.run.settings))
        self.adopt(item.run)
        todo = "is finished." if item.run.done else "can go on: press Continue."
        self.say(f"{item.name.value} {todo}")

    def resume(self, saved: Saved, *, paint: bool = True) -> None:
        """Go on with a run that was cut off; without `paint` only as far as showing it."""
        if going_on(saved.path):
            raise ValueError("This run is going on in another Studio.")
        run = Run.resume(saved.path, self.controls.pair)
        self.steering.put(**dataclasses.asdict(run.settings))
        self.adopt(run, saved)
        if paint:
            self.paint()

    def draft(self, *, like: bool = False) -> None:
        """Six cheap pictures to choose from; `like`: that start from the one that is looked at."""
        pair, image = self.controls.pair, self.preview.frame.image if like else None
        # Before anything is put away.
        settings = draft_settings(pair, self.controls.settings, image)
        self.autosave.rest(self.run)
        set_shown(self.preview.picture, False)
        self.ticker.begin(self.drafts.paint(pair, settings, self.preview.progress))
        self.say("")

    def leave_drafts(self) -> None:
        """The picture in place of the drafts."""
        if self.drafts.shown:
            self.drafts.hide()
            self.ticker.end()
            if self.run:
                self.preview.show(force=True)
        set_shown(self.preview.picture)

    def pick(self, draft: Run) -> None:
        """Paint a draft in full: from its last picture on, with the steps and views of now."""
        names = ("seed", "start", "drawing", "init_image", "start_strength")
        self.controls.set(**{name: getattr(draft.first, name) for name in names})
        full = self.controls.settings
        changes = {name: getattr(full, name) for name in ("include", "total_iter", "crops")}
        self.adopt(draft.branch(draft.frames[-1], **changes))
        self.paint()


HELP = {
    "Run": "start a picture with these controls",
    "Pause": "stop for now; press again to continue",
    "Step": "one optimisation step",
    "Stop": "end this try",
    "Run again": "from the first step, with the controls as they are",
    "Drafts": "six quick pictures to choose from",
    "More like this": "six others that start from this picture",
    "Continue from here": "a new try from this picture with the controls as they are",
    "Loosen now": "let the prompt undo what is painted, as far as the number says",
    "Dice": "another seed",
    "Add to the queue": "paint these after this picture",
    "Export": "write the file",
}


def enable(buttons: Mapping[str, w.Button], c: Controller) -> None:
    """Enable those buttons that can be used now, and only those."""
    run, ticker, preview = c.run, c.ticker, c.preview
    wrong = "controls" in c.messages.lines
    done = run is not None and run.done
    more = ticker.job is not None or (run is not None and not done)
    nothing = run is None or run.last is None
    buttons["Pause"].description = "Continue" if more and not ticker.playing else "Pause"
    for name, useless in {
        "Run": wrong,
        "Pause": not more,
        "Step": wrong or done,
        "Stop": ticker.job is None,
        "Run again": wrong or not c.steering.restart,
        "Drafts": wrong,
        "More like this": nothing or wrong,
        "Continue from here": nothing or not run.frames or wrong,
        "Loosen now": run is None or done,
        "Add to the queue": not c.queue.text.value.strip(),
        "Export": nothing or bool(c.exporter.wrong()),
    }.items():
        buttons[name].disabled = useless
    later = ("Pause", "Step", "Stop", "More like this", "Continue from here")
    for widget in (*map(buttons.get, later), preview.back, preview.full):
        widget.layout.visibility = "hidden" if run is None else "visible"
    set_shown(buttons["Run again"], not buttons["Run again"].disabled)
    preview.full.disabled = nothing
