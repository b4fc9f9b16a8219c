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
# # Looking inside
#
# Five short studies beside the report's chapters 2 and 6: which part of a picture speaks for which word, the game that
# GANs play, tiles without a seam, a story told as one film, and what to know before others see your pictures. Each runs
# here, and says how far it can be trusted. Under four minutes on two cores; `2_how_it_works` explains the parts.

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
import torch.nn.functional as F
from torch import nn

# %%
import vqclip_nb as vq
from vqclip_nb import latents, loop, objectives
from vqclip_nb.experiments.intervals import mean_interval
from vqclip_nb.experiments.scores import similarity as score
from vqclip_nb.pictures import to_pil, to_tensor
from vqclip_nb.show import contact_sheet

# %%
pair = vq.load_pair("emoji")
judge = vq.load_judge("emoji")

# %% [markdown]
# ## Which part speaks for which word
# A scene of two things, put together from two pictures, so that the right answer is known: each word should point to its
# own half. First the things.

# %%
things = "a pineapple, a sunflower, a fire, a dog, a house, a fish, a rose, a carrot, a crab"
things = [*things.split(", "), "a cupcake"]
run = vq.Run(pair, vq.Settings(include=things, total_iter=30, crops=8))
last = {frame.index: frame for frame in run}
pictures = torch.cat([to_tensor(frame.image) for frame in last.values()])


# %%
def scene(left, right):
    both = F.interpolate(pictures[[left, right]], (64, 64), mode="bilinear", antialias=True)
    return F.pad(torch.cat([both[:1], both[1:]], 3), (0, 0, 32, 32), value=1.0)


contact_sheet([to_pil(scene(i, i + 1)[0]) for i in range(9)], columns=9)


# %% [markdown]
# **Occlusion**: cover a window with white, and see how much less CLIP likes the word. What is missed, spoke for it.
# A pixel's value is the mean over all windows that cover it.


# %%
def look(picture, clip=pair.clip):
    small = F.interpolate(picture, (clip.resolution,) * 2, mode="bilinear", antialias=True)
    return F.normalize(clip.encode_image(small), dim=-1)


# %%
corners = torch.cartesian_prod(*[torch.arange(-24, 105, 12)] * 2)[:, :, None]
inside = (torch.arange(128) >= corners) & (torch.arange(128) < corners + 48)  # (windows, 2, 128)
masks = (inside[:, 0, :, None] & inside[:, 1, None, :]).float()[:, None]


# %%
@torch.no_grad()
def occlusion(picture, words, clip=pair.clip):
    read = F.normalize(clip.encode_text(words), dim=-1).T
    covered = picture * (1 - masks) + masks
    missed = look(picture, clip) @ read - look(covered, clip) @ read
    return torch.einsum("nt,nchw->thw", missed, masks) / masks.sum(0)


# %% [markdown]
# **Gradient**: how much each pixel's distance from white counts for the word, on the straight way from a white picture to
# this one (*integrated gradients*, Sundararajan 2017), smoothed over 17 pixels.


# %%
def gradients(picture, words, clip=pair.clip):
    way = torch.linspace(0.05, 1, 16).view(-1, 1, 1, 1)
    on_way = torch.lerp(torch.ones_like(picture), picture, way).requires_grad_()
    liked = (look(on_way, clip) @ F.normalize(clip.encode_text(words), dim=-1).T).mean(0)
    found = [torch.autograd.grad(word, on_way, retain_graph=True)[0].sum(0) for word in liked]
    return F.avg_pool2d(((picture - 1) * torch.stack(found)).sum(1), 17, 1, 8)


# %%
def draw(name, picture, words, grids):
    figure, axes = plt.subplots(1, 3, figsize=(9, 2.8), layout="constrained")
    axes[0].imshow(to_pil(picture[0])), axes[0].set(title="the scene", xlabel="pixels")
    for at, word, grid in zip(axes[1:], words, grids):
        shown = at.imshow(grid, cmap="RdBu_r", norm=CenteredNorm())
        (
            figure.colorbar(shown, label="change of cosine"),
            at.set(title=f"{name}: {word}", xlabel="pixels"),
        )


# %%
from matplotlib.colors import CenteredNorm

picture, words = scene(3, 1), [things[3], things[1]]
draw("occlusion", picture, words, occlusion(picture, words))
draw("gradient", picture, words, gradients(picture, words))


# %% [markdown]
# Red speaks for the word, blue against it. How often is that right? The share of a map's red that lies on the half where
# the thing is: 50 % would be guessing.


