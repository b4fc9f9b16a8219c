"""The drawings as the VQGAN's code numbers, with their masks: library.safetensors.

    python -m training.build_library DATA         # what training.data wrote
    python -m training.build_library DATA --anew  # about a minute

A library that is there already keeps its drawings, their order and their codes, bit for bit; only
what it lacks is added behind them. --again makes those of some labels again; --anew all of them, as
a VQGAN of other codes needs.
"""

from __future__ import annotations

import argparse
import json
import lzma
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from tqdm.auto import tqdm

from vqclip_nb.emoji.drawings import LEVELS, MASK, unpack_bits, unpack_masks
from vqclip_nb.emoji.library import SCALE
from vqclip_nb.loading import load_pair
from vqclip_nb.models.pair import EMOJI, Pair
from vqclip_nb.models.vqgan import VQGAN
from vqclip_nb.weights import read_checked, write_state

from .scenes import Scenes
from .sets import DRAWN, STYLES, merged_name


def pack_bits(codes: torch.Tensor, n_embed: int) -> torch.Tensor:
    """Whole numbers below `n_embed` as bytes (uint8) of as few bits each as hold them; see
    `unpack_bits`."""
    bits = max(1, (n_embed - 1).bit_length())
    shifts = np.arange(bits - 1, -1, -1)
    spread = (codes.numpy().reshape(-1, 1) >> shifts) & 1
    return torch.from_numpy(np.packbits(spread.astype(np.uint8).reshape(-1)))


def pack_masks(masks: torch.Tensor) -> torch.Tensor:
    """Masks (n, MASK, MASK) in [0, 1] as compressed bytes, in LEVELS steps."""
    steps = (masks * (LEVELS - 1)).round().byte().numpy()
    return torch.frombuffer(bytearray(lzma.compress(steps.tobytes())), dtype=torch.uint8)


def shrunk(sprites: torch.Tensor, scale: float) -> torch.Tensor:
    """Sprites (n, 4, s, s), premultiplied, at `scale` of their size in the middle of the square."""
    theta = torch.eye(2, 3).div(scale).expand(len(sprites), -1, -1)
    grid = F.affine_grid(theta, list(sprites.shape), align_corners=False)
    return F.grid_sample(sprites, grid, align_corners=False)


def fills_square(sprites: torch.Tensor) -> torch.Tensor:
    """Which of some sprites (n, 4, s, s) of uint8 are places, whose every pixel is painted."""
    return (sprites[:, 3] > 250).flatten(1).all(1)


@torch.no_grad()
def encoded(vqgan: VQGAN, sprites: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Codes (n, h, w) of the drawings on white, and their masks (n, MASK, MASK) in [0, 1]."""
    layers, whole = sprites.float() / 255, fills_square(sprites)
    layers = torch.where(whole[:, None, None, None], layers, shrunk(layers, SCALE))
    alpha = layers[:, 3:]
    codes = vqgan.codebook_indices(vqgan.encode((layers[:, :3] + 1 - alpha).clamp(0, 1)))
    return codes, F.adaptive_avg_pool2d(alpha, MASK)[:, 0]


def build(
    vqgan: VQGAN,
    scenes: Scenes,
    before: dict[str, torch.Tensor] | None = None,
    again: torch.Tensor | None = None,
    *,
    batch: int = 32,
) -> dict[str, torch.Tensor]:
    """Tensors of the library: packed codes and masks, and which style and concept each one is.
    `before`: those of one whose drawings stay as they are, but for those that `again` (n,) of bool
    says, which are made anew in their places."""
    n_embed, side = vqgan.codebook.num_embeddings, scenes.size // vqgan.downsample_factor
    codes, masks, drawn = [], [], torch.zeros(0, 2, dtype=torch.long)
    if before is not None:
        drawn = before["drawings"].long()
        codes.append(
            unpack_bits(before["codes"], n_embed)[: len(drawn) * side**2].view(-1, side, side)
        )
        masks.append(unpack_masks(before["masks"]))
        for at in again.nonzero().split(batch) if again is not None and again.any() else ():
            at = at[:, 0]
            codes[0][at], masks[0][at] = encoded(vqgan, scenes.sprites[drawn[at, 0], drawn[at, 1]])
    held = {tuple(pair) for pair in drawn.tolist()}
    new = scenes.pairs[[tuple(pair) not in held for pair in scenes.pairs.tolist()]]
    for some in tqdm(new.split(batch) if len(new) else (), desc="drawings"):
        of_batch = encoded(vqgan, scenes.sprites[some[:, 0], some[:, 1]])
        codes.append(of_batch[0])
        masks.append(of_batch[1])
    return {
        "codes": pack_bits(torch.cat(codes), n_embed),
        "masks": pack_masks(torch.cat(masks)),
        "drawings": torch.cat([drawn, new]).short(),
    }


def facts(scenes: Scenes, data: Path) -> dict[str, object]:
    """Styles with their words, and each concept's label, name and tags, as captions use them."""
    order = json.loads((data / "concepts.json").read_text(encoding="utf8"))
    return {
        "styles": {name: STYLES[name].words for name in DRAWN},
        "concepts": [
            {
                "label": c["label"],
                "name": merged_name(c["label"]),
                "also": c.get("also", []),
                "tags": tags,
            }
            for c, tags in zip(order, scenes.synonyms, strict=True)
        ],
    }


def renumbered(
    drawings: torch.Tensor, before: dict[str, object], now: dict[str, object]
) -> torch.Tensor:
    """`drawings` (n, 2: style and concept) as numbered by the facts `before`, in the numbers of
    `now`; KeyError names what is gone."""
    styles, concepts = list(now["styles"]), [c["label"] for c in now["concepts"]]
    style = {i: styles.index(name) for i, name in enumerate(before["styles"])}
    place = {label: i for i, label in enumerate(concepts)}
    return torch.tensor(
        [[style[s], place[before["concepts"][c]["label"]]] for s, c in drawings.tolist()]
    )


def metadata(pair: Pair, scenes: Scenes, facts: dict[str, object]) -> dict[str, str]:
    """What `Library` needs to read the tensors, and which VQGAN they belong to."""
    return {
        "facts": json.dumps(facts, ensure_ascii=False),
        "vqgan": pair.hashes["vqgan"],
        "side": str(scenes.size // pair.vqgan.downsample_factor),
        "n_embed": str(pair.vqgan.codebook.num_embeddings),
    }


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, default=EMOJI / "library.safetensors")
    parser.add_argument("--anew", action="store_true", help="keep nothing of the one that is there")
    parser.add_argument("--again", nargs="+", default=[], metavar="LABEL", help="draw these again")
    args = parser.parse_args(argv)
    pair, scenes = load_pair("emoji", device="cpu"), Scenes(args.data, styles=DRAWN, unread=True)
    known, before, again = facts(scenes, args.data), None, None
    told = metadata(pair, scenes, known)
    if args.out.exists() and not args.anew:
        before, said, _ = read_checked(args.out)
        if said["vqgan"] != told["vqgan"]:
            parser.error(f"{args.out} belongs to another VQGAN: give --anew")
        before["drawings"] = renumbered(before["drawings"], json.loads(said["facts"]), known)
        labels = [known["concepts"][c]["label"] for _, c in before["drawings"].tolist()]
        again = torch.tensor([label in args.again for label in labels])
    state = build(pair.vqgan, scenes, before, again)
    write_state(args.out, state, told)
    print(f"{args.out}: {len(state['drawings'])} drawings, {args.out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
