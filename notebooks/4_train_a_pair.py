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
# # Train a pair
#
# Badges for Colab, Kaggle, molab and Binder appear here once `make address REPO=owner/name` has set this repository's address.
#
# Where the networks that ship came from: pictures of emoji composed into captioned scenes, a **CLIP** that learns
# which caption belongs to which scene, and a **VQGAN** that learns to draw scenes from a few codes. As it stands this
# notebook trains for a few minutes on a CPU, enough to watch both begin to work. With more `STEPS` it makes what
# ships: about six CPU hours for the CLIP, two for the VQGAN. Training goes on where it was cut off.
#
# It needs npm, which comes with [Node.js](https://nodejs.org), for the pictures of the emoji. Colab has it.

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

# %% tags=["parameters"]
DATA = "emoji/data"  # where the rendered sets go, 800 MB
OUT = "emoji/run"  # checkpoints, logs and weights
CLIP_STEPS, CLIP_BATCH = 240, 160  # what ships took 16,500
ADV_EPS = 0  # what ships: 2.5, which pays only after hours
VQGAN_STEPS, VQGAN_BATCH = 120, 16  # what ships took 2,800
PAINT_STEPS = 60

# %%
import subprocess
from pathlib import Path

import numpy as np
from IPython.display import display

# %%
import vqclip_nb as vq
from vqclip_nb.images import to_pil
from vqclip_nb.show import contact_sheet

# %% [markdown]
# The training code is in the repository, in the folder `training`, and not in the installed package. Where this notebook was
# not opened in a clone, the next cell makes one; it needs git.

# %%
clones = [Path(vq.__file__).parents[1], Path("..").resolve(), Path("repository").resolve()]
found = [clone for clone in clones if (clone / "training").is_dir()]
if not found:
    subprocess.run(["git", "clone", "--depth", "1", REPOSITORY, "repository"], check=True)
sys.path.append(str((found or clones[-1:])[0]))

# %%
from training import data
from training.scenes import Scenes

# %% [markdown]
# ## Data
# Five sets are trained on. The sixth, FxEmojis, is never shown in training: it tells whether the CLIP has learned what
# a fox is, or only what five foxes look like.

# %%
Path(DATA).mkdir(parents=True, exist_ok=True)
if not Path(DATA, "sprites.npy").exists():
    data.fetch(Path(DATA))
    data.render(Path(DATA))
scenes = Scenes(DATA)

# %%
some = scenes.batch(min(12, len(scenes.pairs)), np.random.default_rng(0))
contact_sheet([to_pil(p) for p in some.pictures], some.captions, columns=6)

# %% [markdown]
# ## CLIP
# Two encoders, one for pictures and one for captions, whose encodings are unit vectors. Each step takes a batch and
# raises the cosine of every picture with its own caption against all others of the batch, and against two foils for each,
# captions that are false in the style or in one other fact. With `ADV_EPS` above 0 the pictures are then moved by that length in
# the direction that hurts most, and the step is repeated: a CLIP trained so learns more slowly, but has gradients that a
# painter can follow. The guide that ships was also shown its own paintings, as negatives (`generated=16`), which costs a
# quarter more time.
#
# *top1* and *top5* are the shares of the held-out style that it names right, first or among five, out of 385.

# %%
from training.train_clip import ClipOptions, train_clip

often = max(2, CLIP_STEPS // 8)
options = ClipOptions(
    data=DATA, out=OUT, steps=CLIP_STEPS, batch=CLIP_BATCH, every=often, adv_eps=ADV_EPS
)
handle = display(display_id=True)
for clip in train_clip(options):
    handle.update(clip.curves())

# %% [markdown]
# What it takes unseen drawings for, likeliest first:

# %%
from training.evaluate import zero_shot_ranking

pictures, truth, names = zero_shot_ranking(clip.average.module, DATA)
titles = [f"{t}?\n{', '.join(n[:3])}" for t, n in zip(truth, names, strict=True)]
pick = np.random.default_rng(0).permutation(len(truth))[:12]
contact_sheet([to_pil(pictures[i]) for i in pick], [titles[i] for i in pick], columns=6)

# %% [markdown]
# ## VQGAN
# An encoder, a codebook of 2,048 entries, a decoder. It learns to give pictures back through the codes; the small
# CLIP's first layers say which differences matter, and a discriminator sharpens what the squares blur.
#
# *psnr* is in decibels on scenes that no step has seen, *codes* the share of the codebook in use on them.

# %%
from training.train_vqgan import VqganOptions, train_vqgan

options = VqganOptions(data=DATA, out=OUT, steps=VQGAN_STEPS, batch=VQGAN_BATCH)
options.every, options.clip = max(2, VQGAN_STEPS // 8), Path(OUT, "clip.safetensors")
options.codes_from, options.gan_from = VQGAN_STEPS // 4, VQGAN_STEPS * 3 // 4
handle = display(display_id=True)
for vqgan in train_vqgan(options):
    handle.update(vqgan.curves())

# %% [markdown]
# Scenes above, what comes back through the codes below:

# %%
x = scenes.batch(6, np.random.default_rng(1)).pictures
back, codes = vqgan.average.module.rebuild(x)
contact_sheet([to_pil(p) for p in [*x, *back]], columns=6)

# %% [markdown]
# ## Paint with it
# The files in `OUT` go through the same door as any others of your own. After minutes of training, expect colours; the
# pair that ships, below it, has had hours.

# %%
mine = vq.open_pair(clip=f"{OUT}/clip.safetensors", vqgan=f"{OUT}/vqgan.safetensors")
settings = vq.Settings(include=["a sunflower on a blue background"], total_iter=PAINT_STEPS)
vq.watch(vq.Run(mine, settings)).image

# %%
vq.watch(vq.Run(vq.load_pair("emoji"), settings)).image

# %% [markdown]
# To put yours in its place: `python -m training.export DATA OUT` in a clone of the repository, and
# `python -m training.measure` for its figures.
