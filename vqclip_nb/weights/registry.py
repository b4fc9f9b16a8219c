"""The published files: where they are, what they must hash to, under which licence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

HEIBOX = "https://heibox.uni-heidelberg.de"
FEED_FORWARD = "https://github.com/mehdidc/feed_forward_vqgan_clip/releases/download/0.1"
PYTTI = (
    "https://huggingface.co/Somnai/pytti-vqgan-checkpoints/resolve/"
    "debc22c8f285c7734980c464ff992d335dde6e9a"
)
DOWNLOAD_CACHE = (
    "https://huggingface.co/xvjiarui/download_cache/resolve/"
    "c3e02071b4e73966f5f573a6f3b8ed2c0269e5fb/clip"
)
TAMING = "MIT (taming-transformers, CompVis)"
UNKNOWN = "not stated"


@dataclass(frozen=True)
class File:
    """A published file. Without `sha256` it is fetched only with consent; `bytes` is None where the
    size is not known; at_most: then its limit, if that is. facts: see `parse_facts`."""

    name: str
    urls: tuple[str, ...]
    sha256: str | None
    bytes: int | None
    licence: str
    at_most: int = 0
    facts: Mapping[str, Any] = field(default_factory=dict)


_CACHED = ("ViT-B/32", "ViT-L/14")  # those that `DOWNLOAD_CACHE` has too
_OPENAI = {  # SHA-256 and bytes
    "ViT-B/32": ("40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af", 353_976_522),
    "ViT-B/16": ("5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f", 350_837_078),
    "ViT-L/14": ("b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836", 932_768_134),
    "RN50": ("afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762", 255_827_503),
}


def _openai(name: str) -> File:
    (sha256, size), file = _OPENAI[name], name.replace("/", "-") + ".pt"
    urls = (
        f"https://openaipublic.azureedge.net/clip/models/{sha256}/{file}",
        f"https://openaipublic.blob.core.windows.net/clip/models/{sha256}/{file}",
        f"https://huggingface.co/pxlpshr/pytti-models/resolve/main/clip/{sha256}/{file}",
        *([f"{DOWNLOAD_CACHE}/{file}"] if name in _CACHED else []),
    )
    return File(file, urls, sha256, size, "MIT (CLIP, OpenAI)")


CLIPS: dict[str, File] = {name: _openai(name) for name in _OPENAI}
FARE = "https://huggingface.co/chs20/FARE4-ViT-B-16-laion2B-s34B-b88K/resolve"
CLIPS["FARE4-ViT-B/16"] = File(  # LAION's ViT-B/16, trained on against attacks
    "FARE4-ViT-B-16.bin",
    (f"{FARE}/98515b0/open_clip_pytorch_model.bin", f"{FARE}/main/open_clip_pytorch_model.bin"),
    "0d432910d3e70ea6fe043662a9fa99472ae87dffef8b1ddd6f5383f96d6dff27",
    None,
    "MIT (RobustVLM, Schlarmann et al.)",
    at_most=700_000_000,
    facts={"activation": "gelu"},
)
CLIPS["SigLIP-ViT-B/16"] = File(
    "ViT-B-16-SigLIP.safetensors",
    tuple(
        f"https://huggingface.co/timm/ViT-B-16-SigLIP/resolve/{at}/open_clip_model.safetensors"
        for at in ("bb740e8", "main")
    ),
    "81942ea8c09b9e41963357cca5d2682118bf7eb7491c2ae51a28bc4f4f95b194",
    None,
    "Apache-2.0 (SigLIP, Google)",
    at_most=900_000_000,
    facts={"open_clip": "ViT-B-16-SigLIP"},
)


def _vqgan(
    name: str,
    licence: str,
    weights: tuple[str | None, int | None],
    config: tuple[str | None, int | None],
    *mirrors: tuple[str, str],
) -> tuple[File, File]:
    """Weights and configuration, each with SHA-256 and bytes; mirrors give an address of each."""
    checkpoints, yamls = zip(*mirrors, strict=True)
    return (
        File(f"{name}.ckpt", checkpoints, *weights, licence),
        File(f"{name}.yaml", yamls, *config, licence),
    )


def _both(stem: str) -> tuple[str, str]:
    return f"{stem}.ckpt", f"{stem}.yaml"


def _heibox(weights: str, config: str) -> tuple[str, str]:
    return f"{HEIBOX}/f/{weights}/?dl=1", f"{HEIBOX}/f/{config}/?dl=1"


def _llamagen(
    name: str, ch_mult: list[int], sha256: str, at_most: int
) -> tuple[File, dict[str, Any]]:
    """A tokenizer of LlamaGen's: taming's networks under other names, and codes of 8 numbers."""
    revision = "81e41139272c038412e4fe8f1c52a51ebbf95b8b"
    hub = "https://huggingface.co/FoundationVision/LlamaGen/resolve"
    urls = tuple(f"{hub}/{at}/{name}.pt" for at in (revision, "main"))
    networks = dict(
        double_z=False,
        z_channels=256,
        resolution=256,
        in_channels=3,
        out_ch=3,
        ch=128,
        ch_mult=ch_mult,
        num_res_blocks=2,
        attn_resolutions=[256 >> len(ch_mult) - 1],
        dropout=0.0,
    )
    file = File(f"{name}.pt", urls, sha256, None, "MIT (LlamaGen, Sun et al.)", at_most=at_most)
    return file, dict(ddconfig=networks, embed_dim=8, n_embed=16384, l2_norm=True)


VQGANS: dict[str, tuple[File, File | dict[str, Any]]] = {
    "imagenet": _vqgan(
        "vqgan_imagenet_f16_16384",
        TAMING,
        ("845a68805098cb666420d5db93df53f3a3b6dd443e6dd85c05759c5b998cd663", 980_092_370),
        ("00e2c6189926f1d89ecfef73e9598db77981c1982f0555fbade963ffd16143c7", 692),
        (
            f"{HEIBOX}/d/a7530b09fed84f80a887/files/?p=%2Fckpts%2Flast.ckpt&dl=1",
            f"{HEIBOX}/d/a7530b09fed84f80a887/files/?p=%2Fconfigs%2Fmodel.yaml&dl=1",
        ),
        _heibox("867b05fc8c4841768640", "274fb24ed38341bfa753"),
        _both(f"{FEED_FORWARD}/vqgan_imagenet_f16_16384"),
        _both(f"{PYTTI}/imagenet/imagenet"),
    ),
    "imagenet_1024": _vqgan(
        "vqgan_imagenet_f16_1024",
        TAMING,
        (None, 957_954_257),
        (None, None),
        _heibox("140747ba53464f49b476", "6ecf2af6c658432c8298"),
    ),
    "wikiart": _vqgan(
        "wikiart_16384",
        UNKNOWN,
        ("bd08bb46301f98be1712bb2be9f8868cea30b53137cd985d4d6e8da8b3e02c36", 1_005_327_541),
        ("6e78241d2828ff35b8381839ce249c24a6c468ed429760d33a25e98e7f24499a", 920),
        _both(f"{PYTTI}/wikiart/wikiart"),
    ),
    "coco": _vqgan(
        "coco_first_stage",
        UNKNOWN,
        ("106cc20fde571df14afc4349d62218d8213cf47177c682ecaa78a8c28b12f9de", 296_030_214),
        ("17d0c2d9fda59eccade2a6070d833804b759dc817da42c2268be8cf1eb047676", 458),
        _both(f"{PYTTI}/coco/coco"),
        _both("https://dl.nmkd.de/ai/clip/coco/coco"),
    ),
    "openimages": _vqgan(
        "vqgan_gumbel_f8_8192",
        TAMING,
        ("5cd6c74810ab97e00e942c25403f73afc081e8b19987b31ec0d9ff5b68e7ab14", 376_581_823),
        ("91110bab325067b37f85d1e75895a837d59c292bae4f3097f80c518714d5caff", 745),
        _heibox("34a747d5765840b5a99d", "b24d14998a8d4f19a34f"),
        _both(f"{PYTTI}/openimages/openimages"),
    ),
    "llamagen": _llamagen(
        "vq_ds16_c2i_training",
        [1, 1, 2, 2, 4],
        "75e6492ac6fe32414bc07cbf1ad65e854845ef356eede4afbe758ab1c766f1f8",
        1_000_000_000,
    ),
    "llamagen_f8": _llamagen(
        "vq_ds8_c2i",
        [1, 2, 2, 4],
        "c70d2966ec012f378793214ff0755087e7c5fe6f035b469995143325dca4a4e3",
        300_000_000,
    ),
}
