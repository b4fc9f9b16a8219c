"""Ways to damage a file, for fuzzers: each takes the bytes and a random generator."""

from __future__ import annotations

import random
import struct
import warnings
import zipfile
from io import BytesIO

Rng = random.Random


def flip_bits(data: bytearray, rng: Rng) -> bytes:
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def edges(data: bytearray, rng: Rng) -> bytes:
    """Most structure lies at the beginning and at the end."""
    at = rng.randrange(min(200, len(data)))
    at = at if rng.random() < 0.5 else len(data) - 1 - at
    data[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
    return bytes(data)


def cut(data: bytearray, rng: Rng) -> bytes:
    return bytes(data[: rng.randrange(len(data))])


def cut_out(data: bytearray, rng: Rng) -> bytes:
    a = rng.randrange(len(data))
    del data[a : a + rng.randrange(1, 200)]
    return bytes(data)


def repeat(data: bytearray, rng: Rng) -> bytes:
    a, b, c = rng.randrange(len(data)), rng.randrange(1, 300), rng.randrange(len(data))
    data[c:c] = data[a : a + b] * rng.choice((1, 1, 2, 50))
    return bytes(data)


def numbers(data: bytearray, rng: Rng) -> bytes:
    """A length or an offset becomes an odd one."""
    form = rng.choice(("<H", "<I", "<Q"))
    odd = rng.choice((0, 1, 2**15, 2**16 - 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1, len(data)))
    at = rng.randrange(len(data))
    data[at : at + struct.calcsize(form)] = struct.pack(
        form, odd % 2 ** (8 * struct.calcsize(form))
    )
    return bytes(data)


def inside_zip(data: bytearray, rng: Rng) -> bytes:
    """Damage one small entry, and pack everything anew with right checksums."""
    try:
        old = zipfile.ZipFile(BytesIO(data))
        entries = [(i.filename, old.read(i)) for i in old.infolist()]
    except Exception:
        return flip_bits(data, rng)
    targets = [i for i, (n, d) in enumerate(entries) if d and ".debug_pkl" not in n]
    chosen = [i for i in targets if entries[i][0].endswith(("data.pkl", ".py"))] or targets
    if not chosen:
        return bytes(data)
    at = rng.choice(chosen if rng.random() < 0.8 else targets)
    damage = rng.choice((flip_bits, edges, cut, cut_out, repeat, numbers))
    entries[at] = entries[at][0], damage(bytearray(entries[at][1]), rng)
    if rng.random() < 0.1:
        entries.append(rng.choice(entries))
    file = BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w") as new:
        warnings.simplefilter("ignore")  # of names twice
        for entry, content in entries:
            new.writestr(entry, content)
    return file.getvalue()


DAMAGES = (flip_bits, edges, cut, cut_out, repeat, numbers, inside_zip, inside_zip)
