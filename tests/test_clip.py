"""CLIP walked through by us answers as OpenAI's own class does; several guide as one."""

import dataclasses
import json
import subprocess
import sys

import clip
import open_clip
import pytest
import torch
import torch.nn.functional as F
from published import Original, small_clip
from runs import finished
from safetensors.torch import save_file

import vqclip_nb as vq
from benchmarks.gpu import main
from vqclip_nb.crops import create_crops
from vqclip_nb.models import fast
from vqclip_nb.models.clip import ClipEnsemble, build_clip, tokenize
from vqclip_nb.models.open_clip import build_siglip
from vqclip_nb.weights import CLIPS, WeightsError


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
        settings = vq.Settings(include="a fox", height=64, total_iter=2)
        assert [*vq.Run(vq.load_pair(device="cpu"), settings)][-1].image.height == 128
        sys.exit(str(slow & sys.modules.keys()) if slow & sys.modules.keys() else 0)"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("resnet", [False, True])
def test_encodings_and_gradients_are_openais(resnet):
    original = small_clip(half=False, resnet=resnet)
    ours, side = build_clip(original.state_dict()), original.visual.input_resolution
    picture = torch.randn(3, 3, side, side)
    found, grads = [], []
    for encode in (original.visual, lambda x: fast.encode_image(ours.visual, x)):
        x = picture.clone().requires_grad_()
        found.append(encode(x))
        found[-1].square().sum().backward()
        grads.append(x.grad)
    torch.testing.assert_close(found[1], found[0], atol=1e-5, rtol=1e-4)
    assert torch.cosine_similarity(grads[0].flatten(), grads[1].flatten(), 0) > 0.9999


def test_several_clips_judge_by_the_weighted_mean_and_paint_together(pair, small):
    judge = vq.load_judge("emoji", device="cpu")
    crops, texts = torch.rand(5, 3, 64, 64), ["a fox", "a castle"]
    both = ClipEnsemble([pair.clip, judge], [3, 1])

    def cosines(clip) -> torch.Tensor:
        images, words = clip.encode_image(crops), clip.encode_text(texts)
        return torch.cosine_similarity(images[:, None], words[None], -1)

    expected = 0.75 * cosines(pair.clip) + 0.25 * cosines(judge)
    torch.testing.assert_close(cosines(both), expected, atol=1e-5, rtol=1e-4)
    together = dataclasses.replace(pair, clip=ClipEnsemble([pair.clip, judge]))
    run = finished(vq.Run(together, small(total_iter=15)))
    assert run.similarity > run.history[0][3] + 0.1
    state = small_clip(half=False).state_dict()
    other = vq.ClipModel(name="other", model=build_clip(state), device=torch.device("cpu"))
    both = ClipEnsemble([pair.clip, other])
    assert both.resolution == 64 and both.context_length == pair.clip.context_length < 77
    assert both.encode_image(torch.rand(2, 3, 64, 64)).shape == (2, 256 + 16)
    with pytest.raises(ValueError, match="give one above 0 for each"):
        ClipEnsemble([pair.clip, judge], [1, -1])
    with pytest.raises(ValueError, match=r"crops of shape \(2, 3, 32, 32\)"):
        pair.clip.encode_image(torch.rand(2, 3, 32, 32))
    with pytest.raises(ValueError, match="clip 'ViT-Z' is not known: choose one of ViT-B/32, "):
        vq.load_pair("imagenet", clip=["ViT-B/32", "ViT-Z"])
    with pytest.raises(ValueError, match="the emoji pair has a CLIP of its own"):
        vq.load_pair("emoji", clip="ViT-L/14")


def test_gradients_in_half_precision_agree_with_float32(pair):
    text, start = pair.clip.encode_text(["a fox"]), torch.Generator().manual_seed(1)
    z = 0.5 * torch.randn(1, pair.vqgan.latent_channels, 8, 8, generator=start)

    def gradient(dtype: torch.dtype) -> torch.Tensor:
        latent, generator = z.clone().requires_grad_(), torch.Generator().manual_seed(2)
        picture = pair.vqgan.synthesize(latent, dtype=dtype)
        crops = create_crops(picture, 8, pair.clip.resolution, generator=generator)
        seen = pair.clip.encode_crops(crops, generator, dtype=dtype)
        assert picture.dtype == seen.dtype == torch.float32
        (-1024 * F.cosine_similarity(seen, text).mean()).backward()
        return latent.grad.flatten()

    for dtype, least in ((torch.float16, 0.9995), (torch.bfloat16, 0.99)):
        assert F.cosine_similarity(gradient(torch.float32), gradient(dtype), dim=0) > least


