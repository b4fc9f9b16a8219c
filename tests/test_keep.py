"""What is kept of the start picture."""

import pytest
import torch

from vqclip_nb.keep import edges, keep_colours, keep_edges


def disc(colour, ground, size=(64, 64)):
    y, x = torch.meshgrid(*(torch.linspace(-1, 1, s) for s in size), indexing="ij")
    inside = ((x**2 + y**2) < 0.4).float()
    a, b = (torch.tensor(c)[:, None, None] for c in (colour, ground))
    return (a * inside + b * (1 - inside))[None]


def test_another_shape_is_further_than_another_brightness():
    start = disc([0.8, 0.2, 0.2], [1.0, 1.0, 1.0])
    keep = keep_edges(start)
    assert keep(start) == 0
    moved = start.roll(12, 3)
    assert keep(moved) > 3 * keep(start - 0.1) and keep(start - 0.1) < 1e-6
    assert keep(torch.full_like(start, 0.5)) > 0.01


def test_a_picture_comes_back_from_its_edges_but_for_its_mean():
    start = disc([0.2, 0.5, 0.9], [0.9, 0.9, 0.3])
    picture = torch.full_like(start, 0.5).requires_grad_()
    keep, optimizer = keep_edges(start), torch.optim.Adam([picture], lr=0.02)
    for _ in range(150):
        optimizer.zero_grad()
        keep(picture).backward()
        optimizer.step()
    centred = [x - x.mean((2, 3), keepdim=True) for x in (picture.detach(), start)]
    similarity = torch.cosine_similarity(*(c.flatten() for c in centred), dim=0)
    assert similarity > 0.6


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (8, 8), (31, 64)])
def test_any_size_will_do(size):
    assert all(torch.isfinite(e).all() for e in edges(torch.rand(1, 3, *size)))


def test_colours_are_kept_by_area_not_by_shape():
    start = disc([0.8, 0.2, 0.2], [1.0, 1.0, 1.0])
    keep = keep_colours(start)
    fine = start + 0.2 * torch.tensor([[1.0, -1], [-1, 1]]).repeat(32, 32)  # averages to nothing
    assert keep(start) == 0 and keep(fine) < 1e-6
    other = disc([0.2, 0.2, 0.8], [1.0, 1.0, 1.0])
    ground = disc([0.8, 0.2, 0.2], [0.2, 0.6, 0.2])
    assert keep(other) > 0.02 and keep(ground) > keep(other)  # more of the picture is ground
