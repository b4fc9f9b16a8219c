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
# # Looking inside
#
# Open in Colab, Kaggle, molab or Binder: as soon as `make address REPO=owner/name` has said where this repository is.
#
# Short studies beside the report's chapters 2 and 6: which part of a picture speaks for which word, what happens inside
# while it is painted, the networks of the survey small and running, what training and attention do, and what can be made
# of it. Each runs here, and says how far it can be trusted. Under five minutes on two cores; `2_how_it_works` explains
# the parts.

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
import torch
import torch.nn.functional as F
from torch import nn

# %%
import vqclip_nb as vq
from vqclip_nb import latents, loop, objectives
from vqclip_nb.emoji.caption_words import article
from vqclip_nb.experiments.intervals import mean_interval
from vqclip_nb.experiments.scores import similarity as score
from vqclip_nb.hooks import listen
from vqclip_nb.images import open_image, to_data_url, to_pil, to_tensor
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

# %%
best, (mean, half) = max(found.items(), key=lambda item: item[1][0])
print(f"{best}: {mean:.0%} ± {half:.0%} of the map on the right half")


# %% [markdown]
# Occlusion can be trusted more than the gradient here, and the difference of two words more than one word alone: part of
# what a map shows is that *something* is there.
#
# ## Inside a result
# **Which codes changed when.** The codes of each step, from a drawing of the library and from noise; then, for each cell,
# the last step that gave it another code.


# %%
def painted_codes(**settings):
    run = vq.Run(pair, vq.Settings(include="a fox", total_iter=60, **settings))
    loop, grids = run.painting.optimization, []
    for _ in range(60):
        run.step()
        grids.append(pair.vqgan.codebook_indices(loop.average)[0].cpu())
    return run, torch.stack(grids)


# %%
starts = {"a drawing": {}, "noise": dict(start="noise", prior=0.0, learning_rate=0.2)}
followed = {name: painted_codes(**settings) for name, settings in starts.items()}

# %%
wide = dict(figsize=(14, 2.8), layout="constrained", width_ratios=(1, 1.2, 1, 1.2, 1.6))
figure, axes = plt.subplots(1, 5, **wide)
for i, (name, (run, grids)) in enumerate(followed.items()):
    changed = (grids.diff(dim=0) != 0).int()
    last = (changed * torch.arange(1, 60).view(-1, 1, 1)).amax(0)
    axes[2 * i].imshow(run.image), axes[2 * i].set(title=f"from {name}", xlabel="pixels")
    shown = axes[2 * i + 1].imshow(last, vmin=0, vmax=60)
    figure.colorbar(shown, label="last change, step"), axes[2 * i + 1].set(xlabel="cells")
    axes[4].plot(range(1, 60), changed.sum((1, 2)), label=f"from {name}")
_ = axes[4].set(xlabel="step", ylabel="cells of 256 that changed"), axes[4].legend()

# %% [markdown]
# Most codes are found in the first twenty steps. Later a few cells of 256 still change in every step, most of them on the
# plain ground, where several codes look alike.
#
# **What the exclude removed**: the same seed without and with it, and the difference.

# %%
quick = dict(
    start="noise", prior=0.0, total_iter=40, crops=8, height=96, width=96, learning_rate=0.2
)
text, unwanted = "a rose", "red"

# %%
pairs = [
    [
        list(vq.Run(pair, vq.Settings(include=text, exclude=out, seed=i, **quick)))[-1].image
        for out in ("", unwanted)
    ]
    for i in range(4)
]

# %%
figure, axes = plt.subplots(2, 6, figsize=(11, 3.8), layout="constrained")
for four, (plain, without) in zip(axes.reshape(4, 3), pairs):
    difference = (to_tensor(plain) - to_tensor(without))[0].abs().mean(0)
    for at, shown, name in zip(four, (plain, without), ("a rose", "without red")):
        at.imshow(shown), at.set(title=name, xlabel="pixels")
    mappable = four[2].imshow(difference, vmin=0, vmax=0.6, cmap="magma")
    four[2].set(title="difference", xlabel="pixels")
