"""What is published is what paints, under the names of the table."""

from __future__ import annotations

from io import BytesIO

import pytest
import torch
from published import sha256, small_clip
from served import CKPT, assert_same_networks, cached, load

import vqclip_nb as vq
from vqclip_nb import WeightsError, loading, weights
from vqclip_nb.models import clip as clips


@pytest.mark.parametrize("kind", ["plain", "gumbel"])
def test_a_published_pair_paints_as_its_original(made, shelf, publish, kind):
    if kind == "gumbel":
        cache = publish("openimages", made.gumbel_checkpoint, made.gumbel_yaml)
    else:
        cache = publish("imagenet")
    pair = load("openimages" if kind == "gumbel" else "imagenet")
    assert_same_networks(pair, getattr(made, kind), made.guide)
    assert pair.hashes == {"clip": sha256(made.archive), "vqgan": sha256(shelf.files[CKPT])}
    run = vq.Run(pair, vq.Settings(include="a fox", total_iter=2, crops=2, height=32, width=48))
    assert [f.iteration for f in run] == [0, 1] and run.image.size == (48, 32)
    # Only the slim copies stay, and the next session needs no server.
    slim = {f"{n}.{kind}" for n in (pair.name, "ViT-B-32") for kind in ("safetensors", "sha256")}
    assert cached(cache) == slim | {"vqgan.yaml"}
    size = sum(v.numel() * v.element_size() for v in getattr(made, kind).state_dict().values())
    assert size < (cache / f"{pair.name}.safetensors").stat().st_size < 1.2 * size
    shelf.close()
    again = load(pair.name)
    assert_same_networks(again, getattr(made, kind), made.guide)
    assert again.hashes == pair.hashes


def test_a_saved_run_goes_on_after_the_cache_was_made_anew(publish, tmp_path):
    cache = publish()
    settings = vq.Settings(include="a fox", total_iter=4, crops=2, height=16, width=16)
    run = vq.Run(load(), settings)
    run.step()
    path = run.save(tmp_path / "run.safetensors")
    for file in cache.iterdir():
        file.unlink()
    again = vq.Run.resume(path, load())
    assert again.step().loss == run.step().loss


def test_unknown_names_list_the_known_ones(publish):
    publish()
    with pytest.raises(ValueError, match="'imagnet' is not known: choose one of emoji, imagenet,"):
        load("imagnet")
    with pytest.raises(ValueError, match="'ViT-B32' is not known: choose one of ViT-B/32, "):
        load(clip="ViT-B32")


def test_auto_is_the_published_pair_where_a_gpu_is(publish, monkeypatch):
    publish()
    monkeypatch.setattr(loading, "pair_for", lambda device: "imagenet")
    assert load("auto").name == "imagenet"


@pytest.mark.parametrize("activation", ["gelu", "quick gelu"])
def test_a_guide_is_read_with_its_own_activation(made, publish, shelf, tmp_path, activation):
    """FARE's weights in OpenAI's layout, by name and from a file of one's own."""
    guide = small_clip(half=False)
    for part in guide.modules():
        if hasattr(part, "gelu") and activation == "gelu":
            part.gelu = torch.nn.GELU()
    data = BytesIO()
    torch.save(guide.state_dict(), data)
    cache, facts = publish(), {"activation": activation, "mean": [0.5, 0.4, 0.3]}
    shelf.files["fare.bin"] = data.getvalue()
    file = weights.File(
        "fare.bin", (shelf.url("fare.bin"),), sha256(data.getvalue()), None, "MIT", 2**30, facts
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(weights.CLIPS, "FARE4-ViT-B/16", file)
        published = load(clip="FARE4-ViT-B/16").clip
    path = tmp_path / "own.bin"
    path.write_bytes(data.getvalue())
    vqgan = cache / "imagenet.safetensors"
    own = vq.open_pair(clip=path, vqgan=vqgan, activation=activation, device="cpu").clip
    views, tokens = torch.rand(2, 3, 32, 32), clips.tokenize(["a fox"])
    for clip, mean in ((published, facts["mean"]), (own, clips.CLIP_MEAN)):
        mean, std = (torch.tensor(v)[:, None, None] for v in (mean, clips.CLIP_STD))
        torch.testing.assert_close(
            clip.encode_image(views), guide.encode_image((views - mean) / std)
        )
        torch.testing.assert_close(clip.encode_text(["a fox"]), guide.encode_text(tokens))
    if activation == "gelu":
        with pytest.warns(UserWarning, match="does not say its activation"):
            silent = vq.open_pair(clip=path, vqgan=vqgan, device="cpu").clip
        assert not torch.allclose(silent.encode_image(views), own.encode_image(views))
    with pytest.raises(WeightsError, match="their activation is 'swish'"):
        vq.open_pair(clip=path, vqgan=vqgan, activation="swish", device="cpu")


def test_every_published_file_is_described():
    assert vq.available_pairs() == ["emoji", *weights.VQGANS]
    files = [*weights.CLIPS.values(), *(f for both in weights.VQGANS.values() for f in both)]
    files = [f for f in files if isinstance(f, weights.File)]  # LlamaGen's shape comes in no file
    assert len({f.name for f in files}) == len(files)
    for file in files:
        assert file.urls and all(u.startswith("https://") for u in file.urls), file.name
        assert len(bytes.fromhex(file.sha256)) == 32, file.name
        assert file.bytes or file.at_most, file.name
        assert file.licence, file.name
