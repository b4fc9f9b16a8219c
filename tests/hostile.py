"""Crafted files that a stranger could hand over as weights or as a configuration."""

import contextlib
import struct
import sys
import zipfile
from collections.abc import Callable, Iterator

import crafting as c
from crafting import name, one, packed, row, state_dict, storage, tensor, text

HUGE = 1 << 40
LARGER, SHAPE = "larger than what is stored", "an impossible shape"
Files = dict[str, tuple[str, bytes]]

_watched: list[tuple[Callable[[str, tuple], bool], list[str]]] = []


def _audit(event: str, arguments: tuple) -> None:
    for wrong, seen in _watched:
        if wrong(event, arguments):
            seen.append(f"{event} {arguments}"[:300])


sys.addaudithook(_audit)


@contextlib.contextmanager
def noticed(wrong: Callable[[str, tuple], bool]) -> Iterator[list[str]]:
    """What is done in the block that is wrong to do, by Python's own report (`sys.audit`)."""
    _watched.append((wrong, []))
    try:
        yield _watched[-1][1]
    finally:
        _watched.pop()


def peak() -> int:
    """The most memory that this process had, in kB; 0 where the system counts in other units."""
    if sys.platform != "linux":
        return 0
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def views() -> Files:
    """Tensors that do not fit their storage."""
    ints = storage(4, of="IntStorage")
    two_kinds = [tensor(s, row(4), row(1)) for s in (storage(4), ints)]
    # One tensor of 4 MB lies at the bottom of the stack and is used under 5,000 names.
    often = b"\x80\x02" + tensor(storage(1 << 20), row(1 << 20), row(1)) + b"q\x00}("
    often += b"".join(text(f"w{i}") + b"h\x00" for i in range(5000)) + b"u."
    outside = tensor(storage(4, "../data.pkl"), row(4), row(1))
    return {
        "one number shown often": (LARGER, one(row(1 << 30), row(0))),
        "beyond the storage": (LARGER, one(row(2), row(9))),
        "offset beyond": (LARGER, one(row(1), row(1), 4)),
        "nothing, far away": (LARGER, one(row(0), row(1), HUGE)),
        "negative stride": (SHAPE, one(row(2), row(-1), 1)),
        "negative size": (SHAPE, one(row(-2), row(1))),
        "negative offset": (SHAPE, one(row(1), row(1), -1)),
        "sizes that overflow": (f"{SHAPE}|{LARGER}", one(row(*[1 << 32] * 4), row(*[1] * 4))),
        "empty and huge": (SHAPE, one(row(0, HUGE, HUGE), row(1, 1, 1))),
        "many dimensions": ("no shape", one(row(*[1] * 100), row(*[1] * 100))),
        "stride missing": ("no shape", one(row(2, 2), row(2))),
        "sizes are texts": (SHAPE, one(b"(" + text("2") + b"t", row(1))),
        "storage too short": ("not the size", one(row(4), row(1), numel=5)),
        "storage absurd": ("impossible storage", one(row(1), row(1), numel=1 << 60)),
        "storage negative": ("impossible storage", one(row(1), row(1), numel=-1)),
        "two kinds in one": ("in two ways", packed(state_dict(*two_kinds), {"0": bytes(16)})),
        "one storage, many names": ("would take", packed(often, {"0": bytes(1 << 22)})),
        "storage outside": ("no item|no entry", packed(state_dict(outside))),
    }