_ = figure.colorbar(mappable, ax=axes, label="mean of the colours, of 1")

# %% [markdown]
# Four seeds. The flower's red goes, green comes in its place, and the shape goes with it: to CLIP red is much of what a
# rose is.
#
# **Where two CLIPs disagree**: occlusion maps of the guide, which painted, and of the judge, which did not, for the same
# picture and word. Each map is scaled to its own largest value.


# %%
def both_maps(picture, word):
    maps = torch.cat([occlusion(picture, [word], clip) for clip in (pair.clip, judge)])
    return maps / maps.abs().amax((1, 2), keepdim=True)


# %%
maps = [both_maps(picture[None], thing) for picture, thing in zip(pictures, things)]
agree = [torch.corrcoef(both.flatten(1))[0, 1].item() for both in maps]
worst = torch.tensor(agree).argsort()[[0, 1, -1]].tolist()  # two that differ, one that does not

# %%
figure, axes = plt.subplots(3, 4, figsize=(10, 7), layout="constrained")
for row, i in zip(axes, worst):
    row[0].imshow(to_pil(pictures[i]))
    row[0].set_ylabel(f"{things[i]}\ncorrelation {agree[i]:.2f}")
    for at, grid in zip(row[1:], (*maps[i], maps[i][0] - maps[i][1])):
        shown = at.imshow(grid, cmap="RdBu_r", vmin=-1, vmax=1)
for at, title in zip(axes[0], ("picture", "guide", "judge", "guide less judge")):
    at.set(title=title)
figure.colorbar(shown, ax=axes, label="loss of cosine where covered, of the largest")

# %%
mean, half = mean_interval(agree)
print(f"correlation of the two maps over ten pictures: {mean:.2f} ± {half:.2f}")

# %% [markdown]
# On most pictures they look at the same places. Where they differ, each has a feature of its own: of the dog, the guide
# wants the body, the judge the head as well.
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
figure, axes = plt.subplots(4, 9, figsize=(9, 4.2), layout="constrained")
for row, some, name in zip(axes, [icons(9), *seen], ["real", *(f"step {s}" for s in stops)]):
    for at, icon in zip(row, some):
        at.imshow(-icon[0], cmap="gray"), at.set(xticks=[], yticks=[])
    row[0].set_ylabel(name)

# %%
figure, axes = plt.subplots(figsize=(6, 2.2), layout="constrained")
axes.plot(losses, linewidth=0.6, label=["discriminator", "generator"])
_ = axes.set(xlabel="step", ylabel="loss"), axes.legend(), axes.grid(alpha=0.3)

# %% [markdown]
# The same game is inside the VQGAN: while it was trained, a discriminator looked at patches of its pictures, so that they
# came out sharp and not as the average of what could be there. That is what GAN in its name means; when a prompt is
# painted, nothing plays any more, and no network learns.
#
# ## A transformer over the codes
# Im and Seo (2021) let a *sparse transformer* learn which codes follow which in a VQGAN's grids, and draw new grids from
# it: no CLIP, no loop. The pair has such a network too, trained on the drawings' codes and captions. It is not theirs:
# theirs draws faces code after code, ours (after MaskGIT, 2022) begins with all cells masked and draws the surest first.
#
# In a transformer each place attends to others and takes over part of what they hold. *Full*: to all of them, and the
# work grows with the square of the cells. *Sparse*: only to those nearby, or to those of its row and column.

# %%
from vqclip_nb.emoji.prior import caption_tokens
from vqclip_nb.emoji.transformer import ATTENTION, attention_mask

prior = pair.prior
side = prior.side // prior.patch  # 2×2 cells share a token
masks_of = {pattern: attention_mask(side, pattern) for pattern in ATTENTION}

# %%
wide = dict(figsize=(13, 2.9), layout="constrained", width_ratios=(1, 1, 1, 1.5))
figure, axes = plt.subplots(1, 4, **wide)
for at, (pattern, seen) in zip(axes, masks_of.items()):
    at.imshow(seen[side * 3 + 3].view(side, side), cmap="gray", vmin=-0.3)
    at.plot(3, 3, "o", color="tab:red")
    at.set(title=f"{pattern}: {seen.sum():,} pairs", xlabel="seen by the red token")
    counted = [attention_mask(n, pattern).sum() for n in (4, 8, 16, 32)]
    axes[3].loglog([16, 64, 256, 1024], counted, "o-", label=pattern)
