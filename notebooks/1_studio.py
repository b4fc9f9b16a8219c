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
# Type a text, watch a picture form, steer it, leave with a GIF. "Run all" paints the prompt below; after that the
# controls are yours.
#
# `PAIR = "emoji"` ships with the package and paints on any CPU at once. `PAIR = "imagenet"` downloads CLIP ViT-B/32
# and the f16 VQGAN once (1.3 GB) and wants a GPU: in Colab choose *Runtime, Change runtime type* first.

# %%
import os
import sys
import time

REPOSITORY = "https://github.com/vqclip/vqclip_nb"
if "google.colab" in sys.modules:
    get_ipython().run_line_magic("pip", f"install -q git+{REPOSITORY}")

# %% tags=["parameters"]
PROMPT = "a red apple on a white background"
PAIR = "emoji"
SEED = 0
TOTAL_ITER = 100
OUTPUT = ""  # a folder for picture.png and picture.gif; empty: export from the Studio

# %%
import vqclip_nb as vq

began = time.perf_counter()
pair = vq.load_pair(PAIR)
settings = vq.Settings(include=PROMPT.split("\n"), total_iter=TOTAL_ITER, seed=SEED)

# %%
studio = vq.Studio(pair, settings)
studio

# %% [markdown]
# The next cell paints what the Studio shows, without a click. From then on press Run, move sliders while it paints,
# go back, branch, export.

# %%
run = studio.paint()
run.image

# %%
if OUTPUT:
    os.makedirs(OUTPUT, exist_ok=True)
    for path in (run.save_png(f"{OUTPUT}/picture.png"), run.save_gif(f"{OUTPUT}/picture.gif")):
        print(path.resolve())
seconds = time.perf_counter() - began
print(f"similarity {run.similarity:.3f}, {seconds:.1f} s")
