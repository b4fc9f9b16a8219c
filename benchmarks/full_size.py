"""Seconds and peak memory of a step at full size: ours against the report's loop.

Run it: python -m benchmarks.full_size. Random weights cost as much as trained ones, so nothing is
downloaded. Both loops live in processes of their own, take steps in turn (whatever else the machine
does slows both), and tell their peak memory at the end.
"""

from __future__ import annotations

import argparse
import contextlib
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from vqclip_nb import Pair, Run, Settings, load_pair
from vqclip_nb.models.clip import (
    CLIP_MEAN,
    CLIP_STD,
    ClipModel,
    build_clip,
    clip_module,
    tokenize,
)
from vqclip_nb.models.vqgan import VQGAN

SIDE, CROPS = 224, 30
CPU = torch.device("cpu")
TEXTS = dict(include="Pineapple in a bowl", exclude="watermark", extras="on a wooden table")
F16_16384 = {
    "embed_dim": 256,
    "n_embed": 16384,
    "ddconfig": {
        "double_z": False,
        "z_channels": 256,
        "resolution": 256,
        "in_channels": 3,
        "out_ch": 3,
        "ch": 128,
        "ch_mult": [1, 1, 2, 2, 4],
        "num_res_blocks": 2,
        "attn_resolutions": [16],
        "dropout": 0.0,
    },
}


TOY = {  # the same classes at toy size
    "embed_dim": 16,
    "n_embed": 64,
    "ddconfig": F16_16384["ddconfig"] | {"z_channels": 32, "ch": 32, "ch_mult": [1, 1, 2]},
}


def random_clip(*, toy: bool = False) -> nn.Module:
    """CLIP of ViT-B/32's shape, or a toy, with random weights."""
    openai_clip = clip_module("model").CLIP
    if toy:
        return openai_clip(32, 64, 2, 64, 32, 77, 49408, 64, 1, 1).float()
    return openai_clip(512, 224, 12, 768, 32, 77, 49408, 512, 8, 12).float()


def random_pair(device: torch.device, *, toy: bool = False) -> Pair:
    """A pair of the published networks' shapes, or toys, with random weights."""
    vqgan = VQGAN(TOY if toy else F16_16384).requires_grad_(False)
    clip = ClipModel(
        name="random", model=build_clip(random_clip(toy=toy).state_dict()), device=device
    )
    return Pair(name="random", clip=clip, vqgan=vqgan, size=SIDE)


