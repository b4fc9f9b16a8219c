"""The one place where pictures become tensors and tensors pictures."""

from __future__ import annotations

import base64
import binascii
import io
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif")
MAX_PIXELS = 50_000_000  # more would take gigabytes to decode
MAX_BYTES = 100_000_000


def norm_data(data: torch.Tensor) -> torch.Tensor:
    """From the generator's [-1, 1] to a picture's [0, 1]; what is outside is clipped."""
    return (data.clip(-1, 1) + 1) / 2


def to_pil(tensor: torch.Tensor) -> Image.Image:
    """A tensor (3, h, w) in [0, 1] as a picture."""
    pixels = (tensor.detach().clamp(0, 1) * 255).round().byte()
    return Image.fromarray(pixels.permute(1, 2, 0).cpu().numpy())


def to_tensor(image: Image.Image) -> torch.Tensor:
    """A picture as (1, 3, h, w) in [0, 1]."""
    pixels = torch.from_numpy(np.array(image.convert("RGB")))
    return pixels.permute(2, 0, 1)[None].float() / 255


def is_picture(text: str) -> bool:
    """Whether a prompt's text names a picture file or holds one (`to_data_url`)."""
    return text.startswith("data:image/") or text.lower().endswith(ENDINGS)


def load_image(source: str | Path, size: tuple[int, int] | None = None) -> torch.Tensor:
    """A picture file, or a data URL, as (1, 3, height, width) in [0, 1].

    With `size` = (height, width) it is filled to that and cropped. FileNotFoundError if there is no
    such file, ValueError if no picture of at most 50 million pixels is in it.
    """
    source = str(source)
    name = f"{source[:40]}…" if source.startswith("data:") else source
    try:
        if source.startswith("data:"):
            file = io.BytesIO(base64.b64decode(source.partition("base64,")[2], validate=True))
        elif not Path(source).exists():
            raise FileNotFoundError(f"no picture at {name!r}")
        elif not Path(source).is_file():  # reading a pipe or a device may never end
            raise ValueError("not a file")
        elif Path(source).stat().st_size > MAX_BYTES:
            raise ValueError(f"more than {MAX_BYTES // 10**6} MB")
        else:
            file = io.BytesIO(Path(source).read_bytes())
        with Image.open(file) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                raise ValueError(f"{opened.width}×{opened.height} is over 50 million pixels")
            picture = on_white(ImageOps.exif_transpose(opened))
    except FileNotFoundError:
        raise
    except MemoryError:
        raise
    except (OSError, ValueError, SyntaxError, binascii.Error, Image.DecompressionBombError) as e:
        raise ValueError(f"{name!r} is no picture that can be read: {e}") from e
    except Exception as e:  # a decoder's own error on a damaged file: Pillow has many kinds
        raise ValueError(f"{name!r} is no picture that can be read: {type(e).__name__}") from e
    if size:
        picture = ImageOps.fit(picture, (size[1], size[0]), Image.Resampling.LANCZOS)
    return to_tensor(picture)


def on_white(picture: Image.Image) -> Image.Image:
    """A picture of any mode as RGB: what is transparent on white, 16 bits as 8."""
    if picture.mode.startswith("I"):  # "I" before Pillow had a mode for it
        picture = Image.fromarray((np.asarray(picture) >> 8).clip(0, 255).astype(np.uint8))
    if picture.has_transparency_data:
        layer = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    return picture.convert("RGB")


def to_data_url(picture: torch.Tensor) -> str:
    """A picture (1, 3, h, w) in [0, 1] as text that `load_image` gives back pixel by pixel."""
    file = io.BytesIO()
    to_pil(picture[0]).save(file, "png")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
