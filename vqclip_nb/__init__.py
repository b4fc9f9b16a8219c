"""vqclip_nb: a text becomes a picture, live, by optimising the latent of a VQGAN under the guidance
of CLIP."""

from .export import open_recipe
from .grid import grid
from .pairs import Guide, Pair, available_pairs, load_judge, load_pair, open_pair
from .prompts import create_encodings, unknown_words
from .settings import PRESETS, Settings
from .training import Frame, Run, training_loop
from .weights import WeightsError

__all__ = [
    "PRESETS",
    "Frame",
    "Guide",
    "Pair",
    "Run",
    "Settings",
    "Studio",
    "WeightsError",
    "available_pairs",
    "create_encodings",
    "grid",
    "load_judge",
    "load_pair",
    "open_pair",
    "open_recipe",
    "training_loop",
    "unknown_words",
    "watch",
]


def __getattr__(name: str):
    # Figures and widgets load on first use: a script that only paints needs neither.
    if name == "watch":
        from .show import watch

        return watch
    if name == "Studio":
        from .studio import Studio

        return Studio
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