def reports_loop(device: torch.device = CPU) -> Callable[[], float]:
    """A step of the report's loop (chapter 4): gradients of all weights, crops cut one by one."""
    from taming.modules.diffusionmodules.model import Decoder, Encoder
    from torchvision import transforms

    with contextlib.redirect_stdout(None):  # taming prints its shapes
        encoder, decoder = (
            part(**F16_16384["ddconfig"]).eval().to(device) for part in (Encoder, Decoder)
        )
    post_quant_conv, guide = nn.Conv2d(256, 256, 1).to(device), random_clip().eval().to(device)
    learning_rate, weight_decay, noise_factor, alpha, beta, w1 = 0.5, 0.1, 0.22, 1, 0.5, 1
    normalize = transforms.Normalize(CLIP_MEAN, CLIP_STD)
    shake = nn.Sequential(
        transforms.RandomHorizontalFlip(), transforms.RandomAffine(30, (0.2, 0.2), fill=0)
    )

    def encode_text(text: str) -> torch.Tensor:
        return guide.encode_text(tokenize([text]).to(device)).detach().clone()

    include, exclude, extras = (encode_text(TEXTS[k]) for k in ("include", "exclude", "extras"))
    z = 0.5 * torch.randn(1, 256, SIDE // 16, SIDE // 16, device=device)
    latent = nn.Parameter(torch.sin(z))
    optimizer = torch.optim.AdamW([latent], lr=learning_rate, weight_decay=weight_decay)

    def cut(picture: torch.Tensor) -> torch.Tensor:
        shaken = shake(F.pad(picture, [SIDE // 2] * 4))
        room, views = shaken.shape[-1], []
        for _ in range(CROPS):
            side = int(SIDE * torch.normal(1.1, 0.35, ()).clip(0.4, 1.9))
            top, left = torch.randint(0, room - side + 1, (2,)).tolist()
            view = shaken[:, :, top : top + side, left : left + side]
            views.append(F.interpolate(view, (224, 224), mode="bilinear"))
        views = torch.cat(views)
        strength = noise_factor * torch.rand(CROPS, 1, 1, 1, device=device)
        return views + strength * torch.randn_like(views)

    def step() -> float:
        picture = decoder(post_quant_conv(latent))
        seen = guide.encode_image(normalize(cut((picture.clip(-1, 1) + 1) / 2)))
        wanted = w1 * include + w1 * extras
        wanted = wanted / wanted.norm(dim=-1, keepdim=True)
        losses = -alpha * torch.cosine_similarity(wanted, seen, -1)
        losses = losses + beta * torch.cosine_similarity(exclude, seen, -1)
        loss = losses.mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    step.held = encoder  # never called, but it is in memory there as here
    return step


def our_loop() -> Callable[[], float]:
    """A step of ours with the report's settings."""
    pair = random_pair(CPU)
    settings = Settings.preset("report", **TEXTS, height=SIDE, width=SIDE, crops=CROPS)
    run = Run(pair, settings)
    return lambda: run.step().loss


LOOPS = {"report": reports_loop, "ours": our_loop}


def serve(name: str, threads: int) -> None:
    """Child: a step for every line that comes in, answered with its seconds, then the peak."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    step = LOOPS[name]()
    for _ in sys.stdin:
        began = time.perf_counter()
        step()
        print(time.perf_counter() - began, flush=True)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, flush=True)


def compare(steps: int, threads: int) -> None:
    """Print the median step and the peak memory of both loops, and the ratios."""
    again = [sys.executable, "-m", "benchmarks.full_size", "--threads", str(threads)]
    children = {
        name: subprocess.Popen(
            [*again, "--child", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in LOOPS
    }
    seconds: dict[str, list[float]] = {name: [] for name in LOOPS}
    for _ in range(steps + 1):
        for name, child in children.items():
            child.stdin.write("step\n")
            child.stdin.flush()
            seconds[name].append(float(child.stdout.readline()))
    print(f"{SIDE}×{SIDE}, {CROPS} crops, {threads} threads, median of {steps} steps")
    median, peak = {}, {}
    for name, child in children.items():
        peak[name] = float(child.communicate()[0])
        median[name] = statistics.median(seconds[name][1:])  # the first one warms up
        print(f"{name:>8}: {median[name]:6.2f} s a step, peak {peak[name]:.2f} GB")
    print(f"   ratio: {median['ours'] / median['report']:6.2f}, goal 0.60 or less", end="")
    print(f"; memory {peak['ours'] / peak['report']:.2f}, goal 0.75 or less")


def resident() -> float:
    """Megabytes this process holds now; where the system does not tell, its peak."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def flatness(threads: int, steps: int = 300) -> None:
    """Print what the pair that ships holds after 50 steps and after `steps`."""
    torch.set_num_threads(threads)
    run = Run(load_pair("emoji", device="cpu"), Settings(include="a red apple", total_iter=steps))
    for done, _ in enumerate(run, 1):
        if done == 50:
            early = resident()
    print(f"emoji pair: {early:.0f} MB after step 50, {resident():.0f} MB after step {steps}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=5)
    # Several threads wait for the slowest: on a machine that does other work too, one is fairer.
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--child", choices=LOOPS, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        serve(asked.child, asked.threads)
    else:
        compare(asked.steps, asked.threads)
        flatness(asked.threads)
