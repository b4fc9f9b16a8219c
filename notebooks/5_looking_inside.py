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
# Badges for Colab, Kaggle, molab and Binder appear here once `make address REPO=owner/name` has set this repository's address.
#
# Short studies beside the report's chapters 2 and 6: which part of a picture speaks for which word, what happens inside
# while it is painted, what attention attends to, and the networks of the survey small and running. Each runs here, and
# says how far it can be trusted. `2_how_it_works` explains the parts, and what augmentation does to a
# small CLIP (3.2.5).

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
from vqclip_nb.emoji.caption_words import article
from vqclip_nb.experiments.scores import mean_interval
from vqclip_nb.models.vqgan import listen
from vqclip_nb.images import to_pil, to_tensor
from vqclip_nb.show import contact_sheet

# %%
pair = vq.load_pair("emoji")
judge = vq.load_judge("emoji")
small = dict(height=128, width=128, crops=8, finish=False)

# %% [markdown]
# ## Which part speaks for which word
# A scene of two things, put together from two pictures, so that the right answer is known: each word should point to its
# own half. First the things, which begin with drawings of the library.

# %%
things = "a pineapple, a sunflower, a fire, a dog, a house, a fish, a rose, a carrot, a crab"
things = [*things.split(", "), "a cupcake"]
run = vq.Run(pair, vq.Settings(include=things, start="library", total_iter=12, **small))
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
corners = torch.cartesian_prod(*[torch.arange(-24, 105, 16)] * 2)[:, :, None]
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
from matplotlib.colors import CenteredNorm


def draw_map(axes, grid):
    shown = axes.imshow(grid, cmap="RdBu_r", norm=CenteredNorm())
    axes.figure.colorbar(shown, label="change of cosine")
    axes.set_xlabel("pixels")


# %%
picture, words = scene(3, 1), [things[3], things[1]]
figure, axes = plt.subplots(1, 5, figsize=(15, 2.4), layout="constrained")
axes[0].imshow(to_pil(picture[0]))
axes[0].set(title="the scene", xlabel="pixels")
for i, (name, method) in enumerate({"occlusion": occlusion, "gradient": gradients}.items()):
    for at, word, grid in zip(axes[2 * i + 1 :], words, method(picture, words)):
        draw_map(at, grid)
        at.set_title(f"{name}:\n{word}")


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
for left in range(10):
    right = (left + 1) % 10
    for name, method in ways.items():
        grids = method(scene(left, right), [things[left], things[right]])
        shares.setdefault(name, []).extend(right_half(grids))
        shares.setdefault(f"{name}, less the other's", []).extend(right_half(compared(grids)))


# %%
found = {name: mean_interval(values) for name, values in shares.items()}
figure, axes = plt.subplots(figsize=(7, 2.2), layout="constrained")
for name, (mean, half) in found.items():
    axes.errorbar(100 * mean, f"{name}: {mean:.0%}", xerr=100 * half, fmt="o", capsize=3)
axes.axvline(50, color="gray")
axes.invert_yaxis()
axes.grid(alpha=0.3)
_ = axes.set(xlabel="% of a map on its half; mean and 95 % interval of 20", xlim=(40, 100))

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
    run = vq.Run(pair, vq.Settings(include="a fox", total_iter=40, **small, **settings))
    grids = []
    for _ in range(40):
        run.step()
        average = run.painting.optimization.average
        grids.append(pair.vqgan.codebook_indices(average)[0].cpu())
    return run, torch.stack(grids)


# %%
starts = {
    "a drawing": dict(start="library"),
    "noise": dict(start="noise", prior=0.0, learning_rate=0.2),
}
followed = {name: painted_codes(**settings) for name, settings in starts.items()}

# %%
changes = {name: (grids.diff(dim=0) != 0).int() for name, (_, grids) in followed.items()}

# %%
wide = dict(figsize=(14, 2.8), layout="constrained", width_ratios=(1, 1.2, 1, 1.2, 1.6))
figure, axes = plt.subplots(1, 5, **wide)
for (plain, cells), (name, changed) in zip(axes[:4].reshape(2, 2), changes.items()):
    plain.imshow(followed[name][0].image)
    plain.set(title=f"from {name}", xlabel="pixels")
    shown = cells.imshow((changed * torch.arange(1, 40).view(-1, 1, 1)).amax(0), vmin=0, vmax=40)
    figure.colorbar(shown, label="last change, step")
    axes[4].plot(range(1, 40), changed.sum((1, 2)), label=f"from {name}")
