"""Crafted files that a stranger could hand over as weights or as a configuration."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn

FLOATS = ("torch", "FloatStorage")


class Bomb:
    """Makes a folder if anybody unpickles it."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return os.mkdir, (str(self.target),)


# -- archives whose code does something -----------------------------------------------------------


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


class Hangs(Writes):
    """Never ends loading."""

    @torch.jit.export
    def __setstate__(self, state: tuple[torch.Tensor, str, bool]):
        self.weight, self.target, self.training = state
        while True:
            self.weight += 1


class Grows(Writes):
    """Takes four gigabytes while it loads."""

    @torch.jit.export
    def __setstate__(self, state: tuple[torch.Tensor, str, bool]):
        self.weight, self.target, self.training = state
        self.weight = torch.ones(1_000_000_000)


def scripted(module: nn.Module) -> bytes:
    """The TorchScript archive of a module."""
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated, but what is published is of this kind
        torch.jit.save(torch.jit.script(module), file)
    return file.getvalue()


# -- pickles by hand ------------------------------------------------------------------------------


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


def storage(numel: int, key: str = "0", of: tuple[str, str] = FLOATS) -> bytes:
    return b"(" + text("storage") + name(*of) + text(key) + text("cpu") + whole(numel) + b"tQ"


def tensor(stored: bytes, size: bytes, stride: bytes, offset: int = 0) -> bytes:
    """The instructions that torch writes for a tensor, with any numbers."""
    hooks = name("collections", "OrderedDict") + b")R"
    call = name("torch._utils", "_rebuild_tensor_v2")
    return call + b"(" + stored + whole(offset) + size + stride + b"\x89" + hooks + b"tR"


def state_dict(*tensors: bytes) -> bytes:
    """A pickled dict of these, named w0, w1, ..."""
    items = b"".join(text(f"w{i}") + t for i, t in enumerate(tensors))
    return b"\x80\x02}(" + items + b"u."


def packed(
    pickled: bytes,
    stored: dict[str, bytes] | None = None,
    *,
    compression: int = zipfile.ZIP_STORED,
    extra: dict[str, bytes] | None = None,
    root: str = "archive",
) -> bytes:
    """A checkpoint in a zip, as torch writes them, from any pickle and storages."""
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", compression) as archive:
        warnings.simplefilter("ignore")  # of names twice
        archive.writestr(f"{root}/data.pkl", pickled)
        for key, data in (stored or {}).items():
            archive.writestr(f"{root}/data/{key}", data)
        for path, data in (extra or {}).items():
            archive.writestr(path, data)
    return file.getvalue()


def one(size: bytes, stride: bytes, offset: int = 0, numel: int = 4) -> bytes:
    """A checkpoint of one tensor over a storage of 16 bytes that is said to hold `numel` floats."""
    return packed(state_dict(tensor(storage(numel), size, stride, offset)), {"0": bytes(16)})


def patched(data: bytes, old: bytes, new: bytes) -> bytes:
    assert old in data and len(old) == len(new)
    return data.replace(old, new)


def twice_named() -> bytes:
    """A zip with two entries of the same name."""
    good = state_dict(tensor(storage(4), row(4), row(1)))
    data = packed(good, {"0": bytes(16), "1": b"x" * 16})
    return patched(data, b"archive/data/1", b"archive/data/0")


def overlapping() -> bytes:
    """A zip whose list says that two entries share one place."""
    good = state_dict(tensor(storage(4), row(4), row(1)))
    data = bytearray(packed(good, {"0": bytes(16), "1": bytes(16)}))
    places = [i for i in range(len(data)) if data[i : i + 4] == b"PK\x01\x02"]
    data[places[2] + 42 : places[2] + 46] = data[places[1] + 42 : places[1] + 46]
    return bytes(data)


def oversized() -> bytes:
    """A zip that declares 4 GB for an entry of 16 bytes."""
    numel = (1 << 30) - 1
    data = bytearray(
        packed(state_dict(tensor(storage(numel), row(numel), row(1))), {"0": bytes(16)})
    )
    place = data.rindex(b"PK\x01\x02")
    data[place + 20 : place + 28] = struct.pack("<II", numel * 4, numel * 4)
    return bytes(data)


