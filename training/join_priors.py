r"""Put priors of one style each, of one shape, into the package's file; others in it stay.

python -m training.join_priors noto=OUT/prior.safetensors 3d=OTHER/prior.safetensors \
    named=NAMED/prior.safetensors upscaler=UPSCALER/upscaler.safetensors
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file

from vqclip_nb.emoji.prior import LEVELS
from vqclip_nb.emoji.priors import NAMED, UPSCALER
from vqclip_nb.models.pair import EMOJI
from vqclip_nb.weights import write_state

from .build_library import pack_bits

OF_ALL = ("config", "hashes")


def join_priors(sources: Mapping[str, Path], target: Path = EMOJI / "prior.safetensors") -> str:
    """Write the weights of each style under "STYLE."; returns the SHA-256 of the file. ValueError
    for priors of different shapes, or made for different pairs: then begin without the file."""
    state = load_file(target) if target.exists() else {}
    facts = _facts(target) if target.exists() else {}
    styles = json.loads(facts.get("styles", "[]"))
    weak = json.loads(facts.pop("weak", "{}"))
    for style, source in sources.items():
        own = _facts(source)
        alike = OF_ALL[1:] if style == UPSCALER else OF_ALL
        if any(facts.setdefault(key, own[key]) != own[key] for key in alike):
            raise ValueError(f"{source}: of another shape or pair than the priors before it")
        if style == UPSCALER:
            facts[UPSCALER] = own["config"]
        weak.pop(style, None)  # of the network that it takes the place of
        if "names" in own:
            facts["names"] = own["names"]
        styles += [style] if style not in (*styles, NAMED, UPSCALER) else []
        state = {key: v for key, v in state.items() if key.partition(".")[0] != style}
        state |= {f"{style}.{key}": value for key, value in load_file(source).items()}
    return write_state(
        target, packed(state), facts | {"styles": json.dumps(styles), "weak": json.dumps(weak)}
    )


def packed(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Weights as `unpacked` reads them, matrices and kernels in 7 bits a number."""
    small = {}
    for name, value in state.items():
        if value.ndim in (2, 4) and value.is_floating_point():
            value = value.flatten(1)
            step = value.float().abs().amax(1).clamp(min=1e-8) / (LEVELS // 2 - 1)
            small[f"{name}.step"] = step = step.half()
            numbers = (value.float() / step.float()[:, None]).round().long() + LEVELS // 2
            value = pack_bits(numbers.clamp(0, LEVELS - 1), LEVELS)
        small[name] = value
    return small


def _facts(path: Path) -> dict[str, str]:
    with safe_open(path, "pt") as file:
        return dict(file.metadata() or {})


if __name__ == "__main__":
    given = dict(text.split("=", 1) for text in sys.argv[1:])
    print(join_priors({style: Path(path) for style, path in given.items()}))