_ = axes[4].legend(title="cells of 256 that changed, by step")

# %% [markdown]
# Most codes are found in the first twenty steps. Later a few cells of 256 still change in every step, most of them on the
# plain ground, where several codes look alike.
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
# **What the decoder's attention attends to.** The decoder has one layer of attention, in which each of the 16×16 cells
# takes over from all. Chosen cells (red), and what each attends to.

# %%
layer = pair.vqgan.decoder.mid.attn_1
z = pair.vqgan.encode(pictures)
q, k = (part.flatten(2) for part in listen([layer.q, layer.k], lambda: pair.vqgan.synthesize(z)))
attention = (q.mT @ k / q.shape[1] ** 0.5).softmax(-1)  # (pictures, asking cells, cells)

# %%
chosen = [(i, cell) for i in (3, 5) for cell in ((7, 8), (1, 1))]
figure, axes = plt.subplots(1, 4, figsize=(10, 2.8), layout="constrained")
for at, (i, (row, column)) in zip(axes, chosen):
    grid = attention[i, 16 * row + column].view(16, 16).detach()
    at.imshow(to_pil(pictures[i]))
    at.imshow(grid, extent=(0, 128, 128, 0), alpha=0.7)
    at.plot(8 * column + 4, 8 * row + 4, "ro")
    at.set(title=f"{things[i]}, at most {grid.max():.1%}", xlabel="pixels")

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
axes.grid(alpha=0.3)
_ = axes.legend()

# %% [markdown]
# They do: the layer joins what belongs together, thing with thing and ground with ground.
#
# ## A game of two networks
# The report's chapter 2 begins with GANs (Goodfellow 2014). A *generator* makes things out of random numbers; a
# *discriminator* learns to tell them from real ones; each learns from the other's answers. Here the things are small icons
# of one colour: discs, squares and diamonds.


# %%
def icons(n):
    middle, size = 0.5 * torch.rand(2, n, 1, 1) - 0.25, 0.35 + 0.3 * torch.rand(n, 1, 1)
    y, x = torch.linspace(-1, 1, 16).view(-1, 1) - middle[0], torch.linspace(-1, 1, 16) - middle[1]
    disc, square, diamond = (x**2 + y**2).sqrt(), x.abs().maximum(y.abs()), x.abs() + y.abs()
    shape = torch.stack([disc, square, diamond])[torch.randint(0, 3, (n,)), torch.arange(n)]
    return (10 * (size - shape)).tanh()[:, None]


# %%
torch.manual_seed(0)
D = nn.Sequential(nn.Conv2d(1, 16, 4, 2, 1), nn.LeakyReLU(0.2))
D.extend([nn.Conv2d(16, 32, 4, 2, 1), nn.LeakyReLU(0.2)])
_ = D.extend([nn.Flatten(), nn.Linear(512, 1)])

# %%
G = nn.Sequential(nn.Linear(16, 512), nn.ReLU(), nn.Unflatten(1, (32, 4, 4)))
G.extend([nn.Upsample(scale_factor=2), nn.Conv2d(32, 32, 3, 1, 1), nn.ReLU()])
G.extend([nn.Upsample(scale_factor=2), nn.Conv2d(32, 16, 3, 1, 1), nn.ReLU()])
_ = G.extend([nn.Conv2d(16, 1, 3, 1, 1), nn.Tanh()])

# %% [markdown]
# The discriminator's loss is the logistic one of the paper; the generator wants its things to be taken for real. A
# penalty on the discriminator's slope (Mescheder 2018) keeps the game from running off.


# %%
def update(player, loss):
    player.zero_grad()
    loss.backward()
    player.step()


# %%
players = [torch.optim.Adam(net.parameters(), 1e-3, (0.0, 0.99)) for net in (D, G)]


