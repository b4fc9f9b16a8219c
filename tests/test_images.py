"""Pictures from outside: of every kind, none of them runs code or surprises."""

import numpy as np
import pytest
import torch
from PIL import Image

import vqclip_nb as vq
from vqclip_nb.images import load_image


@pytest.mark.parametrize("kind", ["RGBA", "LA", "P"])
def test_what_is_transparent_is_white(tmp_path, kind):
    picture = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    picture.paste((0, 0, 0, 255), (0, 0, 4, 8))
    picture = picture.quantize() if kind == "P" else picture.convert(kind)
    picture.save(tmp_path / "half.png")
    x = load_image(tmp_path / "half.png")
    assert x.shape == (1, 3, 8, 8) and x[..., :4].max() == 0 and x[..., 4:].min() == 1


def test_sixteen_bits_keep_their_brightness(tmp_path):
    ramp = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    Image.fromarray(ramp).save(tmp_path / "ramp.png")
    expected = torch.from_numpy(ramp.astype(np.float32)) / 65535
    torch.testing.assert_close(
        load_image(tmp_path / "ramp.png")[0, 0], expected, atol=0.005, rtol=0
    )


@pytest.mark.parametrize("device", ["foo", "cuda:99"])
def test_a_device_that_is_not_here_is_refused(device):
    with pytest.raises(ValueError, match=f"device '{device}' is not here: the best is"):
        vq.load_pair("emoji", device=device)
