"""Attributes with a strength, as in "red: 0.5": a colour, a size or a style that a prompt takes on.

In CLIP's space one is the way from the prompt to the prompt that says it in words, gone as far as
its strength; a drawing of the library that is begun with takes it on by as much.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from .knobs import shown
from .models.scene import COLOURS, Scene

ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "colour": tuple(COLOURS),
    "size": ("big", "small"),
    "style": (
        "a cartoon", "a 3d render", "a flat icon", "a line drawing", "a sticker", "a photo",
        "an oil painting", "a watercolour", "a pencil sketch",
    ),
}  # fmt: skip
STYLED = 0.5  # strength of a style from which on the drawing that is begun with is of it
ARTICLE = re.compile(r"(?:(?P<article>an?|the)\s+)?(?P<rest>.*)", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class Attribute:
    """word: one of a row of `ATTRIBUTES`. strength: in [-1, 1]; below 0 it is pushed away."""

    word: str
    strength: float = 1.0

    @property
    def kind(self) -> str:
        return next(kind for kind, words in ATTRIBUTES.items() if self.word in words)

    def __str__(self) -> str:
        return f"{self.word}: {self.strength:g}"

    def said_of(self, text: str) -> str:
        """A text with the attribute in words: "a fox" becomes "a red fox", "a sticker of a fox"."""
        if self.kind == "style":
            return f"{self.word} of {text}"
        styled = re.match(rf"(?:an? )?(?:{STYLE_WORDS}) of ", text, re.IGNORECASE)
        before, rest = (styled[0], text[styled.end() :]) if styled else ("", text)
        found = ARTICLE.fullmatch(rest)
        assert found
        article = found["article"] or ""
        if article and article.lower() != "the":
            article = "an" if self.word[0] in "aeiou" else "a"
        return f"{before}{article} {self.word} {found['rest']}".replace("  ", " ").strip()

    def taken_on(self, scene: Scene, styles: Mapping[str, Sequence[str]]) -> Scene:
        """A scene whose first thing has it, as far as its strength; the scene itself below 0.

        styles: words of each style of the drawings, as in {"line": ["a line drawing of"]}.
        """
        if self.strength <= 0:
            return scene
        if self.kind == "style":
            named = [name for name, words in styles.items() if f"{self.word} of" in words]
            return replace(scene, style=named[0]) if named and self.strength >= STYLED else scene
        first, *others = scene.things
        if self.kind == "colour":
            first = replace(first, colour=self.word, tint=self.strength)
        else:
            first = replace(first, size=self.word, scale=self.strength)
        return replace(scene, things=(first, *others))


STYLE_WORDS = "|".join(word.partition(" ")[2] for word in ATTRIBUTES["style"])


def parse_attribute(text: str) -> Attribute:
    """'red: 0.5' to word and strength, 1 where none is given; ValueError says what is allowed."""
    word, colon, number = text.partition(":")
    word = word.strip().lower()
    words = [w for row in ATTRIBUTES.values() for w in row]
    if f"a {word}" in words or f"an {word}" in words:
        word = f"a {word}" if f"a {word}" in words else f"an {word}"
    if word not in words:
        kinds = "; ".join(f"{kind}: {', '.join(row)}" for kind, row in ATTRIBUTES.items())
        raise ValueError(f"attributes: {shown(word)} is not known: choose a {kinds}")
    try:
        strength = float(number) if colon else 1.0
    except ValueError:
        strength = float("nan")
    if not -1 <= strength <= 1:
        raise ValueError(
            f"attributes: the strength in {shown(text)} is none: give a number from -1 to 1, "
            f"as '{word}: 0.5'"
        )
    return Attribute(word, strength)
