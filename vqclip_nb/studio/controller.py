"""What the buttons beside the picture do: runs from the first step to the last, and drafts."""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import ipywidgets as w
from PIL import Image

from ..run import Run
from .autosave import OFFERED, Autosave, going_on
from .controls import PROMPTS, Controls
from .exporter import Exporter, Gallery
from .preview import Preview
from .tries import Drafts, History, Queue, Try, draft_settings
from .widgets import Offer, Offers, set_shown

ELSEWHERE = "This run is going on in another Studio."


class Controller:
    def __init__(
        self, controls: Controls, autosave: Autosave, gallery: Gallery, exporter: Exporter
    ) -> None:
        self.controls, self.ticker = controls, controls.ticker
        self.autosave, self.gallery, self.exporter = autosave, gallery, exporter
        calls, self.messages = controls.calls, controls.calls.messages
        self.say = partial(self.messages.say, "now")
        self.preview, self.queue = Preview(controls), Queue(calls)
        self.history = History(calls, self.reopen)
        self.drafts = Drafts(calls, self.pick, self.leave_drafts)
        self.unfinished = Offers(calls, OFFERED, css="vq-chips").add_class("vq-long")

    @property
    def run(self) -> Run | None:
        return self.controls.run

    # -- a run

    def start(self) -> None:
        """A new picture with the controls as they are."""
        self.adopt(Run(self.controls.pair, self.controls.settings))
        self.paint()

    def adopt(self, run: Run, saved: Path | None = None) -> None:
        """Make `run` the one that is shown and steered; `saved`: what it was read from."""
        self.leave_drafts()
        self.ticker.end()
        self.autosave.begin(run, saved)
        self.controls.begin(run)
        self.exporter.clear()
        self.preview.begin()
        self.history.add(run)
        self.say("")

    def paint(self) -> None:
        """Go on with the run."""
        self.ticker.begin(self._painting())

    def _painting(self) -> Iterator[None]:
        while not self.run.done:
            self._step()
            self.preview.show(force=self.run.done)
            self.autosave.stepped(self.run)
            if self.autosave.asked and not self.run.done:
                self.pause()
                self.say("Paused: the page was opened again, and goes on with this picture there.")
            yield
        self.finish()

    def _step(self, **steering: float) -> None:
        """One step with the controls as they are, unless somebody else goes on with the run."""
        if not self.autosave.hold():
            raise ValueError(f"{ELSEWHERE} “Continue from here” begins a try of its own.")
        self.controls.steer(**steering)
        self.run.step()

    def end(self) -> None:
        """End what is going on; the run can go on later, here or in another Studio."""
        self.ticker.end()
        self.autosave.rest(self.run)

    def finish(self) -> None:
        """Keep the finished run's pictures, and turn to the next prompt of the queue."""
        self.autosave.save(self.run)
        self.gallery.add_all(self.run)
        self.history.show()
        self.say("Done. Look back, export, or change something and press Run.")
        self.next()

    def next(self) -> None:
        """Begin with the prompt whose turn it is; one that cannot be painted is passed over."""
        while prompt := self.queue.take():
            self.controls.put(include=[prompt])
            try:
                return self.start()
            except (ValueError, OSError) as e:
                self.messages.say("problem", f"“{prompt}” was passed over: {e}", "error")

    def enqueue(self) -> None:
        """Let the typed prompts wait for their turn; with nothing going on it comes at once."""
        self.queue.add()
        if self.ticker.job is None and (self.run is None or self.run.done):
            self.next()

    def pause(self) -> None:
        """Stop for now, or go on."""
        if self.ticker.playing:
            self.ticker.play(False)
            if not self.drafts.shown:
                self.preview.show(force=True)
            self.autosave.rest(self.run)
        elif self.ticker.job is not None:
            self.ticker.play(True)
        elif self.run is not None and not self.run.done:
            self.leave_drafts()
            self.paint()

    def stop(self) -> None:
        """End what is going on; what is made so far stays."""
        self.end()
        if self.drafts.shown:
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
        self._step(wait=0)
        self.preview.show(force=True)
        if self.run.done:
            self.finish()
        else:
            self.autosave.rest(self.run)

    # -- other ways to a run

    def branch(self) -> None:
        """A second try from the frame that is looked at, with the live controls as they are."""
        wanted, now = self.controls.settings, self.run.settings
        live = {name: value for name, value in vars(wanted).items() if now.live(name)}
        if all(getattr(wanted, name) == getattr(now, name) for name in PROMPTS):
            del live["loosen"]  # nothing to make room for
        frame = self.preview.frame if self.preview.frame.state else self.run.frames[-1]
        steps = self.run.steps_before(frame) + 1
        self.adopt(self.run.branch(frame, **live))
        self.paint()
        self.say(f"A new try from step {steps}; the first one is kept below.")

    def reopen(self, item: Try) -> None:
        """Show an earlier try again, with its settings."""
        self.controls.put(**vars(item.run.settings))
        self.adopt(item.run)
        todo = "is finished." if item.run.done else "can go on: press Continue."
        self.say(f"{item.name.value} {todo}")

    def offer_unfinished(self) -> None:
        """Offer the runs that were cut off and are there now."""
        found, how = self.autosave.others(self.controls.pair), "it was not finished"
        self.unfinished.offer([Offer(t, how, partial(self.resume, p)) for p, t in found.items()])

    def resume(self, saved: Path, *, paint: bool = True) -> None:
        """Go on with a run that was cut off; without `paint` only as far as showing it."""
        try:
            if going_on(saved):
                raise ValueError(ELSEWHERE)
            run = Run.resume(saved, self.controls.pair)
            self.controls.put(**vars(run.settings))
            self.adopt(run, saved)
            if paint:
                self.paint()
        finally:
            self.offer_unfinished()

    # -- what stands in the picture's place

    def draft(self, like: Image.Image | None = None) -> None:
        """Six cheap pictures to choose from; `like`: what they start from."""
        pair = self.controls.pair
        # Before anything is put away.
        settings = draft_settings(pair, self.controls.settings, like)
        self.autosave.rest(self.run)
        set_shown(self.preview.picture, False)
        self.ticker.begin(self.drafts.paint(pair, settings, self.preview.progress))
        self.say("")

    def leave_drafts(self) -> None:
        """The picture in place of the drafts."""
        if self.drafts.shown:
            self.drafts.hide()
            self.ticker.end()
            self.preview.show(force=True)
        set_shown(self.preview.picture)

    def pick(self, draft: Run) -> None:
        """Paint a draft in full: from its last picture on, with the steps and views of now."""
        names = ("seed", "start", "drawing", "init_image", "start_strength")
        self.controls.put(**{name: getattr(draft.first, name) for name in names})
        full = self.controls.settings
        names = ("include", "total_iter", "crops", "finish")
        changes = {name: getattr(full, name) for name in names}
        self.adopt(draft.branch(draft.frames[-1], **changes))
        self.paint()

    def look_back(self) -> None:
        """Pause, and show the step that is asked for."""
        if self.run is not None and not self.preview.back.wrong():
            self.ticker.play(False)
            self.autosave.rest(self.run)
            self.leave_drafts()
            self.preview.look_back()


def enable(buttons: Mapping[str, w.Button], c: Controller) -> None:
    """Enable those buttons that can be used now, and only those."""
    run, ticker, preview = c.run, c.ticker, c.preview
    wrong = not c.controls.usable
    done = run is not None and run.done
    more = ticker.job is not None or (run is not None and not done)
    nothing = run is None or run.last is None
    buttons["Pause"].description = "Continue" if more and not ticker.playing else "Pause"
    for name, useless in {
        "Run": wrong,
        "Pause": not more,
        "Step": wrong or done,
        "Stop": ticker.job is None,
        "Run again": wrong or not c.controls.restart,
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
