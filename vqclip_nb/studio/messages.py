"""The one place where the Studio speaks."""

from __future__ import annotations

import html
import re

import ipywidgets as w

from ..settings import KNOBS, label

KINDS = ("error", "warning", "note")
_NAMES = re.compile(rf"\b({'|'.join(n for n in KNOBS if label(n) != n and n != 'start')})\b")


def for_people(text: str) -> str:
    """An error's first line with the labels of settings in place of their names in code."""
    line = text.strip().partition("\n")[0].rstrip(":")
    return _NAMES.sub(lambda found: label(found[0]), line)


class Messages:
    """One line for each topic, errors first; a topic's new line takes the place of its old one, so
    that a warning never hides an error."""

    def __init__(self) -> None:
        self.lines: dict[str, tuple[str, str]] = {}  # topic: kind, text
        self.box = w.HTML()
        self.box.add_class("vq-messages")

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

    def __contains__(self, text: str) -> bool:
        """Whether `text` can be read now."""
        return any(text in said for _, said in self.lines.values())

    def _show(self) -> None:
        lines = sorted(self.lines.values(), key=lambda line: KINDS.index(line[0]))
        roles = {"error": "alert"}
        self.box.value = "".join(
            f'<div class="vq-line vq-{kind}" role="{roles.get(kind, "status")}">'
            f"{html.escape(text)}</div>"
            for kind, text in lines
        )
