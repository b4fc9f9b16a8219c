r"""Put priors of one style each, of one shape, into the package as one file.

python -m training.join_priors noto=OUT/prior.safetensors 3d=OTHER/prior.safetensors \
    named=NAMED/prior.safetensors
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file

from vqclip_nb.emoji.forming import NAMED
from vqclip_nb.models.pair import EMOJI
from vqclip_nb.weights import write_state


def join_priors(sources: Mapping[str, Path], target: Path = EMOJI / "prior.safetensors") -> str:
    """Write the weights of each style under "STYLE."; returns the SHA-256 of the file. ValueError
    for priors of different shapes, or made for different pairs."""
    state: dict[str, torch.Tensor] = {}
    facts: dict[str, str] = {}
    for style, source in sources.items():
        with safe_open(source, "pt") as file:
            metadata = file.metadata() or {}
        own = {key: metadata[key] for key in ("config", "hashes")}
        if facts and own != {key: facts[key] for key in own}:
            raise ValueError(f"{source}: of another shape or pair than the priors before it")
        facts |= own
        if "names" in metadata:
            facts["names"] = metadata["names"]
        state |= {f"{style}.{key}": value.half() for key, value in load_file(source).items()}
    styles = [style for style in sources if style != NAMED]
    return write_state(target, state, facts | {"styles": json.dumps(styles)})


if __name__ == "__main__":
    given = dict(text.split("=", 1) for text in sys.argv[1:])
    print(join_priors({style: Path(path) for style, path in given.items()}))
