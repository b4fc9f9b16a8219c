"""Prompts that wait for their turn."""

from __future__ import annotations

import ipywidgets as w

from .callbacks import Callbacks
from .controls import labelled

LONGEST = 50  # prompts that may wait


class Queue:
    """A list of prompts; each is painted when the picture before it is finished."""

    def __init__(self, calls: Callbacks) -> None:
        self.calls = calls
        self.prompts: list[str] = []
        self.text = labelled(
            w.Textarea(rows=2, description="next prompts", placeholder="one a line"),
            "prompts to paint one after the other, each as a picture of its own",
        )
        calls.on(self.text, lambda: None)  # the button beside it looks whether there is something
        self._slots = [
            calls.button("", "take this prompt out of the queue", lambda i=i: self.cancel(i))
            for i in range(LONGEST)
        ]
        self.box = w.HBox()
        for css in ("vq-chips", "vq-long"):
            self.box.add_class(css)

    def add(self) -> None:
        """Let the prompts of the text wait; ValueError if there are none, or too many."""
        lines = [line.strip() for line in self.text.value.splitlines() if line.strip()]
        if not lines:
            raise ValueError("Type the next prompts first, one a line.")
        if len(self.prompts) + len(lines) > LONGEST:
            raise ValueError(f"The queue takes {LONGEST} prompts.")
        self.prompts += lines
        with self.calls.quietly():
            self.text.value = ""
        self._show()

    def cancel(self, i: int) -> None:
        del self.prompts[i]
        self._show()

    def next(self) -> str | None:
        """The prompt whose turn it is; None if none waits."""
        prompt = self.prompts.pop(0) if self.prompts else None
        self._show()
        return prompt

    def _show(self) -> None:
        slots = self._slots[: len(self.prompts)]
        for slot, prompt in zip(slots, self.prompts, strict=True):
            slot.description = f"✕ {prompt[:60]}"
        self.box.children = slots
