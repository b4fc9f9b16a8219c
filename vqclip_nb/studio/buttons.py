"""The buttons of the Studio, and when each can be used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets as w

if TYPE_CHECKING:
    from .studio import Studio


class Buttons(dict[str, w.Button]):
    """Buttons by name; only Run is coloured."""

    def __init__(self, studio: Studio) -> None:
        self.studio, painter, button = studio, studio.painter, studio.calls.button
        super().__init__(
            {
                "Run": button("Run", "start a picture with these controls", studio.start),
                "Pause": button("Pause", "stop for now; press again to continue", painter.pause),
                "Step": button("Step", "one optimisation step", painter.step),
                "Stop": button("Stop", "end this try", painter.stop),
                "Drafts": button("Drafts", "six quick pictures to choose from", painter.draft),
                "More like this": button(
                    "More like this",
                    "six others that start from this picture",
                    lambda: painter.draft(like=True),
                ),
                "Continue from here": button(
                    "Continue from here",
                    "a new try from this picture with the controls as they are",
                    painter.branch,
                ),
                "Loosen now": button(
                    "Loosen now",
                    "let the prompt undo what is painted, as far as the number says",
                    studio.steering.loosen,
                ),
                "Dice": button("Dice", "another seed", studio.roll),
                "Add to the queue": button(
                    "Add to the queue", "paint these after this picture", studio.enqueue
                ),
                "Export": button("Export", "write the file", studio.export),
            }
        )
        self["Run"].button_style = "primary"
        self["Run"].add_class("vq-run")

    def enable(self) -> None:
        """Those that can be used now, and only those."""
        run, player = self.studio.run, self.studio.player
        wrong = "controls" in self.studio.messages.lines
        more = player.job is not None or (run is not None and not run.done)
        nothing = run is None or run.image is None
        self["Pause"].description = "Continue" if more and not player.playing else "Pause"
        for name, useless in {
            "Run": wrong,
            "Pause": not more,
            "Step": wrong or (run is not None and run.done),
            "Stop": player.job is None,
            "Drafts": wrong,
            "More like this": nothing or wrong,
            "Continue from here": nothing or not run.frames or wrong,
            "Loosen now": run is None or run.done,
            "Add to the queue": not self.studio.queue.text.value.strip(),
            "Export": nothing or bool(self.studio.exporter.wrong()),
        }.items():
            self[name].disabled = useless
        self.studio.stage.full.disabled = nothing
