"""Stars, rain, snow and fog: what a background's colours cannot show."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..reading import WEATHERS

COUNTS = {"starry": 34, "rainy": 46, "snowy": 60}
WHITE, RAIN, STAR = (1.0, 1.0, 1.0), (0.45, 0.66, 0.95), (1.0, 0.96, 0.75)
FALL = (-0.022, 0.075)  # from the upper to the lower end of a drop, in shares of the sides
DARK = 0.35  # mean of a sky up to which its stars are seen


def starry(canvas: torch.Tensor, high: float = 1.0) -> torch.Tensor:
    """A dark picture (3, h, w) with stars down to `high` of its height; others stay as they are."""
    if canvas[:, : max(1, round(high * canvas.shape[1]))].mean() > DARK:
        return canvas
    places, sizes = _spread("starry")
    return _dots(canvas, places * torch.tensor([1.0, 0.96 * high]), 0.004 + 0.008 * sizes, STAR)


def weathered(canvas: torch.Tensor, background: Sequence[str]) -> torch.Tensor:
    """A picture (3, h, w) in the rain, snow or fog of its background, if it names one."""
    how = background[0] if background and background[0] in WEATHERS else ""
    if how == "rainy":
        places, sizes = _spread("rainy")
        ends = [places + share * torch.tensor(FALL) for share in torch.linspace(0, 1, 12).tolist()]
        return _dots(canvas, torch.cat(ends), 0.006 + 0.003 * sizes.repeat(12), RAIN)
    if how == "snowy":
        places, sizes = _spread("snowy")
        return _dots(canvas, places, 0.008 + 0.010 * sizes, WHITE)
    if how == "foggy":
        y = torch.linspace(0, 1, canvas.shape[1])[:, None]
        x = torch.linspace(0, 1, canvas.shape[2])
        banks = (9 * y + 1.2 * (5 * x).sin()).sin() * 0.5 + 0.5
        veil = 0.4 + 0.4 * banks
        pale = 0.55 + 0.38 * canvas.mean()  # a fog at night is darker
        return torch.lerp(canvas, pale.expand_as(canvas), veil.expand_as(canvas))
    return canvas


def _spread(how: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Places (n, 2) in shares of the sides, evenly but not in rows, and sizes (n,) in [0, 1]."""
    steps = torch.arange(1.0, COUNTS[how] + 1)[:, None]
    places = (steps * torch.tensor([0.7548777, 0.5698403])).frac()  # by the plastic number
    return places, (steps[:, 0] * 0.618034).frac()


def _dots(
    canvas: torch.Tensor,
    places: torch.Tensor,
    radii: torch.Tensor,
    colour: tuple[float, float, float],
) -> torch.Tensor:
    """Discs, their radii in shares of the shorter side."""
    height, width = canvas.shape[1:]
    y, x = torch.arange(height)[:, None] + 0.5, torch.arange(width) + 0.5
    for (across, down), radius in zip(places.tolist(), radii.tolist(), strict=True):
        away = torch.hypot(x - across * width, y - down * height)
        alpha = (radius * min(height, width) - away + 0.5).clamp(0, 1)
        canvas = torch.lerp(canvas, torch.tensor(colour)[:, None, None], alpha[None])
    return canvas
