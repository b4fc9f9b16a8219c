"""The tensor that is optimised: its start and its activation (report, figure 12)."""

import warnings
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import nn

from .images import norm_data
from .models.vqgan import VQGAN

FITTED, FIT_RATE = 8, 0.03  # steps towards a given picture, and their learning rate
FUNCTIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "sine": torch.sin,
    "none": lambda z: z,
    "relu": F.relu,
    "leaky relu": lambda z: F.leaky_relu(z, 0.2),
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "softmax": lambda z: F.softmax(z, dim=1),  # over the channels
}


class Latent(nn.Module):
    """The latent z (1, channels, h, w) as a parameter `data`. Calling it gives the generator's
    input: `data`, after the activation with `at="every step"`."""

    def __init__(self, z: torch.Tensor, *, activation: str = "none", at: str = "start") -> None:
        super().__init__()
        self.data = nn.Parameter(z.detach().clone())
        self.activate(activation, at)

    def activate(self, activation: str, at: str) -> None:
        """Another activation, from the next call on; with `at="start"` there is none here."""
        self._every = FUNCTIONS[activation if at == "every step" else "none"]

    def forward(self, z: torch.Tensor | None = None) -> torch.Tensor:
        """The latent, or `z` in its place, after the activation if that acts in every step."""
        return self._every(self.data if z is None else z)


def noise(
    shape: Sequence[int],
    *,
    activation: str = "sine",
    at: str = "start",
    generator: torch.Generator,
) -> torch.Tensor:
    """The report's start `activation(.5 · randn)` of `shape` (1, channels, h, w), drawn on the CPU,
    so that it is the same for all devices; without activation with `at="every step"`."""
    z = 0.5 * torch.randn(*shape, generator=generator)
    return FUNCTIONS[activation](z) if at == "start" else z


def fitted(vqgan: VQGAN, picture: torch.Tensor, *, again: bool = False) -> torch.Tensor:
    """The latent (1, c, h/f, w/f) whose picture is as near to `picture` (1, 3, h, w) in [0, 1] as
    `FITTED` steps of Adam bring it; the encoder's alone has softer edges. again: as in
    `VQGAN.decode`."""
    with torch.no_grad():
        z = vqgan.encode(picture)
    z.requires_grad_()
    optimizer = torch.optim.Adam([z], lr=FIT_RATE)
    for _ in range(FITTED):
        optimizer.zero_grad()
        F.mse_loss(norm_data(vqgan.decode(z, again=again)), picture).backward()
        optimizer.step()
    return z.detach()


def fitting_size(height: int, width: int, factor: int) -> tuple[int, int]:
    """Height and width in pixels, rounded down to multiples of `factor`, at least one; with a
    warning if they change."""
    fitting = (max(factor, height // factor * factor), max(factor, width // factor * factor))
    if fitting != (height, width):
        warnings.warn(
            f"{height}×{width} becomes {fitting[0]}×{fitting[1]}: this generator paints in steps "
            f"of {factor} pixels",
            stacklevel=3,
        )
    return fitting