def bombed() -> bytes:
    """A small file that unpacks to 256 MB."""
    count = 1 << 26
    pickled = state_dict(tensor(storage(count), row(count), row(1)))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", pickled)
        with archive.open("archive/data/0", "w") as entry:
            for _ in range(256):
                entry.write(bytes(1 << 20))
    return file.getvalue()


def crowded(count: int = 400_000) -> bytes:
    """A zip with a long list of empty entries."""
    entry = struct.pack("<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 0, 0, 33, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0)
    listed = (entry + b"x") * count
    record = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, len(listed), 4)
    where = struct.pack("<4sIQI", b"PK\6\7", 0, 4 + len(listed), 1)
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 65535, 65535, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return b"PK\3\4" + listed + record + where + end


def module(attributes: bytes) -> bytes:
    """The pickle of a TorchScript module with these attributes."""
    return b"\x80\x02" + name("__torch__", "M") + b")\x81}(" + attributes + b"ub."


CODE = {"archive/code/__torch__.py": b"class M(Module):\n  __parameters__ = []\n"}


def shared_modules(levels: int = 60) -> bytes:
    """Modules that hold the next one twice: 2 to the power of `levels` names."""
    new = name("__torch__", "M") + b")\x81"
    inner = new + b"q\x00"
    for i in range(levels):
        body = text("a") + b"h" + bytes([i]) + text("b") + b"h" + bytes([i])
        inner += new + b"}(" + body + b"ubq" + bytes([i + 1])
    return packed(b"\x80\x02" + inner + b".", extra=CODE)


def own_parent() -> bytes:
    """A module that holds itself."""
    new = name("__torch__", "M") + b")\x81q\x00"
    pickled = b"\x80\x02" + new + b"}(" + text("me") + b"h\x00ub."
    return packed(pickled, extra=CODE)


def legacy(pickled: bytes, keys: list[str], stored: bytes) -> bytes:
    """A file as torch wrote them before 1.6, from any pickle and what follows it."""
    machine = {"protocol_version": 1001, "little_endian": True, "type_sizes": {}}
    heads = [torch.serialization.MAGIC_NUMBER, 1001, machine]
    parts = [pickle.dumps(head, protocol=2) for head in heads]
    return b"".join([*parts, pickled, pickle.dumps(keys, protocol=2), stored])


def old_storage(numel: int, key: str = "0") -> bytes:
    return storage(numel, key)[:-2] + b"NtQ"


def tensors_header(header: object, data: bytes = b"") -> bytes:
    """A safetensors file with any header."""
    words = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(words)) + words + data


