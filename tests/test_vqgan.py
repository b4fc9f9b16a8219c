"""Our VQGAN does what taming's modules do, passes gradients through, and keeps its weights."""

from argparse import Namespace

import pytest
import torch
from published import SHAPE, Original
from taming.modules.vqvae.quantize import VectorQuantizer

from vqclip_nb import weights
from vqclip_nb.models import fast
from vqclip_nb.models.vqgan import VQGAN


@pytest.fixture
def original() -> Original:
    torch.manual_seed(0)
    return Original()


@pytest.fixture
def vqgan(original) -> VQGAN:
    return VQGAN.from_state(original.config, original.state_dict())


@pytest.mark.parametrize("scale", [0.01, 1, 30])
def test_quantize_is_tamings(original, vqgan, scale):
    theirs = VectorQuantizer(24, 16, beta=0.25)
    theirs.embedding.weight.data = original.quantize.embedding.weight
    z = scale * torch.randn(2, 16, 5, 7)
    quantized, _, (_, _, index) = theirs(z)
    assert torch.equal(vqgan.codebook_indices(z).flatten(), index.flatten())
    torch.testing.assert_close(vqgan.quantize(z), quantized)


def test_gradients_pass_straight_through_and_leave_the_weights_alone(original, vqgan):
    z = torch.randn(1, 16, 4, 6, requires_grad=True)
    picture = vqgan.decode(vqgan.quantize(z))
    weighing = torch.randn_like(picture)
    picture.backward(weighing)
    same = vqgan.quantize(z).detach().requires_grad_()
    original.decode(same).backward(weighing)
    assert same.grad.abs().mean() > 0
    torch.testing.assert_close(z.grad, same.grad, atol=1e-4, rtol=1e-3)
    assert not vqgan.training
    assert all(p.grad is None and not p.requires_grad for p in vqgan.parameters())


def llamagen_state(original: Original) -> dict[str, torch.Tensor]:
    """The same networks under LlamaGen's names."""
    names = {}
    for i in range(len(SHAPE["ch_mult"])):
        names[f"encoder.down.{i}."] = f"encoder.conv_blocks.{i}."
        names[f"decoder.up.{i}."] = f"decoder.conv_blocks.{len(SHAPE['ch_mult']) - 1 - i}."
    for i, name in enumerate(("block_1", "attn_1", "block_2")):
        names[f"mid.{name}."] = f"mid.{i}."
    theirs = {}
    for key, value in original.state_dict().items():
        for our, their in names.items():
            if our in key:
                key = key.replace(our, their).replace(".block.", ".res.")
        theirs[key] = value
    return theirs


def test_llamagens_names_are_read_and_its_codes_have_length_one(original, vqgan):
    state = llamagen_state(original)
    theirs = VQGAN.from_state(original.config | {"l2_norm": True}, state)
    z = torch.randn(1, 16, 4, 4)
    assert torch.equal(theirs.decode(z), vqgan.decode(z))
    codes = torch.nn.functional.normalize(original.quantize.embedding.weight, dim=-1)
    unit = torch.nn.functional.normalize(z, dim=1)  # LlamaGen compares directions
    near = torch.einsum("bchw,kc->bkhw", unit, codes).argmax(1)
    torch.testing.assert_close(theirs.quantize(z), codes[near].movedim(-1, 1))


def test_a_published_llamagen_is_read_with_its_known_shape(original, monkeypatch, tmp_path):
    """Its file is `torch.save({"model": ..., "args": ...})`; no configuration comes with it."""
    monkeypatch.setenv("VQCLIP_CACHE", str(tmp_path))
    file, config = weights.VQGANS["llamagen"]
    path = tmp_path / file.name
    torch.save({"model": llamagen_state(original), "args": Namespace(lr=1e-4)}, path)
    monkeypatch.setattr(weights.cache, "fetch", lambda file, **_: path)
    _, meta, _ = weights.slim_cache("llamagen", lambda name: True, file, config)
    assert weights.parse_config(meta["config"], "the cache") == config
    for name, side in (("llamagen", 16), ("llamagen_f8", 8)):  # it can be built
        with fast.OnlyShapes():
            vqgan = VQGAN(weights.VQGANS[name][1])
        assert vqgan.downsample_factor == side and vqgan.latent_channels == 8
        assert sum(p.numel() for p in vqgan.parameters()) * 4 == pytest.approx(281e6, rel=0.05)