axes[3].set(xlabel="tokens", ylabel="pairs to compute"), axes[3].legend()
axes[3].grid(alpha=0.3)

# %% [markdown]
# On the 64 tokens of a small grid a sparse pattern saves little; on 1,024 a local one computes a forty-fourth of the pairs. The network that ships
# uses the full one. What its blocks attend to: a drawing whose right half is masked, and one masked token that asks.


# %%
def captioned(texts):
    tokens = caption_tokens(pair.clip.model, texts)
    return [part.to(pair.device) for part in tokens]


# %%
noto = [d for d in pair.library.drawings if d.style == "noto"]
[fox] = [pair.library.codes[d.index][None].to(pair.device) for d in noto if d.label == "fox"]
half = fox.clone()
half[..., 8:] = prior.codes  # masked
caption = captioned(["a fox on a white background"])
asked = torch.no_grad()(lambda: prior.logits(half, *caption))
heard = listen([block.qkv for block in prior.blocks], asked)


# %%
def attended(block, qkv):  # (queries, keys), the mean over the heads
    q, k, _ = qkv[0].unflatten(1, (3, block.heads, -1)).permute(1, 2, 0, 3)
    scores = q @ k.mT / q.shape[-1] ** 0.5
    scores[:, : side**2, : side**2].masked_fill_(~prior.visible, -torch.inf)
    return scores.softmax(-1).mean(0)


# %%
def drawn(codes):  # masked cells are grey
    open_ = (codes == prior.codes)[:, None]
    z = pair.vqgan.codebook_vectors(codes.where(~open_[:, 0], pair.library.codes[0, 0, 0]))
    cover = F.interpolate(open_.float(), scale_factor=pair.vqgan.downsample_factor)
    return torch.lerp(pair.vqgan.synthesize(z, quantize=False), torch.tensor(0.75), cover)


