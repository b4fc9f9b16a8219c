"""What CLIP is shown."""

import pytest
import torch

from vqclip_nb.crops import VIEWS, create_crops


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("method", VIEWS)
def test_crops_have_clips_size_and_follow_the_seed(method):
    picture = torch.rand(1, 3, 40, 72, generator=seeded())
    made = [create_crops(picture, 7, 32, method=method, generator=seeded(s)) for s in (1, 1, 2)]
    assert made[0].shape == (7, 3, 32, 32)
    assert torch.equal(made[0], made[1]) and not torch.equal(made[0], made[2])


@pytest.mark.parametrize("method", VIEWS)
def test_every_part_of_the_picture_is_seen(method):
    picture = torch.rand(1, 3, 48, 48, generator=seeded()).requires_grad_()
    for seed in range(20):
        create_crops(picture, 16, 32, method=method, generator=seeded(seed)).sum().backward()
    assert (picture.grad.abs().sum(1) > 0).float().mean() > 0.99


def test_noise_grows_with_its_factor():
    picture = torch.full((1, 3, 32, 32), 0.5)
    spread = [
        create_crops(picture, 64, 32, noise_factor=f, method="anchored", generator=seeded()).std()
        for f in (0.0, 0.1, 0.4)
    ]
    assert spread[0] < 1e-6
    assert spread[2] / spread[1] == pytest.approx(4, rel=0.05)


@pytest.mark.parametrize("method", VIEWS)
def test_views_are_mirrored_as_often_as_asked(method):
    picture = torch.linspace(-1, 1, 64).expand(1, 3, 64, 64)  # brighter to the right
    for flip in (0.0, 0.5, 1.0):
        how = dict(noise_factor=0, method=method, flip=flip)
        views = [create_crops(picture, 8, 32, **how, generator=seeded(s)) for s in range(60)]
        right = (torch.cat(views) * picture[..., ::2, ::2]).sum((1, 2, 3)) > 0
        assert right.float().mean() == pytest.approx(
            1 - flip, abs=0.3
        )  # off-centre views lose some
