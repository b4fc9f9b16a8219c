"""What weight files say about themselves is checked before anything is built of it."""

from __future__ import annotations

import json
import sys

import pytest
import torch
from published import sha256
from safetensors.torch import save_file

import vqclip_nb as vq

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
    pair = opened(
        json.dumps({"size": 96, "ground": "on black"}), of_clip={"facts": '{"words": ["a"]}'}
    )
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


@pytest.mark.parametrize("config", ["", "{", "[]", "{}", DEEP, "${oc.env:HOME}"])
def test_a_stored_configuration_that_is_none(opened, config):
    with pytest.raises(vq.WeightsError, match="v.safetensors is no VQGAN configuration"):
        opened(config=config)


@pytest.mark.parametrize(("key", "value"), [("ch", 33), ("num_res_blocks", 10**7), ("n_embed", 9)])
def test_a_stored_configuration_of_another_network(opened, made, key, value):
    shape = {**made.plain.config["ddconfig"], **({} if key == "n_embed" else {key: value})}
    config = {**made.plain.config, "ddconfig": shape, **({key: value} if key == "n_embed" else {})}
    with pytest.raises(vq.WeightsError, match="no VQGAN configuration|do not fit the VQGAN"):
        opened(config=json.dumps(config))


@pytest.mark.parametrize(
    "clip",
    [
        {"visual.conv1.weight": torch.zeros(0)},
        {"visual.conv1.weight": torch.zeros(3, 3, dtype=torch.int64)},
        {"ln_final.weight": torch.zeros(())},
        {"text_projection": torch.zeros(0, 0)},
        {"token_embedding.rows": torch.tensor([10**9] * 49408)},
        {
            "token_embedding.rows": torch.tensor([0]),
            "token_embedding.weight": torch.zeros(1, 50_000),
        },
        {"ln_final.weight": torch.zeros(5120)},
        {"visual.conv1.weight": torch.zeros(4096, 3, 1, 1)},
    ],
)
def test_shapes_that_no_clip_has_take_no_memory(opened, clip):
    resource = pytest.importorskip("resource")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(vq.WeightsError, match="these are no CLIP weights: ."):
        opened(clip=clip)
    taken = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert sys.platform != "linux" or taken < 300_000  # kB
