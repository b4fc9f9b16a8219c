"""OpenAI's and taming's networks with the same weights and answers, and less work for a gradient.

Functions that walk through the modules of `clip` and `taming`; nothing of theirs is changed, but
that `for_inference` folds a model's own batch norms. What each replaces is named, and tests hold
that the results are equal.
"""

import copy
import functools
import operator
from collections.abc import Iterator
from typing import Any
from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

Module = Any  # an nn.Module, whose parts mypy cannot know


class OnlyShapes(TorchFunctionMode):
    """Networks made within have shapes and no values: neither time nor memory goes into weights
    that are loaded afterwards. Under `torch.device("meta")` arithmetic would import torch's
    compiler, which takes longer than painting."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs, name = dict(kwargs or {}), func.__name__
        if name in ("empty", "zeros", "ones", "rand", "randn"):
            return torch.empty(*args, device="meta", dtype=kwargs.get("dtype"))
        inplace = name.endswith("_") and not name.endswith("__") and name != "requires_grad_"
        if inplace or name in ("mul", "__mul__", "__rmul__", "div", "__truediv__"):
            return next(t for t in (*args, *kwargs.values()) if isinstance(t, torch.Tensor))
        return func(*args, **kwargs)


_copies = WeakKeyDictionary[nn.Module, dict[torch.dtype, nn.Module]]()  # of frozen networks


def in_precision(network: nn.Module, dtype: torch.dtype) -> nn.Module:
    """A frozen network in `dtype`: itself if it is in it, else a copy, made once, whose layer norms
    stay in float32 as OpenAI's own class wants them."""
    if next(network.parameters()).dtype == dtype:
        return network
    copies = _copies.setdefault(network, {})
    if dtype not in copies:
        copies[dtype] = copy.deepcopy(network).to(dtype)
        for part in copies[dtype].modules():
            if isinstance(part, nn.LayerNorm):
                part.float()
    return copies[dtype]


# -- VQGAN: x · sigmoid(x) in one pass keeps half as much for the gradient

# Rows of a 3×3 kernel that fall on the same pixel of the small picture, for even and odd pixels.
_SAME = torch.tensor([[[1.0, 0, 0], [0, 1, 1]], [[1, 1, 0], [0, 0, 1]]])
_kernels: Any = WeakTensorKeyDictionary()  # of frozen weights, made once


def _kernels_of(weight: torch.Tensor) -> torch.Tensor:
    """The four 2×2 kernels (2, 2, out, in, 2, 2) that a 3×3 kernel is on doubled pixels."""
    if not weight.requires_grad and weight in _kernels:
        version, kernels = _kernels[weight]
        if version == weight._version and kernels.device == weight.device:
            return kernels
    same = _SAME.to(weight)
    kernels = torch.einsum("oiyx,apy,bqx->aboipq", weight, same, same)
    if not weight.requires_grad:
        _kernels[weight] = weight._version, kernels
    return kernels


def fast_upsample(layer: Module, x: torch.Tensor) -> torch.Tensor:
    """taming's Upsample, pixels doubled and convolved, with 4/9 of its multiplications.

    What it convolves is the same number in blocks of four: four 2×2 kernels on x give the same
    sums.
    """
    if not layer.with_conv:
        return layer(x)
    height, width = x.shape[2:]
    kernels = _kernels_of(layer.conv.weight)
    x = F.pad(x, [1] * 4)
    pixels = [
        F.conv2d(x[:, :, a : a + height + 1, b : b + width + 1], kernels[a, b], layer.conv.bias)
        for a in (0, 1)
        for b in (0, 1)
    ]
    return F.pixel_shuffle(torch.stack(pixels, 2).flatten(1, 2), 2)


def _resnet_block(block: Module, x: torch.Tensor) -> torch.Tensor:
    """taming's ResnetBlock without a time embedding."""
    h = block.conv1(F.silu(block.norm1(x)))
    h = block.conv2(block.dropout(F.silu(block.norm2(h))))
    if block.in_channels != block.out_channels:
        x = block.conv_shortcut(x) if block.use_conv_shortcut else block.nin_shortcut(x)
    return x + h


def _level(level: Module, x: torch.Tensor, call: Any = operator.call) -> torch.Tensor:
    for i, block in enumerate(level.block):
        x = call(_resnet_block, block, x)
        if len(level.attn):
            x = level.attn[i](x)
    return x


def _middle(network: Module, x: torch.Tensor) -> torch.Tensor:
    x = _resnet_block(network.mid.block_1, x)
    return _resnet_block(network.mid.block_2, network.mid.attn_1(x))


def _end(network: Module, x: torch.Tensor) -> torch.Tensor:
    return network.conv_out(F.silu(network.norm_out(x)))


