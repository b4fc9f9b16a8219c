"""What is published is what paints, under the names of the table."""

import threading
import time

import pytest
import torch
from published import CKPT, assert_same_networks, cached, load, saved, sha256, small_clip, write
from shelf import head

import vqclip_nb as vq
from vqclip_nb import WeightsError, loading, weights
from vqclip_nb.models import clip as clips


@pytest.mark.parametrize("kind", ["plain", "gumbel"])
def test_a_published_pair_paints_as_its_original(made, shelf, publish, kind):
    gumbel = ("openimages", made.gumbel_checkpoint, made.gumbel_yaml)
    name, *files = gumbel if kind == "gumbel" else ("imagenet",)
    cache, pair = publish(name, *files), load(name)
    assert_same_networks(pair, getattr(made, kind), made.guide)
    assert pair.hashes == {"clip": sha256(made.archive), "vqgan": sha256(shelf.files[CKPT])}
    run = vq.Run(pair, vq.Settings(include="a fox", total_iter=2, crops=2, height=32, width=48))
    assert [f.iteration for f in run] == [0, 1] and run.image.size == (48, 32)
    # Only the slim copies stay, and the next session needs no server.
    slim = {f"{n}.{kind}" for n in (pair.name, "ViT-B-32") for kind in ("safetensors", "sha256")}
    assert cached(cache) == slim | {"vqgan.yaml"}
    shelf.close()
    again = load(pair.name)
    assert_same_networks(again, getattr(made, kind), made.guide)
    assert again.hashes == pair.hashes


@pytest.mark.parametrize("activation", ["gelu", "quick gelu"])
def test_a_guide_is_read_with_its_own_activation(publish, shelf, tmp_path, monkeypatch, activation):
    """FARE's weights in OpenAI's layout, by name and from a file of one's own."""
    guide = small_clip(half=False)
    for part in guide.modules():
        if hasattr(part, "gelu") and activation == "gelu":
            part.gelu = torch.nn.GELU()
    data, cache = saved(guide.state_dict()), publish()
    facts = {"activation": activation, "mean": [0.5, 0.4, 0.3]}
    shelf.files["fare.bin"] = data
    url, vqgan = shelf.url("fare.bin"), cache / "imagenet.safetensors"
    file = weights.File("fare.bin", (url,), sha256(data), None, "MIT", 2**30, facts)
    monkeypatch.setitem(weights.CLIPS, "FARE4-ViT-B/16", file)
    published = load(clip="FARE4-ViT-B/16").clip
    path = write(tmp_path, "own.bin", data)
    own = vq.open_pair(clip=path, vqgan=vqgan, activation=activation, device="cpu").clip
    views, tokens = torch.rand(2, 3, 32, 32), clips.tokenize(["a fox"])
    for clip, mean in ((published, facts["mean"]), (own, clips.CLIP_MEAN)):
        mean, std = (torch.tensor(v)[:, None, None] for v in (mean, clips.CLIP_STD))
        seen = guide.encode_image((views - mean) / std)
        torch.testing.assert_close(clip.encode_image(views), seen)
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


def ended(pairs) -> str:
    """What it says when it is over."""
    until = time.monotonic() + 20
    while pairs.downloading and time.monotonic() < until:
        time.sleep(0.01)
    pairs.look()
    return pairs.line.value


def test_the_pair_that_ships_paints_until_the_other_is_here(
    publish, shelf, small, tmp_path, monkeypatch
):
    publish()
    monkeypatch.setattr(loading, "pair_for", lambda device: "imagenet")
    rest = threading.Event()

    def slow(data: bytes, start: int):
        yield head(f"Content-Length: {len(data)}") + data[: len(data) // 2]
        rest.wait(20)
        yield data[len(data) // 2 :]

    shelf.faults[CKPT] = slow
    studio = vq.Studio("auto", small(total_iter=1, crops=2), folder=tmp_path)
    pairs = studio.pairs
    until = time.monotonic() + 20
    while not (50 < int(pairs.line.value.partition("%")[0].split()[-1]) < 100):
        assert time.monotonic() < until
        time.sleep(0.05)
        pairs.look()
    assert "MB a second" in pairs.line.value and " left" in pairs.line.value
    assert pairs.button.layout.display == "none"
    assert studio.paint().pair.name == "emoji"
    studio.pairs.control.value = "imagenet"  # it is not here yet
    studio.start()
    assert studio.run.pair.name == "emoji"
    rest.set()
    assert "imagenet is here" in ended(pairs)
    assert pairs.button.layout.display == "" and "imagenet" in pairs.button.description
    pairs.button.click()
    assert studio.run.pair.name == "imagenet" and pairs.box.layout.display == "none"
    pair, missing = loading.pair_at_once("auto")
    assert (pair.name, missing) == ("imagenet", "")  # the next time it is here
    assert load("auto").name == "imagenet"


def test_a_failed_download_says_a_line_for_each_mirror_and_can_be_tried_again(
    publish, shelf, studio
):
    publish(mirrors=(CKPT, "gone"))
    shelf.faults[CKPT] = 403
    studio.pairs.control.value = "imagenet"
    studio.buttons["Run"].click()
    assert studio.ticker.playing and studio.run.pair.name == studio.pairs.control.value == "emoji"
    first, forbidden, gone, *_ = ended(studio.pairs).split("<br>")
    assert "could not fetch vqgan.ckpt" in first and "goes on painting" in studio.pairs.line.value
    assert "answers 403" in forbidden and "answers 404" in gone
    assert studio.paint().pair.name == "emoji"
    shelf.faults.clear()
    assert studio.pairs.button.description == "Try again"
    studio.pairs.button.click()
    assert "imagenet is here" in ended(studio.pairs)
