"""Crafted files that a stranger could hand over as weights or as a configuration."""

from __future__ import annotations

import pickle
import struct
import zipfile
from collections.abc import Iterator

from crafting import (
    bombed,
    crowded,
    legacy,
    module,
    name,
    old_storage,
    one,
    overlapping,
    oversized,
    own_parent,
    packed,
    row,
    shared_modules,
    state_dict,
    storage,
    tensor,
    tensors_header,
    text,
    twice_named,
)


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
    yield "many numbers", "allowed are 1 to", good.format(10**12, 8)
    yield "negative", "allowed are 1 to", good.format(-4, 8)
    yield "no number", "allowed are 1 to", good.format("true", 8)
    yield "missing", "allowed are 1 to", good.format("???", 8)
    yield "long number", "limit", good.format("9" * 5000, 8)
    network = "ddconfig: {{{}}}\nembed_dim: 8\nn_embed: 8\n"
    yield (
        "blocks for ever",
        "num_res_blocks is 10000000",
        network.format("num_res_blocks: 10000000"),
    )
    yield "no channels", "ch is 0", network.format("ch: 0")
    yield "no number of channels", "ch is 'a'", network.format("ch: a")
    yield "no stages", "ch_mult is empty", network.format("ch_mult: []")
    yield "stages for ever", "ch_mult is", network.format(f"ch_mult: {[1] * 100}")
    yield "one stage", "ch_mult is 3", network.format("ch_mult: 3")
    yield "infinite", "in_channels is inf", network.format("in_channels: .inf")
    yield "no settings", "no list of settings", "ddconfig: 3\nembed_dim: 8\nn_embed: 8\n"
    yield "control", "not allowed", "a: \x00"
