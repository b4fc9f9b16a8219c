"""Code numbers and masks as few bytes, and back."""

from __future__ import annotations

import lzma

import numpy as np
import torch

MASK = 64  # pixels along a mask's side
LEVELS = 4  # of a mask


def pack_bits(codes: torch.Tensor, n_embed: int) -> torch.Tensor:
    """Whole numbers below `n_embed` as bytes (uint8) of as few bits each as hold them."""
    bits = max(1, (n_embed - 1).bit_length())
    shifts = np.arange(bits - 1, -1, -1)
    spread = (codes.numpy().reshape(-1, 1) >> shifts) & 1
    return torch.from_numpy(np.packbits(spread.astype(np.uint8).reshape(-1)))


def unpack_bits(packed: torch.Tensor, n_embed: int) -> torch.Tensor:
    """The inverse of `pack_bits`, flat; what is left over at the end is dropped."""
    bits = max(1, (n_embed - 1).bit_length())
    flat = np.unpackbits(packed.numpy())
    spread = flat[: len(flat) // bits * bits].reshape(-1, bits).astype(np.int64)
    return torch.from_numpy(spread @ (1 << np.arange(bits - 1, -1, -1)))


def pack_masks(masks: torch.Tensor) -> torch.Tensor:
    """Masks (n, MASK, MASK) in [0, 1] as compressed bytes, in LEVELS steps."""
    steps = (masks * (LEVELS - 1)).round().byte().numpy()
    return torch.frombuffer(bytearray(lzma.compress(steps.tobytes())), dtype=torch.uint8)


def unpack_masks(packed: torch.Tensor) -> torch.Tensor:
    """The inverse of `pack_masks`."""
    steps = np.frombuffer(lzma.decompress(packed.numpy().tobytes()), np.uint8)
    return torch.from_numpy(steps.copy()).view(-1, MASK, MASK).float() / (LEVELS - 1)
