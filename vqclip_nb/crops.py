"""What CLIP gets to see of a picture: shaken, cropped, noisy views, all sampled in one go."""

import math

import torch
import torch.nn.functional as F


def _uniform(*shape: int, generator: torch.Generator) -> torch.Tensor:
    """Numbers in [0, 1), drawn on the generator's device."""
    return torch.rand(*shape, generator=generator, device=generator.device)


def _rotate_flip(
    n: int, degrees: float, aspect: float, flip: float, generator: torch.Generator
) -> torch.Tensor:
    """(n, 2, 2) random rotations up to ±degrees, the share `flip` of them mirrored, for a picture
    of `aspect` = width / height."""
    angle = (_uniform(n, generator=generator) * 2 - 1) * math.radians(degrees)
    mirror = 1 - 2 * (_uniform(n, generator=generator) < flip).float()
    cos, sin = angle.cos(), angle.sin()
    numbers = [cos * mirror, -sin / aspect, sin * mirror * aspect, cos]
    return torch.stack(numbers, 1).view(n, 2, 2)


def _report_views(n: int, aspect: float, flip: float, generator: torch.Generator) -> torch.Tensor:
    """One flip and affine for the whole padded picture, then crops with clipped normal sizes inside
    it.

    Returns (n, 2, 3): maps from a view's [-1, 1] square to the picture's [-1, 1], where the padding
    of half a side all round reaches ±2.
    """
    turn = _rotate_flip(1, 30, aspect, flip, generator)
    shift = (_uniform(1, 2, generator=generator) * 2 - 1) * 0.2 * 2
    mean = torch.full((n, 2), 1.1, device=generator.device)
    size = torch.normal(mean, 0.35, generator=generator).clip(0.4, 1.9)
    centre = (_uniform(n, 2, generator=generator) * 2 - 1) * (2 - size)
    linear = turn * size[:, None, :]
    offset = turn @ (centre + shift)[..., None]
    return torch.cat([linear, offset], 2)


def _anchored_views(n: int, aspect: float, flip: float, generator: torch.Generator) -> torch.Tensor:
    """A quarter of the views hold the whole picture; the others' centres are spread over a jittered
    grid."""
    anchors = max(1, n // 4)
    rest = n - anchors
    whole = 0.95 + 0.2 * _uniform(anchors, generator=generator)
    size = torch.cat([whole, 0.5 + 0.45 * _uniform(rest, generator=generator)])
    cells = math.ceil(math.sqrt(max(1, rest)))
    cell = torch.randperm(cells * cells, generator=generator, device=generator.device)[:rest]
    corner = torch.stack([cell % cells, cell // cells], 1)
    spread = (corner + _uniform(rest, 2, generator=generator)) / cells
    centre = torch.cat([_uniform(anchors, 2, generator=generator), spread]) * 2 - 1
    centre = centre * ((1 - size).abs()[:, None] + 0.05)
    turn = _rotate_flip(n, 15, aspect, flip, generator)
    return torch.cat([turn * size[:, None, None], centre[..., None]], 2)


def _cutouts(n: int, aspect: float, flip: float, generator: torch.Generator) -> torch.Tensor:
    """Upright squares inside the picture, of sides uniform from `LEAST_CUTOUT` of its shorter side
    to all of it (Crowson's MakeCutouts)."""
    size = LEAST_CUTOUT + (1 - LEAST_CUTOUT) * _uniform(n, 1, generator=generator)
    size = torch.cat([size * min(1, 1 / aspect), size * min(1, aspect)], 1)
    centre = (_uniform(n, 2, generator=generator) * 2 - 1) * (1 - size)
    turn = _rotate_flip(n, 0, aspect, flip, generator)
    return torch.cat([turn * size[:, None, :], centre[..., None]], 2)


def _shaken(n: int, aspect: float, flip: float, generator: torch.Generator) -> torch.Tensor:
    """The whole picture, seven times of ten turned by up to 15° and shifted by up to a tenth
    (nerdyrodent's RandomAffine)."""
    turned, upright = (_rotate_flip(n, d, aspect, flip, generator) for d in (15, 0))
    shift = (_uniform(n, 2, 1, generator=generator) * 2 - 1) * 0.2
    acts = _uniform(n, 1, 1, generator=generator) < 0.7
    return torch.where(acts, torch.cat([turned, shift], 2), torch.cat([upright, 0 * shift], 2))


LEAST_CUTOUT = 224 / 480  # CLIP's side in a picture of Crowson's usual size
VIEWS = {
    "report": (_report_views, "zeros"),
    "anchored": (_anchored_views, "border"),
    "cutouts": (_cutouts, "border"),
    "whole": (_shaken, "border"),
}


def create_crops(
    picture: torch.Tensor,
    count: int,
    size: int,
    *,
    noise_factor: float = 0.22,
    method: str = "report",
    flip: float = 0.5,
    generator: torch.Generator,
) -> torch.Tensor:
    """`count` random views (count, 3, size, size) of a picture (1, 3, h, w) in [0, 1].

    Each view gets Gaussian noise of its own strength, uniform up to `noise_factor`, so that values
    may leave [0, 1]. flip: how likely a view, or with "report" all of them, is mirrored.
    Random numbers are drawn by `generator` on its own device: the CPU's gives the same views on
    every device, the picture's own sends nothing to it.
    """
    views, padding = VIEWS[method]
    theta = views(count, picture.shape[3] / picture.shape[2], flip, generator).to(picture)
    grid = F.affine_grid(theta, [count, 3, size, size], align_corners=False)
    if padding == "border" and picture.device.type == "mps":
        # It has none before torch 2.13: what is outside is moved onto the outermost pixels.
        edge = 1 - 1 / torch.tensor([picture.shape[3], picture.shape[2]], device=grid.device)
        grid, padding = torch.minimum(torch.maximum(grid, -edge), edge), "zeros"
    crops = F.grid_sample(
        picture.expand(count, -1, -1, -1), grid, padding_mode=padding, align_corners=False
    )
    if noise_factor:
        strength = noise_factor * _uniform(count, 1, 1, 1, generator=generator)
        noise = torch.randn(crops.shape, generator=generator, device=generator.device)
        crops = crops + (strength * noise).to(crops)
    return crops
