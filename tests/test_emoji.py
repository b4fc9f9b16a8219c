"""The code that made the pair, on made-up sprites: scenes, attacks, centring, resumed training."""

import json

import numpy as np
import pytest
import torch
from vqclip_nb.pairs import build_clip

from vqclip_nb.emoji import train
from vqclip_nb.emoji.data import COLOURS, STYLES, Scenes, article, merged_name


def arguments(what, data, out, *more):
    train.main([what, str(data), str(out), "--threads", "1", "--every", "2", "--batch", "6", *more])


@pytest.fixture
def guide():
    return build_clip(train.load_file(train.EMOJI / "clip.safetensors"))


def test_scenes_follow_the_seed_and_say_what_they_show(sprites):
    scenes = Scenes(sprites, size=64)
    one, two = (scenes.batch(50, np.random.default_rng(3)) for _ in range(2))
    assert torch.equal(one.pictures, two.pictures) and one.captions == two.captions
    assert one.pictures.shape == (50, 3, 64, 64)
    assert 0 <= one.pictures.min() and one.pictures.max() <= 1
    assert scenes.names.count("clock face") == 1 and len(scenes.names) == 11
    for caption, picture in zip(one.captions, one.pictures, strict=True):
        word = caption.rpartition(" on a ")[2].partition(" background")[0]
        if "background" in caption and word in COLOURS and "small" in caption:
            wanted = torch.tensor(COLOURS[word]) / 255
            assert (picture[:, [0, 0, -1, -1], [0, -1, 0, -1]].mean(1) - wanted).abs().max() < 0.4


def test_foils_are_false_in_one_fact(sprites):
    scenes = Scenes(sprites, size=64)
    batch = scenes.batch(60, np.random.default_rng(3))
    assert len(batch.foils) == 2 * len(batch.captions)
    changed = set()
    for i, caption in enumerate(batch.captions):
        in_style, of_fact = batch.foils[2 * i : 2 * i + 2]
        own = STYLES[scenes.styles[int(batch.style[i])]].words
        assert in_style.startswith(
            tuple(w for s in STYLES.values() for w in s.words if w not in own)
        )
        assert of_fact != caption
        before, after = set(caption.split()), set(of_fact.split())
        changed |= {"order"} if before == after else (after - before) & {"red", "hat", "pen"}
    assert changed == {"order", "red", "hat", "pen"}


def test_words():
    assert [article(w) for w in ("apple", "car", "unicorn", "grapes", "bus")] == [
        "an apple", "a car", "a unicorn", "grapes", "a bus"]  # fmt: skip
    assert merged_name("three o’clock") == merged_name("six-thirty") == "clock face"
    assert merged_name("fox") == "fox"


def test_an_attack_raises_the_loss_and_is_no_longer_than_asked():
    x, target = torch.rand(2, 4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    start = train.climb(torch.zeros_like(x), torch.randn(x.shape), 0.25)
    there = (x + start).requires_grad_()
    loss = (there - target).square().sum()
    loss.backward()
    move = train.climb(start, there.grad, 0.5)
    assert (x + move - target).square().sum() > loss
    assert (move.flatten(1).norm(dim=1) <= 0.5 + 1e-5).all()


def test_a_guide_paints_on_its_easel_and_is_blamed_for_what_it_likes_too_well(sprites, guide):
    rng, generator = np.random.default_rng(0), torch.Generator().manual_seed(0)
    easel = train.Easel(Scenes(sprites), 2, torch.device("cpu"))
    steps = [easel.step(guide, torch.zeros(256), 2, rng, generator) for _ in range(15)]
    captions, concept, scenes, painted, similarity = steps[-1]
    assert similarity > steps[0][-1] + 0.1
    assert scenes.shape == painted.shape == (2, 3, 64, 64) and len(concept) == 2

    guide.proxies = torch.randn(12, 256, generator=generator)
    texts, one = train.text_features(guide, captions), torch.tensor(20.0)

    def loss(of, texts=texts):
        return train.clip_losses(guide, texts, one, concept, torch.cat([scenes, of]))[0]

    other = torch.rand(scenes.shape, generator=generator)
    assert loss(scenes) > loss(other) + 0.5
    assert (
        loss(other, torch.cat([texts, texts])) > loss(other) + 0.3
    )  # foils as likely as the truth


def test_clip_trains_resumes_and_ships_centred(sprites, tmp_path):
    arguments("clip", sprites, tmp_path, "--steps", "2")
    arguments("clip", sprites, tmp_path, "--steps", "4", "--painted", "2")
    rows = [json.loads(line) for line in open(tmp_path / "clip.jsonl")]
    assert [r["step"] for r in rows] == [2, 4]
    state = train.load_file(tmp_path / "clip.safetensors")
    scenes = Scenes(sprites, size=64)
    texts = scenes.batch(60, np.random.default_rng(5)).captions
    before = train.text_features(build_clip(dict(state)), texts).mean(0).norm()
    train.centre(state, scenes, count=60)
    after = train.text_features(build_clip(dict(state)), texts).mean(0).norm()
    assert before > 0.5 and after < 0.5 * before


def test_a_loaded_resnet_answers_as_openais_class():
    trained = train.new_clip("judge")
    generator = torch.Generator().manual_seed(0)
    pictures = torch.randn(4, 3, 64, 64, generator=generator)
    with torch.no_grad():
        for _ in range(3):  # its batch norms have seen something
            trained.encode_image(pictures)
        for norm in (m for m in trained.modules() if isinstance(m, torch.nn.BatchNorm2d)):
            norm.weight.uniform_(0.5, 1.5, generator=generator)
            norm.bias.uniform_(-0.5, 0.5, generator=generator)
    encodings, gradients = [], []
    for model in (trained.eval(), build_clip(trained.state_dict())):
        x = pictures.clone().requires_grad_()
        encodings.append(model.encode_image(x))
        gradients.append(torch.autograd.grad(encodings[-1].square().sum(), x)[0])
    torch.testing.assert_close(*encodings, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(*gradients, atol=1e-4, rtol=1e-3)


def test_vqgan_trains_and_its_tensors_load(sprites, tmp_path, monkeypatch):
    from vqclip_nb.models.vqgan import VQGAN

    arguments("vqgan", sprites, tmp_path, "--steps", "2", "--gan-from", "1", "--codes-from", "0")
    row = json.loads(open(tmp_path / "vqgan.jsonl").readline())
    assert row["step"] == 2 and row["critic"] > 0 and row["psnr"] > 0
    state = train.load_file(tmp_path / "vqgan.safetensors")
    network = VQGAN.from_state(train.CONFIG, state)
    assert network.decode(network.quantize(network.encode(torch.rand(1, 3, 32, 48)))).shape == (
        1,
        3,
        32,
        48,
    )
    assert network.codebook.weight.std() == pytest.approx(0.5, rel=0.02)
