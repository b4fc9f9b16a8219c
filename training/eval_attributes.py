"""Does a picture take on attributes, a palette, the style of a picture? By judges and by pixels.

    python -m training.eval_attributes OUT

OUT gets what was painted as looks.png and a row for each as looks.json.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFilter
from tqdm.auto import tqdm

from vqclip_nb.experiments.scores import similarity
from vqclip_nb.files import write_atomically
from vqclip_nb.images import to_data_url, to_tensor
from vqclip_nb.loading import load_judge, load_pair
from vqclip_nb.models.fast import resnet_stem
from vqclip_nb.objectives import Step, style
from vqclip_nb.palettes import parse_colour
from vqclip_nb.run import Run
from vqclip_nb.settings import Settings
from vqclip_nb.show import contact_sheet

from .classifier import load_shape_judge, load_style_judge
from .sets import TRAINED

THINGS = ("fox", "strawberry", "rocket", "penguin", "house")
COLOURS = ("red", "green", "blue", "yellow", "purple", "pink")
STRENGTHS = (0.5, 1.0)
SIZES = ("small: 1", "small: 0.5", "big: 0", "big: 0.5", "big: 1")
STYLES = ("a cartoon", "a 3d render", "a flat icon", "a line drawing", "a sticker")  # of TRAINED
PALETTES = (("navy", "gold", "white"), ("pink", "dark purple", "turquoise", "cream"), ("red",))
NEAR = 0.3  # distance in RGB, whose sides are 1, within which a pixel has a colour


def style_pictures(side: int = 128) -> dict[str, Image.Image]:
    """Stripes, dots, brush strokes in a swirl, and soft washes."""
    rng = np.random.default_rng(0)
    stripes = Image.new("RGB", (side, side), "#f7e9c6")
    for x in range(-side, 2 * side, side // 8):
        ImageDraw.Draw(stripes).line([(x, 0), (x + side, side)], fill="#1b3a6b", width=side // 20)
    dots = Image.new("RGB", (side, side), "#ffd84d")
    for row, y in enumerate(range(0, side + 12, 12)):
        for x in range(6 * (row % 2), side + 12, 12):
            ImageDraw.Draw(dots).ellipse([x - 4, y - 4, x + 4, y + 4], fill="#d8264f")
    strokes = Image.new("RGB", (side, side), "#20306f")
    colours = ("#2a4fa3", "#5b8fd6", "#f0d060", "#ffffff", "#16224f", "#3d70c0")
    for x, y in rng.integers(0, side, (900, 2)):
        turn, length = np.arctan2(y - side / 2, x - side / 2) + np.pi / 2, rng.integers(4, 10)
        end = (x + length * np.cos(turn), y + length * np.sin(turn))
        colour = colours[rng.integers(len(colours))]
        ImageDraw.Draw(strokes).line([(int(x), int(y)), end], fill=colour, width=3)
    noise = Image.fromarray((rng.random((side, side, 3)) * 255).astype(np.uint8))
    soft = np.asarray(noise.filter(ImageFilter.GaussianBlur(9)), float)
    soft = (soft - soft.min()) / np.ptp(soft) * np.array([0.45, 0.32, 0.45]) + 0.55
    washes = Image.fromarray((soft * 255).clip(0, 255).astype(np.uint8))
    return dict(stripes=stripes, dots=dots, strokes=strokes, washes=washes)


def drawn(image: Image.Image) -> np.ndarray:
    """Pixels that are not background, (n, 3) in [0, 1], of a picture on white."""
    pixels = np.asarray(image, float).reshape(-1, 3) / 255
    return pixels[pixels.min(1) < 0.85]


def share_near(image: Image.Image, colours: list[tuple[float, float, float]]) -> float:
    """Share of the pixels that are within `NEAR` of one of `colours`."""
    away = np.asarray(image)[:, :, None] / 255 - np.array(colours)
    return float((np.linalg.norm(away, axis=-1).min(-1) < NEAR).mean())


class Bench:
    """The pair, its judges, and every picture that they looked at."""

    def __init__(self) -> None:
        self.pair = load_pair("emoji", device="cpu")
        self.judge, self.shapes = load_judge("emoji", device="cpu"), load_shape_judge(device="cpu")
        self.styles = load_style_judge(device="cpu")
        self.pictures: list[tuple[str, Image.Image]] = []

    def paint(self, thing: str, title: str, **asked: Any) -> Image.Image:
        run = Run(self.pair, Settings(include=[f"a {thing}"], **asked))
        while not run.done:
            run.step()
        self.pictures.append((title, run.image))
        return run.image

    def chosen(self, image: Image.Image, texts: list[str]) -> int:
        """Which of several texts the judge finds most similar."""
        return int(np.argmax([similarity(self.judge, image, text) for text in texts]))

    def rows(self) -> Iterator[dict[str, Any]]:
        """One for each picture; `right` says that a judge found what was asked."""
        for thing in THINGS:
            plain = self.paint(thing, "")
            area = len(drawn(plain))
            for i, colour in enumerate(COLOURS):
                for strength in STRENGTHS:
                    asked = f"{colour}: {strength}"
                    image = self.paint(thing, asked, attributes=[asked])
                    own, there = drawn(plain).mean(0), np.array(parse_colour(colour))
                    way = (
                        (drawn(image).mean(0) - own) @ (there - own) / np.square(there - own).sum()
                    )
                    texts = [f"a {c} {thing} on a white background" for c in COLOURS]
                    yield dict(
                        kind=f"colour {strength}", thing=thing, asked=colour, way=float(way),
                        right=self.chosen(image, texts) == i, shape=self.shapes.rank(image, thing),
                    )  # fmt: skip
            for size in SIZES:
                image = self.paint(thing, size, attributes=[size])
                yield dict(
                    kind=f"size {size}", thing=thing, asked=size, way=len(drawn(image)) / area,
                    shape=self.shapes.rank(image, thing),
                )  # fmt: skip
            for i, kind in enumerate(STYLES):
                image = self.paint(thing, kind, attributes=[kind])
                right = self.styles.style(image, TRAINED) == TRAINED[i]
                yield dict(
                    kind="style", thing=thing, asked=kind, right=right,
                    shape=self.shapes.rank(image, thing),
                )  # fmt: skip
            for names in PALETTES:
                image = self.paint(thing, ", ".join(names), palette=list(names))
                colours = [parse_colour(name) for name in names]
                yield dict(
                    kind="palette", thing=thing, asked=names, way=share_near(image, colours),
                    before=share_near(plain, colours), shape=self.shapes.rank(image, thing),
                )  # fmt: skip
            yield from self.styled(thing)

    def styled(self, thing: str) -> Iterator[dict[str, Any]]:
        """Which of the style pictures a painting is most like, by the stem of the judge's CLIP."""
        pictures = style_pictures()

        def features(x: torch.Tensor) -> list[torch.Tensor]:
            return [resnet_stem(self.judge.model.visual, (x - 0.45) / 0.27)]

        wanted = [style(to_tensor(picture), features) for picture in pictures.values()]
        nothing = torch.zeros(1)
        for i, (name, picture) in enumerate(pictures.items()):
            url = to_data_url(to_tensor(picture))
            image = self.paint(thing, name, style_image=url)
            step = Step(nothing, nothing, to_tensor(image), nothing, nothing)
            with torch.no_grad():
                away = [float(w(step)) for w in wanted]
            yield dict(
                kind="style picture", thing=thing, asked=name, right=int(np.argmin(away)) == i,
                shape=self.shapes.rank(image, thing),
            )  # fmt: skip


def summary(rows: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """For each kind: share that is right, mean way, and how often the shape is among five."""
    kinds: dict[str, dict[str, float]] = {}
    for kind in dict.fromkeys(row["kind"] for row in rows):
        own = [row for row in rows if row["kind"] == kind]
        found = {"pictures": float(len(own))}
        for key in ("right", "way", "before"):
            if key in own[0]:
                found[key] = round(float(np.mean([row[key] for row in own])), 3)
        found["shape among five"] = round(float(np.mean([row["shape"] <= 5 for row in own])), 3)
        kinds[kind] = found
    return kinds


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    bench = Bench()
    rows = list(tqdm(bench.rows()))
    titles, images = zip(*bench.pictures, strict=True)
    columns = len(images) // len(THINGS)
    figure = contact_sheet(images, titles, columns=columns)
    write_atomically(args.out / "looks.png", lambda part: figure.savefig(part, format="png"))
    text = json.dumps(rows, indent=1)
    write_atomically(args.out / "looks.json", lambda part: part.write_text(text, encoding="utf8"))
    for kind, found in summary(rows).items():
        print(kind, json.dumps(found))


if __name__ == "__main__":
    main()
