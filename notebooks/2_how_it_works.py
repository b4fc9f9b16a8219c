# ---
# jupyter:
#   jupytext:
#     notebook_metadata_filter: kernelspec,jupytext,-jupytext.text_representation.jupytext_version
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
# # How it works
#
# Two networks and one loop. A **VQGAN** can turn a small grid of numbers, the *latent*, into a picture.
# **CLIP** can say how well a picture fits a text. The loop asks CLIP in which direction the latent should
# move so that the picture fits better, moves it a little, and asks again.
#
# This notebook opens both networks and looks inside. It needs no GPU and no download; about a minute.

# %% tags=["install"]
# Brings vqclip_nb unless it is here already. For another copy of it, change the next line.
REPOSITORY = "https://github.com/YOUR_NAME/vqclip_nb"
import contextlib, importlib.util, pathlib, re, socket, sys, urllib.request

if importlib.util.find_spec("vqclip_nb") is None:
    source = f"git+{REPOSITORY}"
    if "google.colab" in sys.modules:  # it knows from which fork this notebook was opened
        with contextlib.suppress(Exception):
            asked = f"http://{socket.gethostbyname(socket.gethostname())}:9000/api/sessions"
            said = urllib.parse.unquote(urllib.request.urlopen(asked, timeout=3).read().decode())
            fork = re.search(r"(https://github.com/[\w.-]+/[\w.-]+)/blob/([\w.-]+)/", said)
            source = f"git+{fork[1]}@{fork[2]}"
    if pathlib.Path("../vqclip_nb").is_dir():
        source = pathlib.Path("..").resolve().as_uri()
    get_ipython().run_line_magic("pip", f'install -q "vqclip_nb[train] @ {source}"')

# %%
import matplotlib.pyplot as plt
import torch
from vqclip_nb.vqgan import norm_data

import vqclip_nb as vq
from vqclip_nb.crops import create_crops
from vqclip_nb.prompts import open_picture
from vqclip_nb.show import contact_sheet, show_from_tensor

pair = vq.load_pair("emoji")

# %% [markdown]
# Something to look at first: three pictures, painted by the loop that the rest of the notebook explains.

# %%
texts = [
    "a pineapple on a white background",
    "a sunflower on a blue background",
    "a fire on a black background",
]
run = vq.watch(vq.Run(pair, vq.Settings(include=texts, total_iter=40)))
pictures = [[f for f in run.frames if f.index == i][-1].image for i in range(len(texts))]

# %% [markdown]
# ## VQGAN
# ### Image preprocessing
# A picture becomes a tensor of a fixed size with values between -1 and 1. Put the path of a picture of your
# own here to see what the network makes of it.

# %%
pictures[0].save("picture.png")
picture = open_picture("picture.png", (128, 128)).to(pair.device)
x = picture * 2 - 1
print("shape", tuple(x.shape), "from", round(x.min().item(), 2), "to", round(x.max().item(), 2))

# %% [markdown]
# ### Encoder
# Convolutions shrink the picture to a grid and give every cell of it a vector: the latent.

# %%
z = pair.vqgan.encode(picture)
print(
    f"{tuple(picture.shape)} becomes {tuple(z.shape)}: one vector for {pair.vqgan.step}×{pair.vqgan.step} pixels"
)

# %% [markdown]
# ### Codebook quantization
# The codebook is a list of vectors that training found useful. Each cell is compared with all of them and
# gets the number of its nearest neighbour, so the whole picture is now a small table of numbers.

# %%
codes = pair.vqgan.nearest(z)
print(
    f"{codes.numel()} cells, {codes.unique().numel()} different codes of {len(pair.vqgan.codebook.weight)}"
)
_ = plt.matshow(codes[0].cpu())

# %% [markdown]
# ### Codebook replacement
# The vectors behind those numbers take the place of the encoder's own. What is lost is the distance between
# the two; gradients pass as if nothing had happened (the *straight-through estimator*).

# %%
z_q = pair.vqgan.quantize(z)
print("mean distance to the nearest code:", round((z - z_q).norm(dim=1).mean().item(), 3))

