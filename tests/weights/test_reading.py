"""Weights in every form are read as they are, and as data."""

from __future__ import annotations

import json
import warnings

import published
import pytest
import torch
from crafting import Bomb
from published import archive, saved, sha256, small_clip, write
from safetensors.torch import save
from served import assert_same_networks, load
from torch import nn

import vqclip_nb as vq
from vqclip_nb import loading as pairs
from vqclip_nb import weights

ARCHIVES = {
    "ViT in half": lambda: archive(small_clip()),
    "ViT": lambda: archive(small_clip(half=False)),
    "ResNet in half": lambda: archive(small_clip(resnet=True)),
    "ResNet": lambda: archive(small_clip(half=False, resnet=True)),
}


@pytest.mark.parametrize("kind", ARCHIVES)
def test_an_archive_gives_what_torchscript_would_give(tmp_path, kind):
    path = write(tmp_path, "a.pt", ARCHIVES[kind]())
    ours, facts = weights.read_state(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated
        theirs = torch.jit.load(path).state_dict()
    assert [name for name in ours if name in theirs] == list(theirs) and facts == {}
    for name, tensor in theirs.items():
        assert ours[name].dtype == tensor.dtype and ours[name].shape == tensor.shape, name
        assert torch.equal(ours[name], tensor), name
    assert {"input_resolution", "context_length", "vocab_size"} < set(ours)
    some = weights.read_state(path, lambda name: name.endswith("_length"))[0]
    assert {k: v.item() for k, v in some.items()} == {"context_length": 77}


def test_a_checkpoint_gives_what_torch_would_give(tmp_path):
    base = torch.arange(24.0)
    state = {
        "transposed": base.view(4, 6).t(),
        "tail": base[20:],
        "every other": base[::2],
        "number": torch.tensor(3),
        "large": torch.zeros(17_000_000, dtype=torch.int8),
        "none": torch.empty(0, 3),
        "parameter": nn.Parameter(torch.rand(2)),
        "marked parameter": nn.Parameter(torch.rand(2)),
        "marked": torch.rand(2),
        **{str(t): torch.ones(2, 2, dtype=t) for t in (torch.bfloat16, torch.int8, torch.bool)},
        "not a tensor": [1, 2.5, -70000, 2**40, "text", None, {"a": (True, False)}],
    }
    state["marked"].mark = state["marked parameter"].mark = "an attribute"
    path = write(tmp_path, "a.ckpt", saved({"state_dict": state}))
    ours = weights.read_state(path)[0]
    assert set(ours) == set(state) - {"not a tensor"}
    for name, tensor in ours.items():
        assert tensor.dtype == state[name].dtype and torch.equal(tensor, state[name]), name


def test_the_form_is_told_by_the_contents(tmp_path):
    """A saved run may have any name."""
    path = write(tmp_path, "run.state", save({"w": torch.ones(2)}, {"a": "b"}))
    state, facts = weights.read_state(path)
    assert torch.equal(state["w"], torch.ones(2)) and facts == {"a": "b"}


def test_one_flipped_bit_of_a_checkpoint_is_noticed(made, tmp_path):
    data = bytearray(made.checkpoint)
    weight = made.plain.state_dict()["quantize.embedding.weight"].numpy().tobytes()
    data[data.index(weight) + 100] ^= 4
    with pytest.raises(vq.WeightsError, match="a.ckpt is damaged"):
        weights.read_state(write(tmp_path, "a.ckpt", data))


@pytest.mark.parametrize("form", ["zip", "state dict", "safetensors", "slim"])
def test_own_files_in_every_form(made, tmp_path, form):
    clip_state = made.guide.state_dict()
    config = write(tmp_path, "model.yaml", made.yaml)
    half = weights.read_state(write(tmp_path, "a.pt", made.archive))[0]
    if form in ("safetensors", "slim"):
        state = {k: v.contiguous() for k, v in made.plain.state_dict().items()}
        facts = {"config": json.dumps(made.plain.config)} if form == "slim" else None
        vqgan = write(tmp_path, "v.safetensors", save(state, facts))
        clip = write(tmp_path, "c.safetensors", save({k: v.clone() for k, v in half.items()}))
    else:
        vqgan = made.plain.state_dict() if form == "state dict" else None
        data = saved(vqgan) if vqgan else made.checkpoint
        vqgan = write(tmp_path, "v.ckpt", data)
        clip = write(tmp_path, "c.pt", made.archive if form == "zip" else saved(clip_state))
    pair = vq.open_pair(
        clip=clip, vqgan=vqgan, config=None if form == "slim" else config, device="cpu"
    )
    assert_same_networks(pair, made.plain, made.guide)
    assert pair.hashes == {"clip": sha256(clip.read_bytes()), "vqgan": sha256(vqgan.read_bytes())}


def test_files_that_know_what_fits_them_say_so_through_every_door(pair):
    files = {name: pairs.EMOJI / f"{name}.safetensors" for name in ("clip", "vqgan")}
    own = vq.open_pair(**files, device="cpu")
    for fact in ("size", "default_background", "own_defaults", "hashes"):
        assert getattr(own, fact) == getattr(pair, fact), fact
    for fact in ("dropout", "vocabulary"):
        assert getattr(own.clip, fact) == getattr(pair.clip, fact), fact
    assert pair.size == 128 and "fox" in pair.clip.vocabulary.words


def test_a_clip_in_full_precision_keeps_it(made, tmp_path):
    guide = small_clip(half=False)
    clip = write(tmp_path, "c.pt", saved(guide.state_dict()))
    files = dict(clip=clip, vqgan=write(tmp_path, "v.ckpt", made.checkpoint))
    pair = vq.open_pair(**files, config=write(tmp_path, "m.yaml", made.yaml), device="cpu")
    for name, tensor in guide.state_dict().items():
        assert torch.equal(pair.clip.model.state_dict()[name], tensor), name


@pytest.mark.parametrize("zipped", [True, False])
def test_a_checkpoint_that_would_run_something_is_refused(made, publish, tmp_path, zipped):
    mark = tmp_path / "ran"
    bad = made.plain.checkpoint(zipped=zipped, hyper_parameters=Bomb(mark))
    publish(checkpoint=bad)
    why = r"more than tensors.*(posix|nt)\.mkdir" if zipped else "before torch 1.6"
    with pytest.raises(vq.WeightsError, match=why):
        load()
    assert not mark.exists()
    callback = type("ModelCheckpoint", (), {"__module__": published.CALLBACK})
    with published.lightning_module(callback):
        torch.load(write(tmp_path, "bad.ckpt", bad), weights_only=False)
    assert mark.exists(), "the checkpoint was harmless: this test proves nothing"


@pytest.mark.parametrize("kind", ["checkpoint", "archive", "safetensors"])
@pytest.mark.parametrize("keep", [0, 1, 0.3, 0.9, 0.999])
def test_a_file_that_is_cut_off_is_refused(made, tmp_path, kind, keep):
    whole = save(made.plain.state_dict()) if kind == "safetensors" else getattr(made, kind)
    size = keep if isinstance(keep, int) else int(len(whole) * keep)
    path = write(tmp_path, f"a.{kind}", whole[:size])
    with pytest.raises(vq.WeightsError, match=f"a.{kind} is damaged or no weight file"):
        weights.read_state(path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (dict(vqgan="gone.ckpt"), "gone.ckpt: no such file"),
        (dict(config=None), "give config=PATH"),
        (dict(config="gone.yaml"), "gone.yaml is no VQGAN configuration"),
        (dict(config="text.yaml"), "text.yaml is no VQGAN configuration: it needs ddconfig"),
        (dict(config="empty.yaml"), "empty.yaml is no VQGAN configuration"),
        (dict(config="other.yaml"), "do not fit the VQGAN configuration.*codebook.weight"),
        (dict(clip="v.ckpt"), "no CLIP weights"),
        (dict(vqgan="c.pt"), "do not fit the VQGAN configuration.*encoder"),
        (dict(vqgan="picture.ckpt"), "picture.ckpt is damaged or no weight file"),
        (dict(clip="list.pt"), "list.pt .*: it holds no state dict"),
    ],
)
def test_own_files_that_do_not_fit_say_why(made, tmp_path, change, words):
    write(tmp_path, "v.ckpt", made.checkpoint)
    write(tmp_path, "c.pt", made.archive)
    write(tmp_path, "m.yaml", made.yaml)
    write(tmp_path, "text.yaml", "just: a text")
    write(tmp_path, "empty.yaml", "")
    write(tmp_path, "other.yaml", made.yaml.replace(b"n_embed: 24", b"n_embed: 25"))
    write(tmp_path, "picture.ckpt", b"\x89PNG\r\n\x1a\n" + bytes(200))
    write(tmp_path, "list.pt", saved([torch.zeros(3)]))
    files = {**dict(clip="c.pt", vqgan="v.ckpt", config="m.yaml"), **change}
    with pytest.raises(vq.WeightsError, match=f"(?s){words}"):
        vq.open_pair(**{k: v and tmp_path / v for k, v in files.items()}, device="cpu")
