"""The networks that are trained, and their slim forms that ship."""

from __future__ import annotations

import contextlib
import io
import json
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torchvision.transforms.functional import normalize

from vqclip_nb.emoji.caption_words import COLOURS
from vqclip_nb.images import norm_data
from vqclip_nb.models.clip import CLIP_MEAN, CLIP_STD, clip_module, tokenize

from .scenes import Scenes
from .sets import STYLES, TRAINED

CONTEXT = 32  # tokens: the longest composed caption has 26
SHAPES = {  # of clip.model.CLIP with a ResNet; text heads follow from the text width
    "clip": dict(embed_dim=256, layers=(1, 1, 1, 1), width=32, text_width=128, text_layers=2),
    "judge": dict(embed_dim=192, layers=(1, 2, 1, 1), width=24, text_width=128, text_layers=1),
}
PATCH_SIZE, EMBED_DIM = 4, 32


def _vqgan(codes: int, **ddconfig: Any) -> dict[str, Any]:
    """taming's configuration of a VQGAN at 128×128, and the pixel blocks that it works on."""
    sides = dict(resolution=32, in_channels=48, out_ch=48)
    return {
        "ddconfig": dict(ch=64, double_z=False, dropout=0.0) | sides | ddconfig,
        "embed_dim": EMBED_DIM,
        "n_embed": codes,
        "unshuffle": PATCH_SIZE,
    }


VQGANS = {  # by the pixels that a cell covers along each side; f8 ships
    "f8": _vqgan(2048, ch_mult=(1, 2), num_res_blocks=1, attn_resolutions=[], z_channels=128),
    "f16": _vqgan(1024, ch_mult=(1, 2, 3), num_res_blocks=2, attn_resolutions=[8], z_channels=192),
}


def vqgan_metadata(config: dict[str, Any]) -> dict[str, str]:
    """What the file of a VQGAN says beside its tensors."""
    return {"config": json.dumps(config), "facts": json.dumps({"size": 128})}


def new_clip(name: str) -> nn.Module:
    """An untrained CLIP of OpenAI's class in one of `SHAPES`."""
    openai_clip, shape = clip_module("model").CLIP, SHAPES[name]
    return openai_clip(
        shape["embed_dim"],
        64,
        shape["layers"],
        shape["width"],
        None,
        CONTEXT,
        49408,
        shape["text_width"],
        shape["text_width"] // 64,
        shape["text_layers"],
    ).float()


def image_features(model: nn.Module, pictures: torch.Tensor) -> torch.Tensor:
    """(n, 3, 64, 64) in [0, 1] to unit vectors (n, d)."""
    x = normalize(pictures, CLIP_MEAN, CLIP_STD)
    x = model.encode_image(x.contiguous(memory_format=torch.channels_last))
    return F.normalize(x.float(), dim=-1)


def text_features(model: nn.Module, captions: list[str]) -> torch.Tensor:
    """Unit vectors (n, d) of captions."""
    tokens = tokenize(captions, CONTEXT)
    encodings = model.encode_text(tokens.to(model.positional_embedding.device))
    return F.normalize(encodings.float(), dim=-1)


def vocabulary(scenes: Scenes) -> list[str]:
    """Every phrase that a caption can be made of."""
    labels = [s for s, i in zip(scenes.labels, scenes.name_of.tolist(), strict=True) if i >= 0]
    phrases = [*scenes.names, *labels, *(t for s in scenes.synonyms for t in s), *COLOURS]
    phrases += [w for s in TRAINED for w in STYLES[s].words]
    return phrases + ["a an and next to beside above below in on big small background backdrop"]


@torch.no_grad()
def forget_other_tokens(model: nn.Module, scenes: Scenes) -> None:
    """Zero the rows of tokens that no caption has: they stay zero and need not ship."""
    phrases = [phrase[:150] for phrase in vocabulary(scenes)]
    unseen = torch.ones(len(model.token_embedding.weight), dtype=torch.bool)
    unseen[tokenize(phrases).unique()] = False
    model.token_embedding.weight[unseen] = 0


def clip_tensors(model: nn.Module) -> dict[str, torch.Tensor]:
    """The CLIP's state in half precision, with only the token rows that training ever moved.

    `token_embedding.rows` holds their ids (int32); all other rows are zero. What only training
    needs, `proxies`, is left out.
    """
    state = {k: v.cpu() for k, v in model.state_dict().items() if k != "proxies"}
    rows = (state["token_embedding.weight"].abs().sum(1) > 0).nonzero()[:, 0]
    state["token_embedding.rows"] = rows.int()
    state["token_embedding.weight"] = state["token_embedding.weight"][rows]
    return half(state)


def half(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Tensors on the CPU, numbers in half precision, ready to be written."""
    return {
        k: (v.half() if v.is_floating_point() else v).cpu().contiguous() for k, v in state.items()
    }


class Autoencoder(nn.Module):
    """taming's Encoder and Decoder around a codebook kept by vector-quantize-pytorch: of f8 by
    running means, of f16 by SimVQ (Zhu et al. 2024), where one map moves all codes."""

    def __init__(self, shape: str = "f8") -> None:
        super().__init__()
        from taming.modules.diffusionmodules.model import Decoder, Encoder
        from vector_quantize_pytorch import SimVQ, VectorQuantize

        self.config = VQGANS[shape]
        ddconfig, codes = self.config["ddconfig"], self.config["n_embed"]
        with contextlib.redirect_stdout(io.StringIO()):  # taming prints its shapes
            self.encoder, self.decoder = Encoder(**ddconfig), Decoder(**ddconfig)
        self.quant_conv = nn.Conv2d(ddconfig["z_channels"], EMBED_DIM, 1)
        self.post_quant_conv = nn.Conv2d(EMBED_DIM, ddconfig["z_channels"], 1)
        self.codebook: nn.Module
        if shape == "f16":
            self.codebook = SimVQ(EMBED_DIM, codes, channel_first=True, rotation_trick=True)
        else:
            self.codebook = VectorQuantize(
                EMBED_DIM,
                codes,
                kmeans_init=True,
                decay=0.95,
                threshold_ema_dead_code=1,
                accept_image_fmap=True,
                commitment_weight=0.25,
            )

    def forward(
        self, x: torch.Tensor, *, quantize: bool
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """(n, 3, 128, 128) in [-1, 1] to reconstruction, code indices and commitment loss."""
        z = self.quant_conv(self.encoder(F.pixel_unshuffle(x, PATCH_SIZE))).float()
        indices, commit = torch.zeros(0), z.new_zeros(())
        if quantize:
            with torch.autocast(x.device.type, enabled=False):
                z, indices, commit = self.codebook(z)
        y = F.pixel_shuffle(self.decoder(self.post_quant_conv(z)), PATCH_SIZE)
        return y.float(), indices, commit

    def rebuild(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Pictures in [0, 1] through the codes and back, and the codes."""
        device = self.quant_conv.weight.device
        y, codes, _ = self(x.to(device) * 2 - 1, quantize=True)
        return norm_data(y), codes


def vqgan_tensors(model: Autoencoder) -> dict[str, torch.Tensor]:
    """Slim form with taming's names; the latent is scaled so that its codes have a spread of .5."""
    state = {k: v for k, v in model.state_dict().items() if not k.startswith("codebook.")}
    codes = model.codebook.codebook.detach().float()
    scale = 0.5 / codes.std()
    for key in ("quant_conv.weight", "quant_conv.bias"):
        state[key] = state[key] * scale
    state["post_quant_conv.weight"] = state["post_quant_conv.weight"] / scale
    state["quantize.embedding.weight"] = codes * scale
    return half(state)
