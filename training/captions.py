"""What a caption says of a scene, and the same with one fact turned false."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from vqclip_nb.emoji.caption_words import COLOURS, article

from .sets import STYLES, TRAINED, Style


@dataclass
class CaptionSpec:
    """What a caption says of a scene; what is empty is left out."""

    noun: str
    bare: bool = False  # no article
    look: str = ""  # a colour, "big" or "small"
    style: str = ""
    link: str = ""
    other: str = ""
    colour: str = ""
    backdrop: str = "background"

    def caption(self) -> str:
        thing = f"{self.look} {self.noun}".strip()
        words = [self.style, thing if self.bare and not self.look else article(thing)]
        if self.other:
            words += [self.link, article(self.other)]
        if self.colour:
            words += ["on", article(self.colour), self.backdrop]
        return " ".join(word for word in words if word)


def false_style(spec: CaptionSpec, style: Style, rng: np.random.Generator) -> CaptionSpec:
    """`spec` with the words of another style than the picture's."""
    words = [w for s in TRAINED if STYLES[s] is not style for w in STYLES[s].words]
    return replace(spec, style=str(rng.choice(words)))


def false_fact(spec: CaptionSpec, absent: str, rng: np.random.Generator) -> CaptionSpec:
    """`spec` with one thing, look, place or colour that is not in the picture; `absent` is a noun
    of no thing in it."""
    said = (spec.look, *spec.colour.split(" and "))
    colour = str(rng.choice([c for c in COLOURS if c not in said]))
    ways = [dict(noun=absent)]
    if spec.other:
        ways.append(dict(other=absent))
    if spec.link in ("above", "below", "in", "on") and spec.noun != spec.other:
        ways.append(dict(noun=spec.other, other=spec.noun, look=""))
    if spec.look in COLOURS:
        ways.append(dict(look=colour))
    if spec.colour:
        ways.append(dict(colour=colour))
    return replace(spec, **ways[rng.integers(len(ways))])
