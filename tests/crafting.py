"""Builds files as torch writes them, with anything inside, and pictures as the bytes of a file."""

import io
import json
import os
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image, PngImagePlugin
from torch import nn


class Bomb:
    """Makes a folder if anybody unpickles it."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return os.mkdir, (str(self.target),)


class Writes(nn.Module):
    """Writes a file as soon as TorchScript loads it."""

    def __init__(self, target: str) -> None:
        super().__init__()
        self.weight, self.target = nn.Parameter(torch.zeros(2)), target

    @torch.jit.export
    def __getstate__(self):
        return self.weight, self.target, self.training

    @torch.jit.export
    def __setstate__(self, state: tuple[torch.Tensor, str, bool]):
        self.weight, self.target, self.training = state
        torch.save(state[0], self.target)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.weight


def scripted(module: nn.Module, how: Callable = torch.jit.script) -> bytes:
    """The TorchScript archive of a module; how: what compiles it."""
    file = io.BytesIO()
    # It is deprecated, but what is published is of this kind.
    with warnings.catch_warnings(action="ignore"):
        torch.jit.save(how(module), file)
    return file.getvalue()


def text(value: str) -> bytes:
    data = value.encode("utf8", "surrogatepass")
    return b"X" + struct.pack("<I", len(data)) + data


def whole(value: int) -> bytes:
    data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data


def name(module: str, what: str) -> bytes:
    return f"c{module}\n{what}\n".encode()


def row(*numbers: int) -> bytes:
    return b"(" + b"".join(map(whole, numbers)) + b"t"


def storage(numel: int, key: str = "0", of: str = "FloatStorage") -> bytes:
    kept = text(key) + text("cpu") + whole(numel)
    return b"(" + text("storage") + name("torch", of) + kept + b"tQ"


def tensor(stored: bytes, size: bytes, stride: bytes, offset: int = 0) -> bytes:
    """The instructions that torch writes for a tensor, with any numbers."""
    hooks = name("collections", "OrderedDict") + b")R"
    call = name("torch._utils", "_rebuild_tensor_v2")
    return call + b"(" + stored + whole(offset) + size + stride + b"\x89" + hooks + b"tR"


def state_dict(*tensors: bytes) -> bytes:
    """A pickled dict of these, named w0, w1, ..."""
    items = b"".join(text(f"w{i}") + t for i, t in enumerate(tensors))
    return b"\x80\x02}(" + items + b"u."


def packed(pickled: bytes, stored: dict | None = None, compression=zipfile.ZIP_STORED, **more):
    """A checkpoint in a zip of this pickle and these storages; more: its `root`, `extra` files."""
    file = io.BytesIO()
    names_twice = warnings.catch_warnings(action="ignore")
    with names_twice, zipfile.ZipFile(file, "w", compression) as archive:
        root = more.get("root", "archive")
        archive.writestr(f"{root}/data.pkl", pickled)
        for key, data in (stored or {}).items():
            archive.writestr(f"{root}/data/{key}", data)
        for path, data in more.get("extra", {}).items():
            archive.writestr(path, data)
    return file.getvalue()


def one(size: bytes, stride: bytes, offset: int = 0, numel: int = 4) -> bytes:
    """A checkpoint of one tensor over a storage of 16 bytes that is said to hold `numel` floats."""
    return packed(state_dict(tensor(storage(numel), size, stride, offset)), {"0": bytes(16)})


GOOD = state_dict(tensor(storage(4), row(4), row(1)))


def overlapping() -> bytes:
    """A zip whose list says that two entries share one place."""
    data = bytearray(packed(GOOD, {"0": bytes(16), "1": bytes(16)}))
    places = [i for i in range(len(data)) if data[i : i + 4] == b"PK\x01\x02"]
    data[places[2] + 42 : places[2] + 46] = data[places[1] + 42 : places[1] + 46]
    return bytes(data)


def oversized() -> bytes:
    """A zip that declares 4 GB for an entry of 16 bytes."""
    numel = (1 << 30) - 1
    pickled = state_dict(tensor(storage(numel), row(numel), row(1)))
    data = bytearray(packed(pickled, {"0": bytes(16)}))
    place = data.rindex(b"PK\x01\x02")
    data[place + 20 : place + 28] = struct.pack("<II", numel * 4, numel * 4)
    return bytes(data)


def bombed() -> bytes:
    """A small file that unpacks to 64 MB."""
    pickled = state_dict(tensor(storage(1 << 24), row(1 << 24), row(1)))
    return packed(pickled, {"0": bytes(1 << 26)}, compression=zipfile.ZIP_DEFLATED)


def crowded(count: int = 400_000) -> bytes:
    """A zip with a long list of empty entries."""
    entry = struct.pack("<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 0, 0, 33, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0)
    listed = (entry + b"x") * count
    record = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, len(listed), 4)
    where = struct.pack("<4sIQI", b"PK\6\7", 0, 4 + len(listed), 1)
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 65535, 65535, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return b"PK\3\4" + listed + record + where + end


MODULE = name("__torch__", "M") + b")\x81"


def shared_modules(levels: int = 60) -> bytes:
    """Modules that hold the next one twice: 2 to the power of `levels` names."""
    inner = MODULE + b"q\x00"
    for i in range(levels):
        body = text("a") + b"h" + bytes([i]) + text("b") + b"h" + bytes([i])
        inner += MODULE + b"}(" + body + b"ubq" + bytes([i + 1])
    return packed(b"\x80\x02" + inner + b".")


def long_name() -> bytes:
    """A module below a name of two million letters, which each of its weights would repeat."""
    weight = tensor(storage(4), row(2, 2), row(2, 1))
    inner = MODULE + b"}(" + text("w") + weight + b"ub"
    return packed(b"\x80\x02" + MODULE + b"}(" + text("n" * 2_000_000) + inner + b"ub.")


def own_parent() -> bytes:
    """A module that holds itself."""
    return packed(b"\x80\x02" + MODULE + b"q\x00}(" + text("me") + b"h\x00ub.")


def deep_views(levels: int) -> bytes:
    """The instructions of a tensor whose size is a tensor whose size is ..."""
    call = name("torch._utils", "_rebuild_tensor_v2")
    begin = storage(4) + b"q\x00" + call + b"q\x01"
    return begin + b"h\x01(h\x00K\x00" * levels + b")" + b")tR" * levels + b"."


def tensors_header(header: object, data: bytes = b"") -> bytes:
    """A safetensors file with any header."""
    words = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(words)) + words + data


def noisy(path: str, seed: int = 0) -> str:
    """The path of a picture that is made there."""
    pixels = np.random.default_rng(seed).integers(0, 255, (12, 10, 3), np.uint8)
    Image.fromarray(pixels).resize((90, 70)).save(path)
    return path


def picture(kind: str = "PNG", size: tuple[int, int] = (64, 64), recipe: str = "") -> bytes:
    """A red picture; `recipe` is stored where the package stores one, if there is any."""
    file, info = io.BytesIO(), PngImagePlugin.PngInfo()
    if recipe:
        info.add_itxt("vqclip_nb", recipe)
    Image.new("RGB", size, "red").save(file, kind, pnginfo=info)
    return file.getvalue()
