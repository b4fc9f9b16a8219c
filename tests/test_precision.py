"""Half precision, devices other than the CPU, and what is computed only once."""

import json

import pytest
import torch
import torch.nn.functional as F
from test_clip import tiny

from benchmarks.gpu import main
from vqclip_nb.crops import create_crops
from vqclip_nb.models import fast


@pytest.fixture
def gradient(pair):
    """Function of the precisions of CLIP and decoder: the latent's gradient, flat."""
    text, start = pair.clip.encode_text(["a fox"]), torch.Generator().manual_seed(1)
    z = 0.5 * torch.randn(1, pair.vqgan.latent_channels, 8, 8, generator=start)

    def make(clip: torch.dtype, decoder: torch.dtype, scale: float = 1024.0) -> torch.Tensor:
        latent, generator = z.clone().requires_grad_(), torch.Generator().manual_seed(2)
        picture = pair.vqgan.synthesize(latent, dtype=decoder)
        crops = create_crops(picture, 8, pair.clip.resolution, generator=generator)
        seen = pair.clip.encode_crops(crops, generator, dtype=clip)
        assert picture.dtype == seen.dtype == torch.float32
        (-scale * F.cosine_similarity(seen, text).mean()).backward()
        return latent.grad.flatten() / scale

    return make


def test_gradients_in_half_precision_agree_with_float32(gradient):
    full = gradient(torch.float32, torch.float32)
    for clip, decoder, least in (
        (torch.float16, torch.float32, 0.9995),
        (torch.float16, torch.float16, 0.9995),
        (torch.bfloat16, torch.bfloat16, 0.99),
    ):
        assert F.cosine_similarity(full, gradient(clip, decoder), dim=0) > least


def test_a_vision_transformer_in_half_precision_keeps_its_norms_in_float32():
    visual = tiny("vit").visual.float()
    half = fast.in_precision(visual, torch.bfloat16)
    assert half.ln_pre.weight.dtype == torch.float32 and half.proj.dtype == torch.bfloat16
    x = torch.randn(3, 3, 32, 32)
    exact, rounded = fast.encode_image(visual, x), fast.encode_image(half, x.bfloat16())
    assert F.cosine_similarity(exact, rounded.float()).min() > 0.999
    assert fast.in_precision(visual, torch.float32) is visual


def test_the_gpu_benchmark_runs_at_toy_size(tmp_path):
    out = tmp_path / "rows.json"
    main(["--device", "cpu", "--toy", "--seconds", "60", "--out", str(out)])
    rows = json.loads(out.read_text())
    assert not [row for row in rows if "failed" in row]
    assert {row.get("precision") for row in rows} >= {"float32", "half"}
    assert all(row["ms"] > 0 and row["TFLOP"] > 0 for row in rows if "precision" in row)
