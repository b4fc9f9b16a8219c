"""Paint with the generator of `train_tokens`: random points, moved by the guide alone.

    python -m training.paint_tokens RUN SHEET.png "a fox" "an owl"

No drawing is looked up, no prior draws: several starts side by side follow the guide's gradient in
the space of the latent, and the half that it likes less is left behind twice. RUN is the folder
that the training wrote. Twenty CPU seconds a picture.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file

from vqclip_nb.images import norm_data, to_pil
from vqclip_nb.loading import load_pair
from vqclip_nb.models.pair import Pair

from .human_eval import numbered
from .train_tokens import Decoder, rounded

STARTS, STEPS, THINNED = 6, 120, (30, 60)  # points, steps, and after which of these half go
RATE, NOISE, VIEWS = 0.06, 0.05, 3
TOLD = 32 + 2  # of the decoder's inputs, beside the latent: style and place


def load_decoder(run: Path, pair: Pair) -> Decoder:
    """What the training of `run` made of it so far."""
    state = load_file(run / "tokens.safetensors")
    own = {k.removeprefix("decoder."): v.float() for k, v in state.items() if "decoder." in k}
    channels, numbers = pair.vqgan.latent_channels, own["into.weight"].shape[1] - TOLD
    decoder = Decoder(channels, numbers, len(own["style.weight"]), len(own["into.weight"]))
    decoder.load_state_dict(own)
    return decoder.eval()


def paint(decoder: Decoder, pair: Pair, prompt: str, seed: int = 0, style: int = 0) -> Image.Image:
    """The point that the guide finds most like a prompt, as a picture."""
    generator = torch.Generator().manual_seed(seed)
    wanted, spread = pair.clip.encode_text([prompt]), pair.vqgan.codebook.weight.detach().std()
    numbers, side = decoder.into.in_features - TOLD, pair.clip.resolution
    z = torch.randn(STARTS, numbers, generator=generator).mul(0.5).requires_grad_()
    optimizer = torch.optim.Adam([z], lr=RATE)
    for step in range(STEPS):
        noise = NOISE * torch.randn(z.shape, generator=generator)
        where = torch.full((len(z),), style), torch.zeros(len(z), 2)
        codes = pair.vqgan.quantize(decoder(rounded(z.tanh()) + noise, *where) * spread)
        picture = norm_data(pair.vqgan.decode(codes))
        views = []
        for _ in range(VIEWS):
            width = int(
                picture.shape[3] * float(torch.empty(1).uniform_(0.75, 1, generator=generator))
            )
            x, y = torch.randint(0, picture.shape[3] - width + 1, (2,), generator=generator)
            view = picture[..., y : y + width, x : x + width]
            views.append(F.interpolate(view, (side, side), mode="bilinear", antialias=True))
        seen = pair.clip.encode_image(torch.cat(views))
        alike = torch.cosine_similarity(seen, wanted).view(VIEWS, -1).mean(0)
        optimizer.zero_grad()
        (-alike.sum()).backward()
        optimizer.step()
        if step + 1 in THINNED:
            best = alike.argsort(descending=True)[: max(1, len(z) // 2)]
            z = z.detach()[best].clone().requires_grad_()
            optimizer = torch.optim.Adam([z], lr=RATE)
    return to_pil(picture.detach()[int(alike.argmax())])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("sheet", type=Path, metavar="SHEET")
    parser.add_argument("prompts", nargs="+")
    given = parser.parse_args()
    pair = load_pair("emoji", device="cpu")
    decoder = load_decoder(given.run, pair)
    numbered([paint(decoder, pair, text) for text in given.prompts]).save(given.sheet)
