"""From texts and pictures to weighted encodings (report, figure 13)."""

from __future__ import annotations

import base64
import difflib
import io
import re
import unicodedata
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

from .pairs import Guide, Pair
from .settings import Settings
from .vqgan import picture_of

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif")
# Words that carry no picture: never reported as unknown.
SMALL_WORDS = frozenset(
    "a an the of in on at to and or with by for from is are it its this that some".split()
)


@dataclass(frozen=True)
class Encodings:
    """What the loss compares with: one (1, d) tensor for each include; extras and exclude only if
    given."""

    include: list[torch.Tensor]
    exclude: torch.Tensor | None
    extras: torch.Tensor | None


def open_picture(path: str | Path, size: tuple[int, int]) -> torch.Tensor:
    """A picture file, or what `as_data` made of one, as (1, 3, height, width) in [0, 1], filled to
    `size` = (height, width) and cropped.

    FileNotFoundError or ValueError if there is no picture in it.
    """
    source: str | Path | io.BytesIO = path
    try:
        if str(path).startswith("data:"):
            source = io.BytesIO(base64.b64decode(str(path).partition("base64,")[2]))
            path = f"{str(path)[:40]}…"
        with Image.open(source) as file:
            picture = ImageOps.exif_transpose(file).convert("RGB")
    except FileNotFoundError:
        raise FileNotFoundError(f"no picture at {str(path)!r}") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as e:
        raise ValueError(f"{str(path)!r} is no picture that can be read: {e}") from e
    picture = ImageOps.fit(picture, (size[1], size[0]), Image.Resampling.LANCZOS)
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 255


def as_data(picture: torch.Tensor, *, exact: bool) -> str:
    """A picture (1, 3, h, w) in [0, 1] as text that `open_picture` takes.

    A PNG, or if not `exact` a JPEG of at most 256 pixels a side, which fits into a film's metadata.
    """
    image = picture_of(picture[0])
    if not exact:
        image.thumbnail((256, 256))
    file, kind = io.BytesIO(), "png" if exact else "jpeg"
    image.save(file, kind, quality=90)
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"


def parse_prompt(prompt: str) -> list[tuple[str, float]]:
    """'a fox:2 | snow' to [('a fox', 2.), ('snow', 1.)]; ValueError if nothing with a weight
    remains."""
    parts = []
    for part in prompt.split("|"):
        text, _, weight = part.rpartition(":")
        try:
            text, number = text.strip(), float(weight)
        except ValueError:
            text, number = part.strip(), 1.0
        if text and np.isfinite(number):
            parts.append((text, number))
    if not parts or sum(w for _, w in parts) == 0:
        raise ValueError(
            f"prompt {prompt!r}: the weights sum to nothing; give texts like "
            "'a fox:2 | snow:1' whose weights do not cancel"
        )
    return parts


def encode_prompt(guide: Guide, prompt: str, *, ending: str = "") -> torch.Tensor:
    """Weighted mean (1, d) of a prompt's texts, each with `ending`, and picture files.

    A text of which the guide never learned a word has no part in it; ValueError if that is all.
    """
    total = 0.0
    parts = _understood(guide, prompt)
    if not parts:
        raise ValueError(f"prompt {prompt!r}: {guide.name} knows none of its words")
    for content, weight in parts:
        if _is_picture(content):
            picture = open_picture(content, (guide.resolution, guide.resolution)).to(guide.device)
            with torch.no_grad():
                encoding = guide.encode_image(picture)
        else:
            encoding = guide.encode_text([spelled(guide, content) + ending])
        total = total + weight * encoding
    return total / sum(abs(w) for _, w in parts)


def create_encodings(pair: Pair, settings: Settings) -> Encodings:
    """Encode a run's include, exclude and extras; see `ending` for what is added to include.

    A warning names the words that the pair never learned. An exclude or extras of nothing else
    counts as empty; an include of nothing else is a ValueError.
    """
    asked = (*settings.include, settings.exclude, settings.extras)
    strange = {w: near for text in asked for w, near in unknown_words(pair, text).items()}
    if strange:
        warnings.warn(f"{pair.name}: {describe_unknown(strange)}", stacklevel=3)

    def optional(text: str) -> torch.Tensor | None:
        return encode_prompt(pair, text) if text and _understood(pair, text) else None

    return Encodings(
        [
            encode_prompt(pair, text, ending=ending(pair, text, settings.extras))
            for text in settings.include
        ],
        optional(settings.exclude),
        optional(settings.extras),
    )


def ending(pair: Pair, *texts: str) -> str:
    """The pair's own last words for a prompt, unless one of `texts` names a background."""
    named = re.search(r"\b(background|backdrop)\b", " ".join(texts), re.IGNORECASE)
    return "" if named or not pair.ground else f" {pair.ground}"


def spelled(guide: Guide, text: str) -> str:
    """`text` with emoji by their Unicode names, for a guide that knows a closed list of words."""
    if guide.words is None:
        return text
    joined = text.replace("\u200d", "").replace("\ufe0f", "")  # what makes several signs one emoji
    words = (f" {unicodedata.name(c)} ".lower() if _is_symbol(c) else c for c in joined)
    return " ".join("".join(words).split())


def unknown_words(pair: Guide, prompt: str) -> dict[str, list[str]]:
    """Words of `prompt` that the pair never learned, each with up to three that look like it; {} if
    it knows all."""
    if pair.words is None or not prompt.strip():
        return {}
    texts = [text for text, _ in parse_prompt(prompt) if not _is_picture(text)]
    strange = [w for w in _words(pair, " ".join(texts)) if not _learned(pair, w)]
    known = sorted(pair.words)
    return {w: difflib.get_close_matches(w, known, 3, 0.6) for w in strange}


def describe_unknown(strange: dict[str, list[str]]) -> str:
    """What `unknown_words` found, as words for a reader."""
    return "; ".join(
        f"{word!r} is not known" + (f", near it: {', '.join(near)}" if near else "")
        for word, near in strange.items()
    )


def _understood(guide: Guide, prompt: str) -> list[tuple[str, float]]:
    """The parts of a prompt that say something to the guide."""
    return [
        (content, weight)
        for content, weight in parse_prompt(prompt)
        if guide.words is None
        or _is_picture(content)
        or any(_learned(guide, word) for word in _words(guide, content))
    ]


def _is_picture(content: str) -> bool:
    return content.lower().endswith(PICTURES)


def _is_symbol(character: str) -> bool:
    return unicodedata.category(character) == "So"


def _words(guide: Guide, text: str) -> list[str]:
    found = dict.fromkeys(re.findall(r"\w[\w'’-]*", spelled(guide, text).lower()))
    return [word for word in found if word not in SMALL_WORDS]


def _learned(guide: Guide, word: str) -> bool:
    return any(word.removesuffix(end) in guide.words for end in ("", "s", "es"))