# %% [markdown]
# ### Decoder and output images
# The decoder paints from the vectors. Left the picture, then painted from the encoder's latent, then from
# the codes, then from codes drawn at random: even those look like something, because that is all it learned.

# %%
random = pair.vqgan.codebook.weight[
    torch.randint(len(pair.vqgan.codebook.weight), (1, *codes.shape[1:]))
].movedim(-1, 1)
painted = torch.cat(
    [picture, *(norm_data(pair.vqgan.decode(latent)) for latent in (z, z_q, random))], 3
)
show_from_tensor(painted[0])

# %% [markdown]
# ## CLIP
# ### Preprocessing
# Pictures are resized to the side that CLIP takes and their colours normalised; texts are cut into tokens.

# %%
from vqclip_nb.pairs import import_clip

tokens = import_clip().tokenize(texts, context_length=pair.clip.context_length)
print(
    "pictures:",
    pair.resolution,
    "pixels square; tokens of",
    repr(texts[0]),
    tokens[0][tokens[0] > 0].tolist(),
)

# %% [markdown]
# ### Image encoder, text encoder, embedding space
# Each encoder ends in a vector of the same length, so that a picture and a text can be compared by the angle
# between them. Rows are pictures, columns are texts; the brightest cell of a row should be on the diagonal.

# %%
side = (pair.resolution, pair.resolution)
for i, p in enumerate(pictures):
    p.save(f"picture{i}.png")
images = pair.encode_image(
    torch.cat([open_picture(f"picture{i}.png", side) for i in range(3)]).to(pair.device)
)
similarity = torch.cosine_similarity(images[:, None], pair.encode_text(texts)[None], dim=-1)

# %%
figure, axes = plt.subplots(figsize=(5, 4))
_ = axes.imshow(similarity.cpu())
_ = (
    axes.set_xticks(range(3), texts, rotation=20),
    axes.set_yticks(range(3), [f"picture {i}" for i in range(3)]),
)

# %% [markdown]
# ### Contrastive loss
# CLIP was trained on such tables: in every row and every column the right partner had to win. The loss is the
# cross-entropy of that choice, both ways; chance would be log(3) = 1.1.

# %%
logits, truth = pair.clip.logit_scale.exp() * similarity, torch.arange(3, device=pair.device)
loss = (
    torch.nn.functional.cross_entropy(logits, truth)
    + torch.nn.functional.cross_entropy(logits.T, truth)
) / 2
print("contrastive loss", round(loss.item(), 3))

# %% [markdown]
# ### Inference
# With classes written as texts, CLIP names what it sees without ever having been trained for these classes.

# %%
classes = "a pineapple, a green apple, a sunflower, a rose, a fire, a dog, a house".split(", ")
names = pair.encode_text(classes)
chance = (100 * torch.cosine_similarity(images[:, None], names[None], dim=-1)).softmax(1)
for i, row in enumerate(chance):
    print(
        f"picture {i}:",
        ", ".join(f"{classes[j]} {row[j]:.0%}" for j in row.argsort(descending=True)[:3]),
    )

# %% [markdown]
# ## The loop
# One step, slowly. The latent is painted, CLIP looks at random noisy crops of it, the loss is the negative
# similarity, and its gradient says how each number of the latent should change.

# %%
run = vq.Run(pair, vq.Settings(include=texts[:1], total_iter=30))
picture = norm_data(pair.vqgan.decode(pair.vqgan.quantize(run.params())))
crops = create_crops(
    picture, 8, pair.resolution, method="anchored", generator=torch.Generator().manual_seed(0)
)
show_from_tensor(torch.cat(list(crops.detach()), 2))

# %%
loss = -torch.cosine_similarity(pair.encode_image(crops), run.encodings.include[0]).mean()
loss.backward()
_ = plt.matshow(run.params.data.grad.norm(dim=1)[0].cpu())
print("loss", round(loss.item(), 3), "- brighter cells want to change more")

# %% [markdown]
# Thirty such steps, every fifth shown. In `1_studio` you can watch and steer them.

# %%
frames = [frame for frame in run if frame.shown]
contact_sheet([f.image for f in frames], [f"step {f.iteration}, loss {f.loss:.2f}" for f in frames])
