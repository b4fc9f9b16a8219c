"""Attributes with a strength, as in "red: 0.5": a colour, a size or a style that a prompt takes on.

In CLIP's space one is the way from the prompt to the prompt that says it in words, gone as far as
its strength; a drawing of the library that is begun with takes it on by as much.
"""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from .knobs import shown
from .palettes import COLOURS

ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "colour": tuple(COLOURS),
    "size": ("big", "small"),
    "style": (
        "a cartoon", "a 3d render", "a flat icon", "a line drawing", "a sticker",
        "a simple picture", "an illustration", "a comic", "a silhouette",
        "a photo", "an oil painting", "a watercolour", "a pencil sketch",
    ),
}  # fmt: skip
# Words for a style that may begin a prompt: what is taken on is said behind them.
STYLE_WORDS = "|".join(
    [word.partition(" ")[2] for word in ATTRIBUTES["style"]]
    + ["drawing", "painting", "picture", "3d model", "clip art", "emoji", "portrait"]
)
SAID = re.compile(
    rf"((?:an? )?(?:{STYLE_WORDS}) of )?(?:(an?|the|two|three|several)\s+)?(.*)",
    re.IGNORECASE | re.DOTALL,
)


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
        found = SAID.fullmatch(text)
        assert found
        style, article, thing = found.groups("")
        if article.lower() in ("a", "an"):
            article = "an" if self.word[0] in "aeiou" else "a"
        return f"{style}{article} {self.word} {thing}".replace("  ", " ").strip()


def parse_attribute(text: str) -> Attribute:
    """'red: 0.5' to word and strength, 1 where none is given; ValueError says what is allowed."""
    said, colon, number = text.partition(":")
    bare = re.sub(r"^(an?|the) ", "", " ".join(said.lower().split()))
    known = {re.sub(r"^an? ", "", word): word for row in ATTRIBUTES.values() for word in row}
    if bare not in known:
        near = difflib.get_close_matches(bare, known, 3)
        kinds = "; ".join(
            f"a {kind} ({', '.join(row[:9])}{', …' * (len(row) > 9)})"
            for kind, row in ATTRIBUTES.items()
        )
        meant = f": did you mean {' or '.join(near)}?" if near else "."
        raise ValueError(f"attributes: {shown(said)} is not known{meant} Give {kinds}")
    try:
        strength = float(number) if colon else 1.0
    except ValueError:
        strength = float("nan")
    if not -1 <= strength <= 1:
        raise ValueError(
            f"attributes: the strength in {shown(text)} is not a number from -1 to 1: "
            f"give it as '{bare}: 0.5'"
        )
    return Attribute(known[bare], strength)


def parse_attributes(texts: Sequence[str]) -> list[Attribute]:
    """Each parsed; ValueError for two of one kind, which a drawing cannot both take on."""
    found = [parse_attribute(text) for text in texts]
    for kind in ATTRIBUTES:
        if len(own := [str(a) for a in found if a.kind == kind]) > 1:
            raise ValueError(f"attributes: {', '.join(own)} are of one kind: give one {kind}")
    return found
