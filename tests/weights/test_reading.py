"""Weights in every form are read as they are, and as data."""

from __future__ import annotations

import json

import published
import pytest
import torch
from hostile import Bomb
from published import saved, sha256, small_clip, write
from safetensors.torch import save
from served import assert_same_networks, load

import vqclip_nb as vq
from vqclip_nb import weights
from vqclip_nb.models import pair as pairs


def test_the_checkpoint_is_of_the_kind_that_torch_refuses_by_itself(made, tmp_path):
    path = write(tmp_path, "last.ckpt", made.checkpoint)
    with pytest.raises(Exception, match="pytorch_lightning.callbacks.model_checkpoint"):
        torch.load(path, weights_only=True)
    with_losses = weights.read_state(path)[0]
    assert "loss.logvar" in with_losses and "quantize.embedding.weight" in with_losses


@pytest.mark.parametrize("form", ["zip", "before torch 1.6", "state dict", "safetensors", "slim"])
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
        old = form == "before torch 1.6"
        data = saved(vqgan) if vqgan else made.plain.checkpoint(zipped=not old)
        vqgan = write(tmp_path, "v.ckpt", data)
        clip = write(tmp_path, "c.pt", made.archive if form == "zip" else saved(clip_state))
    pair = vq.open_pair(
        clip=clip, vqgan=vqgan, config=None if form == "slim" else config, device="cpu"
    )
    assert_same_networks(pair, made.plain, made.guide)
    assert pair.hashes == {
        "clip": sha256(clip.read_bytes()),
        "vqgan": sha256(vqgan.read_bytes()),
    }


def test_files_that_know_what_fits_them_say_so_through_every_door(pair):
    files = {name: pairs.EMOJI / f"{name}.safetensors" for name in ("clip", "vqgan")}
    own = vq.open_pair(**files, device="cpu")
    assert own.facts == pair.facts and own.hashes == pair.hashes
    for fact in ("dropout", "vocabulary"):
        assert getattr(own.clip, fact) == getattr(pair.clip, fact), fact
    assert pair.facts.size == 128 and "fox" in pair.clip.vocabulary


def test_a_clip_in_full_precision_keeps_it(made, tmp_path):
    guide = small_clip(half=False)
    clip = write(tmp_path, "c.pt", saved(guide.state_dict()))
    files = dict(clip=clip, vqgan=write(tmp_path, "v.ckpt", made.checkpoint))
    pair = vq.open_pair(**files, config=write(tmp_path, "m.yaml", made.yaml), device="cpu")
    for name, tensor in guide.state_dict().items():
        assert torch.equal(pair.clip.model.state_dict()[name], tensor), name


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("door", ["load_pair", "open_pair", "as clip"])
def test_a_checkpoint_that_would_run_something_is_refused(made, publish, tmp_path, door, zipped):
    mark = tmp_path / "ran"
    bad = made.plain.checkpoint(zipped=zipped, hyper_parameters=Bomb(mark))
    path = write(tmp_path, "bad.ckpt", bad)
    config = write(tmp_path, "model.yaml", made.yaml)
    good = write(tmp_path, "good.pt", made.archive)
    with pytest.raises(vq.WeightsError, match=r"more than tensors.*(posix|nt)\.mkdir"):
        if door == "load_pair":
            publish(checkpoint=bad)
            load()
        elif door == "open_pair":
            vq.open_pair(clip=good, vqgan=path, config=config, device="cpu")
        else:
            vq.open_pair(clip=path, vqgan=path, config=config, device="cpu")
    assert not mark.exists()
    callback = type("ModelCheckpoint", (), {"__module__": published.CALLBACK})
    with published.lightning_module(callback):
        torch.load(path, weights_only=False)
    assert mark.exists(), "the checkpoint was harmless: this test proves nothing"


@pytest.mark.parametrize("kind", ["ckpt", "old ckpt", "archive", "state dict", "safetensors"])
@pytest.mark.parametrize("keep", [0, 1, 0.3, 0.9, 0.999])
def test_a_file_that_is_cut_off_is_refused(made, tmp_path, kind, keep):
    whole, name = {
        "ckpt": lambda: (made.checkpoint, "a.ckpt"),
        "old ckpt": lambda: (made.plain.checkpoint(zipped=False), "a.ckpt"),
        "archive": lambda: (made.archive, "a.pt"),
        "state dict": lambda: (saved(made.plain.state_dict()), "a.pt"),
        "safetensors": lambda: (save(made.plain.state_dict()), "a.safetensors"),
    }[kind]()
    size = keep if isinstance(keep, int) else int(len(whole) * keep)
    path = write(tmp_path, name, whole[:size])
    config = write(tmp_path, "model.yaml", made.yaml)
    good = write(tmp_path, "good.pt", made.archive)
    with pytest.raises(vq.WeightsError, match=f"{name} is damaged or no weight file"):
        if kind == "archive":
            vq.open_pair(clip=path, vqgan=good, config=config, device="cpu")
        else:
            vq.open_pair(clip=good, vqgan=path, config=config, device="cpu")


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
        (dict(clip="list.pt"), "list.pt holds no state dict"),
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
