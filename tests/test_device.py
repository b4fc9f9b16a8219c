"""Everything that paints on a GPU, on a pretended one that refuses what a GPU refuses."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from crafting import noisy
from PIL import Image
from runs import after_steps, finished
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten, tree_map

import vqclip_nb as vq
from vqclip_nb import objectives

GPU = torch.device("cuda", 0)
CROSSING = {*"copy_ __getitem__ __setitem__ __set__ to cpu tolist item".split()}
CROSSING.add("_has_compatible_shallow_copy_type")
WAITS = {"tolist", "item", "cpu", "nonzero", "__bool__", "__int__", "__float__", "__index__"}
SENDS = {"tensor", "as_tensor"}


class OnGPU(torch.Tensor):
    __torch_function__ = torch._C._disabled_torch_function_impl


class Generator(torch.Generator):
    """torch's, which may be on the pretended device."""

    def __new__(cls, device: Any = "cpu") -> Generator:
        made = super().__new__(cls)
        made.own = torch.device(device)
        return made

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return self.own


def is_gpu(device: Any) -> bool:
    return device is not None and torch.device(device).type == "cuda"


def moved(value: Any, there: bool) -> Any:
    """The same tensor on the pretended device, or on the CPU."""
    kind = OnGPU if there else torch.Tensor
    if not isinstance(value, torch.Tensor) or isinstance(value, OnGPU) == there:
        return value
    return value.as_subclass(kind)


class Pretend(TorchFunctionMode):
    """crossings: names of the functions that made the GPU wait, or brought something to it."""

    def __init__(self) -> None:
        super().__init__()
        self.crossings: list[str] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs, name = dict(kwargs or {}), func.__name__
        tensors = [t for t in tree_flatten((args, kwargs))[0] if isinstance(t, torch.Tensor)]
        if name in ("reshape_as", "view_as", "expand_as"):  # only shapes meet
            tensors = tensors[:1]
        here = any(isinstance(t, OnGPU) for t in tensors)
        owner = getattr(getattr(func, "__self__", None), "__name__", "")
        if name == "__get__" and owner in ("device", "is_cuda", "is_cpu"):
            device = GPU if here else torch.device("cpu")
            return {"device": device, "is_cuda": here, "is_cpu": not here}[owner]
        if here and name in ("numpy", "__array__"):
            raise TypeError("can't convert cuda:0 device type tensor to numpy")
        if here and name not in CROSSING:
            if any(not isinstance(t, OnGPU) and t.ndim for t in tensors):
                raise RuntimeError(f"{name}: tensors on cuda:0 and cpu meet")
        if here and name == "__deepcopy__":
            made = moved(args[0].detach().clone(), True).requires_grad_(args[0].requires_grad)
            made._is_param = isinstance(args[0], torch.nn.Parameter)
            return made
        there = here
        devices = [a for a in (*args, kwargs.get("device")) if isinstance(a, torch.device | str)]
        if name in ("cpu", "numpy"):
            there = False
        elif name == "to" and len(tensors) > 1:
            there = isinstance(tensors[1], OnGPU)
        elif kwargs.get("device") is not None or (name == "to" and devices):
            there = is_gpu(devices[-1])
            cpu = torch.device("cpu")
            if there:
                args = [cpu if isinstance(a, torch.device | str) else a for a in args]
                kwargs |= {"device": cpu} if "device" in kwargs else {}
        mixed = any(isinstance(t, OnGPU) != there for t in tensors)
        lists = name == "__getitem__" and isinstance(args[1], list)
        waits, sends = here and name in WAITS, there and name in SENDS
        if waits or sends or lists or (mixed and name != "__set__"):
            self.crossings.append(name)
        generator = kwargs.get("generator")
        if generator is not None and is_gpu(generator.device) != there:
            raise RuntimeError(f"{name}: a generator on {generator.device} for the other device")
        result = func(*args, **kwargs)
        if name in CROSSING - {"to", "cpu", "__getitem__"}:
            return result
        return tree_map(lambda t: moved(t, there), result)


@pytest.fixture(scope="module")
def gpu() -> Iterator[Pretend]:
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    real, torch.Generator = torch.Generator, Generator
    try:
        with Pretend() as mode:
            yield mode
    finally:
        torch.Generator = real
        torch.__future__.set_overwrite_module_params_on_conversion(False)


@pytest.fixture(scope="module")
def gpu_pair(gpu):
    return vq.load_pair("emoji", device="cuda")


@pytest.fixture(autouse=True)
def pictures(tmp_path, monkeypatch):
    """A photograph and a mask in the folder of now."""
    monkeypatch.chdir(tmp_path)
    noisy("photo.png")
    mask = Image.new("L", (64, 64))
    mask.paste(255, (0, 0, 40, 30))
    mask.save("mask.png")


