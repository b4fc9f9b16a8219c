"""SigLIP by open_clip: its own answers, its own mean, and a painting guided by it. No download."""

import json
import sys

import open_clip
import pytest
import torch
from published import Original
from safetensors.torch import save_file

import vqclip_nb as vq
from vqclip_nb.models.open_clip import build_siglip
from vqclip_nb.weights import CLIPS, WeightsError

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


def test_words_that_are_not_seen_are_named(theirs, tokens):
    guide = build_siglip(NAME, theirs.state_dict(), name="toy", device=torch.device("cpu"))
    with pytest.warns(UserWarning, match="not seen: 'and a cat'"):
        guide.encode_text(["a fox a dog a bird and a cat"])


@pytest.mark.parametrize(
    "name, words",
    [("ViT-B-32", "choose one of .*ViT-B-16-SigLIP"), ("ViT-B-16-SigLIP", "not the weights of")],
)
def test_another_model_is_refused(theirs, name, words):
    with pytest.raises(WeightsError, match=words):
        build_siglip(name, theirs.state_dict(), name="toy", device=torch.device("cpu"))


def test_without_open_clip_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(WeightsError, match="pip install open_clip_torch"):
        build_siglip(NAME, {}, name="toy", device=torch.device("cpu"))


def test_the_published_one_is_a_model_of_open_clips():
    file = CLIPS["SigLIP-ViT-B/16"]
    assert open_clip.get_model_config(file.facts["open_clip"])["vision_cfg"]["image_size"] == 224
