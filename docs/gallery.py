"""Paints the gallery: twenty pictures with their code, and a row for every setting that shows.

    python -m docs.gallery            all of it, minutes
    python -m docs.gallery fox owl    these pictures and rows alone; the page is always made anew

Writes docs/gallery.md, docs/images/gallery/NAME.png with its recipe, and docs/images/rows/NAME.jpg.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageOps

import vqclip_nb as vq
from vqclip_nb.settings import KNOBS

IMAGES = Path(__file__).parent / "images"
# Every entry says all that it needs, so that no default can change it.
SIZE = dict(height=128, width=128, total_iter=40)
FORMING = SIZE | dict(start="noise", prior=1.0)
DRAWN = SIZE | dict(start="library", prior=0.0)
CLIP_ALONE = SIZE | dict(
    start="noise",
    prior=0.0,
    start_strength=1.0,
    keep_edges=0.0,
    keep_colours=0.0,
    learning_rate=0.2,
)
OTHER = str(IMAGES / "gallery" / "waves.png")

# name: (what it shows, settings, changes as {after so many steps: settings})
Entry = tuple[str, dict[str, Any], dict[int, dict[str, Any]]]
PICTURES: dict[str, Entry] = {
    "fox": ("formed from noise", FORMING | dict(include=["a fox"]), {}),
    "sunflower": ("a background", FORMING | dict(include=["a sunflower on a blue background"]), {}),
    "rocket": ("another seed", FORMING | dict(include=["a rocket"], seed=3), {}),
    "house": ("CLIP alone", CLIP_ALONE | dict(include=["a red house"]), {}),
    "butterfly": (
        "a medium in words",
        FORMING | dict(include=["a watercolour of a butterfly"], height=256, width=256),
        {},
    ),
    "octopus": ("from a drawing", DRAWN | dict(include=["an octopus"]), {}),
    "tiger": (
        "a style in words",
        DRAWN | dict(include=["a tiger"], extras="a line drawing"),
        {},
    ),
    "castle": ("the next drawing", DRAWN | dict(include=["a castle"], drawing=1), {}),
    "bear": (
        "a colour and a size",
        FORMING | dict(include=["a bear"], attributes=["blue: 0.8", "small: 0.6"]),
        {},
    ),
    "strawberry": (
        "a palette",
        FORMING | dict(include=["a strawberry"], palette=["navy", "gold", "white"]),
        {},
    ),
    "waves": ("the style picture of the next", FORMING | dict(include=["a water wave"]), {}),
    "parrot": (
        "in the style of that picture",
        FORMING | dict(include=["a parrot"], style_image=OTHER),
        {},
    ),
    "cat_and_house": (
        "regions",
        FORMING | dict(include=["a meadow"], regions=["left: a cat", "right: a house"], width=192),
        {},
    ),
    "apple_and_pear": (
        "one above the other",
        FORMING | dict(include=["an apple above a pear"]),
        {},
    ),
    "owl": ("two prompts, weighed", FORMING | dict(include=["an owl:2 | snow:1"]), {}),
    "guitar": (
        "another medium",
        FORMING | dict(include=["a neon sign of a guitar"], height=256, width=256),
        {},
    ),
    "whale": (
        "begun with a picture",
        DRAWN | dict(include=["a whale"], init_image=OTHER, start_strength=0.5, keep_edges=0.0),
        {},
    ),
    "dragon": ("few views", FORMING | dict(include=["a dragon"], crops=4), {}),
    "frog": (
        "steered from a fox to a frog",
        FORMING | dict(include=["a fox"], loosen=0.8),
        {15: dict(include=["a frog on a yellow background"])},
    ),
    "mushroom": ("an emoji as prompt", FORMING | dict(include=["🍄 on a pink background"]), {}),
}

LITTLE = dict(height=64, width=64, total_iter=20, crops=6)
FOX, TREE = LITTLE | dict(include=["a fox"]), LITTLE | dict(include=["a tree"])
LIBRARY, ALONE = DRAWN | FOX, CLIP_ALONE | FOX
STYLED = LIBRARY | dict(extras="a line drawing")
# setting: (what the row has in common, the values)
ROWS: dict[str, tuple[dict[str, Any], tuple]] = {
    "include": (DRAWN | LITTLE, (["a fox"], ["a fox:1 | snow:1"], ["a fox on a red background"])),
    "exclude": (CLIP_ALONE | TREE, ("", "green", "leaves")),
    "extras": (LIBRARY, ("", "a line drawing", "a 3d render")),
    "regions": (LIBRARY, ([], ["left: a cat"], ["top: a rocket", "bottom: a house"])),
    "region_weight": (LIBRARY | dict(regions=["left: a cat"]), (0.0, 1.0, 5.0)),
    "attributes": (LIBRARY, ([], ["blue: 0.5"], ["blue: 1", "small: 1"])),
    "palette": (LIBRARY, ([], ["navy", "gold", "white"], ["pink", "purple"])),
    "palette_weight": (LIBRARY | dict(palette=["navy", "gold", "white"]), (0.0, 3.0, 30.0)),
    "style_image": (LIBRARY, ("", OTHER, str(IMAGES / "gallery" / "strawberry.png"))),
    "style_image_weight": (LIBRARY | dict(style_image=OTHER), (0.0, 6.0, 60.0)),
    "learning_rate": (ALONE, (0.02, 0.2, 1.0)),
    "total_iter": (ALONE, (5, 20, 60)),
    "activation": (ALONE | dict(activation_at="every step"), ("none", "tanh", "softmax")),
    "activation_at": (ALONE | dict(activation="relu"), ("start", "every step")),
    "noise_factor": (ALONE, (0.0, 0.22, 1.0)),
    "crops": (ALONE, (1, 6, 24)),
    "crop_method": (ALONE, ("anchored", "report", "cutouts")),
    "height": (LIBRARY, (48, 64, 96)),
    "width": (LIBRARY, (48, 64, 96)),
    "seed": (ALONE, (0, 1, 2)),
    "tries": (ALONE, (1, 2, 4)),
    "weight_decay": (ALONE, (0.0, 0.1, 2.0)),
    "quantize": (ALONE, (True, False)),
    "within_codebook": (ALONE, (False, True)),
    "distance": (ALONE, ("cosine", "spherical")),
    "ema_decay": (ALONE, (0.0, 0.9, 0.98)),
    "finish": (FORMING | FOX, (False, True)),
    "w1": (STYLED, (0.2, 1.0, 4.0)),
    "w2": (STYLED, (0.2, 1.0, 4.0)),
    "alpha": (LIBRARY, (0.1, 1.0, 10.0)),
    "beta": (CLIP_ALONE | TREE | dict(exclude="green"), (0.0, 0.5, 2.0)),
    "start": (SIZE | FOX | dict(prior=0.0), ("noise", "library", "prior")),
    "drawing": (LIBRARY, (0, 1, 2)),
    "init_image": (LIBRARY | dict(keep_edges=0.0), ("", OTHER)),
    "start_strength": (LIBRARY, (0.0, 0.2, 1.0)),
    "keep_edges": (LIBRARY, (0.0, 5.0, 40.0)),
    "keep_colours": (LIBRARY, (0.0, 5.0, 40.0)),
    "prior": (FORMING | dict(include=["a fox"]), (0.0, 0.5, 1.0)),
    "loosen": (LIBRARY, (0.0, 0.5, 1.0)),
}
STEER = {8: dict(include=["a frog on a yellow background"])}  # what `loosen` is seen by
UNSEEN = {  # settings that change no picture here
    "precision": "on a CPU it is the speed that changes",
    "random": "on a CPU both are the same",
    "show_step": "which frames are kept",
    "show_from": "which frames are kept",
}


def paint(pair: vq.Pair, settings: dict[str, Any], changes: dict[int, dict[str, Any]]) -> vq.Run:
    run = vq.Run(pair, vq.Settings(**settings))
    for frame in run:
        if change := changes.get(frame.iteration):
            run.change(**change)
    return run


def code(name: str) -> str:
    """The lines that paint a picture of the gallery, as the page shows them."""
    _, settings, changes = PICTURES[name]
    given = [f"    {k}={short(v)},\n" for k, v in settings.items()]
    text = f"settings = vq.Settings(\n{''.join(given)})\nrun = vq.Run(pair, settings)\n"
    text += "for frame in run:\n"
    for at, change in changes.items():
        asked = ", ".join(f"{k}={short(v)}" for k, v in change.items())
        text += f"    if frame.iteration == {at}:\n        run.change({asked})\n"
    if not changes:
        text += "    pass\n"
    return text + f'run.save_png("{name}.png")\n'


def short(value: Any) -> str:
    """A value as code; of a path of ours the name."""
    if isinstance(value, str) and value.startswith(str(IMAGES)):
        value = Path(value).name
    return repr(value).replace("'", '"')


def row(pair: vq.Pair, name: str) -> Image.Image:
    """Small pictures side by side, one for each value of a setting."""
    common, values = ROWS[name]
    changes = STEER if name == "loosen" else {}
    sheet = Image.new("RGB", (100 * len(values) - 4, 96), "white")
    for i, value in enumerate(values):
        painted = paint(pair, common | {name: value}, changes).image
        assert painted
        image = ImageOps.contain(painted, (96, 96), Image.Resampling.LANCZOS)
        sheet.paste(image, (100 * i + (96 - image.width) // 2, (96 - image.height) // 2))
    return sheet


def page() -> str:
    text = """# Gallery

