"""The whole method in one file, in the order of the report's figures 9 to 16.

    python docs/minimal.py "a pineapple on a white background" --out pineapple.gif

paints with the pair that ships; `--pair imagenet --size 448` with the report's own (1.3 GB are
downloaded once). Only the weights come from vqclip_nb, the networks from openai-clip and taming.
"""

import argparse

import clip
import torch
from PIL import Image
from torchvision import transforms

from vqclip_nb import load_pair

# Figure 9: parameters and helpers
parser = argparse.ArgumentParser(description="Text to image, as in the report.")
parser.add_argument("include", nargs="+", help="a picture is painted for each of these texts")
parser.add_argument("--exclude", default="", help="what the pictures should not look like")
parser.add_argument("--extras", default="", help="wanted in every picture")
parser.add_argument("--pair", default="emoji", help="imagenet for the report's networks")
parser.add_argument("--size", type=int, default=128, help="height and width in pixels")
parser.add_argument("--total-iter", type=int, default=110)
parser.add_argument("--out", default="minimal.gif")
args = parser.parse_args()
learning_rate, weight_decay, noise_factor = 0.5, 0.1, 0.22
alpha, beta, w1, w2 = 1, 0.5, 1, 1
crops, show_step = 30, 10
torch.manual_seed(0)


def norm_data(data):
    """Generator output, about [-1, 1], to pixel values in [0, 1]."""
    return (data.clip(-1, 1) + 1) / 2


def to_image(picture):
    """(1, 3, h, w) in [0, 1] to an image that can be saved."""
    return Image.fromarray((picture[0] * 255).byte().permute(1, 2, 0).cpu().numpy())


# Figures 10 and 11: CLIP and VQGAN, both frozen
pair = load_pair(args.pair)
device, clip_model, vqgan = pair.device, pair.clip.model, pair.vqgan


def quantize(z):
    """Each cell becomes the nearest code (3.1.4, 3.1.5); gradients pass straight through."""
    cells, codes = z.movedim(1, -1), vqgan.codebook.weight
    nearest = codes[torch.cdist(cells.flatten(0, 2), codes).argmin(1)].view(cells.shape)
    return z + (nearest.movedim(-1, 1) - z).detach()


def generator(z):
    """Latent (1, channels, h / f, w / f) to a picture (1, 3, h, w), about [-1, 1]."""
    x = vqgan.decoder(vqgan.post_quant_conv(quantize(z)))
    return torch.pixel_shuffle(
        x, vqgan.patch_size
    )  # the pair that ships paints 2 x 2 pixels at once


# Figure 12: the latent, which is all that is optimised
def init_params():
    side = args.size // vqgan.downsample_factor
    z = 0.5 * torch.randn(1, vqgan.latent_channels, side, side, device=device)
    params = torch.nn.Parameter(torch.sin(z))  # Table 1 compares other functions here
    return params, torch.optim.AdamW([params], lr=learning_rate, weight_decay=weight_decay)


# Figure 13: encodings of texts, random views of a picture
resolution = clip_model.visual.input_resolution
normalize = transforms.Normalize((0.481, 0.458, 0.408), (0.269, 0.261, 0.276))
augment = torch.nn.Sequential(
    transforms.RandomHorizontalFlip(),
    transforms.RandomAffine(30, (0.2, 0.2)),
    transforms.RandomResizedCrop(resolution, scale=(0.3, 1), ratio=(1, 1), antialias=True),
)


def encode_text(text):
    """(1, d), or 0 for no text."""
    tokens = clip.tokenize(text, context_length=clip_model.context_length).to(device)
    return clip_model.encode_text(tokens).detach() if text else 0


def create_crops(picture):
    """(1, 3, h, w) to (crops, 3, resolution, resolution), each turned, cut and noisy by chance."""
    views = torch.cat([augment(picture) for _ in range(crops)])
    return views + noise_factor * torch.rand_like(views[:, :1, :1, :1]) * torch.randn_like(views)


# Figure 14: the loss
def loss_of(params, wanted, unwanted):
    views = create_crops(norm_data(generator(params)))
    seen = clip_model.encode_image(normalize(views))  # (crops, d)
    loss = -alpha * torch.cosine_similarity(wanted, seen).mean()
    return loss + beta * torch.cosine_similarity(unwanted, seen).mean() if args.exclude else loss


# Figure 15: the training loop
def training_loop(wanted, unwanted):
    params, optimizer = init_params()
    for iteration in range(args.total_iter):
        loss = loss_of(params, wanted, unwanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if iteration % show_step == 0 or iteration == args.total_iter - 1:
            print(f"iteration {iteration}, loss {loss.item():.4f}")
            with torch.no_grad():
                yield to_image(norm_data(generator(params)))


# Figure 16: the prompts, and the GIF
extras, unwanted = encode_text(args.extras), encode_text(args.exclude)
wanted = [w1 * encode_text(text) + w2 * extras for text in args.include]
frames = [frame for one in wanted for frame in training_loop(one, unwanted)]
frames[0].save(args.out, save_all=True, append_images=frames[1:], duration=150, loop=0)
