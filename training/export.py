"""Put finished weights into the package, with what the loader must know.

python -m training.export DATA OUT     # whatever of them is in OUT
"""

from __future__ import annotations

import argparse
import json
import logging
import re
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torchvision.transforms.functional import normalize

from vqclip_nb.emoji.caption_words import article
from vqclip_nb.models.clip import CLIP_MEAN, CLIP_STD, build_clip, tokenize
from vqclip_nb.models.pair import EMOJI
from vqclip_nb.weights import read_checked, write_state

from .classifier import JUDGES
from .networks import CONTEXT, vocabulary
from .scenes import Scenes

log = logging.getLogger(__name__)
CLIPS = ("clip", "judge")
CLASSIFIERS = ("shapes", "styles")  # they only measure: beside the training, not in the package
NETWORKS = (*CLIPS, "vqgan", *CLASSIFIERS, "prior")


@torch.no_grad()
def center_encodings(state: dict[str, torch.Tensor], scenes: Scenes, *, count: int = 1000) -> None:
    """Move the mean of all captions' encodings, and of all pictures', to the origin, in place.

    All captions share a large part that says nothing about any one of them; while it is there, a
    painting gains more by looking like pictures in general than like the one asked for. Both
    encoders end in an affine map, so the mean can be taken off a bias and no other code has to
    know.
    """
    batch = scenes.batch(min(count, len(scenes.pairs)), np.random.default_rng(0))
    model = build_clip(state)
    texts = model.encode_text(tokenize(batch.captions, CONTEXT))
    images = model.encode_image(normalize(batch.pictures, CLIP_MEAN, CLIP_STD))
    bias = "visual.attnpool.c_proj.bias"
    state[bias] = state[bias].float() - images.mean(0)
    before = torch.linalg.lstsq(model.text_projection.T, texts.mean(0)[:, None]).solution[:, 0]
    state["ln_final.bias"] = state["ln_final.bias"].float() - before


def metadata_of(name: str, source: Path, scenes: Scenes) -> dict[str, str]:
    """What is written beside the tensors of one of the networks."""
    if name == "clip":
        words = {w for v in vocabulary(scenes) for w in re.findall(r"[\w'’-]+", v.lower())}
        # The training pictures have plain backgrounds; left free, the pair fills them with patches.
        facts = {"words": sorted(words), "ground": "on a white background", "dropout": 0.2}
        return {"facts": json.dumps(facts, ensure_ascii=False)}
    with safe_open(source, "pt") as file:  # names or configuration, from its training
        return file.metadata() or {}


def follow(folder: Path, before: str, after: str) -> None:
    """Library and prior of the VQGAN with the hash `before` become those of `after`, which has the
    same codes: their tensors stay, their metadata name it."""
    for name in ("library", "prior"):
        path = folder / f"{name}.safetensors"
        if path.exists():
            state, metadata, _ = read_checked(path)
            told = {key: value.replace(before, after) for key, value in metadata.items()}
            write_state(path, state, told)


def in_bytes(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Weights as the loader reads the judge's: matrices and kernels as whole numbers (int8), with
    the size of a step for each row under NAME.step."""
    small = {}
    for name, value in state.items():
        if value.ndim > 1 and value.is_floating_point():
            rows = value.float().flatten(1)
            step = rows.abs().amax(1).clamp(min=1e-8) / 127
            step = step.view(-1, *[1] * (value.ndim - 1))
            small[f"{name}.step"] = step
            value = (value.float() / step).round().clamp(-127, 127).to(torch.int8)
        small[name] = value
    return small


def same_codes(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    """Whether two VQGANs give every picture the same codes: encoder and codebook are equal."""
    read = ("encoder.", "quant_conv.", "quantize.")
    one, other = ({k: v for k, v in s.items() if k.startswith(read)} for s in (one, other))
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def export_weights(
    data: Path, out: Path, folder: Path = EMOJI, judges: Path = JUDGES
) -> list[Path]:
    """Copy the weights of every network that `out` holds into `folder`, classifiers into `judges`.

    Returns what was written.
    Both CLIPs are centred on the way. A VQGAN whose codes are those of the one that was there keeps
    its library and prior; of another, they must be made anew. FileNotFoundError if there are none.
    """
    scenes, written = Scenes(data, size=64), []
    sources = {name: out / f"{name}.safetensors" for name in NETWORKS}
    if not any(source.exists() for source in sources.values()):
        raise FileNotFoundError(f"no weights in {out}: train something first")
    names = "".join(f"{article(name)}\n" for name in scenes.names)
    (folder / "concepts.txt").write_text(names, encoding="utf8")
    for name, source in sources.items():
        if source.exists():
            state = load_file(source)
            if name in CLIPS:
                center_encodings(state, scenes)
            target = (judges if name in CLASSIFIERS else folder) / source.name
            state = in_bytes(state) if name == "judge" else state
            before = read_checked(target) if target.exists() else None
            digest = write_state(target, state, metadata_of(name, source, scenes))
            if name == "vqgan" and before:
                if same_codes(before[0], state):
                    follow(folder, before[2], digest)
                else:
                    log.warning("other codes: build the library and train the prior anew")
            written.append(target)
            log.info("%s: %.1f MB", written[-1], written[-1].stat().st_size / 1e6)
    return written


def main(argv: list[str] | None = None) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args(argv)
    export_weights(args.data, args.out)


if __name__ == "__main__":
    main()
