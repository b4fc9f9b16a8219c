"""Grounds and skies, their light and their weather: what is behind and over the things of a
picture; and the patterns that are on them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from ..palettes import COLOURS, Colour, own_colours
from ..reading import GROUND, LIT, WEATHERS
from ..regions import Size
from .caption_words import WORDS
from .layers import BLACKEST, tinted

DROPS = {"starry": 34, "rainy": 46, "snowy": 60}
WHITE, RAIN, STAR = (1.0, 1.0, 1.0), (0.45, 0.66, 0.95), (1.0, 0.96, 0.75)
GREEN_LIGHT, VIOLET_LIGHT = (0.35, 0.95, 0.55), (0.6, 0.35, 0.85)
BURSTS = (  # of fireworks: right, down, radius in shares of the sides, and colour
    (0.2, 0.2, 0.19, (1.0, 0.45, 0.6)),
    (0.76, 0.17, 0.2, (1.0, 0.85, 0.3)),
    (0.48, 0.34, 0.13, (0.5, 0.85, 1.0)),
    (0.9, 0.46, 0.12, (0.55, 0.95, 0.5)),
    (0.09, 0.5, 0.11, (1.0, 0.65, 0.3)),
)
FALL = (-0.022, 0.075)  # from the upper to the lower end of a drop, in shares of the sides
DARK = 0.35  # mean of a sky up to which its stars are seen
HORIZON, HILL = 0.68, 0.03  # from above, and how far it rises and falls; shares of the height
WALL = "beige"  # of a room, above its floor
NIGHTLY, NIGHT = 0.45, (0.5, 0.54, 0.8)  # mean of a place by night; what is left of a day's light
NIGHT_SKY = (0.06, 0.09, 0.24), (0.2, 0.27, 0.5)  # above and at the horizon
MOON = (0.8, 0.16), 0.08, (1.0, 0.95, 0.75)  # place, radius and colour
DUSK_LIGHT, RAIN_LIGHT = (0.98, 0.74, 0.66), (0.74, 0.78, 0.84)
DUSK_SKY, BLUER = ("purple", "orange"), 0.16  # above and at the horizon; what counts as sky
SUN, GLOW = (0.24, 0.15), (1.0, 0.85, 0.35)  # from the left, radius; shares of the sides

DARKER = 0.5  # a pattern without a colour of its own
UNSAID = {"dots": "white"}  # the colour of a pattern where none is said
FLAT = 0.6  # share of a pattern's own colour, without the lights and darks below it
OTHER_COLOUR = 0.3  # distance in RGB of two colours of a drawing that are not lights of one
DOT = 0.15  # between the middles of two dots, of the drawing's longer side
SECOND_PART = 0.12  # share of a drawing from which on its second colour is one


def ground(colours: Sequence[str], size: Size, *, sun: bool = True) -> torch.Tensor:
    """Background (3, height, width): white, one colour, two from left above to right below, or,
    where the last is that of the ground, a sky above it. sun: whether a glowing sky has one."""
    colours = colours or ("white",)
    if colours[0] in WEATHERS:
        land, plain = colours[-1].endswith(GROUND), ground(colours[1:], size)
        if colours[0] == "glowing":
            return sunset(plain) if sun and land else plain
        if colours[0] not in ("starry", *LIT):
            return plain
        plain = northern_lights(plain) if colours[0] == "polar" else plain
        plain = fireworks(plain) if colours[0] == "festive" else plain
        return starry(plain, HORIZON - HILL if land else 1.0)
    if colours[-1].endswith(GROUND):
        return _scenery([*colours[:-1]] or ["light blue"], colours[-1].removesuffix(GROUND), size)
    ends = torch.tensor([COLOURS[c] for c in (colours[0], colours[-1])]) / 255
    mix = torch.linspace(0, 1, size[0])[:, None] / 2 + torch.linspace(0, 1, size[1]) / 2
    mix = ((mix - 0.5) * 1.4 + 0.5).clamp(0, 1)
    return ends[0, :, None, None] * (1 - mix) + ends[1, :, None, None] * mix


def _scenery(sky: Sequence[str], below: str, size: Size) -> torch.Tensor:
    """A sky, lighter towards the horizon, above a hill."""
    high, low = (torch.tensor(COLOURS[c])[:, None, None] / 255 for c in (sky[-1], sky[0]))
    near = torch.tensor(COLOURS[below])[:, None, None] / 255
    y = torch.linspace(0, 1, size[0])[:, None]
    haze = low + 0.35 * (1 - low) * (len(sky) == 1 and float(low.mean()) > 0.3)
    above = torch.lerp(high, haze.expand(3, 1, 1), (y / HORIZON).clamp(max=1)[None])
    under = near * (1.04 - 0.14 * ((y - HORIZON) / (1 - HORIZON)).clamp(0, 1))
    hill = 0.0 if list(sky) == [WALL] else HILL
    return torch.where(above_horizon(size, hill), above, under.clamp(max=1))


def above_horizon(size: Size, hill: float = HILL) -> torch.Tensor:
    """Which pixels (height, width) are above that of `ground`."""
    horizon = HORIZON - hill * (torch.linspace(-0.4, 0.9, size[1]) * torch.pi).cos()
    return torch.linspace(0, 1, size[0])[:, None] <= horizon


def in_its_light(place: torch.Tensor, background: Sequence[str], name: str = "") -> torch.Tensor:
    """A place by day (3, h, w) at the time and in the weather of a background; one by night stays
    as it is. name: of the place, for some have no sky."""
    how = background[0] if background else ""
    if place.mean() > NIGHTLY:
        if how == "glowing":
            place = at_dusk(place)
        elif how in ("starry", *LIT) and name not in WORDS["indoors"]:
            place = at_night(place, moon=how == "starry")
        elif how in ("starry", "rainy", *LIT):
            light = RAIN_LIGHT if how == "rainy" else NIGHT
            place = place * torch.tensor(light)[:, None, None]
    place = northern_lights(place) if how == "polar" else place
    return fireworks(place) if how == "festive" else place


def at_dusk(place: torch.Tensor) -> torch.Tensor:
    """A place by day (3, h, w) in the light of a setting sun, which is seen in its sky and in its
    water: in whatever is light blue."""
    y = torch.linspace(0, 1, place.shape[1])[None, :, None]
    high, low = (torch.tensor(COLOURS[c])[:, None, None] / 255 for c in DUSK_SKY)
    glow = torch.lerp(low, high, ((HORIZON - y).abs() / HORIZON).clamp(max=1))
    light = place * torch.tensor(DUSK_LIGHT)[:, None, None]
    return torch.lerp(light, glow, 0.85 * light_blue(place))


def at_night(place: torch.Tensor, *, moon: bool = True) -> torch.Tensor:
    """A place by day (3, h, w) under stars, which stand in whatever is light blue above the
    horizon."""
    y = torch.linspace(0, 1 / HORIZON, place.shape[1]).clamp(max=1)[None, :, None]
    high, low = (torch.tensor(colour)[:, None, None] for colour in NIGHT_SKY)
    sky = starry(torch.lerp(high, low, y).expand_as(place), HORIZON - HILL)
    if moon:
        at, radius, colour = MOON
        sky = _dots(sky, torch.tensor([at]), torch.tensor([radius]), colour)
    return torch.lerp(place * torch.tensor(NIGHT)[:, None, None], sky, light_blue(place))


def light_blue(place: torch.Tensor) -> torch.Tensor:
    """How much of each pixel (h, w) of a place (3, h, w) is sky, or water in which it is seen."""
    bluer, light = place[2] - place[0], place.amin(0) - DARK
    return (bluer / BLUER).clamp(0, 1) * (light / BLUER).clamp(0, 1)


def starry(canvas: torch.Tensor, high: float = 1.0) -> torch.Tensor:
    """A dark picture (3, h, w) with stars down to `high` of its height; others stay as they are."""
    if canvas[:, : max(1, round(high * canvas.shape[1]))].mean() > DARK:
        return canvas
    places, sizes = _spread("starry")
    return _dots(canvas, places * torch.tensor([1.0, 0.96 * high]), 0.004 + 0.008 * sizes, STAR)


def sunset(canvas: torch.Tensor) -> torch.Tensor:
    """A picture (3, h, w) of sky and ground with the upper part of a sun at its horizon."""
    size = canvas.shape[1], canvas.shape[2]
    place, radius = torch.tensor([[SUN[0], HORIZON]]), torch.tensor([SUN[1]])
    return torch.where(above_horizon(size), _dots(canvas, place, radius, GLOW), canvas)


def northern_lights(canvas: torch.Tensor) -> torch.Tensor:
    """Two curtains of light in the upper part of a picture (3, h, w), brightest at their lower
    edge, with rays."""
    y = torch.linspace(0, 1, canvas.shape[1])[:, None]
    x = torch.linspace(0, 1, canvas.shape[2])
    for low, turn in ((0.44, 0.0), (0.3, 2.0)):
        edge = low + 0.07 * (7 * x + turn).sin() + 0.03 * (15 * x + 2 * turn).sin()
        away = edge - y
        rays = 0.75 + 0.25 * (55 * x + 9 * (5 * x + turn).sin()).sin()
        light = torch.where(away > 0, (-away / 0.2).exp(), (away / 0.02).exp()) * rays
        high = (away / 0.3).clamp(0, 1)
        green, violet = (torch.tensor(c)[:, None, None] for c in (GREEN_LIGHT, VIOLET_LIGHT))
        canvas = torch.lerp(canvas, torch.lerp(green, violet, high), 0.9 * light)
    return canvas


def fireworks(canvas: torch.Tensor) -> torch.Tensor:
    """A picture (3, h, w) with bursts of rays in its upper part."""
    y, x = (torch.arange(side) + 0.5 for side in canvas.shape[1:])
    for right, down, radius, colour in BURSTS:
        aside, below = x - right * canvas.shape[2], y[:, None] - down * canvas.shape[1]
        away = torch.hypot(aside, below) / (radius * min(canvas.shape[1:]))
        ray = ((14 * torch.atan2(below, aside)).cos() - 0.4).clamp(0, 0.4) / 0.4
        share = ray * ((1 - away) / 0.2).clamp(0, 1) * ((away - 0.15) / 0.2).clamp(0, 1)
        canvas = torch.lerp(canvas, torch.tensor(colour)[:, None, None], share)
    return canvas


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
        veil = 0.25 + 0.4 * banks
        pale = 0.5 + 0.34 * canvas.mean()  # a fog at night is darker
        return torch.lerp(canvas, pale.expand_as(canvas), veil.expand_as(canvas))
    return canvas


def _spread(how: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Places (n, 2) in shares of the sides, evenly but not in rows, and sizes (n,) in [0, 1]."""
    steps = torch.arange(1.0, DROPS[how] + 1)[:, None]
    places = (steps * torch.tensor([0.7548777, 0.5698403])).frac()  # by the plastic number
    return places, (steps[:, 0] * 0.618034).frac()