# %%
def right_half(grids):
    red = grids.clamp(min=0)
    left = red[..., :64].sum((1, 2)) / red.sum((1, 2))
    return [left[0].item(), 1 - left[1].item()]


# %%
def compared(grids):  # a word's map less the other word's
    return grids - grids.flip(0)


# %%
shares, ways = {}, {"occlusion": occlusion, "gradient": gradients}
for left, right in [(i, (i + k) % 10) for k in (1, 4) for i in range(10)]:
    for name, method in ways.items():
        grids = method(scene(left, right), [things[left], things[right]])
        shares.setdefault(name, []).extend(right_half(grids))
        shares.setdefault(f"{name}, less the other's", []).extend(right_half(compared(grids)))


# %%
found = {name: mean_interval(values) for name, values in shares.items()}
figure, axes = plt.subplots(figsize=(7, 2.2), layout="constrained")
for name, (mean, half) in found.items():
    axes.errorbar(100 * mean, f"{name}: {mean:.0%}", xerr=100 * half, fmt="o", capsize=3)
axes.axvline(50, color="gray"), axes.invert_yaxis(), axes.grid(alpha=0.3)
_ = axes.set(xlabel="% of a map on its half; mean and 95 % interval of 40", xlim=(40, 100))


# %% [markdown]
# Occlusion can be trusted more than the gradient here, and the difference of two words more than one word alone: part of
# what a map shows is that *something* is there.
#
# ## A game of two networks
# The report's chapter 2 begins with GANs (Goodfellow 2014). A *generator* makes things out of random numbers; a
# *discriminator* learns to tell them from real ones; each learns from the other's answers. First with points on a plane,
# in eight heaps.


# %%
def play(real, D, G, steps, batch, penalty, numbers, look_at):
    players = [torch.optim.Adam(net.parameters(), 1e-3, (0.0, 0.99)) for net in (D, G)]
    losses, seen, same = [], [], torch.randn(500, numbers)
    for step in range(steps):
        random = torch.randn(batch, numbers)
        losses.append(one_round(real(batch), random, D, G, players, penalty))
        seen += [G(same).detach()] if step in look_at else []
    return losses, seen


# %%
def one_round(real, random, D, G, players, penalty):
    fake, judged = G(random), D(real.requires_grad_())
    d_loss = F.softplus(-judged).mean() + F.softplus(D(fake.detach())).mean()
    (slope,) = torch.autograd.grad(judged.sum(), real, create_graph=True)
    update(players[0], d_loss + penalty * slope.flatten(1).square().sum(1).mean())
    g_loss = F.softplus(-D(fake)).mean()
    update(players[1], g_loss)
    return d_loss.item(), g_loss.item()


# %%
def update(player, loss):
    player.zero_grad(), loss.backward(), player.step()


# %% [markdown]
# The discriminator's loss is the logistic one of the paper; the generator wants its things to be taken for real. The
# penalty on the discriminator's slope (Mescheder 2018) is what keeps the game from running off: without it, the heaps are
# chased one after the other.


# %%
def heaps(n):
    turn = torch.randint(0, 8, (n, 1)) * torch.pi / 4
    return torch.cat([turn.cos(), turn.sin()], 1) + 0.05 * torch.randn(n, 2)


# %%
def layers(i, o):
    inner = [nn.LeakyReLU(0.2), nn.Linear(128, 128), nn.LeakyReLU(0.2)]
    return nn.Sequential(nn.Linear(i, 128), *inner, nn.Linear(128, o))


# %%
torch.manual_seed(0)
stops = (0, 200, 1000, 2999)
losses, seen = play(heaps, layers(2, 1), layers(8, 2), 3000, 256, 0.01, 8, stops)

# %%
figure, axes = plt.subplots(1, 5, figsize=(13, 2.6), layout="constrained")
for at, points, stop in zip(axes, seen, stops):
    at.scatter(*heaps(300).T, s=1, color="lightgray"), at.scatter(*points.T, s=2)
    at.set(title=f"step {stop}", xlim=(-1.6, 1.6), ylim=(-1.6, 1.6), xlabel="x", ylabel="y")
axes[4].plot(losses, linewidth=0.5, label=["discriminator", "generator"]), axes[4].legend()
_ = axes[4].set(xlabel="step", ylabel="loss")

# %% [markdown]
# At 2 log 2 = 1.39 and log 2 = 0.69 the losses say that the discriminator guesses: nobody can tell the points apart. They
# do not say how good the points are; you have to look. Now small icons of one colour, discs, squares and diamonds.


