"""A guide (a CLIP), and a pair: a guide and a VQGAN with the facts that fit them together."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .vqgan import VQGAN
from .weights import (
    CLIPS,
    VQGANS,
    WeightsError,
    read_checked,
    read_config,
    read_state,
    sha256_of,
    slim_cache,
)

EMOJI = Path(__file__).parent / "emoji"
CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
TOKENS = 49408  # size of OpenAI's vocabulary
NOT_WEIGHTS = (
    "input_resolution",
    "context_length",
    "vocab_size",
)  # facts that the archives store as tensors
VQGAN_PARTS = (  # what painting needs of a checkpoint; the rest is losses and running averages
    "encoder.",
    "decoder.",
    "quant_conv.",
    "post_quant_conv.",
    "quantize.embed",
    "quantize.proj",
)


def available_pairs() -> list[str]:
    """Names that `load_pair` takes: "emoji" ships here, the others are downloaded once."""
    return ["emoji", *VQGANS]


def best_device() -> torch.device:
    """CUDA if there is one, else Apple's MPS, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def import_clip():
    """The openai-clip module, without its warning about pkg_resources."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import clip
        except ModuleNotFoundError as e:
            if e.name and e.name.startswith("pkg_resources"):
                raise ImportError(
                    "openai-clip needs pkg_resources: pip install 'setuptools<81'"
                ) from e
            raise
    return clip


def clip_state(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A stored CLIP's weights as its class names them.

    `token_embedding.rows`, where present, says which rows of the vocabulary
    `token_embedding.weight` holds.
    """
    state = {k: v for k, v in state.items() if k not in NOT_WEIGHTS}
    rows = state.pop("token_embedding.rows", None)
    if rows is not None:
        full = torch.zeros(TOKENS, state["token_embedding.weight"].shape[1])
        full[rows.long()] = state["token_embedding.weight"].float()
        state["token_embedding.weight"] = full
    return state


def build_clip(state: dict[str, torch.Tensor]) -> nn.Module:
    """A frozen float32 CLIP of OpenAI's class from what `clip_state` takes; its shape is read off
    the tensors."""
    try:
        state = clip_state(state)
        import_clip()
        from clip.model import build_model

        model = build_model(state).float()  # it rounds to half precision on the way
        model.load_state_dict(state)
        return _lightened(model).requires_grad_(False)
    except (KeyError, RuntimeError, IndexError, AssertionError) as e:
        raise WeightsError(f"these are no CLIP weights: {str(e).splitlines()[0]}") from e


class _QuickGELU(nn.Module):
    """OpenAI's x · sigmoid(1.702 x) in one pass, which keeps half as much for the gradient."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.silu(1.702 * x) / 1.702


def _class_token(block: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """A block's output (1, n, width) for the first token alone."""
    seen = block.ln_1(x)
    first = x[:1] + block.attn(seen[:1], seen, seen, need_weights=False)[0]
    return first + block.mlp(block.ln_2(first))


