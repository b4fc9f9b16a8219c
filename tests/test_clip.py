"""CLIP walked through by us answers as OpenAI's own class does; several guide as one."""

import dataclasses
import subprocess
import sys

import clip
import pytest
import torch
from clip.model import CLIP
from torch import nn

import vqclip_nb as vq
from vqclip_nb.models import fast
from vqclip_nb.models.clip import ClipEnsemble, build_clip, tokenize


def tiny(kind: str) -> nn.Module:
    """OpenAI's class at toy size, with norms that act."""
    torch.manual_seed(0)
    vision = dict(vit=(2, 64, 16), resnet=((1, 1, 1, 1), 8, None))[kind]
    model = CLIP(24, 32, *vision, 12, 49408, 64, 1, 1).eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.5, 2)
            module.weight.data.uniform_(0.5, 1.5)
    return model


def test_tokens_are_openais():
    texts = ["a fox", "  Ünïcode &amp; 🦊 <|endoftext|>", "", "many words " * 60]
    theirs = clip.tokenize(texts, context_length=20, truncate=True)
    assert torch.equal(tokenize(texts, 20), theirs)


def test_painting_imports_neither_torchvision_nor_torchs_compiler_nor_pandas():
    """Each takes longer than all else but torch."""
    code = """if True:
        import sys, torch
        slow = {"torchvision", "torch._dynamo", "sympy", "pandas"} - sys.modules.keys()
        import vqclip_nb as vq, vqclip_nb.experiments.plots
        assert callable(vq.grid)
        vq.Run(vq.load_pair(device="cpu"), vq.Settings(include="a fox", height=64)).step()
        sys.exit(str(slow & sys.modules.keys()) if slow & sys.modules.keys() else 0)"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("kind", ["vit", "resnet"])
def test_encodings_and_gradients_are_openais(kind):
    original = tiny(kind)
    ours = build_clip(original.state_dict())
    picture = torch.randn(3, 3, 32, 32)
    found, grads = [], []
    for encode in (original.visual, lambda x: fast.encode_image(ours.visual, x)):
        x = picture.clone().requires_grad_()
        found.append(encode(x))
        found[-1].square().sum().backward()
        grads.append(x.grad)
    torch.testing.assert_close(found[1], found[0], atol=1e-5, rtol=1e-4)
    assert torch.cosine_similarity(grads[0].flatten(), grads[1].flatten(), 0) > 0.9999


def test_what_the_guide_leaves_out_follows_the_generator(pair):
    crops = torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    one, again, other = (
        pair.clip.encode_crops(crops, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(one, again) and not torch.allclose(one, other, atol=1e-3)
    generator = torch.Generator().manual_seed(0)
    mean = sum(pair.clip.encode_crops(crops, generator) for _ in range(40))
    plain = pair.clip.encode_image(crops)
    assert torch.cosine_similarity(mean, plain).min() > 0.8
    whole = dataclasses.replace(pair.clip, dropout=0.0)
    torch.testing.assert_close(whole.encode_crops(crops, generator), plain)


@pytest.fixture(scope="module")
def judge():
    return vq.load_judge("emoji", device="cpu")


def test_several_clips_judge_by_the_weighted_mean_of_their_similarities(pair, judge):
    crops, texts = torch.rand(5, 3, 64, 64), ["a fox", "a castle"]
    both = ClipEnsemble([pair.clip, judge], [3, 1])

    def cosines(clip) -> torch.Tensor:
        images, words = clip.encode_image(crops), clip.encode_text(texts)
        return torch.cosine_similarity(images[:, None], words[None], -1)

    expected = 0.75 * cosines(pair.clip) + 0.25 * cosines(judge)
    torch.testing.assert_close(cosines(both), expected, atol=1e-5, rtol=1e-4)


def test_guide_and_judge_paint_together(pair, judge, small):
    both = ClipEnsemble([pair.clip, judge])
    runs = [
        vq.Run(dataclasses.replace(pair, clip=c), small(total_iter=15)) for c in (pair.clip, both)
    ]
    for run in runs:
        list(run)
    assert runs[1].similarity > runs[1].history[0][3] + 0.1
    assert runs[0].frames[-1].pixels != runs[1].frames[-1].pixels


def test_members_of_other_sizes_and_bad_weights(pair, judge):
    original = tiny("vit")
    small = vq.ClipModel(
        name="small", model=build_clip(original.state_dict()), device=torch.device("cpu")
    )
    both = ClipEnsemble([pair.clip, small])
    assert both.resolution == 64 and both.context_length == 12
    assert both.encode_image(torch.rand(2, 3, 64, 64)).shape == (2, 256 + 24)
    with pytest.raises(ValueError, match="give one above 0 for each"):
        ClipEnsemble([pair.clip, judge], [1, -1])
    with pytest.raises(ValueError, match=r"crops of shape \(2, 3, 32, 32\)"):
        pair.clip.encode_image(torch.rand(2, 3, 32, 32))
    with pytest.raises(ValueError, match="clip 'ViT-Z' is not known"):
        vq.load_pair("imagenet", clip=["ViT-B/32", "ViT-Z"])
    with pytest.raises(ValueError, match="the emoji pair has a CLIP of its own"):
        vq.load_pair("emoji", clip="ViT-L/14")
