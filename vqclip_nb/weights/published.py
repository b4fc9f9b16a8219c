"""The published files: where they are, what they must hash to, under which licence."""

from __future__ import annotations

from dataclasses import dataclass

HEIBOX = "https://heibox.uni-heidelberg.de"
PYTTI_VQGAN = (
    "https://huggingface.co/Somnai/pytti-vqgan-checkpoints/resolve/"
    "debc22c8f285c7734980c464ff992d335dde6e9a"
)
FEED_FORWARD = "https://github.com/mehdidc/feed_forward_vqgan_clip/releases/download/0.1"
TAMING = "MIT (taming-transformers, CompVis)"


@dataclass(frozen=True)
class File:
    """A published file. Without `sha256` it is fetched only with consent; `bytes` is None where the
    size is not known."""

    name: str
    urls: tuple[str, ...]
    sha256: str | None
    bytes: int | None
    licence: str


def _clip(name: str, sha256: str, size: int) -> File:
    file = name.replace("/", "-") + ".pt"
    return File(
        file,
        (
            f"https://openaipublic.azureedge.net/clip/models/{sha256}/{file}",
            f"https://openaipublic.blob.core.windows.net/clip/models/{sha256}/{file}",
            f"https://huggingface.co/pxlpshr/pytti-models/resolve/main/clip/{sha256}/{file}",
        ),
        sha256,
        size,
        "MIT (CLIP, OpenAI)",
    )


CLIPS: dict[str, File] = {
    name: _clip(name, sha256, size)
    for name, sha256, size in (
        (
            "ViT-B/32",
            "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af",
            353_976_522,
        ),
        (
            "ViT-B/16",
            "5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f",
            350_837_078,
        ),
        (
            "ViT-L/14",
            "b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836",
            932_768_134,
        ),
        ("RN50", "afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762", 255_827_503),
    )
}

VQGANS: dict[str, tuple[File, File]] = {  # name: weights, configuration
    "imagenet": (
        File(
            "vqgan_imagenet_f16_16384.ckpt",
            (
                f"{HEIBOX}/d/a7530b09fed84f80a887/files/?p=%2Fckpts%2Flast.ckpt&dl=1",
                f"{HEIBOX}/f/867b05fc8c4841768640/?dl=1",
                f"{FEED_FORWARD}/vqgan_imagenet_f16_16384.ckpt",
                f"{PYTTI_VQGAN}/imagenet/imagenet.ckpt",
            ),
            "845a68805098cb666420d5db93df53f3a3b6dd443e6dd85c05759c5b998cd663",
            980_092_370,
            TAMING,
        ),
        File(
            "vqgan_imagenet_f16_16384.yaml",
            (
                f"{HEIBOX}/d/a7530b09fed84f80a887/files/?p=%2Fconfigs%2Fmodel.yaml&dl=1",
                f"{HEIBOX}/f/274fb24ed38341bfa753/?dl=1",
                f"{FEED_FORWARD}/vqgan_imagenet_f16_16384.yaml",
                f"{PYTTI_VQGAN}/imagenet/imagenet.yaml",
            ),
            "00e2c6189926f1d89ecfef73e9598db77981c1982f0555fbade963ffd16143c7",
            692,
            TAMING,
        ),
    ),
    "imagenet_1024": (
        File(
            "vqgan_imagenet_f16_1024.ckpt",
            (f"{HEIBOX}/f/140747ba53464f49b476/?dl=1",),
            None,
            957_954_257,
            TAMING,
        ),
        File(
            "vqgan_imagenet_f16_1024.yaml",
            (f"{HEIBOX}/f/6ecf2af6c658432c8298/?dl=1",),
            None,
            None,
            TAMING,
        ),
    ),
    "wikiart": (
        File(
            "wikiart_16384.ckpt",
            (f"{PYTTI_VQGAN}/wikiart/wikiart.ckpt",),
            "bd08bb46301f98be1712bb2be9f8868cea30b53137cd985d4d6e8da8b3e02c36",
            1_005_327_541,
            "not stated",
        ),
        File(
            "wikiart_16384.yaml",
            (f"{PYTTI_VQGAN}/wikiart/wikiart.yaml",),
            "6e78241d2828ff35b8381839ce249c24a6c468ed429760d33a25e98e7f24499a",
            920,
            "not stated",
        ),
    ),
    "coco": (
        File(
            "coco_first_stage.ckpt",
            (f"{PYTTI_VQGAN}/coco/coco.ckpt", "https://dl.nmkd.de/ai/clip/coco/coco.ckpt"),
            "106cc20fde571df14afc4349d62218d8213cf47177c682ecaa78a8c28b12f9de",
            296_030_214,
            "not stated",
        ),
        File(
            "coco_first_stage.yaml",
            (f"{PYTTI_VQGAN}/coco/coco.yaml", "https://dl.nmkd.de/ai/clip/coco/coco.yaml"),
            "17d0c2d9fda59eccade2a6070d833804b759dc817da42c2268be8cf1eb047676",
            458,
            "not stated",
        ),
    ),
    "openimages": (
        File(
            "vqgan_gumbel_f8_8192.ckpt",
            (f"{HEIBOX}/f/34a747d5765840b5a99d/?dl=1", f"{PYTTI_VQGAN}/openimages/openimages.ckpt"),
            "5cd6c74810ab97e00e942c25403f73afc081e8b19987b31ec0d9ff5b68e7ab14",
            376_581_823,
            TAMING,
        ),
        File(
            "vqgan_gumbel_f8_8192.yaml",
            (f"{HEIBOX}/f/b24d14998a8d4f19a34f/?dl=1", f"{PYTTI_VQGAN}/openimages/openimages.yaml"),
            "91110bab325067b37f85d1e75895a837d59c292bae4f3097f80c518714d5caff",
            745,
            TAMING,
        ),
    ),
}