Each picture holds its recipe: save it, and `vq.replay("fox.png", pair)` paints it again, to the
same bytes on the same machine. `python -m docs.gallery` makes this page. All of them begin with

```python
import vqclip_nb as vq

pair = vq.load_pair("emoji")
```

"""
    for name, (title, _, _) in PICTURES.items():
        text += f"## {name.replace('_', ' ').capitalize()}: {title}\n\n"
        text += f"![{title}](images/gallery/{name}.png)\n\n```py\n{code(name)}```\n\n"
    text += "## One setting, three values\n\n"
    text += "Everything else stays the same within a row.\n\n| setting | values | pictures |\n"
    text += "|---|---|---|\n"
    painted = {path.stem for path in (IMAGES / "rows").glob("*.jpg")}
    for name, (_, values) in ((k, v) for k, v in ROWS.items() if k in painted):
        said = " · ".join(f"`{short(v)}`".replace("|", "\\|") for v in values)
        text += f"| `{name}` | {said} | ![{name}](images/rows/{name}.jpg) |\n"
    if missing := [f"`{name}`" for name in ROWS if name not in painted]:
        text += f"\nNot painted yet (`python -m docs.gallery NAME`): {', '.join(missing)}.\n"
    unseen = "; ".join(f"`{name}` ({why})" for name, why in UNSEEN.items())
    return f"{text}\nThese change no picture: {unseen}.\n"


def main(names: list[str]) -> None:
    torch.set_num_threads(1)
    pair = vq.load_pair("emoji", device="cpu")
    for folder in ("gallery", "rows"):
        (IMAGES / folder).mkdir(parents=True, exist_ok=True)
    for name, (_, settings, changes) in PICTURES.items():
        if not names or name in names:
            print(paint(pair, settings, changes).save_png(IMAGES / "gallery" / f"{name}.png"))
    for name in ROWS:
        if not names or name in names:
            row(pair, name).save(IMAGES / "rows" / f"{name}.jpg", quality=88)
            print(name)
    (Path(__file__).parent / "gallery.md").write_text(page(), "utf8", newline="\n")


assert {*ROWS, *UNSEEN} == {f.name for f in dataclasses.fields(vq.Settings)} == {*KNOBS}

if __name__ == "__main__":
    main(sys.argv[1:])