# %%
def icons(n):
    middle, size = 0.5 * torch.rand(2, n, 1, 1) - 0.25, 0.35 + 0.3 * torch.rand(n, 1, 1)
    y, x = torch.linspace(-1, 1, 16).view(-1, 1) - middle[0], torch.linspace(-1, 1, 16) - middle[1]
    disc, square, diamond = (x**2 + y**2).sqrt(), x.abs().maximum(y.abs()), x.abs() + y.abs()
    shape = torch.stack([disc, square, diamond])[torch.randint(0, 3, (n,)), torch.arange(n)]
    return (10 * (size - shape)).tanh()[:, None]


# %%
def conv(i, o, *size):
    return nn.Conv2d(i, o, *size)


D = nn.Sequential(conv(1, 32, 4, 2, 1), nn.LeakyReLU(0.2), conv(32, 64, 4, 2, 1), nn.LeakyReLU(0.2))
D = D.extend([nn.Flatten(), nn.Linear(1024, 1)])

# %%
G = nn.Sequential(
    nn.Linear(16, 1024), nn.ReLU(), nn.Unflatten(1, (64, 4, 4)), nn.Upsample(scale_factor=2)
)
G = G.extend([conv(64, 64, 3, 1, 1), nn.ReLU(), nn.Upsample(scale_factor=2)])
G = G.extend([conv(64, 32, 3, 1, 1), nn.ReLU(), conv(32, 1, 3, 1, 1), nn.Tanh()])

# %%
torch.manual_seed(0)
stops = (50, 200, 799)
losses, seen = play(icons, D, G, 800, 64, 0.5, 16, stops)

# %%
shown = [icon for row in [icons(9), *seen] for icon in row[:9]]
titles = [t for name in ["real", *(f"step {s}" for s in stops)] for t in [name] * 9]
contact_sheet([to_pil((0.5 - i / 2).expand(3, -1, -1)) for i in shown], titles, columns=9, inches=1)

# %%
figure, axes = plt.subplots(figsize=(6, 2.2), layout="constrained")
axes.plot(losses, linewidth=0.6, label=["discriminator", "generator"])
_ = axes.set(xlabel="step", ylabel="loss"), axes.legend(), axes.grid(alpha=0.3)

# %% [markdown]
# The same game is inside the VQGAN: while it was trained, a discriminator looked at patches of its pictures, so that they
# came out sharp and not as the average of what could be there. That is what GAN in its name means; when a prompt is
# painted, nothing plays any more, and no network learns.
#
# ## Tiles without a seam
# Here the loop by hand, with two parts of our own. The latent goes on round its edges before it is painted, so that the
# decoder knows its neighbours on the other side; and CLIP sees the picture rolled to any place, so that no edge is special.


# %%
def wrapped(z):
    codes = pair.vqgan.quantize(F.pad(z, (4,) * 4, mode="circular"))
    picture = pair.vqgan.synthesize(codes, quantize=False)
    return picture[..., 32:-32, 32:-32], codes[..., 4:-4, 4:-4]


# %%
from vqclip_nb.crops import create_crops


def rolled(picture, generator):
    by = torch.randint(0, picture.shape[-1], (2,), generator=generator).tolist()
    here = dict(method="anchored", generator=generator)
    return create_crops(picture.roll(by, (2, 3)), 12, pair.clip.resolution, **here)


# %%
def tile(text, steps=60):
    generator = torch.Generator().manual_seed(0)
    start = latents.noise((1, pair.vqgan.latent_channels, 12, 12), generator=generator)
    latent, wanted = latents.Latent(start), objectives.prompt(pair.clip.encode_text([text]))
    parts = (latent, wrapped, rolled, pair.clip.encode_crops, wanted)
    run = loop.Optimization(*parts, torch.optim.AdamW([latent.data], 0.2), generator=generator)
    return [run.step() for _ in range(steps)][-1].picture


# %%
texts = ["a strawberry on a light blue background", "flowers on a dark green background"]
tiles = [tile(text) for text in texts]
run = vq.Run(pair, vq.Settings(include=texts[1], height=96, width=96, start="noise"))
tiles.append(to_tensor(list(run)[-1].image))
shown = [to_pil(t.repeat(1, 1, 3, 3)[0]) for t in tiles]
contact_sheet(shown, [*texts, "painted without that"], columns=3, inches=3)

# %% [markdown]
# Measured on pixels: how much the picture changes from its last column to its first, beside columns inside.

