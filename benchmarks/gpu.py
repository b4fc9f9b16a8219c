"""Figures of a GPU in a few minutes: milliseconds a step, peak memory, share of the card's peak.

    python -m benchmarks.gpu --out FILE.json            # at most eight minutes
    python -m benchmarks.gpu --device cpu --toy         # the same script at toy size, a test

Networks of the published pair's size with random weights: they cost what trained ones cost, and
nothing is downloaded. Each row is printed and written as soon as it is measured; one that fails
says why and the next goes on.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from vqclip_nb import Pair, Run, Settings, load_pair

from .full_size import CROPS, TEXTS, random_pair, reports_loop

# Dense half-precision tensor-core peaks in TFLOP/s, as the makers print them.
PEAKS = {"T4": 65, "V100": 125, "L4": 121, "A10": 125, "A100": 312, "H100": 989, "H200": 989}


def peak_of(device: torch.device) -> float | None:
    """The card's half-precision peak in TFLOP/s, if it is in the table."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else ""
    return next(
        (
            peak
            for card, peak in PEAKS.items()
            if card in name.split()[1:2] + name.split() or card in name
        ),
        None,
    )


def synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def timed(step: Callable[[], Any], device: torch.device, seconds: float) -> dict[str, float]:
    """Median milliseconds of a step after warming up, within about `seconds` (0: of one step), and
    peak memory."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    for _ in range(2 if seconds else 1):
        step()
    synchronize(device)
    found: list[float] = []
    end = time.perf_counter() + seconds
    while len(found) < (3 if seconds else 1) or (time.perf_counter() < end and len(found) < 200):
        began = time.perf_counter()
        step()
        synchronize(device)
        found.append(1e3 * (time.perf_counter() - began))
    row = {"ms": statistics.median(found), "steps": len(found)}
    if device.type == "cuda":
        row["peak GB"] = torch.cuda.max_memory_allocated(device) / 1e9
    return row


def full_size_rows(device: torch.device, toy: bool) -> Iterator[tuple[dict, Callable[[], Any]]]:
    """Each row's description and its step."""
    sizes = [(32, 32)] if toy else [(224, 224), (448, 448), (768, 1024)]
    crops = 2 if toy else CROPS
    pair = random_pair(device, toy=toy)

    def ours(height: int, width: int, preset: str = "report", **changes: Any) -> Callable[[], Any]:
        asked = dict(TEXTS, height=height, width=width, crops=crops, total_iter=10_000)
        return Run(pair, Settings.preset(preset, **(asked | changes))).step

    if not toy:
        yield dict(size="224×224", what="the report's loop as printed"), reports_loop(device)
    for height, width in sizes:
        for precision in ("float32", "half"):
            for random in ("cpu", "device"):
                how = dict(precision=precision, random=random)
                yield dict(size=f"{width}×{height}", what="ours", **how), ours(height, width, **how)
        how = dict(precision="half", random="device")
        told = dict(size=f"{width}×{height}", what="nerdyrodent's preset", **how)
        yield told, ours(height, width, "nerdyrodent", **how)
    for name, change in changed_networks(pair).items() if not toy else ():
        undo = change()
        how = dict(precision="half", random="device")
        yield dict(size="x".join(map(str, sizes[0])), what=name, **how), ours(*sizes[0], **how)
        undo()


def changed_networks(pair: Pair) -> dict[str, Callable[[], Callable[[], None]]]:
    """Ways to run the networks that are no settings yet: each is applied, and gives its undoing."""

    def channels_last() -> Callable[[], None]:
        for network in (pair.vqgan, pair.clip.model):
            network.to(memory_format=torch.channels_last)
        return lambda: None

    def compiled(mode: str) -> Callable[[], None]:
        pair.vqgan.decode = torch.compile(pair.vqgan.decode, mode=mode)
        return lambda: delattr(pair.vqgan, "decode")

    return {
        "decoder compiled": partial(compiled, "default"),
        "decoder as CUDA graphs": partial(compiled, "reduce-overhead"),
        "channels last": channels_last,
    }


def flops_of(step: Callable[[], Any]) -> float:
    """Floating-point operations of a step, forward and backward, as torch counts them."""
    with FlopCounterMode(display=False) as counter:
        step()
    return float(counter.get_total_flops())


def emoji_row(device: torch.device, steps: int) -> dict[str, Any]:
    """Seconds of a picture by the pair that ships."""
    run = Run(load_pair("emoji", device=device), Settings(include="a red apple", total_iter=steps))
    began = time.perf_counter()
    for _ in run:
        pass
    synchronize(device)
    seconds = time.perf_counter() - began
    return dict(what=f"emoji pair, {steps} steps", seconds=seconds, similarity=run.similarity)


def measure(device: torch.device, *, toy: bool, seconds: float, out: Path | None) -> list[dict]:
    """All rows; each is printed, and written to `out`, when it is there."""
    peak, rows = peak_of(device), []
    end = time.perf_counter() + seconds

    def keep(row: dict[str, Any]) -> None:
        rows.append(row)
        print(
            "  ".join(
                f"{k} {v:.3g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()
            ),
            flush=True,
        )
        if out:
            out.write_text(json.dumps(rows, indent=1, ensure_ascii=False), encoding="utf8")

    card = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor()
    keep(dict(card=card, torch=torch.__version__, peak=peak, date=time.strftime("%Y-%m-%d")))
    try:
        keep(emoji_row(device, 3 if toy else 100))
    except Exception as e:  # a fault of one row must not cost the others
        keep(dict(what="emoji pair", failed=f"{type(e).__name__}: {e}"))
    made = full_size_rows(device, toy)
    while time.perf_counter() < end:
        try:
            row, step = next(made)
        except StopIteration:
            break
        try:
            row |= timed(step, device, 0 if toy else 6.0)
            if row["what"] != "the report's loop as printed":
                row["TFLOP"] = flops_of(step) / 1e12
                if peak and row.get("precision") == "half":
                    row["share of peak"] = row["TFLOP"] / (row["ms"] / 1e3) / peak
        except Exception as e:
            row["failed"] = f"{type(e).__name__}: {str(e)[:300]}"
        keep(row)
    return rows


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--toy", action="store_true", help="tiny networks, few steps")
    parser.add_argument("--seconds", type=float, default=400, help="no row begins after them")
    parser.add_argument("--out", type=Path, help="JSON file for the rows")
    asked = parser.parse_args(argv)
    how = dict(toy=asked.toy, seconds=asked.seconds, out=asked.out)
    measure(torch.device(asked.device), **how)


if __name__ == "__main__":
    main()