def weights() -> Iterator[tuple[str, str, bytes]]:
    """What must be refused, why, and the file itself. Each is small; the suffix says the form."""
    huge = 1 << 40
    yield "one number shown often.pt", "larger than what is stored", one(row(1 << 30), row(0))
    yield "beyond the storage.pt", "larger than what is stored", one(row(2), row(9))
    yield "offset beyond.pt", "larger than what is stored", one(row(1), row(1), 4)
    yield "nothing, far away.pt", "larger than what is stored", one(row(0), row(1), huge)
    yield "negative stride.pt", "a shape that cannot be", one(row(2), row(-1), 1)
    yield "negative size.pt", "a shape that cannot be", one(row(-2), row(1))
    yield "negative offset.pt", "a shape that cannot be", one(row(1), row(1), -1)
    yield "sizes that overflow.pt", "cannot be|larger than", one(row(*[1 << 32] * 4), row(*[1] * 4))
    yield "empty and huge.pt", "a shape that cannot be", one(row(0, huge, huge), row(1, 1, 1))
    yield "many dimensions.pt", "no shape", one(row(*[1] * 100), row(*[1] * 100))
    yield "stride missing.pt", "no shape", one(row(2, 2), row(2))
    yield "sizes are texts.pt", "cannot be", one(b"(" + text("2") + b"t", row(1))
    yield "storage too short.pt", "not the size", one(row(4), row(1), numel=5)
    yield "storage absurd.pt", "storage that cannot be", one(row(1), row(1), numel=1 << 60)
    yield "storage negative.pt", "storage that cannot be", one(row(1), row(1), numel=-1)
    yield (
        "two kinds in one.pt",
        "in two ways",
        packed(
            state_dict(
                tensor(storage(4), row(4), row(1)),
                tensor(storage(4, of=("torch", "IntStorage")), row(4), row(1)),
            ),
            {"0": bytes(16)},
        ),
    )
    many = b"\x80\x02" + tensor(storage(1 << 20), row(1 << 20), row(1)) + b"q\x000}("
    many = many.replace(b"0}(", b"}(")  # the tensor stays below: only its name is used again
    items = b"".join(text(f"w{i}") + b"h\x00" for i in range(5000))
    yield (
        "one storage, many names.pt",
        "would take",
        packed(many + items + b"u.", {"0": bytes(1 << 22)}),
    )
    yield (
        "storage outside.pt",
        "no item|no entry",
        packed(state_dict(tensor(storage(4, "../data.pkl"), row(4), row(1)))),
    )
    yield "names twice.pt", "same name", twice_named()
    yield "overlaps.pt", "overlap", overlapping()
    yield "declares 4 GB.pt", "larger than the file|overlap", oversized()
    yield "bomb.pt", "would take", bombed()
    yield (
        "packed pickle.pt",
        "more than",
        packed(bytes(20_000_000), compression=zipfile.ZIP_DEFLATED),
    )
    yield "packed oddly.pt", "unusual", packed(bytes(9), compression=zipfile.ZIP_BZIP2)
    yield (
        "code bomb.pt",
        "more than",
        packed(
            module(b""),
            compression=zipfile.ZIP_DEFLATED,
            extra={"archive/code/__torch__.py": bytes(50_000_000)},
        ),
    )
    yield "400,000 entries.pt", "too long|damaged", crowded()
    yield "no pickle.pt", "no pickle", packed(b"", root="a/b")
    yield "two pickles.pt", "two pickles", packed(b"N.", extra={"b/data.pkl": b"N."})
    yield "other byte order.pt", "byte order", packed(b"N.", extra={"archive/byteorder": b"big"})
    yield "modules shared.pt", "too deep", shared_modules()
    yield "module in itself.pt", "too deep", own_parent()
    yield "memory index.pt", "holds no state dict", packed(b"\x80\x02Nr\xff\xff\xff\xff.")
    yield "text of 4 GB.pt", "too early", packed(b"\x80\x02X\xff\xff\xff\xff.")
    yield (
        "array of 1 TB.pt",
        "unknown instruction",
        packed(b"\x80\x05\x96" + struct.pack("<Q", huge) + b"."),
    )
    yield "endless.pt", "instructions", packed(b"\x80\x02" + b"N" * 1_000_001)
    yield "deep.pt", "holds no state dict", packed(b"\x80\x02)" + b"\x85" * 500_000 + b".")
    key = b"\x80\x02})" + b"\x85" * 300_000 + b"Ns."
    yield "deep key.pt", "key of type tuple", packed(key)
    yield "builds a text.pt", "holds no state dict", packed(b"\x80\x02" + text("a") + b"Nb.")
    yield "extension.pt", "unknown instruction", packed(b"\x80\x02\x82\x01.")
    yield "old instruction.pt", "unknown instruction", packed(b"(S'id'\nios\nsystem\n.")
    yield (
        "new instruction.pt",
        "unknown instruction",
        packed(b"\x80\x04\x8c\x02os\x8c\x06system\x93."),
    )
    yield "empty stack.pt", "damaged", packed(b"\x80\x02.")
    yield "no mark.pt", "damaged", packed(b"\x80\x02t.")
    yield "calls a text.pt", "no name", packed(b"\x80\x02" + text("a") + b")R.")
    yield (
        "calls a class.pt",
        "names __torch__.M",
        packed(b"\x80\x02" + name("__torch__", "M") + b")R."),
    )
    yield "points outside.pt", "outside|damaged", packed(b"\x80\x02" + text("file") + b"Q.")
    for called in (
        "os system",
        "builtins eval",
        "torch load",
        "torch.hub load",
        "copyreg __newobj__",
    ):
        where, what = called.split()
        yield (
            f"names {called}.pt",
            f"names {where}.{what}",
            packed(b"\x80\x02" + name(where, what) + b"(" + text("touch ran") + b"tR."),
        )
    yield (
        "old, too short.pt",
        "too early",
        legacy(
            state_dict(tensor(old_storage(1 << 30), row(1 << 30), row(1))),
            ["0"],
            struct.pack("<q", 1 << 30),
        ),
    )
    good = state_dict(tensor(old_storage(4), row(4), row(1)))
    yield (
        "old, other length.pt",
        "not the size",
        legacy(good, ["0"], struct.pack("<q", 3) + bytes(16)),
    )
    yield "old, other keys.pt", "not those", legacy(good, ["1"], struct.pack("<q", 4) + bytes(16))
    yield "old, keys twice.pt", "not those", legacy(good, ["0", "0"], bytes(64))
    yield "old, a number.pt", "no file of torch", pickle.dumps(3, protocol=2)
    yield "long header.safetensors", "header", struct.pack("<Q", 90_000_000) + bytes(99)
    yield "longer header.safetensors", "header is said", struct.pack("<Q", huge) + b"{}"
    spec = {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 16]}
    yield "shape too large.safetensors", "damaged", tensors_header({"w": spec}, bytes(16))
    spec = {"dtype": "F32", "shape": [4], "data_offsets": [0, 1 << 40]}
    yield "place outside.safetensors", "damaged", tensors_header({"w": spec}, bytes(16))
    spec = {"dtype": "F32", "shape": [1 << 62, 4], "data_offsets": [0, 16]}
    yield "shape overflows.safetensors", "damaged", tensors_header({"w": spec}, bytes(16))
    spec = {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}
    yield "places shared.safetensors", "damaged", tensors_header({"v": spec, "w": spec}, bytes(16))
    entry = b'"%06d":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}'
    entries = b",".join(entry % i for i in range(250_000))
    yield "many names.safetensors", "too many", tensors_header(b"{" + entries + b"}")
    yield "deep header.safetensors", "damaged", tensors_header(b"[" * 1_000_000)
    yield "no texts.safetensors", "damaged", tensors_header({"__metadata__": {"a": 1}})


