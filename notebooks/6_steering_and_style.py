# ---
# jupyter:
#   accelerator: GPU
#   jupytext:
#     notebook_metadata_filter: accelerator,kernelspec,jupytext,-jupytext.text_representation.jupytext_version
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Steering and style
#
# Badges for Colab, Kaggle, molab and Binder appear here once `make address REPO=owner/name` has set this repository's address.
#
# What a prompt alone does not say: where things stand, how strongly an attribute shows, which colours and which style;
# then a story, tiles, icons and a poster, and what to know before others see the pictures. `2_how_it_works`
# explains the parts.

# %% tags=["install"]
# Brings vqclip_nb unless it is here already. For another copy of it, change the next line.
REPOSITORY = "https://github.com/YOUR_NAME/vqclip_nb"
import contextlib, importlib.util, pathlib, re, socket, sys, urllib.request

if importlib.util.find_spec("vqclip_nb") is None:
    source = f"git+{REPOSITORY}"
    if pathlib.Path("../vqclip_nb").is_dir():
        source = pathlib.Path("..").resolve().as_uri()
    elif "google.colab" in sys.modules:  # it knows from which fork this notebook was opened
        with contextlib.suppress(Exception):
            asked = f"http://{socket.gethostbyname(socket.gethostname())}:9000/api/sessions"
            said = urllib.parse.unquote(urllib.request.urlopen(asked, timeout=3).read().decode())
            fork = re.search(r"(https://github.com/[\w.-]+/[\w.-]+)/blob/(.+?)/notebooks/", said)
            source = f"git+{fork[1]}@{fork[2]}"
    assert "com/YOUR_" not in source, "edit the line REPOSITORY = above: the address of your copy"
    get_ipython().run_line_magic("pip", f'install -q "vqclip_nb[train] @ {source}"')
    importlib.import_module("vqclip_nb")  # an error here: pip failed, and says why above

# %%
import matplotlib.pyplot as plt
import numpy as np
import torch
from PIL import Image, ImageDraw

# %%
import vqclip_nb as vq
from vqclip_nb.experiments.scores import mean_interval
from vqclip_nb.export import save_png
from vqclip_nb.images import open_image, to_data_url, to_pil, to_tensor
from vqclip_nb.show import contact_sheet

# %%
pair = vq.load_pair("emoji")
judge = vq.load_judge("emoji")


# %% [markdown]
# Most pictures here begin with a drawing of the pair's library, at 128×128: that is quick, and shows best what each
# control changes.

# %%
quick = dict(start="library", height=128, width=128, total_iter=13, crops=6)


def paint(**asked):
    return list(vq.Run(pair, vq.Settings(**{**quick, **asked})))[-1].image


# %% [markdown]
# ## Regions
# A prompt says what, not where. *Regions* are parts of the picture with prompts of their own: halves, corners, a box in
# shares of the picture, or a mask that is white there. CLIP is shown each of them alone, and the prompt has the rest.

# %%
places = [
    ["left: a cat", "right: a house"],
    ["0.1 0.35 0.6 0.95: a frog", "top right: a crown"],
]
placed = [paint(include="a light blue background", regions=regions) for regions in places]
contact_sheet(placed, [", ".join(regions) for regions in places], columns=2)

# %% [markdown]
# ## Attributes
# They have a strength. In CLIP's space one is the way from "a fox" to "a blue fox", gone as far as asked; the drawing that
# is begun with takes it on by as much.

# %%
asked = ["blue: 0", "blue: 0.5", "blue: 1"]
contact_sheet([paint(include="a fox", attributes=[a]) for a in asked], asked, columns=3)

# %%
asked = ["small: 1", "big: 0", "big: 1"]
contact_sheet([paint(include="a rocket", attributes=[a]) for a in asked], asked, columns=3)

# %%
asked = ["a 3d render", "a line drawing", "a sticker"]
contact_sheet([paint(include="a strawberry", attributes=[a]) for a in asked], asked, columns=3)