def test_a_vision_transformer_in_half_precision_keeps_its_norms_in_float32():
    visual, x = small_clip(half=False).visual, torch.randn(3, 3, 32, 32)
    half = fast.in_precision(visual, torch.bfloat16)
    exact, rounded = fast.encode_image(visual, x), fast.encode_image(half, x.bfloat16())
    assert half.ln_pre.weight.dtype == torch.float32
    assert F.cosine_similarity(exact, rounded.float()).min() > 0.999


def test_the_gpu_benchmark_runs_at_toy_size(tmp_path):
    out = tmp_path / "rows.json"
    main(["--device", "cpu", "--toy", "--seconds", "60", "--out", str(out)])
    rows = json.loads(out.read_text())
    assert not [row for row in rows if "failed" in row]
    assert {row.get("precision") for row in rows} >= {"float32", "half"}
    assert all(row["ms"] > 0 and row["TFLOP"] > 0 for row in rows if "precision" in row)


# -- SigLIP by open_clip

NAME = "toy-SigLIP"
VISION = dict(image_size=224, timm_model_name="vit_tiny_patch16_224", timm_pool="map")
TEXT = dict(context_length=8, vocab_size=49408, width=32, heads=2, layers=1)


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    """A toy model among open_clip's own, with random weights."""
    folder = tmp_path_factory.mktemp("configs")
    vision = VISION | dict(timm_model_pretrained=False, timm_proj="none")
    text = TEXT | dict(no_causal_mask=True, proj_bias=True, pool_type="last")
    shape = dict(embed_dim=192, init_logit_bias=-10, custom_text=True)
    shape |= dict(vision_cfg=vision, text_cfg=text)
    (folder / f"{NAME}.json").write_text(json.dumps(shape))
    open_clip.add_model_config(folder)
    torch.manual_seed(0)
    return open_clip.create_model(NAME, load_weights=False).eval()


@pytest.fixture
def tokens(monkeypatch):
    """open_clip's tokenizer without a download, in place of SigLIP's."""
    tokens = open_clip.SimpleTokenizer(context_length=8)
    monkeypatch.setattr(open_clip, "get_tokenizer", lambda name: tokens)
    return tokens


def test_a_siglip_guides_with_its_own_mean_and_words(theirs, tokens, tmp_path):
    painter, files = Original(), {n: tmp_path / f"{n}.safetensors" for n in ("clip", "vqgan")}
    save_file(theirs.state_dict(), files["clip"])
    save_file(painter.state_dict(), files["vqgan"], {"config": json.dumps(painter.config)})
    pair = vq.open_pair(**files, open_clip=NAME, device="cpu")
    views = torch.rand(2, 3, 224, 224)
    seen = pair.clip.encode_image(views)
    torch.testing.assert_close(seen, theirs.encode_image((views - 0.5) / 0.5))
    told = theirs.encode_text(tokens(["a fox"]))
    torch.testing.assert_close(pair.clip.encode_text(["a fox"]), told)
    still = dict(noise_factor=0, crop_method="whole", quantize=False, learning_rate=0.5)
    asked = vq.Settings(include="a fox", total_iter=6, crops=4, height=32, width=32, **still)
    first, *_, last = vq.Run(pair, asked)
    assert first.similarity < last.similarity <= 1


def test_what_siglip_cannot_do_is_said(theirs, tokens, monkeypatch):
    own = dict(name="toy", device=torch.device("cpu"))
    guide = build_siglip(NAME, theirs.state_dict(), **own)
    with pytest.warns(UserWarning, match="not seen: 'and a cat'"):
        guide.encode_text(["a fox a dog a bird and a cat"])
    with pytest.raises(WeightsError, match="choose one of .*ViT-B-16-SigLIP"):
        build_siglip("ViT-B-32", theirs.state_dict(), **own)
    with pytest.raises(WeightsError, match="not the weights of"):
        build_siglip("ViT-B-16-SigLIP", theirs.state_dict(), **own)
    published = open_clip.get_model_config(CLIPS["SigLIP-ViT-B/16"].facts["open_clip"])
    assert published["vision_cfg"]["image_size"] == 224
    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(WeightsError, match="pip install open_clip_torch"):
        build_siglip(NAME, {}, **own)
