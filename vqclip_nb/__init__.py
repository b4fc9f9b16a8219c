"""vqclip_nb: a text becomes a picture, live, by optimising the latent of a VQGAN under the guidance
of CLIP."""

from importlib import import_module

from .frames import Frame, training_loop
from .loading import available_pairs, load_judge, load_pair, open_pair
from .models.clip import ClipEnsemble, ClipModel
from .models.pair import Pair
from .prompts import create_encodings, unknown_words
from .recipe import open_recipe
from .replaying import replay
from .run import Run
from .settings import PRESETS, Settings
from .weights import WeightsError

Guide = ClipModel  # its name until 0.2

_LATER = {  # figures, tables and widgets load on first use: a script that only paints needs none
    "grid": ".experiments.grid",
    "watch": ".show",
    "Studio": ".studio.studio",
}

__all__ = [
    "PRESETS",
    "ClipEnsemble",
    "ClipModel",
    "Frame",
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
    "replay",
    "training_loop",
    "unknown_words",
    "watch",
]


def __getattr__(name: str) -> object:
    if name in _LATER:
        return getattr(import_module(_LATER[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
