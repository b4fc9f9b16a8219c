"""Paints docs/images/objectives.png: what each term of `objectives` does to one prompt."""

from pathlib import Path

import torch

import vqclip_nb as vq
from vqclip_nb.objectives import areas, edges, palette, prompt, pull, smoothness, symmetry
from vqclip_nb.show import contact_sheet

TEXT = "a butterfly on a white background"
WARM = [(0.9, 0.3, 0.2), (0.98, 0.8, 0.3), (1, 1, 1), (0.2, 0.1, 0.1)]


def main() -> None:
    torch.set_num_threads(1)
    pair = vq.load_pair("emoji", device="cpu")
    common = dict(include=[TEXT], start="noise", total_iter=80)
    drawing = pair.library.find(TEXT)
    z = vq.Run(pair, vq.Settings(**common)).painting.optimization.latent.data.clone()
    wanted = prompt(TEXT)
    objectives = {
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
    for objective in objectives.values():
        run = vq.Run(pair, vq.Settings(**common), objective=objective)
        list(run)
        images.append(run.image)
    path = Path(__file__).parent / "images" / "objectives.png"
    contact_sheet(images, list(objectives), columns=4, inches=1.8).savefig(path, dpi=100)


if __name__ == "__main__":
    main()