# %%
def one_round(real, fake):
    judged = D(real.requires_grad_())
    (slope,) = torch.autograd.grad(judged.sum(), real, create_graph=True)
    d_loss = F.softplus(-judged).mean() + F.softplus(D(fake.detach())).mean()
    update(players[0], d_loss + 0.5 * slope.flatten(1).square().sum(1).mean())
    g_loss = F.softplus(-D(fake)).mean()
    update(players[1], g_loss)
    return d_loss.item(), g_loss.item()


# %%
losses, seen, same = [], [], torch.randn(9, 16)
stops = (30, 100, 219)
for step in range(220):
    losses.append(one_round(icons(64), G(torch.randn(64, 16))))
    if step in stops:
        seen.append(G(same).detach())

# %%
figure, axes = plt.subplots(4, 9, figsize=(9, 4.2), layout="constrained")
for row, some, name in zip(axes, [icons(9), *seen], ["real", *(f"step {s}" for s in stops)]):
    for at, icon in zip(row, some):
        at.imshow(-icon[0], cmap="gray")
        at.set(xticks=[], yticks=[])
    row[0].set_ylabel(name)

# %%
figure, axes = plt.subplots(figsize=(6, 2.2), layout="constrained")
axes.plot(losses, linewidth=0.6, label=["discriminator", "generator"])
axes.set(xlabel="step", ylabel="loss")
axes.grid(alpha=0.3)
_ = axes.legend()

# %% [markdown]
# At 2 log 2 = 1.39 and log 2 = 0.69 the losses say that the discriminator guesses. They do not say how good the icons
# are; you have to look: sizes and places are right, corners are soft.
#
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
from vqclip_nb.emoji.prior import ATTENTION, attention_mask, caption_tokens

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
axes[3].set(xlabel="tokens", ylabel="pairs to compute")
_ = axes[3].legend()

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
asked = torch.no_grad()(lambda: prior.logits(half, caption))
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
place = 16 * (asking % side + 0.5), 16 * (asking // side + 0.5)
weights = [attended(block, qkv)[asking] for block, qkv in zip(prior.blocks, heard)]

# %%
figure, axes = plt.subplots(1, 6, figsize=(14, 2.9), layout="constrained")
for at in axes:
    at.imshow(to_pil(drawn(half)[0]))
    at.plot(*place, "ro")
axes[0].set(title="asks: the red dot", xlabel="pixels")
for i, (at, w) in enumerate(zip(axes[1:], weights)):
    at.imshow(
        w[: side**2].view(side, side) / w[: side**2].max(), extent=(0, 128, 128, 0), alpha=0.65
    )
    at.set(title=f"block {i + 1}: {w[side**2 :].sum():.0%} on the text", xlabel="pixels")

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
    captioned([f"{text} on a white background" for text in texts]),
    generator=torch.Generator().manual_seed(3),
    push=lambda index, logits: steps.append(index.clone()) or 0,
)

# %%
film = [*steps, codes][1:]
shown = [to_pil(drawn(step[i : i + 1])[0]) for i in range(len(texts)) for step in film]
contact_sheet(shown, [f"step {i + 1}" for i in range(8)] * len(texts), columns=8, inches=1.6)

# %% [markdown]
# **Likelihood**: how probable does it find codes that somebody else drew? 16 drawings of the library; the same codes in
# any order, which have the same colours and no shape; and each drawing under the caption of another.

# %%
some = noto[5::43][:16]
true = torch.stack([pair.library.codes[d.index] for d in some]).to(pair.device)
order = torch.rand(16, 256, generator=torch.Generator().manual_seed(0)).argsort(1).to(true.device)
shuffled = true.flatten(1).gather(1, order).view_as(true)
caption = captioned([f"{article(d.label)} on a white background" for d in some])
other = [part.roll(1, 0) for part in caption]

# %%
asked = {"true drawings": (true, caption), "under another's caption": (true, other)}
asked["in any order"] = (shuffled, caption)
generator = torch.Generator().manual_seed(0)
likely = {
    name: prior.log_likelihood(c, said, generator=generator) for name, (c, said) in asked.items()
}

# %%
figure, axes = plt.subplots(figsize=(7, 2), layout="constrained")
for name, values in likely.items():
    mean, half = mean_interval(values.tolist())
    axes.errorbar(mean, f"{name}: {mean:.2f}", xerr=half, fmt="o", capsize=3)
