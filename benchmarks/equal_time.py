"""What pays at equal time: pictures of the emoji pair with other numbers of views, coarse to fine,
and stopped early, scored by the judge that never guides.

    python -m benchmarks.equal_time [--things 16] [--out FILE.json]     # half an hour of a core

Two ways of painting: as it is by default, from noise with the prior; and by CLIP alone, which is
how a published pair paints. Each variant gets as many steps as take the time of the first one.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
import torch.nn.functional as F

from training.human_eval import prompts
from vqclip_nb import Pair, Run, Settings, load_judge, load_pair
from vqclip_nb.experiments.scores import concepts, rank, similarity

STEPS, SIDE = 60, 256
ALONE = dict(start="noise", prior=0.0, keep_edges=0.0, keep_colours=0.0)
Paint = Callable[[str, int], Run]  # a prompt and a number of steps


def plain(pair: Pair, **settings: object) -> Paint:
    def paint(prompt: str, steps: int) -> Run:
        return Run(pair, Settings(include=prompt, total_iter=steps, show_step=5, **settings))

    return paint


def coarse(pair: Pair, share: float, **settings: object) -> Paint:
    """The first `share` of the steps at half the side; then the latent is enlarged."""

    def paint(prompt: str, steps: int) -> Run:
        begun = max(1, round(share * steps))
        small = dict(settings, height=SIDE // 2, width=SIDE // 2)
        first = Run(pair, Settings(include=prompt, total_iter=begun, **small))
        for _ in range(begun - 1):
            first.step()
        z = F.interpolate(first.painting.optimization.latent.data.detach(), scale_factor=2)
        asked = Settings(include=prompt, total_iter=max(1, steps - begun), show_step=5, **settings)
        return Run(pair, asked, latent=z)

    return paint


def variants(pair: Pair) -> dict[str, Paint]:
    return {
        "default": plain(pair),
        "default, 6 views": plain(pair, crops=6),
        "default, 24 views": plain(pair, crops=24),
        "CLIP alone": plain(pair, **ALONE),
        "CLIP alone, 6 views": plain(pair, crops=6, **ALONE),
        "CLIP alone, 24 views": plain(pair, crops=24, **ALONE),
        "CLIP alone, half the steps coarse": coarse(pair, 0.5, **ALONE),
    }


def steps_at_equal_time(paint: Paint, budget: float) -> int:
    """Steps whose painting takes `budget` seconds, from the time of a whole picture."""
    began = time.process_time()
    run = paint("a red apple", STEPS)
    while not run.done:
        run.step()
    return max(4, round(STEPS * budget / (time.process_time() - began)))


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--things", type=int, default=16)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args(argv)
    torch.set_num_threads(1)
    pair, judge = load_pair("emoji", device="cpu"), load_judge("emoji", device="cpu")
    names, rows, budget = concepts(), [], 0.0
    for name, paint in variants(pair).items():
        if name in ("default", "CLIP alone"):
            began = time.process_time()
            for _ in paint("a red apple", STEPS):
                pass
            budget = time.process_time() - began
        steps = steps_at_equal_time(paint, budget)
        found: dict[int, list[tuple[float, int]]] = {}
        for prompt in prompts("single", asked.things, 4242):
            run = paint(prompt, steps)
            for _ in run:
                pass
            for frame in run.frames:
                score = similarity(judge, frame.image, prompt)
                place = rank(judge, frame.image, prompt, names)
                found.setdefault(frame.iteration, []).append((score, place))
        for at, scores in sorted(found.items()):
            if len(scores) == asked.things:
                cosine = sum(s for s, _ in scores) / len(scores)
                first = sum(p == 1 for _, p in scores)
                places = median(p for _, p in scores)
                rows.append(
                    dict(
                        what=name,
                        steps=steps,
                        at=at,
                        cosine=round(cosine, 4),
                        first=first,
                        median_rank=places,
                    )
                )
        print(rows[-1], flush=True)
        if asked.out:
            asked.out.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