def _dots(
    canvas: torch.Tensor, places: torch.Tensor, radii: torch.Tensor, colour: Colour
) -> torch.Tensor:
    """Discs, their radii in shares of the shorter side."""
    height, width = canvas.shape[1:]
    y, x = torch.arange(height)[:, None] + 0.5, torch.arange(width) + 0.5
    for (across, down), radius in zip(places.tolist(), radii.tolist(), strict=True):
        away = torch.hypot(x - across * width, y - down * height)
        alpha = (radius * min(height, width) - away + 0.5).clamp(0, 1)
        canvas = torch.lerp(canvas, torch.tensor(colour)[:, None, None], alpha[None])
    return canvas


def patterned(
    layer: torch.Tensor, drawn: torch.Tensor, pattern: tuple[str, str], style: str = ""
) -> torch.Tensor:
    """A tinted drawing (4, h, w) with a pattern, as `Thing.pattern`, on what takes a tint.

    drawn: the drawing before it was tinted, whose second colour is where patches are.
    """
    kind, colour = pattern
    colour = colour or UNSAID.get(kind, "")
    other = torch.cat([DARKER * layer[:3], layer[3:]])
    if colour:
        other = tinted(drawn, colour, style, whole=kind == "patches")
        flat = torch.tensor(COLOURS[colour])[:, None, None] / 255 * layer[3:]
        other[:3] = torch.lerp(other[:3], flat, 0.0 if kind == "patches" else FLAT)
    inside = drawn[3] > 0.5
    rows, columns = inside.any(1).nonzero(), inside.any(0).nonzero()
    if not len(rows):
        return layer
    side = max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1
    y = (torch.arange(layer.shape[1])[:, None] - rows[0]) / side
    x = (torch.arange(layer.shape[2]) - columns[0]) / side
    share = second_part(drawn) if kind == "patches" else PATTERNS[kind](x, y)
    return torch.lerp(layer, other, share.expand(layer.shape[1:])[None])


