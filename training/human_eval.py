"""Can people name what is painted? A shuffled sheet without captions, its key, and the count.

    python -m training.human_eval sheet OUT --kind single --count 48 --seed 7
    python -m training.human_eval score OUT/key.json names.json
    python -m training.human_eval preference --count 24

`sheet` writes OUT/paintings.png, OUT/drawings.png (the same things as the library's drawings,
through the VQGAN's codes: what a perfect loop could reach) and OUT/key.json. Whoever names them
sees one of the sheets and nothing else, knows that each picture shows one everyday thing (or two),
and writes one to three names for each: {"1": ["camel", "llama"], "2": ...}.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from tqdm.auto import tqdm

from vqclip_nb.emoji.caption_words import COLOURS, article, singulars
from vqclip_nb.emoji.library import Library
from vqclip_nb.experiments.scores import concepts, picture_encoding
from vqclip_nb.files import write_atomically
from vqclip_nb.loading import load_judge, load_pair
from vqclip_nb.models.clip import ClipModel
from vqclip_nb.models.pair import Pair
from vqclip_nb.prompts import encode_reading
from vqclip_nb.run import Run
from vqclip_nb.settings import Settings

from .classifier import ShapeJudge, load_shape_judge
from .measure import EVERYDAY, ceiling, dressed
from .sets import STYLES, TRAINED, own_drawings, people_and_signs, silhouettes

KINDS = ("single", "silhouettes", "people", "own", "dressed", "scenes", "everyday")
LINKS = ("next to", "above", "below", "on", "in", "and")


def prompts(kind: str, count: int, seed: int) -> list[str]:
    """`count` prompts drawn afresh: single things, things that only a silhouette shows, people and
    signs, drawings of our own, things with style and background, two things in a relation; or the
    twenty that people really type."""
    if kind == "everyday":
        return re.split(r", |\n", EVERYDAY.strip())
    if kind not in KINDS:
        raise ValueError(f"kind {kind!r} is not known: choose one of {', '.join(KINDS)}")
    rng = np.random.default_rng(seed)
    things = [str(t) for t in rng.permutation(concepts())]
    lists = {"silhouettes": silhouettes, "people": people_and_signs, "own": own_drawings}
    if unread := lists.get(kind):
        return [article(str(t)) for t in rng.permutation(list(unread()))[:count]]
    if kind == "single":
        return things[:count]
    if kind == "scenes":
        links = [LINKS[i % len(LINKS)] for i in range(count)]
        return [f"{a} {k} {b}" for a, k, b in zip(things, links, things[count:], strict=False)]
    styles = [STYLES[TRAINED[rng.integers(len(TRAINED))]].words[0] for _ in range(count)]
    colours = rng.choice(list(COLOURS), count)
    return [
        f"{style} {thing} on {article(str(colour))} background"
        for thing, style, colour in zip(things, styles, colours, strict=False)
    ]


def painted(pair: Pair, prompt: str, seed: int, **changes: object) -> Image.Image:
    """The last picture of a run with default settings and `changes`."""
    run = Run(pair, Settings(include=[prompt], seed=seed, **changes))
    while not run.done:
        run.step()
    return run.image


def numbered(pictures: Sequence[Image.Image], *, side: int = 160, columns: int = 8) -> Image.Image:
    """A sheet of pictures with numbers from 1 below them, and no other word."""
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * (side + 8), rows * (side + 22)), "white")
    draw = ImageDraw.Draw(sheet)
    for i, picture in enumerate(pictures):
        x, y = i % columns * (side + 8), i // columns * (side + 22)
        sheet.paste(picture.resize((side, side), Image.Resampling.BICUBIC), (x, y))
        draw.text((x + 2, y + side + 4), str(i + 1), fill="black")
    return sheet


def write_sheets(
    out: Path,
    asked: Sequence[str],
    sheets: dict[str, Callable[[str], Image.Image | None]],
    library: Library,
    *,
    seed: int,
) -> None:
    """A shuffled sheet OUT/name.png for each way to picture the prompts, each in an order of its
    own, and OUT/key.json."""
    out.mkdir(parents=True, exist_ok=True)
    key: dict[str, list[dict[str, object]]] = {}
    for number, (name, picture) in enumerate(sheets.items()):
        order = np.random.default_rng([seed, number]).permutation(len(asked))
        shown = [asked[i] for i in order]
        pictures = [picture(prompt) for prompt in tqdm(shown, desc=name)]
        grey = Image.new("RGB", (128, 128), "lightgray")  # refused
        sheet = numbered([p or grey for p in pictures])
        write_atomically(out / f"{name}.png", lambda part, sheet=sheet: sheet.save(part))
        key[name] = [
            {"number": i + 1, "prompt": prompt, "things": accepted(library, prompt)}
            for i, prompt in enumerate(shown)
        ]
    text = json.dumps(key, ensure_ascii=False, indent=1)
    write_atomically(out / "key.json", lambda part: part.write_text(text, encoding="utf8"))


def accepted(library: Library, prompt: str) -> list[list[str]]:
    """For each thing of a prompt the names that count as right."""
    scene = library.parse(prompt)
    return [synonyms(library, thing.name) for thing in scene.things] if scene else []


def synonyms(library: Library, name: str) -> list[str]:
    """Every word that means the same as a thing's name: its labels, names and tags."""
    found: dict[str, None] = {name: None}
    for i in library.named(name)[:1]:
        concept = library.concepts[i]
        found |= dict.fromkeys([concept["label"], concept["name"]])
        found |= dict.fromkeys([*concept["also"], *concept["tags"]])
    return list(found)


