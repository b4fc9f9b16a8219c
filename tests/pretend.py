"""A GPU that is none: tensors that compute on the CPU and say that they are on CUDA. What a GPU
refuses is refused here: tensors of two devices in one operation, a generator of the other device,
numpy's view of a device tensor."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten, tree_map

GPU = torch.device("cuda", 0)
CROSSING = {
    "_has_compatible_shallow_copy_type",
    "copy_",
    "__getitem__",
    "__setitem__",
    "__set__",
    "to",
    "cpu",
    "tolist",
    "item",
}

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
        if (
            here
            and name in WAITS
            or there
            and name in SENDS
            or lists
            or mixed
            and name != "__set__"
        ):
            self.crossings.append(name)
        generator = kwargs.get("generator")
        if generator is not None and is_gpu(generator.device) != there:
            raise RuntimeError(f"{name}: a generator on {generator.device} for the other device")
        result = func(*args, **kwargs)
        if name in CROSSING - {"to", "cpu", "__getitem__"}:
            return result
        return tree_map(lambda t: moved(t, there), result)


@contextmanager
def pretended_gpu() -> Iterator[Pretend]:
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    real, torch.Generator = torch.Generator, Generator
    try:
        with Pretend() as mode:
            yield mode
    finally:
        torch.Generator = real
        torch.__future__.set_overwrite_module_params_on_conversion(False)
