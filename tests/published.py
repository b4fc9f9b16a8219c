"""Small networks written as the published ones are."""

import contextlib
import copy
import hashlib
import os
import sys
import types
from io import BytesIO
from pathlib import Path
from unittest import mock

import clip
import torch
from clip.model import CLIP, convert_weights
from crafting import scripted
from omegaconf import OmegaConf
from taming.modules.diffusionmodules.model import Decoder, Encoder
from torch import nn

import vqclip_nb as vq
from vqclip_nb.models.clip import CLIP_MEAN, CLIP_STD

CKPT, YAML, GUIDE = "last.ckpt", "model.yaml", "ViT-B-32.pt"  # published under these names
SHAPE = dict(double_z=False, z_channels=32, resolution=16, in_channels=3, out_ch=3, ch=32)
SHAPE |= dict(ch_mult=[1, 2], num_res_blocks=1, attn_resolutions=[8], dropout=0.0)


class Original(nn.Module):
    """A VQGAN out of taming's modules, under the names that its checkpoints use."""

    def __init__(self, *, gumbel: bool = False) -> None:
        super().__init__()
        size, codes = 32 if gumbel else 16, 24
        with contextlib.redirect_stdout(None):  # taming prints its shapes
            self.encoder, self.decoder = Encoder(**SHAPE), Decoder(**SHAPE)
        self.quantize = nn.Module()
        if gumbel:  # which has a projection, and another name for its codebook
            self.quantize.embed = nn.Embedding(codes, size)
            self.quantize.proj = nn.Conv2d(size, codes, 1)
        else:
            self.quantize.embedding = nn.Embedding(codes, size)
        self.quant_conv = nn.Conv2d(32, size, 1)
        self.post_quant_conv = nn.Conv2d(size, 32, 1)
        self.config = {"embed_dim": size, "n_embed": codes, "ddconfig": SHAPE}
        self.eval().requires_grad_(False)

    def encode(self, picture: torch.Tensor) -> torch.Tensor:
        return self.quant_conv(self.encoder(2 * picture - 1))

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        return self.decoder(self.post_quant_conv(z))

    def yaml(self) -> str:
        target = "GumbelVQ" if hasattr(self.quantize, "proj") else "VQModel"
        params = self.config | {"lossconfig": {"target": "taming.modules.losses.DummyLoss"}}
        model = {"base_learning_rate": 4.5e-06, "target": f"taming.models.vqgan.{target}"}
        return OmegaConf.to_yaml({"model": model | {"params": params}})

    def checkpoint(self, **more: object) -> bytes:
        """What Lightning of 2020 saved: weights, losses, Adam's memory, a callback by its class."""
        weights = self.state_dict()
        losses = {"loss.perceptual_loss.lin0.weight": torch.rand(8), "loss.logvar": torch.zeros(())}
        where = "pytorch_lightning.callbacks.model_checkpoint"
        callback = type("ModelCheckpoint", (), {"__module__": where})
        held = {
            "epoch": 5,
            "pytorch-lightning_version": "0.9.0",
            "callbacks": {callback: {"best_model_score": torch.tensor(0.3)}, "own": callback()},
            "optimizer_states": [{"state": {0: {"step": 7, "exp_avg": torch.rand(2)}}}],
            "lr_schedulers": [],
            "state_dict": {**weights, **losses},
            **more,
        }
        modules = {where.rsplit(".", i)[0]: types.ModuleType("") for i in (2, 1, 0)}
        modules[where].ModelCheckpoint = callback
        with mock.patch.dict(sys.modules, modules):  # pickle finds it by its name
            return saved(held)


def saved(what: object, *, zipped: bool = True) -> bytes:
    """The bytes that torch.save writes; `zipped=False` is its form before torch 1.6."""
    file = BytesIO()
    torch.save(what, file, _use_new_zipfile_serialization=zipped)
    return file.getvalue()


def small_clip(*, half: bool = True, resnet: bool = False) -> nn.Module:
    """A CLIP of OpenAI's class with norms that act, in its mixed half precision or in float32."""
    torch.manual_seed(0)
    eyes = (64, (1, 2, 1, 1), 8, None) if resnet else (32, 2, 64, 16)
    model = CLIP(16, *eyes, 77, 49408, 64, 1, 2).eval().requires_grad_(False)
    nn.init.normal_(model.text_projection)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.5, 2)
            module.weight.uniform_(0.5, 1.5)
    if half:
        convert_weights(model)
    return model


def archive(model: nn.Module) -> bytes:
    """A TorchScript archive of a CLIP, with the three facts that OpenAI's carry as tensors."""
    model, size = copy.deepcopy(model), model.visual.input_resolution
    facts = {"context_length": model.context_length, "vocab_size": model.vocab_size}
    for name in facts:
        delattr(model, name)
    for name, fact in ({"input_resolution": size} | facts).items():
        model.register_buffer(name, torch.tensor(fact))
    example = torch.zeros(1, 3, size, size), torch.zeros(1, 77, dtype=torch.long)
    return scripted(model, lambda traced: torch.jit.trace(traced, example, check_trace=False))


@contextlib.contextmanager
def read_only(folder: str):
    """In this block nobody may write in the folder, not even root."""
    root = os.geteuid() == 0
    os.chmod(folder, 0o555)
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        os.chmod(folder, 0o755)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def write(folder: Path, name: str, data: bytes | str) -> Path:
    """A file with these contents."""
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def load(name: str = "imagenet", **more) -> vq.Pair:
    return vq.load_pair(name, device="cpu", **more)


def assert_same_networks(pair: vq.Pair, vqgan: Original, guide: nn.Module) -> None:
    """What a pair answers is what the networks answer that its files were made of."""
    torch.manual_seed(1)
    picture, views = torch.rand(2, 3, 16, 24), torch.rand(3, 3, 32, 32)
    z, texts = torch.randn(2, vqgan.config["embed_dim"], 8, 12), ["a fox", "two words"]
    latent = vqgan.encode(picture)
    if pair.vqgan.proj is not None:
        latent = vqgan.quantize.embed(vqgan.quantize.proj(latent).argmax(1)).permute(0, 3, 1, 2)
    mean, std = (torch.tensor(v)[:, None, None] for v in (CLIP_MEAN, CLIP_STD))
    for ours, theirs in (
        (pair.vqgan.decode(z), vqgan.decode(z)),
        (pair.vqgan.encode(picture), latent),
        (pair.clip.encode_image(views), guide.encode_image((views - mean) / std)),
        (pair.clip.encode_text(texts), guide.encode_text(clip.tokenize(texts))),
    ):
        torch.testing.assert_close(ours, theirs)


def cached(folder: Path) -> set[str]:
    """Names in the cache without the locks, which some platforms leave behind."""
    return {p.name for p in folder.iterdir() if p.suffix != ".lock"}
