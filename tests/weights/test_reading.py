"""Weights in every form are read as they are, and as data."""

import json
import pickle
import warnings

import pytest
import torch
from crafting import Bomb
from hostile import peak
from published import archive, assert_same_networks, load, saved, sha256, small_clip, write
from safetensors.torch import save, save_file
from torch import nn

import vqclip_nb as vq
from vqclip_nb import weights


@pytest.mark.parametrize("half", [True, False])
@pytest.mark.parametrize("resnet", [True, False])
def test_an_archive_gives_what_torchscript_would_give(tmp_path, half, resnet):
    path = write(tmp_path, "a.pt", archive(small_clip(half=half, resnet=resnet)))
    ours, facts = weights.read_state(path)
    with warnings.catch_warnings(action="ignore"):  # deprecated
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
        **{str(t): torch.ones(2, 2, dtype=t) for t in (torch.bfloat16, torch.int8, torch.bool)},
        "not a tensor": [1, 2.5, -70000, 2**40, "text", None, {"a": (True, False)}],
    }
    state["parameter"].mark = "an attribute"
    path = write(tmp_path, "a.ckpt", saved({"state_dict": state}))
    ours = weights.read_state(path)[0]
    assert set(ours) == set(state) - {"not a tensor"}
    for name, tensor in ours.items():
        assert tensor.dtype == state[name].dtype and torch.equal(tensor, state[name]), name


@pytest.mark.parametrize("form", ["zip", "state dict", "safetensors", "slim"])
def test_own_files_in_every_form(made, tmp_path, form):
    config = None if form == "slim" else write(tmp_path, "model.yaml", made.yaml)
    state, guide = made.plain.state_dict(), made.guide.state_dict()
    if form in ("safetensors", "slim"):
        facts = {"config": json.dumps(made.plain.config)} if form == "slim" else None
        state = {k: v.contiguous() for k, v in state.items()}
        vqgan = write(tmp_path, "v.safetensors", save(state, facts))
        guide = {k: v.contiguous().clone() for k, v in guide.items()}
        clip = write(tmp_path, "c.safetensors", save(guide))
    else:
        zipped = form == "zip"
        vqgan = write(tmp_path, "v.ckpt", made.checkpoint if zipped else saved(state))
        clip = write(tmp_path, "c.pt", made.archive if zipped else saved(guide))
    pair = vq.open_pair(clip=clip, vqgan=vqgan, config=config, device="cpu")
    assert_same_networks(pair, made.plain, made.guide)
    assert pair.hashes == {"clip": sha256(clip.read_bytes()), "vqgan": sha256(vqgan.read_bytes())}


def test_a_checkpoint_that_would_run_something_is_refused(made, publish, tmp_path):
    mark = tmp_path / "ran"
    bomb = Bomb(mark)
    publish(checkpoint=made.plain.checkpoint(hyper_parameters=bomb))
    with pytest.raises(vq.WeightsError, match=r"more than tensors.*(posix|nt)\.mkdir"):
        load()
    assert not mark.exists()
    pickle.loads(pickle.dumps(bomb))
    assert mark.exists(), "it was harmless: this test proves nothing"


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


DEEP = "[" * 100_000


@pytest.fixture
def opened(made, tmp_path):
    """Opens a pair of safetensors with these changes to what they hold and say."""

    def opened(facts=None, config=None, clip=None, of_clip=None) -> vq.Pair:
        stored = {"config": json.dumps(made.plain.config) if config is None else config}
        stored |= {"facts": facts} if facts else {}
        guide = {k: v.contiguous().clone() for k, v in made.guide.state_dict().items()}
        save_file({**guide, **(clip or {})}, tmp_path / "c.safetensors", of_clip)
        vqgan = {k: v.contiguous() for k, v in made.plain.state_dict().items()}
        save_file(vqgan, tmp_path / "v.safetensors", stored)
        files = {"clip": tmp_path / "c.safetensors", "vqgan": tmp_path / "v.safetensors"}
        return vq.open_pair(**files, device="cpu")

    return opened


def test_sound_facts_are_used(opened, tmp_path):
    facts = json.dumps({"size": 96, "ground": "on black"})
    pair = opened(facts, of_clip={"facts": '{"words": ["a"]}'})
    assert pair.size == 96 and pair.default_background == "on black"
    assert pair.clip.vocabulary.words == {"a"}
    assert pair.hashes["vqgan"] == sha256((tmp_path / "v.safetensors").read_bytes())


@pytest.mark.parametrize(
    "facts",
    [
        *("{", "[1]", "3", "null", DEEP, '{"size": ' + "9" * 5000 + "}"),
        *('{"size": "x"}', '{"size": -5}', '{"size": 1e99}', '{"size": null}', '{"size": true}'),
        *('{"words": 3}', '{"words": [[1]]}', '{"ground": 3}', '{"defaults": []}'),
        *('{"dropout": "a"}', '{"dropout": 1}', '{"dropout": NaN}', '{"dropout": -1}'),
    ],
)
def test_facts_that_cannot_be(opened, facts):
    for door in ({"facts": facts}, {"of_clip": {"facts": facts}}):
        with pytest.raises(vq.WeightsError, match="facts stored with|the weights say"):
            opened(**door)


NONE = ["", "{", "[]", "{}", DEEP, "${oc.env:HOME}"]
OTHER = [{"ch": 33}, {"num_res_blocks": 10**7}, {"n_embed": 9}]


@pytest.mark.parametrize("config", [*NONE, *OTHER], ids=range(len(NONE + OTHER)))
def test_a_stored_configuration_that_is_none_or_of_another_network(opened, made, config):
    if isinstance(config, dict):
        shape = made.plain.config["ddconfig"] | config
        config = json.dumps(made.plain.config | {"ddconfig": shape} | config)
    with pytest.raises(vq.WeightsError, match="no VQGAN configuration|do not fit the VQGAN"):
        opened(config=config)


@pytest.mark.parametrize(
    "clip",
    [
        {"visual.conv1.weight": torch.zeros(0)},
        {"visual.conv1.weight": torch.zeros(3, 3, dtype=torch.int64)},
        {"ln_final.weight": torch.zeros(())},
        {"text_projection": torch.zeros(0, 0)},
        {"token_embedding.rows": torch.tensor([10**9] * 49408)},
        {"token_embedding.weight": torch.zeros(1, 50_000)},
        {"ln_final.weight": torch.zeros(5120)},
        {"visual.conv1.weight": torch.zeros(4096, 3, 1, 1)},
    ],
)
def test_shapes_that_no_clip_has_take_no_memory(opened, clip):
    before = peak()
    with pytest.raises(vq.WeightsError, match="these are no CLIP weights: ."):
        opened(clip=clip)
    assert peak() - before < 300_000
