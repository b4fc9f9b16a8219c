"""Does each of two things stand where it was asked for? Both judges look at each part alone.

    python -m training.eval_two_objects regions OUT    # "left: a cat", "right: a house"
    python -m training.eval_two_objects scenes OUT     # "a cat next to a house", "a fish in a bowl"

OUT gets the paintings as paintings.png, the library's drawings of the same through the VQGAN's
codes (to compare with) as drawings.png, and a row for each as halves.json.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from tqdm.auto import tqdm

from vqclip_nb.emoji.drawings import Start
from vqclip_nb.emoji.library import Library
from vqclip_nb.emoji.placing import boxes
from vqclip_nb.experiments.scores import concepts, rank, similarity
from vqclip_nb.files import write_atomically
from vqclip_nb.images import to_pil
from vqclip_nb.loading import load_judge, load_pair
from vqclip_nb.models.clip import ClipModel
from vqclip_nb.models.pair import Pair
from vqclip_nb.run import Run
from vqclip_nb.settings import Settings

from .classifier import ShapeJudge, load_shape_judge
from .human_eval import numbered, prompts

MARGIN = 0.06  # of a thing's longer side, seen around it
Box = tuple[float, float, float, float]


def pairs_of_things(count: int, seed: int) -> list[tuple[str, str]]:
    """`count` pairs of different things, drawn afresh."""
    things = [str(t) for t in np.random.default_rng(seed).permutation(concepts())]
    return list(zip(things[:count], things[count : 2 * count], strict=True))


def settings_of(kind: str, things: tuple[str, str], prompt: str, **changes: object) -> Settings:
    """What is painted: halves of their own on white, or a prompt of two things."""
    if kind == "scenes":
        return Settings(include=[prompt], **changes)
    regions = [f"left: {things[0]}", f"right: {things[1]}"]
    return Settings(include=["a white background"], regions=regions, **changes)


def part(image: Image.Image, box: Box) -> Image.Image:
    """What stands in a box of a picture, on a white square."""
    margin = MARGIN * max(box[2] - box[0], box[3] - box[1])
    left, top = (max(0, round(v - margin)) for v in box[:2])
    right, bottom = min(image.width, box[2] + margin), min(image.height, box[3] + margin)
    cut = image.crop((left, top, round(right), round(bottom)))
    side = max(cut.size)
    return ImageOps.pad(cut, (side, side), color="white")


def look(
    judge: ClipModel, shapes: ShapeJudge, parts: Sequence[Image.Image], things: tuple[str, str]
) -> dict[str, object]:
    """own: each part is more like its own thing than like the other, for the CLIP judge. judge,
    shapes: ranks of the two right names among all, in each judge's eyes."""
    other = things[::-1]
    return {
        "own": all(
            similarity(judge, p, a) > similarity(judge, p, b)
            for p, a, b in zip(parts, things, other, strict=True)
        ),
        "judge": [rank(judge, p, a, concepts()) for p, a in zip(parts, things, strict=True)],
        "shapes": [shapes.rank(p, a) for p, a in zip(parts, things, strict=True)],
    }


def places_of(library: Library, start: Start) -> list[Box]:
    """Where each thing of a start stands, in pixels."""
    layers = [library.layer(drawing) for drawing in start.drawings]
    height, width = start.picture.shape[2:]
    found = boxes(layers, start.scene, (height, width))
    return [(x - w / 2, y - h / 2, x + w / 2, y + h / 2) for (x, y, w, h), _ in found]


def painted(pair: Pair, settings: Settings) -> tuple[Image.Image, Image.Image, list[Box]]:
    """A painting, the drawing that it began with (or from noise, could have) through the codes, and
    where its things stand."""
    run = Run(pair, settings)
    start = run.start or Run(pair, settings.replace(start="library")).start
    with torch.no_grad():
        z = pair.vqgan.quantize(start.latent(pair.vqgan))
        drawing = to_pil(pair.vqgan.synthesize(z, quantize=False)[0])
    if settings.regions:
        width, height = drawing.size
        places: list[Box] = [(0, 0, width / 2, height), (width / 2, 0, width, height)]
    else:
        places = places_of(pair.library, start)
    while not run.done:
        run.step()
    return run.image, drawing, places


def summary(rows: Sequence[dict]) -> dict[str, float]:
    """Shares of pictures of which something holds for both things."""
    shares = {"own half": np.mean([row["own"] for row in rows])}
    for judge in ("judge", "shapes"):
        worst = np.array([max(row[judge]) for row in rows])
        shares |= {
            f"{judge} first": (worst == 1).mean(),
            f"{judge} among five": (worst <= 5).mean(),
        }
    either = np.array(
        [max(map(min, zip(row["judge"], row["shapes"], strict=True))) for row in rows]
    )
    shares |= {"either judge first": (either == 1).mean()}
    return {k: round(float(v), 3) for k, v in shares.items()}


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kind", choices=("regions", "scenes"))
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0, help="draws the things")
    parser.add_argument("--settings", type=json.loads, default={}, help="changes, as JSON")
    args = parser.parse_args(argv)
    pair = load_pair("emoji", device="cpu")
    judges = load_judge("emoji", device="cpu"), load_shape_judge(device="cpu")
    things = pairs_of_things(args.count, args.seed)
    asked = prompts("scenes", args.count, args.seed)  # of the same things
    rows: dict[str, list[dict]] = {"paintings": [], "drawings": []}
    sheets: dict[str, list[Image.Image]] = {"paintings": [], "drawings": []}
    for two, prompt in zip(tqdm(things), asked, strict=True):
        settings = settings_of(args.kind, two, prompt, seed=args.seed, **args.settings)
        painting, drawing, places = painted(pair, settings)
        for name, image in (("paintings", painting), ("drawings", drawing)):
            seen = look(*judges, [part(image, box) for box in places], two)
            rows[name].append({"things": two, "prompt": prompt, **seen})
            sheets[name].append(image)
    args.out.mkdir(parents=True, exist_ok=True)
    for name, images in sheets.items():
        sheet = numbered(images)
        write_atomically(args.out / f"{name}.png", lambda part, sheet=sheet: sheet.save(part))
    text = json.dumps(rows, ensure_ascii=False, indent=1)
    write_atomically(args.out / "halves.json", lambda part: part.write_text(text, encoding="utf8"))
    for name, found in rows.items():
        print(name, json.dumps(summary(found)))


if __name__ == "__main__":
    main()