# %%
for name, t in zip([*texts, "painted without that"], tiles):
    edge, columns = (t[..., 0] - t[..., -1]).abs().mean(), t.diff().abs().mean((0, 1, 2))
    print(
        f"{name}: {edge:.3f}; between columns inside {columns.mean():.3f}, at most {columns.max():.3f}"
    )

# %% [markdown]
# ## A story as one film
# The prompt changes while the picture forms, and the picture is carried on: `loosen` says how far the new prompt may undo
# what is there.

# %%
story = ["an egg", "a hatching chick", "a rooster"]
settings = vq.Settings(include=story[0], total_iter=120, crops=8, show_step=2, ema_decay=0.5)
run = vq.Run(pair, settings)
first = [run.step() for _ in range(40)]
for prompt in story[1:]:
    run.change(include=[prompt], loosen=0.3)
    more = [run.step() for _ in range(40)]

# %%
kept = [frame for frame in run.frames if frame.iteration % 8 == 0]
contact_sheet([f.image for f in kept], [f"step {f.iteration}" for f in kept], columns=8)

# %% [markdown]
# What the judge sees in every eighth frame: each prompt has its time.

# %%
liked = {prompt: [score(judge, f.image, prompt) for f in kept] for prompt in story}

# %%
figure, axes = plt.subplots(figsize=(6, 2.6), layout="constrained")
for prompt, values in liked.items():
    axes.plot([f.iteration for f in kept], values, label=prompt)
axes.vlines((40, 80), 0, 0.5, color="gray", linestyle=":"), axes.legend(), axes.grid(alpha=0.3)
_ = axes.set(xlabel="step", ylabel="judge's cosine similarity")


# %%
from IPython.display import Image

path = run.save_gif("story.gif", fps=15)
print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")
Image(filename=path)

# %% [markdown]
# ## Before others see it
# **What the networks learned from**: the pair that ships from emoji of four open sets, see its card; the published pairs
# from ImageNet, and OpenAI's CLIP from 400 million pictures and texts of the web that were never published.
#
# A bias, measured: which words for people does this pair know at all?

# %%
people = "man woman boy girl king queen baby adult chef scientist nurse teacher police artist"
known = {word: not vq.unknown_words(pair, word) for word in people.split()}
figure, axes = plt.subplots(figsize=(8, 1.8), layout="constrained")
axes.bar(list(known), known.values(), color="tab:green"), axes.tick_params("x", rotation=60)
_ = axes.set(yticks=(0, 1), yticklabels=("unknown", "known"))

# %% [markdown]
# The emoji that show people were left out of its training, and what remains is lopsided: a man but no woman, a chef but no
# nurse. And when no colour is asked for, which one does "a face" get? Six seeds, from noise.

# %%
quick = dict(start="noise", total_iter=40, crops=8, height=96, width=96, learning_rate=0.2)
faces = [
    list(vq.Run(pair, vq.Settings(include="a face", seed=i, **quick)))[-1].image for i in range(6)
]
contact_sheet(faces, [f"a face, seed {i}" for i in range(6)], columns=6)

# %%
seen = torch.cat([to_tensor(face) for face in faces]).flatten(2)
drawn = (seen.amin(1, keepdim=True) < 0.8).float()  # what is not white
amounts = (seen * drawn).sum(2) / drawn.sum(2)  # (faces, 3)
figure, axes = plt.subplots(figsize=(5, 2.4), layout="constrained")
axes.errorbar(["red", "green", "blue"], *zip(*map(mean_interval, amounts.T)), fmt="o", capsize=3)
_ = axes.set(
    ylabel="of 1, in drawn pixels", xlabel="mean and 95 % interval of six seeds", ylim=(0, 1)
)

# %% [markdown]
# Much red, some green, little blue, and narrow intervals: faces are yellow to orange unless you say otherwise, as on the
# emoji that the pair learned from. A style or a colour in the prompt is the remedy; nothing else here balances it.


# %% [markdown]
# **The mark**: every exported picture says, in the words of the press (IPTC), that an algorithm made it. It is read back
# from the file; a conversion or a screenshot loses it.

# %%
from PIL import Image as Pillow

path = run.save_png("face.png")
print(Pillow.open(path).text["XML:com.adobe.xmp"])

# %% [markdown]
# **A check of prompts is not built**: a list of words stops few and many of the wrong ones, and someone who runs this
# notebook can remove it. Who hosts a public page with it should do what a list cannot: say what the pictures are, keep
# prompts and pictures apart from persons, let people report a picture, answer, and take it down.
