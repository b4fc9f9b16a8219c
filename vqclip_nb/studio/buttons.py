"""The buttons of the Studio, and when each can be used."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets as w

from .callbacks import Callbacks
from .controller import Controller
from .exporter import Exporter

HELP = {
    "Run": "start a picture with these controls",
    "Pause": "stop for now; press again to continue",
    "Step": "one optimisation step",
    "Stop": "end this try",
    "Drafts": "six quick pictures to choose from",
    "More like this": "six others that start from this picture",
    "Continue from here": "a new try from this picture with the controls as they are",
    "Loosen now": "let the prompt undo what is painted, as far as the number says",
    "Dice": "another seed",
    "Add to the queue": "paint these after this picture",
    "Export": "write the file",
}


class Buttons(dict[str, w.Button]):
    """Buttons by name; only Run is coloured. own: what those do that the controller does not."""

    def __init__(
        self,
        calls: Callbacks,
        controller: Controller,
        exporter: Exporter,
        own: dict[str, Callable[[], None]],
    ) -> None:
        self.controller, self.exporter = controller, exporter
        acts = own | {
            "Pause": controller.pause,
            "Step": controller.step,
            "Stop": controller.stop,
            "Drafts": controller.draft,
            "More like this": lambda: controller.draft(like=True),
            "Continue from here": controller.branch,
            "Loosen now": controller.steering.loosen,
        }
        super().__init__(
            {name: calls.button(name, text, acts[name]) for name, text in HELP.items()}
        )
        self["Run"].button_style = "primary"
        self["Run"].add_class("vq-run")

    def enable(self) -> None:
        """Enable those that can be used now, and only those."""
        run, ticker = self.controller.run, self.controller.ticker
        wrong = "controls" in self.controller.messages.lines
        more = ticker.job is not None or (run is not None and not run.done)
        nothing = run is None or run.last is None
        self["Pause"].description = "Continue" if more and not ticker.playing else "Pause"
        for name, useless in {
            "Run": wrong,
            "Pause": not more,
            "Step": wrong or (run is not None and run.done),
            "Stop": ticker.job is None,
            "Drafts": wrong,
            "More like this": nothing or wrong,
            "Continue from here": nothing or not run.frames or wrong,
            "Loosen now": run is None or run.done,
            "Add to the queue": not self.controller.queue.text.value.strip(),
            "Export": nothing or bool(self.exporter.wrong()),
        }.items():
            self[name].disabled = useless
        self.controller.preview.full.disabled = nothing