def second_part(drawn: torch.Tensor) -> torch.Tensor:
    """Where a drawing (4, h, w) has its second colour, in [0, 1]; of one colour only, blotches."""
    alpha = drawn[3]
    own = (drawn[:3] / alpha.clamp(min=1e-3)).clamp(0, 1)
    inside = (alpha > 0.5) & (own.mean(0) > BLACKEST)  # lines and eyes stay
    pixels = own[:, inside].T
    if len(pixels):
        colours = own_colours(pixels, 2)
        nearest = torch.cdist(own.flatten(1).T, colours).argmin(1).view_as(alpha)
        parts = [inside & (nearest == i) for i in range(len(colours))]
        smaller = min(parts, key=torch.sum).float()
        other = len(parts) > 1 and (colours[0] - colours[1]).norm() > OTHER_COLOUR
        if other and SECOND_PART * inside.sum() < smaller.sum():
            return F.avg_pool2d(smaller[None, None], 3, 1, 1)[0, 0]
    y, x = (torch.linspace(0, 1, side) for side in alpha.shape)
    waves = (11 * x + 2).sin() + (13 * y[:, None] + 4 * x).sin()
    return (4 * waves - 1).clamp(0, 1)


def _stripes(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return (3 * (torch.pi * (14 * x + 0.5 * (9 * y).sin())).sin() + 0.5).clamp(0, 1)


def _spots(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    row = (y / DOT).floor()
    right, down = (x / DOT + 0.5 * (row % 2)).frac() - 0.5, (y / DOT).frac() - 0.5
    return (10 * (0.3 - torch.hypot(right, down)) + 0.5).clamp(0, 1)


def _checks(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return (4 * (10 * torch.pi * x).sin() * (10 * torch.pi * y).sin() + 0.5).clamp(0, 1)


# Of x and y in shares of a drawing's longer side.
PATTERNS = {"stripes": _stripes, "dots": _spots, "spots": _spots, "checks": _checks}
