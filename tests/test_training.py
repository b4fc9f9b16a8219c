"""The training code on made-up drawings: every training ends, is resumed and exported."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.utils._pytree import tree_flatten

from training import build_library, classifier, data, export, gpu_prior
from training.build_library import pack_bits
from training.human_eval import right, score
from training.join_priors import join_priors
from training.networks import VQGANS, text_features, vqgan_metadata
from training.scenes import Scenes
from training.sets import TRAINED
from training.train_classifier import ClassifierOptions, train_classifier
from training.train_clip import ClipOptions, train_clip
from training.train_decoder import DecoderOptions, train_decoder
from training.train_prior import PriorOptions, train_prior
from training.train_styles import StyleOptions, train_styles
from training.train_upscaler import UpscalerOptions, train_upscaler
from training.train_vqgan import VqganOptions, train_vqgan
from vqclip_nb.emoji.drawings import Scene, Thing, unpack_bits
from vqclip_nb.emoji.library import Library
from vqclip_nb.emoji.prior import build_prior
from vqclip_nb.emoji.priors import NAMED, Priors
from vqclip_nb.emoji.vocabulary import Vocabulary
from vqclip_nb.experiments.scores import concepts
from vqclip_nb.images import to_pil
from vqclip_nb.models.clip import build_clip
from vqclip_nb.models.pair import EMOJI
from vqclip_nb.models.vqgan import VQGAN
from vqclip_nb.weights import WeightsError, read_checked, read_state, write_state


def finish(training):
    """The last of what a training yields."""
    *_, trainer = training
    return trainer


def test_fetching_without_npm_says_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(FileNotFoundError, match="npm brings the emoji sets .* install Node.js"):
        data.fetch(tmp_path)
    with pytest.raises(SystemExit, match="npm"):
        data.main([str(tmp_path)])


@pytest.fixture
def paintings(tmp_path):
    """76 black pictures in a file: what the judge of shapes takes for paintings."""
    path = tmp_path / "paintings.pt"
    torch.save({"pictures": torch.zeros(76, 3, 128, 128, dtype=torch.uint8)}, path)
    return path


TRAININGS = {  # script: what is asked of it, for four small steps
    "clip": (train_clip, ClipOptions, dict(adv_eps=1.0, generated=2)),
    "vqgan": (train_vqgan, VqganOptions, dict(gan_from=1, codes_from=0)),
    "decoder": (train_decoder, DecoderOptions, dict(gan_from=1)),
    "classifier": (train_classifier, ClassifierOptions, dict(coded=6, batch=8)),
    "styles": (train_styles, StyleOptions, dict(coded=8)),
    "prior": (train_prior, PriorOptions, dict(width=64, layers=1, colours=1)),
    "upscaler": (train_upscaler, UpscalerOptions, dict(width=64, layers=1)),
}


def asked(name, data, out, **changes):
    """Options of a training at toy size."""
    _, options, own = TRAININGS[name]
    toy = dict(steps=4, every=2, batch=6, device="cpu")
    toy |= {} if name == "clip" else dict(measured=4)
    return options(data=data, out=out, **{**toy, **own, **changes})


@pytest.mark.slow
@pytest.mark.parametrize("name", TRAININGS)
def test_an_interrupted_training_ends_as_one_that_was_not(sprites, paintings, tmp_path, name):
    own = dict(paintings=paintings) if name == "classifier" else {}
    train, options = TRAININGS[name][0], asked(name, sprites, tmp_path / "whole", **own)
    whole = finish(train(options))
    options.out = tmp_path / "parts"
    assert next(train(options)).step == 2
    torch.manual_seed(123)  # what another process would have done
    second = finish(train(options))
    assert second.step == whole.step == 4
    for key, part in whole.parts.items():
        (a, names), (b, others) = (tree_flatten(p.state_dict()) for p in (part, second.parts[key]))
        assert names == others
        for one, two in zip(a, b, strict=True):
            assert torch.equal(one, two) if torch.is_tensor(one) else one == two, key
    rows = [json.loads(line) for line in open(options.out / f"{whole.name}.jsonl")]
    assert [r["step"] for r in rows] == [2, 4] and len(whole.curves().axes) >= 2


def test_a_checkpoint_of_another_training_is_refused_and_weights_are_exported_centred(
    sprites, tmp_path
):
    options = asked("clip", sprites, tmp_path, adv_eps=0, generated=0)
    finish(train_clip(options))
    with pytest.raises(ValueError, match="holds no negatives: it is from a training with other"):
        next(train_clip(dataclasses.replace(options, generated=2)))
    texts = Scenes(sprites, size=64).batch(60, np.random.default_rng(5)).captions
    package = tmp_path / "package"
    package.mkdir()
    assert export.export_weights(sprites, tmp_path, package) == [package / "clip.safetensors"]
    states = (load_file(folder / "clip.safetensors") for folder in (tmp_path, package))
    before, after = (text_features(build_clip(state), texts).mean(0).norm() for state in states)
    assert before > 0.5 and after < 0.5 * before
    assert (package / "concepts.txt").read_text(encoding="utf8").splitlines()[0] == "an ant"
    with pytest.raises(FileNotFoundError, match="train something first"):
        export.export_weights(sprites, package / "none", package)


@pytest.mark.parametrize("shape", ["f8", pytest.param("f16", marks=pytest.mark.slow)])
def test_vqgan_trains_and_its_tensors_load(sprites, tmp_path, shape):
    imagenet = tmp_path / "imagenet.pth"
    torch.save(classifier.Classifier(1).state_dict(), imagenet)  # random, of EfficientNet's shapes
    options = asked("vqgan", sprites, tmp_path, shape=shape, steps=2, imagenet=imagenet)
    finish(train_vqgan(options))
    row = json.loads(open(tmp_path / "vqgan.jsonl").readline())
    assert row["step"] == 2 and min(row[k] for k in ("d_loss", "perceptual", "psnr")) > 0
    state, facts = read_state(tmp_path / "vqgan.safetensors")
    network = VQGAN.from_state(json.loads(facts["config"]), state)
    z = network.encode(torch.rand(1, 3, 32, 48))
    assert z.shape[2] == 32 // int(shape[1:])
    assert network.decode(network.quantize(z)).shape == (1, 3, 32, 48)
    assert network.codebook.weight.std() == pytest.approx(0.5, rel=0.02)


def test_a_decoder_that_goes_on_leaves_the_codes_as_they_are(sprites, tmp_path):
    finish(train_decoder(asked("decoder", sprites, tmp_path, steps=2)))
    before, after = (load_file(d / "vqgan.safetensors") for d in (EMOJI, tmp_path))
    moved = {k for k, v in before.items() if not torch.equal(v, after[k])}
    assert before.keys() == after.keys()
    assert moved and all(k.startswith(("decoder.", "post_quant_conv.")) for k in moved)
    package = tmp_path / "package"
    package.mkdir()
    for kept in ("vqgan", "library", "prior"):
        for end in ("safetensors", "sha256"):
            shutil.copy(EMOJI / f"{kept}.{end}", package)
    export.export_weights(sprites, tmp_path, package)
    digest = read_checked(package / "vqgan.safetensors")[2]
    library, said, _ = read_checked(package / "library.safetensors")
    assert said["vqgan"] == digest
    assert json.loads(read_checked(package / "prior.safetensors")[1]["hashes"])["vqgan"] == digest
    shipped = read_checked(EMOJI / "library.safetensors")[0]
    assert all(torch.equal(library[k], v) for k, v in shipped.items())
    # and one that gives other codes leaves them alone
    after["quantize.embedding.weight"] *= 2
    save_file(after, tmp_path / "vqgan.safetensors", vqgan_metadata(VQGANS["f8"]))
    export.export_weights(sprites, tmp_path, package)
    assert read_checked(package / "library.safetensors")[1]["vqgan"] == digest


def test_the_classifiers_that_are_trained_judge(sprites, paintings, tmp_path):
    options = asked("classifier", sprites, tmp_path, steps=1, paintings=paintings)
    finish(train_classifier(options))
    row = json.loads(open(tmp_path / "shapes.jsonl").readline())
    assert 0 <= row["coded5"] <= 1 and "caught" in row
    file, cpu = tmp_path / "shapes.safetensors", torch.device("cpu")
    picture = to_pil(torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(0)))
    state, facts = read_state(file)
    names = json.loads(facts["names"])
    judge = classifier.build_shape_judge(state, names, cpu, "abc")
    assert judge.hashes == {"classifier": "abc"} and len(names) == 11
    assert judge.probabilities(picture).sum() == pytest.approx(1, abs=1e-4)
    # another head, fewer layers: what is alike is taken
    finish(train_styles(asked("styles", sprites, tmp_path, steps=1, start=file)))
    state, facts = read_state(tmp_path / "styles.safetensors")
    names = json.loads(facts["names"])
    judge = classifier.build_style_judge(state, names, cpu, "abc")
    assert judge.style(picture) in names and judge.style(picture, ["line"]) == "line"


def test_a_prior_that_is_trained_loads_and_joins_those_of_the_package(pair, sprites, tmp_path):
    trained = finish(train_prior(asked("prior", sprites, tmp_path / "new", steps=1)))
    made = build_prior(trained.model.config, load_file(tmp_path / "new" / "prior.safetensors"))
    assert made.codes == 2048 and not any(p.requires_grad for p in made.parameters())
    target, other = tmp_path / "prior.safetensors", tmp_path / "other.safetensors"
    shutil.copy(EMOJI / "prior.safetensors", target)
    before, facts, _ = read_checked(EMOJI / "prior.safetensors")
    own = pair.wing.priors["3d"].state_dict()
    save_file(own, other, {key: facts[key] for key in ("config", "hashes")})
    finish(train_upscaler(asked("upscaler", sprites, tmp_path, steps=1)))
    join_priors({"comic": other, "upscaler": tmp_path / "upscaler.safetensors"}, target)
    state, told, digest = read_checked(target)
    kept = [k for k in before if not k.startswith(("comic.", "upscaler."))]
    assert kept and all(torch.equal(state[k], before[k]) for k in kept)
    priors = Priors(state, {k: json.loads(v) for k, v in told.items()}, digest, "cpu")
    assert [*priors] == [*pair.wing.priors]
    for name, value in priors["comic"].state_dict().items():  # in 7 bits a number
        assert (value - own[name]).abs().max() <= 0.01 * own[name].abs().max()
    book = pair.vqgan.codebook.weight
    assert priors.upscaler(torch.zeros(1, 32, 8, 8), book).shape == (1, 32, 16, 16)
    assert priors[NAMED].names == pair.wing.priors[NAMED].names
    save_file(own, other, {"config": "{}", "hashes": facts["hashes"]})
    with pytest.raises(ValueError, match="of another shape or pair"):
        join_priors({"simple": other}, target)


@pytest.mark.slow
def test_the_gpus_prior_knows_styles_and_goes_on(pair, tmp_path, monkeypatch):
    drawings = gpu_prior.LibraryCodes(pair, pair.library)  # which takes a while: once for all
    monkeypatch.setattr(gpu_prior, "LibraryCodes", lambda *of: drawings)
    asked = gpu_prior.GpuPriorOptions(
        out=tmp_path, device="cpu", steps=2, batch=4, width=64, layers=1, seconds=0.0
    )
    first = next(gpu_prior.gpu_prior(asked))
    assert first.step == 1
    assert finish(gpu_prior.gpu_prior(asked)).step == 2
    prior = build_prior(first.model.config, load_file(tmp_path / "prior.safetensors"))
    one, other = (drawings.caption(torch.tensor([i])) for i in (0, len(drawings.names) - 1))
    hidden = torch.full((1, prior.side, prior.side), prior.codes)
    assert not torch.equal(prior.logits(hidden, one), prior.logits(hidden, other))


def test_the_judges_that_ship_tell_shapes_and_styles(pair):
    judge = classifier.load_shape_judge(device="cpu")
    assert [name.removeprefix("a ").removeprefix("an ") for name in concepts()] == judge.names
    for name in ("a fox", "a pizza", "a key"):
        drawn = to_pil(pair.library.find(name).picture[0])
        assert judge.rank(drawn, name) == 1 and judge.painting_share(drawn) < 0.1, name
    with pytest.raises(ValueError, match="'a foxx' is not among the names .* did you mean fox"):
        judge.rank(drawn, "a foxx")
    judge, library = classifier.load_style_judge(device="cpu"), pair.library
    assert list(judge.names) == list(library.styles)
    right = []
    for drawing in library.drawings[::193]:
        scene = Scene((Thing(drawing.label),))
        picture = library.compose(scene, (drawing,)).picture
        right.append(judge.style(to_pil(picture[0])) == drawing.style)
    assert len(right) > 40 and np.mean(right) > 0.55  # by chance 1 of 9


def test_a_figure_is_a_large_head_on_a_standing_body():
    head, body = np.zeros((2, 64, 64, 4), np.uint8)
    head[20:44, 20:44] = 200, 0, 0, 255
    body[4:18, 28:36], body[18:60, 24:40] = (0, 200, 0, 255), (0, 0, 200, 255)
    red, green, blue = (data.figure(head, body)[..., i] > 150 for i in range(3))
    assert red[:28].any() and not red[40:].any() and green.sum() < 20 < blue[40:].sum()


def test_a_library_is_built_and_read(sprites, pair, tmp_path):
    scenes = Scenes(sprites)
    state = build_library.build(pair.vqgan, scenes)
    facts = build_library.facts(scenes, sprites)
    path = tmp_path / "library.safetensors"
    write_state(path, state, build_library.metadata(pair, scenes, facts))
    made = Library(path, pair.vqgan, Vocabulary(pair.clip.vocabulary.words))
    assert len(made.drawings) == len(scenes.pairs) == 60
    assert made.find("one o’clock") is not None and made.find("a whale") is None
    # more drawings stand behind those that were there, whose codes stay
    built = dict(state)
    state["codes"] = pack_bits(unpack_bits(state["codes"], 2048).flip(0), 2048)
    wide = Scenes(sprites, styles=(*TRAINED, "simple"))
    more = build_library.build(pair.vqgan, wide, state)
    assert torch.equal(more["drawings"][:60], state["drawings"])
    assert torch.equal(more["codes"][: len(state["codes"])], state["codes"])
    assert len(more["drawings"]) == 72 == len({*map(tuple, more["drawings"].tolist())})
    anew = build_library.build(pair.vqgan, scenes, state, torch.arange(60) < 4)
    first, kept, drawn = (unpack_bits(x["codes"], 2048) for x in (anew, state, built))
    assert torch.equal(first[: 4 * 256], drawn[: 4 * 256])  # the rest as it was turned round
    assert torch.equal(first[4 * 256 : 60 * 256], kept[4 * 256 : 60 * 256])
    now = {"styles": {"new": [], **facts["styles"]}, "concepts": facts["concepts"][::-1]}
    moved = build_library.renumbered(state["drawings"], facts, now)
    assert moved[0].tolist() == [1, 11 - int(state["drawings"][0, 1])]
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(WeightsError, match="corrupt"):
        Library(path, pair.vqgan, Vocabulary(pair.clip.vocabulary.words))


def test_blind_naming_is_counted():
    assert right("a tabby cat", ["cat"]) and right("cats", ["cat"]) and not right("dog", ["cat"])
    things = [[["cat", "kitten"]], [["fox"]], [["cat"], ["bed"]]]
    key = [{"number": i, "prompt": "", "things": named} for i, named in enumerate(things)]
    rows = score(key, {"0": ["kitten"], "1": ["dog", "a fox"], "2": ["cat", "sofa"]})
    assert [r["first"] for r in rows] == [True, False, False]
    assert [r["three"] for r in rows] == [True, True, False]