def test_the_pretended_gpu_refuses_what_a_gpu_refuses(gpu):
    there, here = torch.ones(3, device="cuda"), torch.ones(3)
    assert there.device == GPU and (there * 2).device == GPU and there.cpu().device != GPU
    for generator, device in ((torch.Generator(), GPU), (torch.Generator(GPU), "cpu")):
        with pytest.raises(RuntimeError):
            torch.rand(3, device=device, generator=generator)
    for wrong in (there.add, lambda x: torch.cat([there, x]), lambda x: there.numpy()):
        with pytest.raises((RuntimeError, TypeError)):
            wrong(here)


CASES = {
    "report": dict(activation="sine", crop_method="report", quantize=False, exclude="snow"),
    "each step": dict(activation="softmax", activation_at="every step", ema_decay=0.9),
    "library": dict(start="library", keep_edges=40.0, keep_colours=5.0, start_strength=0.5),
    "prior": dict(start="noise", prior=1.0, total_iter=6, height=128, width=128),
    "regions": dict(regions=["left: a cat", "0 0 .4 .5: a dog"], extras="a line drawing"),
    "mask": dict(regions=["mask.png: a cat"]),
    "palette": dict(palette=["navy", "#ffcc00"], start="library"),
    "style": dict(style_image="photo.png", attributes=["blue: 0.5", "big"]),
    "photograph": dict(init_image="photo.png", keep_edges=1.0, keep_colours=1.0),
    "picture prompt": dict(include=["photo.png:2 | snow:-1"]),
    "tries": dict(tries=2, include=["a fox", "an owl"]),
    "cpu": dict(random="cpu", noise_factor=0.2),
    "crowson": dict(within_codebook=True, distance="spherical", crop_method="cutouts"),
    "nerdyrodent": dict(within_codebook=True, crop_method="whole"),
    "half": dict(precision="auto", total_iter=2),
}


@pytest.mark.parametrize("case", CASES)
def test_every_setting_paints_saves_and_goes_on(gpu_pair, small, case):
    changes = {"total_iter": 3, "show_step": 1, "precision": "float32"} | CASES[case]
    run = vq.Run(gpu_pair, small(**changes))
    assert isinstance(run.painting.optimization.latent.data, OnGPU)
    run.step()
    again = finished(vq.Run.resume(run.save("run.safetensors"), gpu_pair))
    assert all(np.isfinite(frame.loss) for frame in run)
    assert np.array_equal(np.asarray(run.image), np.asarray(again.image))


@pytest.mark.parametrize("case", sorted(CASES.keys() - {"tries", "half"}))
def test_a_step_waits_once_and_sends_nothing(gpu, gpu_pair, small, case):
    changes = {"show_step": 100, "precision": "float32"} | CASES[case] | {"total_iter": 80}
    run = after_steps(vq.Run(gpu_pair, small(**changes)), 2)
    gpu.crossings.clear()
    run.step()
    sent = {"to"} if case == "cpu" else set()
    assert [name for name in gpu.crossings if name not in sent] == ["tolist"]


def test_studio_guides_together_judges_and_features(gpu_pair, small, tmp_path, cache):
    studio = vq.Studio(gpu_pair, small(total_iter=3, precision="float32"), folder=tmp_path)
    assert studio.paint().done
    judge = vq.load_judge("emoji", device="cuda")
    both = vq.ClipEnsemble([gpu_pair.clip, judge])
    pictures = torch.rand(2, 3, both.resolution, both.resolution, device=GPU)
    assert both.encode_image(pictures).device == both.encode_text(["a fox"]).device == GPU
    z = gpu_pair.vqgan.encode(torch.rand(1, 3, 64, 64, device=GPU))
    assert gpu_pair.vqgan.decode(gpu_pair.vqgan.quantize(z)).device == GPU


def test_steering_and_parts_of_ones_own(gpu_pair, small):
    options = small(total_iter=4, show_step=1, precision="float32", loosen=0.5, start="library")
    run = vq.Run(gpu_pair, options)
    run.step()
    run.change(include=["an owl"], palette=["red"], learning_rate=0.3)
    run.step()
    branch = run.branch(run.frames[1], include=["a cat"], noise_factor=0.3)
    branch.step()
    wanted = objectives.prompt("a fox") - 0.2 * objectives.prompt("snow", "spherical")
    wanted = wanted + objectives.smoothness() + objectives.symmetry()
    sgd = functools.partial(torch.optim.SGD, lr=1, momentum=0.9)
    own = vq.Run(gpu_pair, options, objective=wanted, optimizer=sgd)
    assert all(np.isfinite(frame.loss) for frame in own)
    assert own.save_gif("own.gif").is_file()
