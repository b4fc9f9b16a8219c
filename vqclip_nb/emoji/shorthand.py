"""Prompts without what asks for the picture, their shorthand written out."""

from __future__ import annotations

import re

from ..reading import COLOUR
from .caption_words import RELATIONS, WITHOUT

SMILEY = re.compile(r"(?<![\w:])[:;]-?[()DP](?!\w)|<3\b")  # ":)" and the like
SHORT = (
    (r"(?<!\w)['‘]([^'‘’]*)['’](?!\w)", r"\1"),
    (r"\bw/o\b", "without"),
    (r"\bw/", "with "),
    (r"(?:^|(?<=[,.;!?]))\s*(?:but )?i (?:would like|want|need) (?!to\b)", " "),
    (
        r"\b(?:i )?(?:do not|don['’]?t|never) (?:draw|show|include|add|paint|put|use|want)\b",
        "without",
    ),
    (r"(?<=[^\s\d])\s*/\s*(?=(?:an?|the|one|two|three|four|five|six|\d)\s)", " and "),
    (r"\bblack-and-white\b", "black and white"),
    (r"^\s*(an? |the )?cartoon (?!of\b|style\b|.*\bsticker\b)(?=\w)", r"a cartoon of \1"),
    (rf"\bthe sky is ({COLOUR})\b", r"under a \1 sky"),
    (
        r"\bfor (?:my|our) (?:daughter|son|mum|mom|mother|father|dad|wife|husband|friends?|sister"
        r"|brother|grandma|grandpa|kids?|children|class|boss|girlfriend|boyfriend|teacher|room)\b",
        " ",
    ),
    (r"\.{2,}|…|-*[()<>=→\[\]]+", ", "),
    (r"([,!?])\1+", r"\1 "),
    (r"\b(?:pale|pastel|faint) (?=(?:blue|green|gr[ae]y|pink|yellow|orange|purple)\b)", "light "),
)
_VERBS = "draw|paint|make|create|generate|design|show|give|do"
# What asks for the picture: "can you draw me", "please", at the end too.
REQUEST = re.compile(
    r"^\W*(?:(?:once upon a time(?:,? (?:there|in)(?: (?:was|were|lived))?)?|what (?:can|do) you"
    r"|(?:can|could|would|will) (?:you|u|i)|please|pls|plz|hi|hey|hello"
    r"|i(?: would|['’]d)? (?:want|need|like)(?: to (?:see|have))?"
    rf"|(?:{_VERBS}|have|get)(?: (?:me|us)|(?= (?:an?|the|some|my|our|your|one|two|three|\d)\b)))"
    r"\b[\s,]*)+|[\s,]+(?:please|pls|plz|thanks|thx|thank you)\b(?=\W*(?:$|,))",
    re.IGNORECASE,
)
# "a fox without a red hat", "no people", up to what stands elsewhere in the picture; "not on a
# hill".
NEGATED = (
    rf"\b(?:(?:but|and|with)\s+)?(?:{'|'.join(WITHOUT)})\s+"
    rf"(?:(?!\b(?:{'|'.join(RELATIONS)}|but)\b)[^,;.!?\n])+"
    r"|\bnot (?:on|in|at|under|near|next to|beside|behind|with)\s+"
    rf"(?:(?!\b(?:{'|'.join(RELATIONS)}|but)\b)[^,;:.!?\n])+"
)


def shortened(text: str) -> str:
    """A text without what asks for the picture, its shorthand written out."""
    text = SMILEY.sub(" ", text)
    for short, long in SHORT:
        text = re.sub(short, long, text, flags=re.IGNORECASE)
    text = re.sub(r"\s*,(?:\s*,)+\s*", ", ", text)
    return REQUEST.sub("", text).strip(" ,") or text
