"""Outputs of a network's layers, recorded with forward hooks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn


def listen(layers: Sequence[nn.Module], call: Callable[[], object]) -> list[torch.Tensor]:
    """The outputs of `layers` while `call()` runs, in the order of the calls: one for each call of
    a layer. The hooks are removed again, also on an error."""
    outputs: list[torch.Tensor] = []
    hooks = [at.register_forward_hook(lambda _, __, out: outputs.append(out)) for at in layers]
    try:
        call()
    finally:
        for hook in hooks:
            hook.remove()
    return outputs
