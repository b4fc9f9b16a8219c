"""The judges of shapes and of styles: what they say of a picture, and their trainings."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from safetensors import safe_open
from safetensors.torch import load_file

from training.classifier import (
    Classifier,
    ShapeJudge,
    build_shape_judge,
    build_style_judge,
    load_shape_judge,
    load_style_judge,
)
from training.scenes import Scenes
from training.things import CodedThings
from training.train_classifier import ClassifierOptions, begin, train_classifier
from training.train_styles import StyleOptions, train_styles
from vqclip_nb.emoji.caption_grammar import Scene, Thing
from vqclip_nb.experiments.scores import concepts
from vqclip_nb.images import to_pil
from vqclip_nb.models.loading import load_pair


@pytest.fixture
def picture():
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))


@pytest.fixture
def judge():
    """One whose answer is known: fox .5, owl .3, cat 0, painting .2."""
    classifier = Classifier(4)
    torch.nn.init.zeros_(classifier.head.weight)
    classifier.head.bias.data = torch.tensor([0.5, 0.3, 1e-9, 0.2]).log()
    return ShapeJudge(
        classifier=classifier,
        names=["fox", "owl", "cat"],
        device=torch.device("cpu"),
        name="shapes",
    )


def test_it_ranks_names_and_says_how_much_of_a_painting_it_sees(judge, picture):
    assert judge.probabilities(picture).tolist() == pytest.approx([0.5, 0.3, 0, 0.2], abs=1e-6)
    assert [judge.rank(picture, n) for n in ("fox", "an owl", "the cat")] == [1, 2, 3]
    assert judge.painting_share(picture) == pytest.approx(0.2)
    assert judge.probability(picture, "an owl") == pytest.approx(0.3)
    assert [n for n, _ in judge.top(picture, 2)] == ["fox", "owl"]
    with pytest.raises(ValueError, match="'a foxx' is not among the names .* did you mean fox"):
        judge.rank(picture, "a foxx")


def test_it_takes_over_imagenets_layers_and_freezes_the_first(judge):
    ours = Classifier(4)
    theirs = {f"their.{k}": torch.rand_like(v.float()) for k, v in ours.state_dict().items()}
    theirs = {k: v for k, v in theirs.items() if ".head." not in k}
    ours.start_from_imagenet(theirs)
    for key, value in ours.state_dict().items():
        if not key.startswith("head.") and not key.endswith("batches_tracked"):
            assert torch.equal(value, theirs[f"their.{key}"])
    norm, late = ours.stem[1], ours.blocks[-1].layers[0][1]
    before = [norm.running_mean.clone(), late.running_mean.clone()]
    ours.train()(torch.rand(2, 3, 96, 96)).sum().backward()
    assert torch.equal(norm.running_mean, before[0])
    assert not torch.equal(late.running_mean, before[1])
    assert ours.stem[0].weight.grad is None and ours.blocks[-1].layers[0][0].weight.grad is not None
    with pytest.raises(ValueError, match="no EfficientNet-Lite0: stem.0.weight is"):
        ours.start_from_imagenet({"a": torch.zeros(3)})


def test_an_interrupted_training_goes_on_and_its_weights_judge(sprites, tmp_path, picture):
    paintings = tmp_path / "paintings.pt"
    torch.save({"pictures": torch.zeros(76, 3, 128, 128, dtype=torch.uint8)}, paintings)
    options = ClassifierOptions(
        data=sprites, out=tmp_path / "whole", steps=4, every=2, batch=8, coded=6,
        paintings=paintings, device="cpu",
    )  # fmt: skip
    *_, whole = train_classifier(options)
    parts = dataclasses.replace(options, out=tmp_path / "parts")
    assert next(train_classifier(parts)).step == 2
    torch.manual_seed(5)
    *_, second = train_classifier(parts)
    for key, value in whole.average.state_dict().items():
        assert torch.equal(value, second.average.state_dict()[key]), key
    row = json.loads(open(tmp_path / "parts" / "shapes.jsonl").readlines()[-1])
    assert row["step"] == 4 and 0 <= row["coded5"] <= 1 and "caught" in row

    file = tmp_path / "whole" / "shapes.safetensors"
    with safe_open(file, "pt") as opened:
        names = json.loads(opened.metadata()["names"])
    judge = build_shape_judge(load_file(file), names, torch.device("cpu"), "abc")
    assert judge.hashes == {"classifier": "abc"} and len(names) == 11
    assert judge.probabilities(picture).sum() == pytest.approx(1, abs=1e-4)
    further = Classifier(12).eval()
    begin(further, file)
    with torch.no_grad():
        x = torch.rand(2, 3, 96, 96)
        assert torch.equal(further(x), judge.classifier(x))
    begin(Classifier(3, stages=5), file)  # another head, fewer layers: what is alike is taken


def test_things_that_were_small_when_they_were_coded_are_shown_as_large(sprites):
    scenes, vqgan = Scenes(sprites), load_pair("emoji", device="cpu").vqgan
    covered = []
    for near in (1, 3):
        asked = dict(flat=0, scale=(1.0, 1.0), nearest=near, noise=0)
        coded = CodedThings(scenes, vqgan, 24, pairs=scenes.pairs, **asked)
        coded.fill(torch.Generator().manual_seed(2))
        x = coded.pictures.float()
        covered.append((x - x[:, :, :2, :2].mean((2, 3), keepdim=True)).abs().mean().item())
    assert covered[1] == pytest.approx(covered[0], rel=0.35)


def test_the_one_that_ships_names_plain_shapes():
    judge = load_shape_judge(device="cpu")
    assert [name.removeprefix("a ").removeprefix("an ") for name in concepts()] == judge.names
    night, day = Image.new("RGB", (128, 128), (20, 30, 95)), Image.new("RGB", (128, 128), "white")
    moon, face = ImageDraw.Draw(night), ImageDraw.Draw(day)
    moon.ellipse((24, 24, 104, 104), fill=(250, 220, 90))
    moon.ellipse((48, 14, 124, 94), fill=(20, 30, 95))
    face.ellipse((14, 14, 114, 114), fill=(250, 205, 50))
    face.ellipse((42, 44, 54, 60), fill="brown")
    face.ellipse((74, 44, 86, 60), fill="brown")
    face.arc((40, 50, 88, 92), 20, 160, fill="brown", width=6)
    assert judge.rank(night, "a moon") == 1 and judge.rank(day, "slightly smiling face") == 1
    assert judge.painting_share(night) < 0.1 and judge.painting_share(day) < 0.1


def test_the_judge_of_styles_goes_on_after_a_stop_and_its_weights_judge(sprites, tmp_path, picture):
    options = StyleOptions(
        data=sprites, out=tmp_path / "whole", steps=4, every=2, batch=6, coded=8, device="cpu"
    )
    *_, whole = train_styles(options)
    parts = dataclasses.replace(options, out=tmp_path / "parts")
    assert next(train_styles(parts)).step == 2
    torch.manual_seed(5)
    *_, second = train_styles(parts)
    for key, value in whole.average.state_dict().items():
        assert torch.equal(value, second.average.state_dict()[key]), key
    file = tmp_path / "whole" / "styles.safetensors"
    with safe_open(file, "pt") as opened:
        names = json.loads(opened.metadata()["names"])
    judge = build_style_judge(load_file(file), names, torch.device("cpu"), "abc")
    assert judge.style(picture) in names and judge.style(picture, ["line"]) == "line"
    with pytest.raises(KeyError):
        judge.style(picture, ["oil"])


def test_the_judge_of_styles_that_ships_tells_hands_apart():
    judge, library = load_style_judge(device="cpu"), load_pair("emoji", device="cpu").library
    assert list(judge.names) == list(library.styles)
    right = []
    for drawing in library.drawings[::97]:
        scene = Scene((Thing(drawing.label),))
        picture = library.compose(scene, (drawing,), height=128, width=128).picture
        right.append(judge.style(to_pil(picture[0])) == drawing.style)
    assert len(right) > 70 and np.mean(right) > 0.6  # by chance 1 of 9