def configs() -> Iterator[tuple[str, str, str]]:
    """Configurations that must be refused, why, and their text."""
    laughs = "a0: &a0 [lol, lol]\n" + "".join(
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12)
    )
    good = "ddconfig: {{ch: 32}}\nembed_dim: {}\nn_embed: {}\n"
    yield "laughs", "aliases", laughs
    yield "merge", "aliases", "a: &a {x: 1}\nb: {<<: *a}\n"
    yield "alias of itself", "aliases", "&a [*a]"
    yield "environment", "references are not resolved", good.format("${oc.env:HOME}", 8)
    yield "decode", "references are not resolved", good.format('"${oc.decode:1}"', 8)
    yield "other key", "references are not resolved", good.format("${n_embed}", 8)
    yield "as key", "references are not resolved", good.format(8, 8) + '"${oc.env:HOME}": 1\n'
    yield (
        "doubling",
        "references are not resolved",
        "a0: x\n" + "".join(f"a{i}: '${{a{i - 1}}}${{a{i - 1}}}'\n" for i in range(1, 40)),
    )
    yield "python", "tags are not read", "!!python/object/apply:os.system ['touch ran']"
    yield "tag", "tags are not read", good.format("!!int 8", 8)
    yield "deep", "nested deeper", "[" * 60_000
    yield "deep blocks", "nested deeper", "\n".join(" " * i + "a:" for i in range(100))
    yield "long", "longer than", good.format(8, 8) + "#" * 70_000
    yield "no text", "codec|decode", "\udcff"
    yield "list", "indices", "[1, 2]"
    yield "nothing below", "NoneType", "model: {params: null}"
    yield "text within", "indices", "model: ddconfig"
    yield "many numbers", "whole number from 1 to", good.format(10**12, 8)
    yield "negative", "whole number from 1 to", good.format(-4, 8)
    yield "no number", "whole number from 1 to", good.format("true", 8)
    yield "missing", "whole number from 1 to", good.format("???", 8)
    yield "long number", "limit", good.format("9" * 5000, 8)
    yield "no settings", "no list of settings", "ddconfig: 3\nembed_dim: 8\nn_embed: 8\n"
    yield "control", "not allowed", "a: \x00"