def _pooled(pool: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """A ResNet's attention pooling (n, c, h, w) to (n, d), whose only query is the mean.

    With one query it is less work to bring it to the pixels, and their mean to the values, than
    every pixel to both. The keys' bias would raise all scores alike.
    """
    x = x.flatten(2).transpose(1, 2)
    x = torch.cat([x.mean(1, keepdim=True), x], 1) + pool.positional_embedding  # (n, pixels, c)
    split = (pool.num_heads, -1)
    keys, values = (p.weight.unflatten(0, split) for p in (pool.k_proj, pool.v_proj))
    query = pool.q_proj(x[:, 0]).unflatten(1, split) / keys.shape[1] ** 0.5
    scores = torch.einsum("nhd,hdc->nhc", query, keys) @ x.transpose(1, 2)
    seen = torch.einsum("nhc,hdc->nhd", scores.softmax(-1) @ x, values)
    return pool.c_proj(seen.flatten(1) + pool.v_proj.bias)


def _fold_norms(visual: nn.Module) -> None:
    """A ResNet's batch norms into the convolutions before them."""
    for part in visual.modules():
        for conv, norm in (("conv1", "bn1"), ("conv2", "bn2"), ("conv3", "bn3"), ("0", "1")):
            if isinstance(getattr(part, norm, None), nn.BatchNorm2d):
                setattr(part, conv, fuse_conv_bn_eval(getattr(part, conv), getattr(part, norm)))
                setattr(part, norm, nn.Identity())


def _lightened(model: nn.Module) -> nn.Module:
    """The same CLIP with the same answers for a tenth less work on pictures."""
    if hasattr(model.visual, "transformer"):
        for block in model.visual.transformer.resblocks:
            block.mlp.gelu = _QuickGELU()
        block.forward = partial(_class_token, block)  # nobody reads the last one's other tokens
    else:
        _fold_norms(model.visual)
        model.visual.attnpool.forward = partial(_pooled, model.visual.attnpool)
    return model


@dataclass(eq=False, kw_only=True)
class Guide:
    """A frozen CLIP.

    hashes: SHA-256 of the weights. words: what it has learned, or None if that is no closed list.
    """

    name: str
    clip: nn.Module
    device: torch.device
    hashes: dict[str, str] = field(default_factory=dict)
    words: frozenset[str] | None = None

    def __post_init__(self) -> None:
        self.clip.to(self.device).eval()
        if self.device.type == "cpu":  # a third less time for a ResNet's convolutions
            self.clip.to(memory_format=torch.channels_last)
        self._mean = torch.tensor(CLIP_MEAN, device=self.device)[:, None, None]
        self._std = torch.tensor(CLIP_STD, device=self.device)[:, None, None]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, {self.device})"

    @property
    def resolution(self) -> int:
        """Side in pixels of the pictures that CLIP takes."""
        return self.clip.visual.input_resolution

    def encode_image(self, pictures: torch.Tensor) -> torch.Tensor:
        """(n, 3, resolution, resolution) in [0, 1] to encodings (n, d)."""
        return self.clip.encode_image((pictures - self._mean) / self._std)

    @torch.no_grad()
    def encode_text(self, texts: list[str]) -> torch.Tensor:
        """Texts to encodings (n, d). What does not fit CLIP's context is cut; a warning names those
        words."""
        tokenize, context = import_clip().tokenize, self.clip.context_length
        for text in texts:
            words = text.split()
            kept = len(words)
            while kept and _too_long(tokenize, " ".join(words[:kept]), context):
                kept -= 1
            if kept < len(words):
                warnings.warn(
                    f"the prompt is too long: CLIP reads {context - 2} tokens, "
                    f"so these words are not seen: {' '.join(words[kept:])!r}",
                    stacklevel=2,
                )
        tokens = tokenize(texts, context_length=context, truncate=True)
        return self.clip.encode_text(tokens.to(self.device))


