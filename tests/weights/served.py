"""What the tests of weights share."""

from __future__ import annotations

from pathlib import Path

import clip
import torch
from published import Original

import vqclip_nb as vq
from vqclip_nb.models import clip as clips

CKPT, YAML, CLIP = "last.ckpt", "model.yaml", "ViT-B-32.pt"


def load(name: str = "imagenet", **more) -> vq.Pair:
    return vq.load_pair(name, device="cpu", **more)


def assert_same_networks(pair: vq.Pair, vqgan: Original, guide: torch.nn.Module) -> None:
    """What a pair answers is what the networks answer that its files were made of."""
    torch.manual_seed(1)
    picture, views = torch.rand(2, 3, 16, 24), torch.rand(3, 3, 32, 32)
    z = torch.randn(2, vqgan.config["embed_dim"], 8, 12)
    torch.testing.assert_close(pair.vqgan.decode(z), vqgan.decode(z))
    if pair.vqgan.proj is None:
        torch.testing.assert_close(pair.vqgan.encode(picture), vqgan.encode(picture))
    else:
        index = vqgan.quantize.proj(vqgan.encode(picture)).argmax(1)
        codes = vqgan.quantize.embed(index).permute(0, 3, 1, 2)
        torch.testing.assert_close(pair.vqgan.encode(picture), codes)
    mean, std = (torch.tensor(v)[:, None, None] for v in (clips.CLIP_MEAN, clips.CLIP_STD))
    encoded = guide.encode_image((views - mean) / std)
    torch.testing.assert_close(pair.clip.encode_image(views), encoded)
    tokens = clip.tokenize(["a fox", "two words"])
    encoded = guide.encode_text(tokens)
    torch.testing.assert_close(pair.clip.encode_text(["a fox", "two words"]), encoded)


def cached(folder: Path) -> set[str]:
    """Names in the cache without the locks, which some platforms leave behind."""
    return {p.name for p in folder.iterdir() if p.suffix != ".lock"}
