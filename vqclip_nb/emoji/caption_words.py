"""The words of the captions that the pair learned: styles, background colours, articles."""

from __future__ import annotations

from .. import palettes

STYLE_WORDS = {  # style: what a caption begins with
    "noto": ("a cartoon of", "a drawing of"),
    "3d": ("a 3d render of", "a 3d model of"),
    "flat": ("a flat icon of", "clip art of"),
    "line": ("a line drawing of", "a black and white drawing of"),
    "sticker": ("a sticker of", "an emoji of"),
    "simple": ("a simple picture of", "a simple drawing of"),
    "colourful": ("an illustration of", "a colourful picture of"),
    "comic": ("a comic of", "a comic drawing of"),
    "silhouette": ("a silhouette of", "a shadow of"),
}
MEDIA_WORDS = {  # medium of `media.MEDIA`: how a prompt asks for it
    "oil painting": ("an oil painting of",),
    "watercolour": ("a watercolour of",),
    "pencil drawing": ("a pencil drawing of",),
    "pixel art": ("pixel art of",),
    "stained glass": ("stained glass of",),
    "neon": ("a neon sign of",),
    "low poly": ("low poly art of",),
    "black and white": ("a black and white photo of",),
    "crayon drawing": ("a crayon drawing of",),
    "linocut": ("a linocut of",),
    "paper cut-out": ("a paper cut-out of",),
}
_BACKGROUNDS = (
    "white, black, gray, red, orange, yellow, green, blue, purple, pink, brown, turquoise, "
    "light blue, dark blue, light green, dark green, light gray, beige"
)
COLOURS = {name: palettes.COLOURS[name] for name in _BACKGROUNDS.split(", ")}  # of backgrounds


def article(noun: str) -> str:
    """`noun` with a or an, or bare where it is a plural."""
    last = noun.split(" with ")[0].split(" in ")[0]
    if last.endswith("s") and not last.endswith(("ss", "us", "is")):
        return noun
    vowel = noun[0].lower() in "aeiou" and not noun.startswith(("uni", "one"))
    return ("an " if vowel else "a ") + noun