# %%
asking = side * (side // 2) + side * 5 // 8  # row 4, column 5: in the masked half
weights = [attended(block, qkv)[asking] for block, qkv in zip(prior.blocks, heard)]
figure, axes = plt.subplots(1, 6, figsize=(14, 2.9), layout="constrained")
for i, (at, w) in enumerate(zip(axes[1:], weights)):
    over = w[: side**2].view(1, 1, side, side) / w[: side**2].max()
    at.imshow(to_pil(drawn(half)[0])), at.imshow(over[0, 0], extent=(0, 128, 128, 0), alpha=0.65)
    at.set(title=f"block {i + 1}: {w[side**2 :].sum():.0%} on the text", xlabel="pixels")
axes[0].imshow(to_pil(drawn(half)[0])), axes[0].set(title="asks: the red dot", xlabel="pixels")
_ = [at.plot(16 * (asking % side + 0.5), 16 * (asking // side + 0.5), "ro") for at in axes]

# %% [markdown]
# Bright is what the token attends to. The first three blocks give two fifths of it to the caption, the last two an eighth;
# the first looks at what is near.
#
# **Sampling, cell by cell**: in each of eight steps the network gives every masked cell a distribution over the 2,048
# codes, one is drawn for each, and the surest of them stay.

# %%
texts = ["a saluting face", "a green heart", "a factory"]
steps = []
codes = prior.sample(
    *captioned([f"{text} on a white background" for text in texts]),
    generator=torch.Generator().manual_seed(3),
    push=lambda index, logits: steps.append(index.clone()) or 0,
)

# %%
film = [*steps, codes][1:]
shown = [to_pil(drawn(step[i : i + 1])[0]) for i in range(len(texts)) for step in film]
contact_sheet(shown, [f"step {i + 1}" for i in range(8)] * len(texts), columns=8, inches=1.6)

# %% [markdown]
# **Likelihood**: how probable does it find codes that somebody else drew? 24 drawings of the library; the same codes in
# any order, which have the same colours and no shape; and each drawing under the caption of another.

# %%
some = noto[5::43][:24]
true = torch.stack([pair.library.codes[d.index] for d in some]).to(pair.device)
order = torch.rand(24, 256, generator=torch.Generator().manual_seed(0)).argsort(1).to(true.device)
shuffled = true.flatten(1).gather(1, order).view_as(true)
caption = captioned([f"{article(d.label)} on a white background" for d in some])
other = [part.roll(1, 0) for part in caption]

# %%
asked = {"true drawings": (true, caption), "under another's caption": (true, other)}
asked["in any order"] = (shuffled, caption)
generator = torch.Generator().manual_seed(0)
likely = {
    name: prior.log_likelihood(c, *said, generator=generator) for name, (c, said) in asked.items()
}

# %%
figure, axes = plt.subplots(figsize=(7, 2), layout="constrained")
for name, values in likely.items():
    mean, half = mean_interval(values.tolist())
    axes.errorbar(mean, f"{name}: {mean:.2f}", xerr=half, fmt="o", capsize=3)
axes.axvline(-torch.tensor(prior.codes).log(), color="gray")
axes.invert_yaxis(), axes.grid(alpha=0.3)
_ = axes.set(xlabel="nats for a cell, mean and 95 % interval of 24; grey: all codes as likely")

# %% [markdown]
# What somebody drew is more likely than the same codes in any order, and its own caption makes it likelier than another:
# it learned shapes and words.
#
# From noise (`start="noise"`) it draws more and more of the cells while CLIP paints the others, then draws again those that
# fit least; `prior=0` leaves it out. A run may also begin with a drawing of its own (`start="prior"`). Same prompt, same seed:

# %%
ways = {"CLIP alone": dict(start="noise", prior=0.0), "with the prior": dict(start="noise")}
ways["the prior"] = dict(start="prior")
runs = [
    vq.Run(pair, vq.Settings(include="a rooster", total_iter=40, **how)) for how in ways.values()
]
finished = [list(run)[-1].image for run in runs]
contact_sheet(finished, [f"from {name}" for name in ways], columns=3)

# %% [markdown]
# From noise alone CLIP is content with a rooster's colours; the prior knows where they belong.
#
# ## A picture in one pass
# Khan and others (2021) train a network that goes from a text to a face in one pass. The report calls their GAN
# pre-trained, and the paper one of 2019; **it is the other way round**: *fully trained* in its title says that text
# encoder and image decoder learn together, in place of a text encoder that is taken ready made; and it appeared in 2021,
# as the report's own bibliography has it.
#
# Ours has no discriminator, and does take its text encoder ready made, from the pair's CLIP. From its encoding, a matrix,
# a few convolutions and doublings make a latent of the VQGAN, after half a minute of training on a thousand drawings, of
# which 64 are kept back.

# %%
labels = [d.label for d in noto]
target = torch.stack([pair.library.codes[d.index] for d in noto]).to(pair.device)
target = pair.vqgan.codebook_vectors(target).detach()  # (drawings, 32, 16, 16)
kept_back = torch.arange(7, len(noto), len(noto) // 64)[:64]
known = torch.tensor(sorted(set(range(len(noto))) - set(kept_back.tolist())))


# %%
def said(texts):  # encodings with spread 1
    parts = [pair.clip.encode_text(texts[i : i + 250]) for i in range(0, len(texts), 250)]
    return 16 * F.normalize(torch.cat(parts), dim=-1)


# %%
def doubled(i, o):
    return [nn.Upsample(scale_factor=2), nn.Conv2d(i, o, 3, 1, 1), nn.GELU()]


# %%
torch.manual_seed(0)
into = [
    nn.Linear(256, 512),
    nn.GELU(),
    nn.Linear(512, 2048),
    nn.GELU(),
    nn.Unflatten(1, (128, 4, 4)),
]

# %%
out = [*doubled(128, 64), *doubled(64, 64), nn.Conv2d(64, 32, 1)]
network = nn.Sequential(*into, *out).to(pair.device)

# %%
texts, mean = said([article(label) for label in labels]), target.mean(0)
optimizer = torch.optim.AdamW(network.parameters(), 4e-3)
rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, 700)
losses = []
for _ in range(700):
    at = known[torch.randint(0, len(known), (64,))]
    loss = (network(texts[at]) + mean - target[at]).square().mean()
    optimizer.zero_grad(), loss.backward(), optimizer.step(), rate.step()
    losses.append(loss.item())


# %%
@torch.no_grad()
def one_pass(texts):  # latents
    return network(said(texts)) + mean


# %%
import time

seconds = []
for label in labels[:9]:
    began = time.perf_counter()
    picture = pair.vqgan.synthesize(one_pass([article(label)]))
    seconds.append(time.perf_counter() - began)
print(f"one pass, from the text to 128×128 pixels: {sorted(seconds)[4]:.3f} s, the median of nine")

# %%
shown, titles = [], []
for name, group in {"known": known[40::110][:8], "kept back": kept_back[::8]}.items():
    shown += [
        to_pil(p) for p in pair.vqgan.synthesize(one_pass([article(labels[i]) for i in group]))
    ]
    titles += [f"{labels[i]}, {name}" for i in group]
contact_sheet(shown, titles, columns=8)

# %% [markdown]
# How often is it right? The judge's first guess of a thousand names, for what the network makes and for true drawings.

# %%
from vqclip_nb.experiments.scores import concepts

names = concepts()
classes = torch.cat([judge.encode_text(names[i : i + 250]) for i in range(0, len(names), 250)])
classes = F.normalize(classes, dim=-1)


# %%
def right(group, latents):  # 1 where the judge names it first
    picture = pair.vqgan.synthesize(latents)
    guessed = (look(picture, judge) @ classes.T).argmax(1)
    return [float(names[g] == article(labels[i])) for g, i in zip(guessed, group)]


# %%
hundred = known[torch.arange(3, len(known), len(known) // 64)[:64]]
named = {}
for name, group in {"known": hundred, "kept back": kept_back}.items():
    named[f"one pass, {name}"] = right(group, one_pass([article(labels[i]) for i in group]))
    named[f"true drawings, {name}"] = right(group, target[group])

# %%
figure, axes = plt.subplots(figsize=(7, 2.2), layout="constrained")
for name, values in named.items():
    mean_right, half = mean_interval(values)
    axes.errorbar(
        100 * mean_right, f"{name}: {mean_right:.0%}", xerr=100 * half, fmt="o", capsize=3
    )
axes.invert_yaxis(), axes.grid(alpha=0.3)
_ = axes.set(xlabel="% of 64 that the judge names first, with 95 % interval", xlim=(0, 100))

# %% [markdown]
# Captions that it learned it paints almost as well as the drawings are; of others it knows the colours and a rough body,
# and is rarely right. It repeats what it has seen, blurred where several answers fit.
#
# What the loop makes of such a first frame: it takes the latent as its start, and no drawing holds it.

# %%
free = dict(start="noise", prior=0.0, keep_edges=0.0, keep_colours=0.0, total_iter=40, crops=8)
prompts = [article(labels[i]) for i in kept_back[1::8]]
first = one_pass(prompts)
runs = [
    vq.Run(pair, vq.Settings(include=t, **free), latent=z[None]) for t, z in zip(prompts, first)
]
after = [list(run)[-1].image for run in runs]

# %%
before = [to_pil(p) for p in pair.vqgan.synthesize(first)]
rise = [score(judge, b, t) - score(judge, a, t) for a, b, t in zip(before, after, prompts)]
print("the judge's cosine rises by {:.2f} ± {:.2f}".format(*mean_interval(rise)))
contact_sheet(
    [*before, *after], [f"{t}: one pass" for t in prompts] + ["40 steps later"] * 8, columns=8
)

# %% [markdown]
# Shapes come out sharper, and the judge likes them better.
#
# ## Augmentation and attention
# Chapter 6 of the report asks what augmentation brings, and attention. The guide was trained in stages, and after each the
# same things were measured; the figures are those of its card, `vqclip_nb/emoji/README.md`. First, on pictures shaken as
# the loop shakes them and *attacked*, moved by the gradient so that the guide errs. Then its own *paintings* came into the
# batches, as pictures that fit no caption, and *dropout* of channels into the painting. Then *foils*: captions that are
# false in one fact.

# %%
stages = ["shaken, attacked", "+ paintings, dropout", "+ foils"]
record = {  # % after each stage, and of how many
    "painted thing is named first": ((45, 66, 78), 100),
    "... among five": ((80, 88, 97), 100),
    "painted style is seen": ((48, 52, 62), 50),
    "guide names a hand it never saw": ((None, 54.2, 59.6), 385),
}

# %%
figure, axes = plt.subplots(figsize=(8, 3), layout="constrained")
for i, (name, (values, n)) in enumerate(record.items()):
    at = [(j + 0.06 * i, v) for j, v in enumerate(values) if v is not None]
    half = [196 * (v / 100 * (1 - v / 100) / n) ** 0.5 for _, v in at]
    axes.errorbar(*zip(*at), half, fmt="o-", capsize=3, label=f"{name} ({n})")
axes.set_xticks(range(3), stages), axes.set(ylabel="%", xlabel="trained", ylim=(30, 102))
_ = axes.legend(loc="center left", bbox_to_anchor=(1, 0.5)), axes.grid(alpha=0.3)

# %% [markdown]
# Each stage helped, by more than the 95 % intervals of one hundred pictures explain, from first to last. It does not say by
# how much each idea helped: every stage also learned longer, and with the foils the judge that measures learned anew. What
# shaking alone does to a small CLIP, all else equal, is tried in `2_how_it_works`, 3.2.5.
#
# **What the decoder's attention attends to.** The decoder has one layer of attention, in which each of the 16×16 cells
# takes over from all. Chosen cells (red), and what each attends to.

# %%
layer = pair.vqgan.decoder.mid.attn_1
z = pair.vqgan.encode(pictures)
q, k = (part.flatten(2) for part in listen([layer.q, layer.k], lambda: pair.vqgan.synthesize(z)))
attention = (q.mT @ k / q.shape[1] ** 0.5).softmax(-1)  # (pictures, asking cells, cells)

# %%
chosen = [(i, cell) for i in (3, 5) for cell in ((7, 8), (11, 5), (1, 1))]
figure, axes = plt.subplots(1, 6, figsize=(14, 2.8), layout="constrained")
for at, (i, (row, column)) in zip(axes, chosen):
    grid = attention[i, 16 * row + column].view(16, 16).detach()
    at.imshow(to_pil(pictures[i])), at.imshow(grid, extent=(0, 128, 128, 0), alpha=0.7)
    at.plot(8 * column + 4, 8 * row + 4, "ro"), at.set(xlabel="pixels")
    at.set_title(f"{things[i]}, at most {grid.max():.1%}")

# %% [markdown]
# Do cells of the thing look at the thing, and those of the ground at the ground? The share of their attention that does,
# beside the share of the picture that thing and ground take up.

# %%
thing = F.avg_pool2d((pictures.amin(1, keepdim=True) < 0.8).float(), 8).flatten(1) > 0.5
attended_to = {"a thing's cells to things": [], "the ground's to the ground": []}
taken_up = {"a thing's cells to things": [], "the ground's to the ground": []}
for a, t in zip(attention, thing):
    for name, side_of in zip(attended_to, (t, ~t)):
        attended_to[name].append(a[side_of][:, side_of].sum(1).mean().item())
        taken_up[name].append(side_of.float().mean().item())

# %%
figure, axes = plt.subplots(figsize=(7, 2), layout="constrained")
for label, of in {"of their attention": attended_to, "of the picture": taken_up}.items():
    means, halves = zip(*(mean_interval(values) for values in of.values()))
    axes.errorbar(means, list(of), xerr=halves, fmt="o", capsize=3, label=label)
axes.set(xlabel="share, mean and 95 % interval of ten", xlim=(0, 1), ylim=(-0.5, 1.5))
_ = axes.grid(alpha=0.3), axes.legend()

# %% [markdown]
# They do: the layer joins what belongs together, thing with thing and ground with ground.
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
run = vq.Run(pair, vq.Settings(include=texts[1], height=96, width=96, start="noise", prior=0.0))
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
# ## Icons in one style
# The style stands in the prompt. The white around each thing, as far as it hangs together with a corner, becomes
# transparent; the sheet is one PNG, with the mark that is read back below.

# %%
wanted = "a rocket, a bell, a key, an anchor, a camera, a guitar, a sailboat, a lantern".split(", ")
settings = vq.Settings(include=[f"a sticker of {w}" for w in wanted], total_iter=24, crops=8)
icons_painted = list({frame.index: frame.image for frame in vq.Run(pair, settings)}.values())


# %%
from PIL import Image, ImageDraw


def cut_out(image, ground=(255, 0, 255)):
    filled = image.copy()
    for corner in ((0, 0), (127, 0), (0, 127), (127, 127)):
        ImageDraw.floodfill(filled, corner, ground, thresh=70)
    drawn = (to_tensor(filled) != torch.tensor(ground).view(3, 1, 1) / 255).any(1)
    image.putalpha(to_pil(drawn.float().expand(3, -1, -1)).convert("L"))
    return image


# %%
from vqclip_nb.export import save_png

sheet = Image.new("RGBA", (4 * 128, 2 * 128))
for i, icon in enumerate(icons_painted):
    sheet.paste(cut_out(icon), (i % 4 * 128, i // 4 * 128))
path = save_png(sheet, "icons.png", vq.Run(pair, settings).recipe())

# %%
figure, axes = plt.subplots(1, 2, figsize=(9, 2.6), layout="constrained")
for at, colour in zip(axes, ("#1b3a5c", "#f4d58d")):
    at.imshow(open_image(path)), at.set(facecolor=colour, xlabel="pixels")
_ = figure.suptitle(f"{path}: {path.stat().st_size / 1024:.0f} kB, on two backgrounds")

# %% [markdown]
# ## A poster with a title
# A larger picture, and text set by matplotlib, which brings its own fonts.

# %%
text = "a rocket on a dark blue background"
run = vq.Run(pair, vq.Settings(include=text, height=192, width=160, total_iter=40))
large = list(run)[-1].image.resize((960, 1152), Image.Resampling.LANCZOS)

# %%
import io

# %%
poster, file = plt.figure(figsize=(4.8, 6.4), facecolor="#0b1b3a"), io.BytesIO()
poster.add_axes((0, 0, 1, 0.9)).imshow(large), poster.axes[0].axis("off")
poster.text(
    0.5, 0.94, "TO THE MOON", color="white", size=30, weight="bold", ha="center", va="center"
)
poster.text(0.5, 0.03, "every evening at eight", color="white", size=13, ha="center")
poster.savefig(file, format="png", dpi=200)
path = save_png(open_image(file.getvalue()), "poster.png", run.recipe())
print(f"{path}: {open_image(path).width}×{open_image(path).height} pixels")

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
axes.vlines((40, 80), 0, 0.5, color="gray", linestyle=":"), axes.grid(alpha=0.3)
axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
_ = axes.set(xlabel="step", ylabel="judge's cosine similarity")


# %%
from IPython.display import Image

path = run.save_gif("story.gif", fps=15)
print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")
Image(filename=path)

# %% [markdown]
# ## Control
# A prompt says what, not where. *Regions* are parts of the picture with prompts of their own: halves, corners, a box in
# shares of the picture, or a mask that is white there. CLIP is shown each of them alone, and the prompt has the rest.

# %%
places = {
    "halves": ["left: a cat", "right: a house"],
    "top and bottom": ["top: a sun", "bottom: a boat"],
}
places["a box"] = ["0.1 0.35 0.6 0.95: a frog", "top right: a crown"]
quiet = dict(include="a light blue background", total_iter=40)
placed = [list(vq.Run(pair, vq.Settings(regions=r, **quiet)))[-1].image for r in places.values()]
contact_sheet(placed, [f"{name}: {', '.join(r)}" for name, r in places.items()], columns=3)

# %% [markdown]
# *Attributes* have a strength. In CLIP's space one is the way from "a fox" to "a blue fox", gone as far as asked; the
# drawing that is begun with takes it on by as much.


# %%
def paint(**asked):
    return list(vq.Run(pair, vq.Settings(**{"total_iter": 40, **asked})))[-1].image


# %%
asked = [f"blue: {strength}" for strength in (0, 0.25, 0.5, 0.75, 1)]
contact_sheet([paint(include="a fox", attributes=[a]) for a in asked], asked, columns=5)

# %%
asked = ["small: 1", "small: 0.5", "big: 0", "big: 0.5", "big: 1"]
contact_sheet([paint(include="a rocket", attributes=[a]) for a in asked], asked, columns=5)

# %%
asked = ["a cartoon", "a 3d render", "a flat icon", "a line drawing", "a sticker"]
contact_sheet([paint(include="a strawberry", attributes=[a]) for a in asked], asked, columns=5)

# %% [markdown]
# A *palette*: the drawing that is begun with is painted over in its colours, and a term of the objective keeps every
# pixel near one of them. Below each picture, the share of its pixels that are far from all.

# %%
import numpy as np

from vqclip_nb.palettes import parse_colour

colours = ["navy", "gold", "white"]


def far_off(image):  # share of the pixels
    pixels = np.asarray(image)[:, :, None] / 255 - np.array([parse_colour(c) for c in colours])
    return (np.linalg.norm(pixels, axis=-1).min(-1) > 0.3).mean()


# %%
things = ["a fox", "a strawberry", "a rocket"]
pictures = [paint(include=t, palette=p) for p in ([], colours) for t in things]
contact_sheet(pictures, [f"{far_off(p):.0%} far off" for p in pictures], columns=3)

# %% [markdown]
# A *style picture* gives its colours and textures: which features of the VQGAN's encoder come together in it, wherever
# they are (Gatys 2016). The lines of the drawing are kept.

# %%
from PIL import Image as Pillow

stripes = Pillow.new("RGB", (128, 128), "#f7e9c6")
for x in range(-128, 256, 16):
    ImageDraw.Draw(stripes).line([(x, 0), (x + 128, 128)], fill="#1b3a6b", width=6)

# %%
dots = Pillow.new("RGB", (128, 128), "#ffd84d")
for x in range(0, 140, 12):
    for y in range(x // 2 % 12, 140, 12):
        ImageDraw.Draw(dots).ellipse([x - 4, y - 4, x + 4, y + 4], fill="#d8264f")

# %%
styles = [to_data_url(to_tensor(style)) for style in (stripes, dots)]
styled = [paint(include=t, style_image=s, total_iter=60) for t in things[::2] for s in styles]
names = ["style picture"] * 2 + [thing for thing in things[::2] for _ in styles]
contact_sheet([stripes, dots, *styled], names, columns=6)

# %% [markdown]
# A *start picture*: a sketch of two shapes, and the strawberry that becomes of it. The strength says how much of it is seen at
# the start, and here also how firmly its lines and areas are kept, as a share of the usual. Below each, how far it is from the sketch: mean difference of pixels, of 1.

# %%
sketch = Pillow.new("RGB", (128, 128), "white")
ImageDraw.Draw(sketch).polygon([(24, 46), (64, 120), (104, 46), (64, 30)], fill=(215, 40, 40))
ImageDraw.Draw(sketch).polygon([(40, 40), (64, 14), (88, 40), (64, 52)], fill=(50, 150, 60))

# %%
strengths = [0.0, 0.02, 0.05, 0.1, 1.0]
begun = dict(include="a strawberry", init_image=to_data_url(to_tensor(sketch)), total_iter=60)
over = [paint(start_strength=s, keep_edges=40 * s, keep_colours=5 * s, **begun) for s in strengths]
away = [np.abs(np.asarray(p, float) - np.asarray(sketch)).mean() / 255 for p in over]
names = ["the sketch", *(f"strength {s:g}: {d:.2f}" for s, d in zip(strengths, away))]
contact_sheet([sketch, *over], names, columns=6)

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
quick = dict(
    start="noise", prior=0.0, total_iter=40, crops=8, height=96, width=96, learning_rate=0.2
)
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