axes.axvline(-torch.tensor(prior.codes).log(), color="gray")
axes.invert_yaxis()
axes.grid(alpha=0.3)
_ = axes.set(xlabel="nats for a cell, mean and 95 % interval of 16; grey: all codes as likely")

# %% [markdown]
# What somebody drew is more likely than the same codes in any order, and its own caption makes it likelier than another:
# it learned shapes and words.
#
# From noise (`start="noise"`) it draws more and more of the cells while CLIP paints the others, then draws again those that
# fit least; `prior=0` leaves it out. A run may also begin with a drawing of its own (`start="prior"`). Same prompt, same seed:

# %%
ways = {
    "CLIP alone": dict(start="noise", prior=0.0),
    "CLIP with the prior": dict(start="noise", prior=1.0),
    "a start by the prior": dict(start="prior"),
}
asked = dict(include="a rooster", total_iter=16, **small)
finished = [list(vq.Run(pair, vq.Settings(**asked, **how)))[-1].image for how in ways.values()]
contact_sheet(finished, list(ways), columns=3)

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
# a few convolutions and doublings make a latent of the VQGAN, after a short training on a quarter of the drawings, of which
# 48 are kept back.

# %%
quarter = noto[::4]
labels = [d.label for d in quarter]
target = torch.stack([pair.library.codes[d.index] for d in quarter]).to(pair.device)
target = pair.vqgan.codebook_vectors(target).detach()  # (drawings, 32, 16, 16)
kept_back = torch.arange(7, len(quarter), len(quarter) // 48)[:48]
known = torch.tensor(sorted(set(range(len(quarter))) - set(kept_back.tolist())))


# %%
def said(texts):  # encodings with spread 1
    parts = [pair.clip.encode_text(texts[i : i + 250]) for i in range(0, len(texts), 250)]
    return 16 * F.normalize(torch.cat(parts), dim=-1)


# %%
def doubled(i, o):
    return [nn.Upsample(scale_factor=2), nn.Conv2d(i, o, 3, 1, 1), nn.GELU()]


# %%
torch.manual_seed(0)
into = [nn.Linear(256, 512), nn.GELU(), nn.Linear(512, 2048), nn.GELU()]
into += [nn.Unflatten(1, (128, 4, 4))]

# %%
out = [*doubled(128, 64), *doubled(64, 32), nn.Conv2d(32, 32, 1)]
network = nn.Sequential(*into, *out).to(pair.device)

# %%
texts, mean = said([article(label) for label in labels]), target.mean(0)
optimizer = torch.optim.AdamW(network.parameters(), 4e-3)
rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, 300)
for _ in range(300):
    at = known[torch.randint(0, len(known), (32,))]
    loss = (network(texts[at]) + mean - target[at]).square().mean()
    update(optimizer, loss)
    rate.step()


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
for name, group in {"known": known[::31][:8], "kept back": kept_back[::6]}.items():
    made = pair.vqgan.synthesize(one_pass([article(labels[i]) for i in group]))
    shown += [to_pil(picture) for picture in made]
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
some_known = known[torch.arange(3, len(known), len(known) // 48)[:48]]
named = {}
for name, group in {"known": some_known, "kept back": kept_back}.items():
    named[f"one pass, {name}"] = right(group, one_pass([article(labels[i]) for i in group]))
    named[f"true drawings, {name}"] = right(group, target[group])

# %%
figure, axes = plt.subplots(figsize=(7, 2.2), layout="constrained")
for name, values in named.items():
    mean_right, half = mean_interval(values)
    label = f"{name}: {mean_right:.0%}"
    axes.errorbar(100 * mean_right, label, xerr=100 * half, fmt="o", capsize=3)
axes.invert_yaxis()
axes.grid(alpha=0.3)
_ = axes.set(xlabel="% of 48 that the judge names first, with 95 % interval", xlim=(0, 100))

# %% [markdown]
# Of captions that it learned, the judge names about half as many as of the true drawings; of others it knows the
# colours and a rough body, and is rarely right. It repeats what it has seen, blurred where several answers fit.