@dataclass(eq=False, kw_only=True, repr=False)
class Pair(Guide):
    """A CLIP that judges and a VQGAN that paints, both frozen.

    size: side in pixels of the picture the pair likes best. ground: what ends a prompt that names
    no background; empty for nothing. dropout: share of the channels of each of a ResNet's stages
    that `encode_crops` leaves out.
    """

    vqgan: VQGAN
    size: int
    ground: str = ""
    dropout: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.vqgan.to(self.device).eval()

    def encode_crops(self, crops: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """As `encode_image`, for painting: with other channels left out for each crop, as
        `generator` draws, so that a picture must please many networks and not the flaws of one."""
        if not self.dropout:
            return self.encode_image(crops)
        normalised = (crops - self._mean) / self._std
        return encode_dropped(self.clip.visual, normalised, self.dropout, generator)


def resnet_stem(visual: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Features of OpenAI's ResNet before its first pooling, of normalised pictures (n, 3, h, w)."""
    for i in "123":
        x = getattr(visual, f"bn{i}")(getattr(visual, f"conv{i}")(x))
        x = getattr(visual, f"relu{i}")(x)
    return x


def encode_dropped(
    visual: nn.Module, x: torch.Tensor, share: float, generator: torch.Generator
) -> torch.Tensor:
    """Encodings (n, d) of normalised pictures by OpenAI's ResNet with `share` of the channels of
    each stage left out, others for each picture."""
    x = visual.avgpool(resnet_stem(visual, x))
    for stage in (visual.layer1, visual.layer2, visual.layer3, visual.layer4):
        x = stage(x)
        kept = torch.rand(x.shape[:2], generator=generator) >= share
        x = x * (kept[..., None, None] / (1 - share)).to(x)
    return visual.attnpool(x)


def _too_long(tokenize, text: str, context: int) -> bool:
    try:
        tokenize(text, context_length=context)
    except RuntimeError:
        return True
    return False


def load_pair(
    name: str = "emoji",
    *,
    clip: str = "ViT-B/32",
    device: str | torch.device | None = None,
    accept_unknown: bool = False,
) -> Pair:
    """One of `available_pairs()` on `device` (None: CUDA, else MPS, else CPU).

    `clip` names one of OpenAI's for the downloaded pairs. ValueError for an unknown name;
    WeightsError if a file cannot be fetched, is corrupt, or has no known hash and `accept_unknown`
    is False.
    """
    if name not in available_pairs():
        raise ValueError(
            f"pair {name!r} is not known: choose one of {', '.join(available_pairs())}"
        )
    if clip not in CLIPS:
        raise ValueError(f"clip {clip!r} is not known: choose one of {', '.join(CLIPS)}")
    device = torch.device(device) if device else best_device()
    if name == "emoji":
        seen, clip_meta, clip_hash = read_checked(EMOJI / "clip.safetensors")
        paints, meta, vqgan_hash = read_checked(EMOJI / "vqgan.safetensors")
    else:
        seen, clip_meta, _ = _slim_clip(clip)
        paints, meta, _ = slim_cache(
            name, lambda k: k.startswith(VQGAN_PARTS), *VQGANS[name], accept_unknown=accept_unknown
        )
        # The published files' hashes: safetensors orders metadata by chance, so caches differ.
        clip_hash, vqgan_hash = clip_meta["source_sha256"], meta["source_sha256"]
    return Pair(
        name=name,
        clip=build_clip(seen),
        vqgan=_build_vqgan(json.loads(meta["config"]), paints),
        device=device,
        hashes={"clip": clip_hash, "vqgan": vqgan_hash},
        **_facts(clip_meta, meta),
    )


def load_judge(name: str = "emoji", *, device: str | torch.device | None = None) -> Guide:
    """A CLIP that never guides, to score finished pictures: "emoji" ships here, or one of OpenAI's.

    Let it differ from the pair's own. Errors as in `load_pair`.
    """
    if name not in ("emoji", *CLIPS):
        raise ValueError(
            f"judge {name!r} is not known: choose one of {', '.join(('emoji', *CLIPS))}"
        )
    words = None
    if name == "emoji":
        state, _, digest = read_checked(EMOJI / "judge.safetensors")
        _, of_guide, _ = read_checked(EMOJI / "clip.safetensors")
        words = _facts(of_guide)["words"]  # both were taught the same
    else:
        state, meta, _ = _slim_clip(name)
        digest = meta["source_sha256"]
    return Guide(
        name=name,
        clip=build_clip(state),
        device=torch.device(device) if device else best_device(),
        hashes={"clip": digest},
        words=words,
    )


def _facts(*metadata: dict[str, str]) -> dict[str, Any]:
    """Fields of a `Pair` that its files know, as `emoji.train.ship` writes them."""
    facts = {"size": 448}
    for of_file in metadata:
        facts |= json.loads(of_file.get("facts", "{}"))
    if "words" in facts:
        facts["words"] = frozenset(facts["words"])
    return facts


def _slim_clip(name: str) -> tuple[dict[str, torch.Tensor], dict[str, str], str]:
    return slim_cache(name, lambda k: k not in NOT_WEIGHTS, CLIPS[name])


def _build_vqgan(config: dict, state: dict[str, torch.Tensor]) -> VQGAN:
    try:
        return VQGAN.from_state(config, state)
    except (KeyError, RuntimeError, TypeError) as e:
        raise WeightsError(
            f"these weights do not fit the VQGAN configuration: {str(e)[:300]}"
        ) from e


def open_pair(
    *,
    clip: str | Path,
    vqgan: str | Path,
    config: str | Path | None = None,
    device: str | torch.device | None = None,
) -> Pair:
    """A pair from files of your own.

    clip: OpenAI's TorchScript archive, a state dict, or safetensors. vqgan: a Lightning checkpoint
    with its OmegaConf yaml as `config`, or our slim safetensors, which holds its configuration.
    Raises WeightsError.
    """
    seen, clip_meta = read_state(clip)
    paints, meta = read_state(vqgan)
    if config is None and "config" not in meta:
        raise WeightsError(
            f"{vqgan} holds no configuration: give config=PATH, the yaml that came with it"
        )
    shape = read_config(config) if config else json.loads(meta["config"])
    keep = {k: v for k, v in paints.items() if k.startswith(VQGAN_PARTS)}
    return Pair(
        name=Path(vqgan).stem,
        clip=build_clip(seen),
        vqgan=_build_vqgan(shape, keep),
        device=torch.device(device) if device else best_device(),
        hashes={"clip": sha256_of(Path(clip)), "vqgan": sha256_of(Path(vqgan))},
        **_facts(clip_meta, meta),
    )
