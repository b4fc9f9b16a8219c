"""Paints the pictures of README and docs.

    python -m docs.pictures forming objectives looks media places

forming: notebooks/images/forming.gif, four prompts side by side while they form. objectives:
docs/images/objectives.png, what each term of `objectives` does to one prompt. looks:
docs/images/looks.jpg, attributes, palettes and style pictures. media, places: docs/images/.
"""

import sys
from pathlib import Path

import torch
from PIL import Image

import vqclip_nb as vq
from training.eval_attributes import style_pictures
from vqclip_nb.emoji.caption_words import MEDIA_WORDS
from vqclip_nb.export import save_gif
from vqclip_nb.images import to_data_url, to_tensor
from vqclip_nb.objectives import areas, edges, palette, prompt, pull, smoothness, symmetry
from vqclip_nb.show import contact_sheet

ROOT = Path(__file__).resolve().parents[1]
FILM = [
    "a fox",
    "a boat on the sea at sunset",
    "a rocket on a dark blue background",
    "a deer in the forest",
]
TEXT = "a butterfly on a white background"
WARM = [(0.9, 0.3, 0.2), (0.98, 0.8, 0.3), (1, 1, 1), (0.2, 0.1, 0.1)]


def forming(pair: vq.Pair) -> None:
    how = dict(start="noise", height=256, width=256, show_step=2)
    runs = [vq.Run(pair, vq.Settings(include=[text], **how)) for text in FILM]
    for run in runs:
        list(run)
    frames = []
    for parts in zip(*(run.frames for run in runs), strict=True):
        images = [part.image.resize((192, 192), Image.Resampling.LANCZOS) for part in parts]
        frame = Image.new("RGB", (192 * len(images), 192))
        for i, image in enumerate(images):
            frame.paste(image, (192 * i, 0))
        frames.append(frame)
    save_gif(frames, ROOT / "notebooks/images/forming.gif", runs[0].recipe(), fps=12)


def objectives(pair: vq.Pair) -> None:
    common = dict(include=[TEXT], start="noise", prior=0.0, total_iter=80)
    drawing = pair.library.find(TEXT)
    z = vq.Run(pair, vq.Settings(**common)).painting.optimization.latent.data.clone()
    wanted = prompt(TEXT)
    terms = {
        f'prompt("{TEXT}")': wanted,
        'prompt(…, distance="spherical")': prompt(TEXT, distance="spherical"),
        '… - .5 * prompt("blue")': wanted - 0.5 * prompt("blue"),
        "… + 3 * smoothness()": wanted + 3 * smoothness(),
        "… + 2 * symmetry()": wanted + 2 * symmetry(),
        "… + 3 * palette(red, yellow, white, brown)": wanted + 3 * palette(*WARM),
        "… + 2 * pull(start)": wanted + 2 * pull(z),
        "… + 40 * edges(drawing) + 5 * areas(drawing)": wanted
        + 40 * edges(drawing.picture)
        + 5 * areas(drawing.picture),
    }
    images = []
    for objective in terms.values():
        run = vq.Run(pair, vq.Settings(**common), objective=objective)
        list(run)
        images.append(run.image)
    path = ROOT / "docs/images/objectives.png"
    contact_sheet(images, list(terms), columns=4, inches=1.8).savefig(path, dpi=100)


def looks(pair: vq.Pair) -> None:
    pictures = {k: to_data_url(to_tensor(p)) for k, p in style_pictures().items()}
    palettes = ["navy", "gold", "white"], ["pink", "dark purple", "turquoise", "cream"]
    asked = [("a fox", f"blue: {n}", dict(attributes=[f"blue: {n}"])) for n in (0, 0.25, 0.5, 1)]
    asked += [("a rocket", a, dict(attributes=[a])) for a in ("small: 1", "small: 0.5", "big: 1")]
    asked += [("a strawberry", a, dict(attributes=[a])) for a in ("a line drawing", "a 3d render")]
    asked += [("a strawberry", ", ".join(p), dict(palette=p)) for p in palettes]
    asked += [("a fox", f"in the style of {k}", dict(style_image=u)) for k, u in pictures.items()]
    images, titles = [], []
    for text, title, settings in asked:
        run = vq.Run(pair, vq.Settings(include=[text], **settings))
        list(run)
        images.append(run.image)
        titles.append(f"{text}\n{title}")
    figure = contact_sheet(images, titles, columns=5, inches=1.6)
    figure.savefig(ROOT / "docs/images/looks.jpg", dpi=100, pil_kwargs=dict(quality=88))


def media(pair: vq.Pair) -> None:
    things = "a fox,a castle,an owl,a frog,a rose,a guitar,a whale,a cat".split(",")
    things += ["a house", "a rooster", "a parrot"]
    asked = [f"{words[0]} {t}" for words, t in zip(MEDIA_WORDS.values(), things, strict=True)]
    sheet(pair, asked, "media.jpg")


def places(pair: vq.Pair) -> None:
    asked = (
        "a cat in the kitchen, a camel in the desert, an astronaut on the moon, "
        "a fox in an autumn forest, a tent in the forest at night, a knight in front of a castle, "
        "a dog and a cat in the living room, a lion in the savanna at sunset"
    )
    sheet(pair, asked.split(", "), "places.jpg")


def sheet(pair: vq.Pair, asked: list[str], name: str) -> None:
    images = []
    for text in asked:
        run = vq.Run(pair, vq.Settings(include=[text]))
        list(run)
        images.append(run.image)
    figure = contact_sheet(images, asked, columns=4, inches=2)
    figure.savefig(ROOT / "docs/images" / name, dpi=100, pil_kwargs=dict(quality=88))


if __name__ == "__main__":
    torch.set_num_threads(1)
    made = {"forming": forming, "objectives": objectives, "looks": looks, "media": media}
    made["places"] = places
    for name in sys.argv[1:] or made:
        made[name](vq.load_pair("emoji", device="cpu"))
