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
# # Studio
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/YOUR_NAME/vqclip_nb/blob/main/notebooks/1_studio.ipynb)
# [![Open in Binder](https://mybinder.org/badge_logo.svg)](https://mybinder.org/v2/gh/YOUR_NAME/vqclip_nb/main?labpath=notebooks%2F1_studio.ipynb)
#
# Type a text, watch a picture form, steer it, leave with a GIF. "Run all" paints `PROMPT`; after that the controls are
# yours.

# %% tags=["parameters"]
PROMPT = "a sunflower on a blue background"  # one picture for each line
PAIR = "emoji"  # ships with the package, paints on any CPU; "imagenet": CLIP ViT-B/32 and the f16 VQGAN, 1.3 GB once
# and a GPU: in Colab choose Runtime, Change runtime type first
OUTPUT = ""  # a folder for picture.png and picture.gif; empty: export from the Studio
TOTAL_ITER = None  # optimisation steps; None: as the pair has it
SEED = 0

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
import os

import vqclip_nb as vq

pair = vq.load_pair(PAIR)
settings = vq.Settings(include=PROMPT.split("\n"), seed=SEED, total_iter=TOTAL_ITER)
studio = vq.Studio(pair, settings)
studio

# %% [markdown]
# The next cell presses Run. Move sliders while it paints, press Run or Enter in the prompt for another picture, go
# back, branch, export.

# %%
if not OUTPUT:
    studio.start()

# %%
if OUTPUT:  # nobody watches: paint to the end and write the files
    run = studio.paint()
    os.makedirs(OUTPUT, exist_ok=True)
    print(run.save_png(f"{OUTPUT}/picture.png").resolve())
    print(run.save_gif(f"{OUTPUT}/picture.gif").resolve())
    print(f"similarity {run.similarity:.3f}, {run.seconds:.1f} s")
studio.figure if OUTPUT else None