def right(guess: str, names: Sequence[str]) -> bool:
    """Whether a guess names the thing: the same word, in singular or plural, or its last word."""

    def forms(text: str) -> set[str]:
        text = re.sub(r"^(an?|the|some) ", "", text.lower().strip())
        words = {text, text.split()[-1]} if text else set()
        return words | {s for w in words for s in singulars(w)}

    return any(forms(guess) & forms(name) for name in names)


def score(key: Sequence[dict], names: dict[str, list[str]]) -> list[dict[str, object]]:
    """For each numbered picture what was asked, what was said, and whether the first guess or one
    of three is right; of two things both must be named, each by one of the guesses."""
    rows = []
    for item in key:
        guesses = names.get(str(item["number"]), [])[:3]
        flat = [g.split(" and ") if len(item["things"]) > 1 else [g] for g in guesses]

        def all_named(said: list[str], things: list[list[str]] = item["things"]) -> bool:
            return bool(things) and all(any(right(g, t) for g in said) for t in things)

        first = all_named(flat[0]) if flat else False
        three = all_named([g for some in flat for g in some])
        rows.append({**item, "guesses": guesses, "first": first, "three": three})
    return rows


@torch.no_grad()
def preference(
    guides: dict[str, ClipModel],
    shapes: ShapeJudge,
    pair: Pair,
    asked: Sequence[tuple[str, str, Image.Image, Image.Image]],
) -> dict[str, float]:
    """Share of (prompt, thing, drawing, painting) in which each guide finds the drawing more
    similar to the prompt, and the judge of shapes likelier to show the thing."""
    share = {}
    for name, guide in guides.items():
        better = []
        for prompt, _, drawing, painting in asked:
            text = encode_reading(guide, pair.read(prompt))
            a, b = (picture_encoding(guide, picture) for picture in (drawing, painting))
            better.append(torch.cosine_similarity(a, text) > torch.cosine_similarity(b, text))
        share[name] = float(np.mean([bool(b) for b in better]))
    better = [
        shapes.probability(d, thing) > shapes.probability(p, thing) for _, thing, d, p in asked
    ]
    return share | {"judge of shapes": float(np.mean(better))}


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    sheet = commands.add_parser("sheet", help="paint, shuffle, and write sheets and key")
    sheet.add_argument("out", type=Path)
    sheet.add_argument("--kind", choices=KINDS, default="single")
    prefer = commands.add_parser("preference", help="do guide and judges like drawings better?")
    for command in (sheet, prefer):
        command.add_argument("--count", type=int, default=48)
        command.add_argument("--seed", type=int, default=0, help="draws the prompts")
        command.add_argument("--settings", type=json.loads, default={}, help="changes, as JSON")
    count = commands.add_parser("score", help="open the key")
    count.add_argument("key", type=Path)
    count.add_argument("names", type=Path)
    count.add_argument("--sheet", default="paintings")
    args = parser.parse_args(argv)
    if args.command == "score":
        key = json.loads(args.key.read_text(encoding="utf8"))[args.sheet]
        rows = score(key, json.loads(args.names.read_text(encoding="utf8")))
        for row in rows:
            mark = "first" if row["first"] else "three" if row["three"] else "-"
            said = ", ".join(row["guesses"])
            print(f"{row['number']:3d}  {mark:5s}  {row['prompt']}  <-  {said}")
        first, three = (sum(bool(row[k]) for row in rows) for k in ("first", "three"))
        print(f"first guess {first} of {len(rows)}, among three {three}")
        return
    pair = load_pair("emoji", device="cpu")
    library = pair.library
    if args.command == "sheet":
        asked = prompts(args.kind, args.count, args.seed)
        sheets = {
            "paintings": lambda p: painted(pair, p, args.seed, **args.settings),
            "drawings": lambda p: ceiling(pair, p),
        }
        write_sheets(args.out, asked, sheets, library, seed=args.seed)
        return
    shown = []
    for thing, style, _ in tqdm(dressed(args.count), desc="paintings"):
        prompt = f"{style} {thing}"
        painting = painted(pair, prompt, args.seed, **args.settings)
        shown.append((prompt, thing, ceiling(pair, prompt), painting))
    guides = {"guide": pair.clip, "judge": load_judge("emoji", device="cpu")}
    share = preference(guides, load_shape_judge(device="cpu"), pair, shown)
    print(json.dumps({k: round(v, 3) for k, v in share.items()}))


if __name__ == "__main__":
    main()
