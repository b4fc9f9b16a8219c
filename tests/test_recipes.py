"""What CLIP is shown; and Crowson's and nerdyrodent's recipes, whose losses are their formulas'."""

import dataclasses

import pytest
import torch
import torch.nn.functional as F

import vqclip_nb as vq
from vqclip_nb.crops import VIEWS, create_crops


class ClampWithGrad(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.clamp(0, 1)

    @staticmethod
    def backward(ctx, grad):
        [x] = ctx.saved_tensors
        return grad * (grad * (x - x.clamp(0, 1)) >= 0)


@pytest.fixture
def plain(pair):
    """The pair without its own vocabulary, drawings and dropout, as a published one is."""
    clip = dataclasses.replace(pair.clip, dropout=0.0, vocabulary=None)
    return vq.Pair(name="plain", clip=clip, vqgan=pair.vqgan)


@pytest.mark.parametrize("size", [(64, 64), (64, 96)])
@pytest.mark.parametrize(
    "name, optimizer",
    [
        ("crowson", lambda z: torch.optim.Adam([z], lr=0.05)),
        ("nerdyrodent", lambda z: torch.optim.AdamW([z], lr=0.1)),
    ],
)
def test_losses_are_those_of_the_formulas(plain, name, optimizer, size):
    shape = dict(height=size[0], width=size[1], total_iter=8)
    settings = vq.Settings.preset(name, include="a fox", exclude="snow", seed=3, crops=6, **shape)
    found = [frame.loss for frame in vq.Run(plain, settings)]

    vqgan, clip, codebook = plain.vqgan, plain.clip, plain.vqgan.codebook.weight
    cells = [side // vqgan.downsample_factor for side in size]
    generator = torch.Generator().manual_seed(3)
    torch.randn(1, codebook.shape[1], *cells, generator=generator)  # the report's start, not used
    start = codebook[torch.randint(len(codebook), (cells[0] * cells[1],), generator=generator)]
    z = start.view(1, *cells, -1).permute(0, 3, 1, 2).clone().requires_grad_()
    low, high = (b.values[None, :, None, None] for b in (codebook.min(0), codebook.max(0)))
    texts = [(clip.encode_text([text]), weight) for text, weight in (("a fox", 1), ("snow", -1))]
    steps, wanted = optimizer(z), []
    for _ in range(8):
        steps.zero_grad()
        flat = z.movedim(1, 3)
        nearest = torch.cdist(flat.flatten(0, 2), codebook).argmin(1)
        quantized = (flat + (codebook[nearest].view(flat.shape) - flat).detach()).movedim(3, 1)
        picture = ClampWithGrad.apply((vqgan.decode(quantized) + 1) / 2)
        how = dict(noise_factor=settings.noise_factor, method=settings.crop_method, flip=0.0)
        views = create_crops(picture, 6, clip.resolution, **how, generator=generator)
        seen = F.normalize(clip.encode_image(views), dim=1)
        loss = 0
        for text, weight in texts:
            chord = (seen - F.normalize(text, dim=1)).norm(dim=1)
            loss = loss + weight * (2 * (chord / 2).arcsin() ** 2).mean()
        loss.backward()
        steps.step()
        wanted.append(loss.item())
        with torch.no_grad():
            z.copy_(z.maximum(low).minimum(high))
    assert found == pytest.approx(wanted, abs=2e-5)


def test_a_published_pair_paints_by_the_recipe_unless_told_otherwise(plain):
    told = dict(include="a fox", seed=3, crops=3, height=64, width=64, total_iter=2)
    default, same = vq.Settings(**told), vq.Settings.preset("nerdyrodent", **told)
    losses = [[f.loss for f in vq.Run(plain, s)] for s in (default, same.replace(beta=0.5))]
    assert losses[0] == losses[1]
    report = vq.Settings.preset("report", **told).for_pair(plain.defaults)
    assert (report.distance, report.crop_method) == ("cosine", "report")
    assert not report.within_codebook


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("method", VIEWS)
def test_every_part_of_the_picture_is_seen_and_mirrored_as_often_as_asked(method):
    picture = torch.rand(1, 3, 48, 48, generator=seeded()).requires_grad_()
    for seed in range(20):
        create_crops(picture, 16, 32, method=method, generator=seeded(seed)).sum().backward()
    assert (picture.grad.abs().sum(1) > 0).float().mean() > 0.99
    picture = torch.linspace(-1, 1, 64).expand(1, 3, 64, 64)  # brighter to the right
    for flip in (0.0, 0.5, 1.0):
        how = dict(noise_factor=0, method=method, flip=flip)
        views = [create_crops(picture, 8, 32, **how, generator=seeded(s)) for s in range(60)]
        right = (torch.cat(views) * picture[..., ::2, ::2]).sum((1, 2, 3)) > 0
        share = right.float().mean()
        assert share == pytest.approx(1 - flip, abs=0.3)  # off-centre views lose some


@pytest.mark.parametrize("method", ["cutouts", "whole"])
def test_views_lie_as_they_should(method):
    theta = VIEWS[method][0](200, 1.5, 0.0, seeded())
    if method == "cutouts":
        corner = theta[:, :, :2].diagonal(dim1=1, dim2=2)
        torch.testing.assert_close(corner[:, 0] * 1.5, corner[:, 1])  # square in pixels
        assert (corner + theta[:, :, 2].abs()).max() <= 1 + 1e-5 and corner[:, 1].min() >= 0.46
    else:
        straight = (theta[:, :, :2] - torch.eye(2)).abs().amax((1, 2)) < 1e-6
        assert 0.2 < straight.float().mean() < 0.4 and theta[:, :, 2].abs().max() <= 0.2
