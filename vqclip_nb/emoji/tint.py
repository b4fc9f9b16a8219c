"""Drawings in another colour, as far as they have a main one."""

from __future__ import annotations

import functools
from pathlib import Path

import torch

from ..palettes import COLOURS

SILHOUETTE = "silhouette"
BLACK = ("line", SILHOUETTE)  # styles whose drawings are white where the background is dark
BLACKEST = 0.2  # mean light of a drawing that is a silhouette
MAIN = 0.5  # share of a drawing from which on a hue is its main one
NEAR = 0.8  # angle in radians between two hues that are not the same


def usual_colour(label: str, style: str, asked: str) -> str:
    """The colour of a thing that is drawn as a black silhouette though another style, or none, was
    asked for; empty for others."""
    return _usual_colours().get(label, "") if style == SILHOUETTE and asked not in BLACK else ""


@functools.cache
def _usual_colours() -> dict[str, str]:
    table = Path(__file__).with_name("usual_colours.txt").read_text(encoding="utf8")
    rows = (line.split(": ") for line in table.splitlines())
    return {label: colour for colour, labels in rows for label in labels.split(", ")}


def tinted(layer: torch.Tensor, colour: str) -> torch.Tensor:
    """A drawing (4, h, w) in another colour, with its own lights and darks.

    The mean of its main hue becomes that colour, other hues stay; where no hue covers half of the
    drawing, all of it takes the colour. A drawing that has the colour already stays as it is.
    """
    alpha, tint = layer[3:], torch.tensor(COLOURS[colour])[:, None, None] / 255
    own = (layer[:3] / alpha.clamp(min=1e-3)).clamp(0, 1)
    taken = main_hue(own, alpha)
    if (taken * alpha).sum() < MAIN * alpha.sum():
        taken = torch.ones_like(alpha)
    else:
        mean = ((own * taken * alpha).sum((1, 2)) / (taken * alpha).sum())[:, None, None]
        if nearest_colour(mean) == colour:
            return layer
    light, weight = own.mean(0, keepdim=True).clamp(max=0.95), taken * alpha
    middle = (light * weight).sum() / weight.sum().clamp(min=1)
    if middle < BLACKEST:  # a silhouette, and what is white in it
        white = ((light - 0.3) / 0.4).clamp(0, 1)
        return torch.cat([torch.lerp(tint, torch.ones(1), white) * alpha, alpha])
    # Dark and pale drawings are brought to middle grey first, else no colour would show on them.
    light = light ** (torch.tensor(0.5).log() / middle.clamp(0.02, 0.98).log()).clamp(0.4, 5)
    return torch.cat([torch.lerp(own, overlay(light, tint), taken) * alpha, alpha])


def main_hue(picture: torch.Tensor, alpha: torch.Tensor) -> torch.Tensor:
    """How far each pixel (1, h, w) of a picture (3, h, w) is of the hue that covers most of it, in
    [0, 1]; greys are of none."""
    red, green, blue = picture
    x, y = red - (green + blue) / 2, (green - blue) * 3**0.5 / 2
    largest = picture.amax(0)
    saturation = torch.hypot(x, y) / largest.clamp(min=1e-3)
    coloured = ((saturation - 0.15) / 0.15).clamp(0, 1) * ((largest - 0.1) / 0.1).clamp(0, 1)
    hue = torch.atan2(y, x)
    turns = torch.arange(36) * (torch.pi / 18)
    apart = (hue - turns[:, None, None] + torch.pi).remainder(2 * torch.pi).sub(torch.pi).abs()
    near = coloured * ((NEAR - apart) / (NEAR / 2)).clamp(0, 1)  # (36, h, w)
    return near[(near * alpha).sum((1, 2)).argmax()][None]


def nearest_colour(colour: torch.Tensor) -> str:
    """Name of the colour that a colour (3, 1, 1) in [0, 1] is nearest to."""
    named = torch.tensor(list(COLOURS.values())) / 255
    return list(COLOURS)[int((named - colour.view(3)).square().sum(1).argmin())]


def overlay(light: torch.Tensor, colour: torch.Tensor) -> torch.Tensor:
    """`colour` with the lights and darks of `light` in [0, 1]; middle grey gives the colour."""
    return torch.where(light < 0.5, 2 * light * colour, 1 - (2 - 2 * light) * (1 - colour))
