"""The tensor that is optimised: where it starts, and which activation acts on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import nn

from .settings import ACTIVATIONS
from .vqgan import VQGAN

FUNCTIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "sine": torch.sin,
    "none": lambda z: z,
    "relu": F.relu,
    "leaky relu": lambda z: F.leaky_relu(z, 0.2),
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "softmax": lambda z: F.softmax(z, dim=1),  # over the channels
}
assert tuple(FUNCTIONS) == ACTIVATIONS


class Parameters(nn.Module):
    """The latent z (1, channels, h, w) as a parameter; calling it gives what the generator is fed.

    The start is `activation(.5 · randn)`, drawn from `generator` on the CPU so that every device
    starts alike; or `start`, an encoded picture. With `at="every step"` the activation acts in each
    call instead.
    """

    def __init__(
        self,
        shape: tuple[int, int, int, int],
        *,
        activation: str = "sine",
        at: str = "start",
        generator: torch.Generator,
        start: torch.Tensor | None = None,
    ) -> None:
        super().__init__()
        f = FUNCTIONS[activation]
        z = 0.5 * torch.randn(shape, generator=generator)
        if start is not None:
            z = start
        elif at == "start":
            z = f(z)
        self.data = nn.Parameter(z.clone())
        self._every = f if at == "every step" else FUNCTIONS["none"]

    def forward(self, z: torch.Tensor | None = None) -> torch.Tensor:
        """The latent, or `z` in its place, after the activation if that acts in every step."""
        return self._every(self.data if z is None else z)


def paint(vqgan: VQGAN, latent: torch.Tensor, *, quantize: bool) -> torch.Tensor:
    """The report's `generator`: latent to generator output (1, 3, h, w), about [-1, 1]."""
    return vqgan.decode(vqgan.quantize(latent) if quantize else latent)


def interpolate(latents: Sequence[torch.Tensor], between: int) -> Iterator[torch.Tensor]:
    """Latents on straight lines from each to the next, `between` steps a line, ends included;
    ValueError for fewer than two or for unlike shapes."""
    if len(latents) < 2 or len({z.shape for z in latents}) > 1:
        raise ValueError("a morph needs at least two pictures, all of the same size")
    for a, b in zip(latents, latents[1:], strict=False):
        for i in range(between):
            yield torch.lerp(a, b, i / between)
    yield latents[-1]