def encoder_levels(encoder: Module, x: torch.Tensor) -> Iterator[torch.Tensor]:
    """What taming's Encoder makes of x (n, c, h, w) before its first level, and after each; the
    side is halved between two levels."""
    x = encoder.conv_in(x)
    yield x
    for level in encoder.down:
        x = _level(level, x)
        yield x
        if hasattr(level, "downsample"):
            x = level.downsample(x)


def encode(encoder: Module, x: torch.Tensor) -> torch.Tensor:
    """taming's Encoder: (n, c, h, w) to (n, z_channels, h/f, w/f)."""
    *_, x = encoder_levels(encoder, x)
    return _end(encoder, _middle(encoder, x))


def decode(decoder: Module, z: torch.Tensor, *, again: bool = False) -> torch.Tensor:
    """taming's Decoder: (n, z_channels, h, w) to (n, c, f·h, f·w). again: its blocks keep only
    their inputs for the gradient and are computed once more there, for half the memory."""
    call: Any = operator.call
    if again and torch.is_grad_enabled():  # imported here: it brings torch's compiler
        from torch.utils.checkpoint import checkpoint

        call = functools.partial(checkpoint, use_reentrant=False, preserve_rng_state=False)
    x = call(_middle, decoder, decoder.conv_in(z))
    for level in reversed(decoder.up):
        x = _level(level, x, call)
        if hasattr(level, "upsample"):
            x = call(fast_upsample, level.upsample, x)
    return call(_end, decoder, x)


# -- CLIP


def for_inference(clip: Module) -> Module:
    """The same frozen CLIP; a ResNet's batch norms go into the convolutions before them."""
    for part in clip.visual.modules():
        for conv, norm in (("conv1", "bn1"), ("conv2", "bn2"), ("conv3", "bn3"), ("0", "1")):
            if isinstance(getattr(part, norm, None), nn.BatchNorm2d):
                setattr(part, conv, fuse_conv_bn_eval(getattr(part, conv), getattr(part, norm)))
                setattr(part, norm, nn.Identity())
    return clip.eval().requires_grad_(False)


def encode_image(
    visual: Module,
    x: torch.Tensor,
    *,
    dropout: float = 0.0,
    generator: torch.Generator | None = None,
) -> torch.Tensor:
    """CLIP's encodings (n, d) of normalised pictures (n, 3, h, w).

    A ResNet can leave out the share `dropout` of each stage's channels, others for each picture as
    `generator` draws on its own device.
    """
    if hasattr(visual, "transformer"):
        return _vision_transformer(visual, x)
    if hasattr(visual, "trunk"):  # open_clip's, as SigLIP has it
        return visual(x)
    x = visual.avgpool(resnet_stem(visual, x))
    for stage in (visual.layer1, visual.layer2, visual.layer3, visual.layer4):
        x = stage(x)
        if dropout:
            device = generator.device if generator else None
            kept = torch.rand(x.shape[:2], generator=generator, device=device) >= dropout
            x = x * (kept[..., None, None] / (1 - dropout)).to(x)
    return _attention_pool(visual.attnpool, x)


def resnet_stem(visual: Module, x: torch.Tensor) -> torch.Tensor:
    """Features of OpenAI's ResNet before its first pooling, of normalised pictures (n, 3, h, w)."""
    for i in "123":
        x = getattr(visual, f"bn{i}")(getattr(visual, f"conv{i}")(x))
        x = getattr(visual, f"relu{i}")(x)
    return x


def _attention_pool(pool: Module, x: torch.Tensor) -> torch.Tensor:
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


def _vision_transformer(visual: Module, x: torch.Tensor) -> torch.Tensor:
    x = visual.conv1(x).flatten(2).transpose(1, 2)  # (n, patches, width)
    x = torch.cat([visual.class_embedding.expand(len(x), 1, -1), x], 1)
    x = visual.ln_pre(x + visual.positional_embedding).transpose(0, 1)
    *blocks, last = visual.transformer.resblocks
    for block in blocks:
        seen = block.ln_1(x)
        x = x + block.attn(seen, seen, seen, need_weights=False)[0]
        x = x + _mlp(block, x)
    seen = last.ln_1(x)  # nobody reads the last block's tokens but the first
    x = x[:1] + last.attn(seen[:1], seen, seen, need_weights=False)[0]
    x = x + _mlp(last, x)
    return visual.ln_post(x[0]) @ visual.proj


def _mlp(block: Module, x: torch.Tensor) -> torch.Tensor:
    x = block.mlp.c_fc(block.ln_2(x))
    if isinstance(block.mlp.gelu, nn.GELU):
        return block.mlp.c_proj(block.mlp.gelu(x))
    # x · sigmoid(1.702 x), OpenAI's QuickGELU, in one pass
    return block.mlp.c_proj(F.silu(1.702 * x) / 1.702)