# %% [markdown]
# ## Palette
# The drawing that is begun with is painted over in the palette's colours, and a term of the objective keeps every pixel
# near one of them. Below each picture, the share of its pixels that are far from all.

# %%
from vqclip_nb.palettes import parse_colour

colours = ["navy", "gold", "white"]
wanted = np.array([parse_colour(colour) for colour in colours])


# %%
def far_off(image):  # share of the pixels
    away = np.asarray(image)[:, :, None] / 255 - wanted
    return (np.linalg.norm(away, axis=-1).min(-1) > 0.3).mean()


# %%
pictures = [paint(include="a rocket", palette=palette) for palette in ([], colours)]
contact_sheet(pictures, [f"{far_off(p):.0%} far off" for p in pictures], columns=2)

# %% [markdown]
# ## Style picture
# It gives its colours and textures: which features of the VQGAN's encoder come together in it, wherever they are (Gatys
# 2016). The lines of the drawing are kept.

# %%
stripes = Image.new("RGB", (128, 128), "#f7e9c6")
for x in range(-128, 256, 16):
    ImageDraw.Draw(stripes).line([(x, 0), (x + 128, 128)], fill="#1b3a6b", width=6)

# %%
dots = Image.new("RGB", (128, 128), "#ffd84d")
for x in range(0, 140, 12):
    for y in range(x // 2 % 12, 140, 12):
        ImageDraw.Draw(dots).ellipse([x - 4, y - 4, x + 4, y + 4], fill="#d8264f")

# %%
styles = [to_data_url(to_tensor(style)) for style in (stripes, dots)]
styled = [paint(include="a fox", style_image=style, total_iter=18) for style in styles]
names = ["style picture", "a fox in it"] * 2
contact_sheet([stripes, styled[0], dots, styled[1]], names, columns=4)

# %% [markdown]
# ## Start picture
# A sketch of two shapes, and the strawberry that becomes of it. The strength says how much of it is seen at the start, and
# here also how firmly its lines and areas are kept, as a share of the usual. Below each, how far it is from the sketch:
# mean difference of pixels, of 1.

# %%
sketch = Image.new("RGB", (128, 128), "white")
pen = ImageDraw.Draw(sketch)
pen.polygon([(24, 46), (64, 120), (104, 46), (64, 30)], fill=(215, 40, 40))
pen.polygon([(40, 40), (64, 14), (88, 40), (64, 52)], fill=(50, 150, 60))

# %%
strengths = [0.02, 0.1, 1.0]
begun = dict(include="a strawberry", init_image=to_data_url(to_tensor(sketch)), total_iter=18)
begun |= dict(finish=False)  # as large as the sketch
over = [paint(start_strength=s, keep_edges=40 * s, keep_colours=5 * s, **begun) for s in strengths]

# %%
away = [np.abs(np.asarray(p, float) - np.asarray(sketch)).mean() / 255 for p in over]
names = [f"strength {s:g}: {d:.2f}" for s, d in zip(strengths, away)]
contact_sheet([sketch, *over], ["the sketch", *names], columns=4)

# %% [markdown]
# ## A story as one film
# The prompt changes while the picture forms, and the picture is carried on: `loosen` says how far the new prompt may undo
# what is there.

# %%
story = ["an egg", "a hatching chick", "a rooster"]
told = {**quick, "total_iter": 48, "show_step": 2, "ema_decay": 0.5}
run = vq.Run(pair, vq.Settings(include=story[0], **told))
for frame in run:
    if frame.iteration in (15, 31):
        run.change(include=[story[(frame.iteration + 1) // 16]], loosen=0.3)

# %%
kept = run.frames[::2]
contact_sheet([f.image for f in kept], [f"step {f.iteration}" for f in kept], columns=7)

# %% [markdown]
# What the judge sees in these frames: each prompt has its time.

# %%
from vqclip_nb.experiments.scores import similarity

liked = {prompt: [similarity(judge, f.image, prompt) for f in kept] for prompt in story}

# %%
figure, axes = plt.subplots(figsize=(6, 2.6), layout="constrained")
for prompt, values in liked.items():
    axes.plot([f.iteration for f in kept], values, label=prompt)
axes.vlines((16, 32), 0, 0.5, color="gray", linestyle=":")
axes.set(xlabel="step", ylabel="judge's cosine similarity")
_ = axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))

# %%
import IPython

path = run.save_gif("story.gif", fps=15)
IPython.display.Image(filename=path)

# %% [markdown]
# ## Tiles without a seam
# Here the loop by hand, with two parts of our own. The latent goes on round its edges before it is painted, so that the
# decoder knows its neighbours on the other side; and CLIP sees the picture rolled to any place, so that no edge is special.

# %%
import torch.nn.functional as F

from vqclip_nb import latents, loop, objectives
from vqclip_nb.crops import create_crops


# %%
def wrapped(z):
    codes = pair.vqgan.quantize(F.pad(z, (4,) * 4, mode="circular"))
    picture = pair.vqgan.synthesize(codes, quantize=False)
    return picture[..., 32:-32, 32:-32], codes[..., 4:-4, 4:-4]


# %%
def rolled(picture, generator):
    by = torch.randint(0, picture.shape[-1], (2,), generator=generator).tolist()
    here = dict(method="anchored", generator=generator)
    return create_crops(picture.roll(by, (2, 3)), 8, pair.clip.resolution, **here)


# %%
def looped(text, generator):
    start = latents.noise((1, pair.vqgan.latent_channels, 12, 12), generator=generator)
    latent = latents.Latent(start)
    parts = (wrapped, rolled, pair.clip.encode_crops)
    wanted = objectives.prompt(pair.clip.encode_text([text]))
    optimizer = torch.optim.AdamW([latent.data], 0.2)
    return loop.Optimization(latent, *parts, wanted, optimizer, generator=generator)


# %%
text = "flowers on a dark green background"
run = looped(text, torch.Generator().manual_seed(0))
tile = [run.step() for _ in range(30)][-1].picture

# %%
usual = dict(start="noise", prior=0.0, height=96, width=96, learning_rate=0.2, total_iter=20)
plain = to_tensor(paint(include=text, **usual))
tiles = {"round its edges": tile, "painted without that": plain}
contact_sheet([to_pil(t.repeat(1, 1, 3, 3)[0]) for t in tiles.values()], list(tiles), inches=3)

# %% [markdown]
# Measured on pixels: how much the picture changes from its last column to its first, beside columns inside.

# %%
for name, t in tiles.items():
    edge = (t[..., 0] - t[..., -1]).abs().mean()
    inside = t.diff().abs().mean((0, 1, 2))
    print(f"{name}: {edge:.3f}; inside {inside.mean():.3f}, at most {inside.max():.3f}")

# %% [markdown]
# ## Icons in one style
# The style stands in the prompt. The white around each thing, as far as it hangs together with a corner, becomes
# transparent; the sheet is one PNG, with the mark that is read back below.

# %%
shown = ["a rocket", "a bell", "a key", "an anchor", "a guitar", "a lantern"]
run = vq.Run(pair, vq.Settings(include=[f"a sticker of {thing}" for thing in shown], **quick))
icons = {frame.index: frame.image for frame in run}


# %%
def cut_out(image, ground=(255, 0, 255)):
    filled = image.copy()
    for corner in ((0, 0), (127, 0), (0, 127), (127, 127)):
        ImageDraw.floodfill(filled, corner, ground, thresh=70)
    drawn = (to_tensor(filled) != torch.tensor(ground).view(3, 1, 1) / 255).any(1)
    image.putalpha(to_pil(drawn.float().expand(3, -1, -1)).convert("L"))
    return image


# %%
sheet = Image.new("RGBA", (3 * 128, 2 * 128))
for i, icon in icons.items():
    sheet.paste(cut_out(icon), (i % 3 * 128, i // 3 * 128))
path = save_png(sheet, "icons.png", run.recipe())

# %%
figure, axes = plt.subplots(1, 2, figsize=(8, 2.8), layout="constrained")
for at, colour in zip(axes, ("#1b3a5c", "#f4d58d")):
    at.imshow(sheet)
    at.set(facecolor=colour, title=f"on {colour}", xlabel="pixels")

# %% [markdown]
# ## A poster with a title
# A larger picture, and text set by matplotlib, which brings its own fonts.

# %%
text = "a rocket on a dark blue background"
run = vq.Run(pair, vq.Settings(include=text, **{**quick, "height": 192, "width": 160}))
large = list(run)[-1].image.resize((960, 1152), Image.Resampling.LANCZOS)

# %%
poster = plt.figure(figsize=(4.8, 6.4), facecolor="#0b1b3a")
axes = poster.add_axes((0, 0, 1, 0.9))
axes.imshow(large)
axes.axis("off")
poster.text(0.5, 0.92, "TO THE MOON", color="white", size=30, weight="bold", ha="center")
poster.savefig("poster.png", dpi=200)

# %%
path = save_png(open_image("poster.png"), "poster.png", run.recipe())
print(f"{path}: {open_image(path).width}×{open_image(path).height} pixels")

# %% [markdown]
# ## Before others see it
# **What the networks learned from**: the pair that ships from emoji of four open sets, see its card; the published pairs
# from ImageNet, and OpenAI's CLIP from 400 million pictures and texts of the web that were never published.
#
# A bias, measured: which words for people does this pair know at all?

# %%
people = "man woman boy girl king queen baby adult chef scientist nurse teacher police artist"
unknown = [word for word in people.split() if vq.unknown_words(pair, word)]
print("known:", ", ".join(word for word in people.split() if word not in unknown))
print("unknown:", ", ".join(unknown))

# %% [markdown]
# The emoji that show people were left out of its training, and what remains is lopsided: a man but no woman, a chef but no
# nurse. And when no colour is asked for, which one does "a face" get? Six seeds, from noise.

# %%
faces = [paint(include="a face", seed=seed, **usual) for seed in range(6)]
contact_sheet(faces, [f"a face, seed {seed}" for seed in range(6)], columns=6)

# %%
seen = torch.cat([to_tensor(face) for face in faces]).flatten(2)
drawn = (seen.amin(1, keepdim=True) < 0.8).float()  # what is not white
amounts = (seen * drawn).sum(2) / drawn.sum(2)  # (faces, 3)

# %%
means, halves = zip(*map(mean_interval, amounts.T))
figure, axes = plt.subplots(figsize=(5, 2.4), layout="constrained")
axes.errorbar(["red", "green", "blue"], means, halves, fmt="o", capsize=3)
axes.set(ylim=(0, 1), ylabel="of 1, in drawn pixels")
_ = axes.set(xlabel="mean and 95 % interval of six seeds")

# %% [markdown]
# Much red, some green, little blue, and narrow intervals: faces are yellow to orange unless you say otherwise, as on the
# emoji that the pair learned from. A style or a colour in the prompt is the remedy; nothing else here balances it.

# %% [markdown]
# **The mark**: every exported picture says, in the words of the press (IPTC), that an algorithm made it. It is read back
# from the file; a conversion or a screenshot loses it.

# %%
path = run.save_png("rocket.png")
print(Image.open(path, formats=["PNG"]).info["XML:com.adobe.xmp"])

# %% [markdown]
# **A check of prompts is not built**: a list of words stops few and many of the wrong ones, and someone who runs this
# notebook can remove it. Who hosts a public page with it should do what a list cannot: say what the pictures are, keep
# prompts and pictures apart from persons, let people report a picture, answer, and take it down.
