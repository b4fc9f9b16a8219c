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
# # Studio
#
# Badges for Colab, Kaggle, molab and Binder appear here once `make address REPO=owner/name` has set this repository's address.
#
# Type a text, watch a picture form, steer it, leave with a GIF. "Run all" paints `PROMPT`; after that the controls are
# yours.
#
# `PAIR`: `auto` takes CLIP ViT-B/32 and the ImageNet VQGAN where there is a GPU, and the emoji pair, which ships with the
# package, elsewhere. While a pair is downloaded, 1.3 GB once, the emoji pair paints; then a button changes over.
# `TOTAL_ITER`: optimisation steps; `None`: as the pair has it.
# `DRIVE`: in Colab, keep weights, gallery, sessions and exports in `MyDrive/vqclip_nb`, where they outlive the machine.
# `OUTPUT`: a folder for picture.png and picture.gif, without waiting for a click; empty: export from the Studio.

# %% tags=["parameters"]
# @title What to paint
PROMPT = "a sunflower on a blue background"  # @param {type:"string"}
PAIR = "auto"  # @param ["auto", "emoji", "imagenet", "wikiart", "coco", "openimages", "llamagen"]
TOTAL_ITER = None  # @param {type:"raw"}
SEED = 0  # @param {type:"integer"}
DRIVE = False  # @param {type:"boolean"}
OUTPUT = ""  # @param {type:"string"}

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
import os

EXPORTS = "."
if DRIVE:
    from google.colab import drive

    drive.mount("/content/drive")
    EXPORTS = "/content/drive/MyDrive/vqclip_nb/exports"
    os.makedirs(EXPORTS, exist_ok=True)

# %%
import vqclip_nb as vq

prompts = PROMPT.split("\n")
settings = vq.Settings(include=prompts, seed=SEED, total_iter=TOTAL_ITER)
pair = vq.load_pair(PAIR) if OUTPUT else PAIR  # with files to write, wait for the download
studio = vq.Studio(pair, settings, folder=EXPORTS)
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