def zips() -> Files:
    """Archives whose list of contents lies, or that unpack to much more than they are."""
    deflated = dict(compression=zipfile.ZIP_DEFLATED)
    good = packed(c.GOOD, {"0": b"sixteen letters."})
    return {
        "a flipped bit": ("damaged", good.replace(b"sixteen", b"Sixteen")),
        "before torch 1.6": ("before torch 1.6", b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."),
        "names twice": ("same name", packed(c.GOOD, {"0": b""}, extra={"archive/data/0": b""})),
        "overlaps": ("overlap", c.overlapping()),
        "declares 4 GB": ("larger than the file|overlap", c.oversized()),
        "bomb": ("would take", c.bombed()),
        "packed pickle": ("more than", packed(bytes(20_000_000), **deflated)),
        "packed oddly": ("unusual", packed(bytes(9), compression=zipfile.ZIP_BZIP2)),
        "400,000 entries": ("too long|damaged", c.crowded()),
        "no pickle": ("no pickle", packed(b"", root="a/b")),
        "two pickles": ("two pickles", packed(b"N.", extra={"b/data.pkl": b"N."})),
        "other byte order": ("byte order", packed(b"N.", extra={"archive/byteorder": b"big"})),
        "modules shared": ("too deep", c.shared_modules()),
        "module in itself": ("too deep", c.own_parent()),
        "long names": ("names that are too long", c.long_name()),
    }


def pickles() -> Files:
    """Instructions that run something, take memory or time, or are not torch's."""
    none, unknown = "holds no state dict", "unknown instruction"
    key, called = "a key that is neither", name("collections", "OrderedDict")
    module, size = name("__torch__", "M"), name("torch", "Size")
    deep_objects = module + b"q\x00" + b"h\x00)\x81}(K\x00" * 30_000 + b"N" + b"ub" * 30_000 + b"."
    doubling = b"".join(b"h%ch%c\x86q%c" % (i, i, i + 1) for i in range(60))
    bodies: Files = {
        "memory index": (none, b"Nr\xff\xff\xff\xff."),
        "text of 4 GB": ("only 1 remain", b"X\xff\xff\xff\xff."),
        "array of 1 TB": ("only 1 remain|unknown", b"\x96" + struct.pack("<Q", HUGE) + b"."),
        "endless": ("instructions", b"N" * 300_001),
        "deep": (none, b")" + b"\x85" * 290_000 + b"."),
        "deep objects": ("names that are", deep_objects),
        "deep views": ("damaged|no state", c.deep_views(20_000)),
        "deep key": (key, b"})" + b"\x85" * 200_000 + b"Ns."),
        "key that doubles": (key, b")q\x00" + doubling + b"}h<Ns."),
        "large key": (key, b"}" + c.whole(1 << 61) + b"Ns."),
        "many arguments": ("with 100 arguments", called + b"(" + b"N" * 100 + b"tR."),
        "view as key": (key, b"}" + tensor(storage(4), row(4), row(1)) + b"Ns."),
        "many names": (none, b"".join(name("__torch__", f"M{i}") for i in range(10_001)) + b"."),
        "builds a text": (none, text("a") + b"Nb."),
        "builds a name": (none, size + b"}b."),
        "builds a class": (none, module + b"}b."),
        "builds a storage": (none, storage(4) + b"}(" + text("numel") + b"K\x09ub."),
        "old instruction": (unknown, b"(S'id'\nios\nsystem\n."),
        "new instruction": (unknown, b"\x8c\x02os\x8c\x06system\x93."),
        "empty stack": ("damaged", b"."),
        "no mark": ("damaged", b"t."),
        "calls a text": ("not callable", text("a") + b")R."),
        "calls a class": (none, module + b")R."),
        "points outside": ("outside|damaged", text("file") + b"Q."),
    }
    for function in ("os system", "builtins eval", "torch load", "torch.hub load"):
        where, what = function.split()
        run = name(where, what) + b"(" + text("touch ran") + b"tR."
        bodies[f"names {where} {what}"] = (f"names {where}.{what}", run)
    bodies["names copyreg __newobj__"] = ("names copyreg", name("copyreg", "__newobj__") + b".")
    bodies["calls a storage"] = ("names torch.FloatStorage", name("torch", "FloatStorage") + b")R.")
    return {n: (words, packed(b"\x80\x02" + body)) for n, (words, body) in bodies.items()}


def safetensors() -> Files:
    def spec(shape: list[int], *places: int) -> dict:
        return {"dtype": "F32", "shape": shape, "data_offsets": places}

    def file(**specs: dict) -> bytes:
        return c.tensors_header(specs, bytes(16))

    entry = b'"%06d":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}'
    many = b"{" + b",".join(entry % i for i in range(250_000)) + b"}"
    return {
        "long header": ("header", struct.pack("<Q", 90_000_000) + bytes(99)),
        "longer header": ("header is said", struct.pack("<Q", HUGE) + b"{}"),
        "shape too large": ("damaged", file(w=spec([HUGE], 0, 16))),
        "place outside": ("damaged", file(w=spec([4], 0, HUGE))),
        "shape overflows": ("damaged", file(w=spec([1 << 62, 4], 0, 16))),
        "places shared": ("damaged", file(v=spec([4], 0, 16), w=spec([4], 0, 16))),
        "many tensors": ("too many", c.tensors_header(many)),
        "deep header": ("damaged", c.tensors_header(b"[" * 1_000_000)),
        "no texts": ("damaged", c.tensors_header({"__metadata__": {"a": 1}})),
    }


def weights() -> Files:
    """What must be refused and why, by the file's name."""
    of_torch = views() | zips() | pickles()
    return {f"{n}.pt": v for n, v in of_torch.items()} | {
        f"{n}.safetensors": v for n, v in safetensors().items()
    }


def configs() -> dict[str, tuple[str, str]]:
    """Configurations that must be refused: why, and their text."""
    tens = (f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12))
    doubled = "".join(f"a{i}: '${{a{i - 1}}}${{a{i - 1}}}'\n" for i in range(1, 40))
    aliases, references, allowed = "aliases", "references are not resolved", "allowed are 1 to"

    def good(size: object, more: str = "") -> str:
        return f"ddconfig: {{ch: 32}}\nembed_dim: {size}\nn_embed: 8\n{more}"

    def network(setting: str) -> str:
        return f"ddconfig: {{{setting}}}\nembed_dim: 8\nn_embed: 8\n"

    return {
        "laughs": (aliases, "a0: &a0 [lol, lol]\n" + "".join(tens)),
        "alias of itself": (aliases, "&a [*a]"),
        "environment": (references, good("${oc.env:HOME}")),
        "as key": (references, good(8, '"${oc.env:HOME}": 1\n')),
        "doubling": (references, "a0: x\n" + doubled),
        "python": ("tags are not read", "!!python/object/apply:os.system ['touch ran']"),
        "deep": ("nested deeper", "[" * 60_000),
        "deep blocks": ("nested deeper", "\n".join(" " * i + "a:" for i in range(100))),
        "long": ("longer than", good(8, "#" * 70_000)),
        "no text": ("codec|decode", "\udcff"),
        "list": ("indices", "[1, 2]"),
        "nothing below": ("NoneType", "model: {params: null}"),
        "text within": ("indices", "model: ddconfig"),
        "large number": (allowed, good(10**12)),
        "negative": (allowed, good(-4)),
        "no number": (allowed, good("true")),
        "missing": (allowed, good("???")),
        "long number": ("limit", good("9" * 5000)),
        "blocks for ever": ("num_res_blocks is 10000000", network("num_res_blocks: 10000000")),
        "no channels": ("ch is 0", network("ch: 0")),
        "no number of channels": ("ch is 'a'", network("ch: a")),
        "no stages": ("ch_mult is empty", network("ch_mult: []")),
        "stages for ever": ("ch_mult is", network(f"ch_mult: {[1] * 100}")),
        "one stage": ("ch_mult is 3", network("ch_mult: 3")),
        "infinite": ("in_channels is inf", network("in_channels: .inf")),
        "no settings": ("no list of settings", "ddconfig: 3\nembed_dim: 8\nn_embed: 8\n"),
        "control": ("not allowed", "a: \x00"),
    }
