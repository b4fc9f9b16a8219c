"""The one place where pictures become tensors and tensors pictures, and where picture files are
opened."""

import base64
import contextlib
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import numpy as np
import torch
from PIL import Image, ImageOps

from .files import read_bounded

# Only these are opened, whatever a file's name says: Pillow hands EPS to Ghostscript, which runs
# it, and decodes ICO and ICNS before their size is known.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "MPO")
ENDINGS = tuple(
    ".png .apng .jpg .jpeg .jpe .jfif .webp .gif .bmp .dib .tif .tiff .avif .mpo "
    # These are pictures too, which are refused in words rather than painted as words.
    ".heic .heif .jxl .jp2 .svg .psd .eps .ico .icns .tga .ppm".split()
)
# So are these, which a text may end in too: only where they end a single word.
WORD_ENDINGS = (".exr", ".hdr", ".dng", ".cr2", ".raw", ".nef", ".pdf")
MAX_PIXELS = 4096 * 4096  # the largest that we paint
MAX_BYTES = 100_000_000
KNOWN = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)  # say what is wrong
Source = str | Path | bytes  # a file, a data URL or "file://", or what is in a file


def norm_data(data: torch.Tensor) -> torch.Tensor:
    """From the generator's [-1, 1] to a picture's [0, 1]; what is outside is clipped."""
    return (data.clip(-1, 1) + 1) / 2


def clamped(data: torch.Tensor) -> torch.Tensor:
    """As `norm_data`; where it clips, gradients that lead back inside pass (Crowson's
    ClampWithGrad)."""
    x = (data + 1) / 2
    outside = (x - x.clamp(0, 1)).detach()
    if x.requires_grad:
        x.register_hook(lambda grad: grad * (grad * outside >= 0))
    return x - outside


def to_pil(tensor: torch.Tensor) -> Image.Image:
    """A tensor (3, h, w) in [0, 1] as a picture."""
    pixels = (tensor.detach().clamp(0, 1) * 255).round().byte()
    return Image.fromarray(pixels.permute(1, 2, 0).cpu().numpy())


def to_tensor(image: Image.Image) -> torch.Tensor:
    """A picture as (1, 3, h, w) in [0, 1]."""
    pixels = torch.from_numpy(np.array(image.convert("RGB")))
    return pixels.permute(2, 0, 1)[None].float() / 255


def to_data_url(picture: torch.Tensor) -> str:
    """A picture (1, 3, h, w) in [0, 1] as text that `load_image` gives back pixel by pixel."""
    file = io.BytesIO()
    to_pil(picture[0]).save(file, "png")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def is_picture(text: str) -> bool:
    """Whether a prompt's text names a picture file or holds one (`to_data_url`)."""
    starts = ("data:image/", "file://", "http://", "https://")
    lower = text.lower()
    if lower.startswith(starts) or lower.endswith(ENDINGS):
        return True
    return lower.endswith(WORD_ENDINGS) and len(lower.split()) == 1


def load_image(source: Source, size: tuple[int, int] | None = None) -> torch.Tensor:
    """A picture as (1, 3, height, width) in [0, 1]; errors as in `open_image`.

    With `size` = (height, width) it is filled to that and cropped.
    """
    picture = open_image(source)
    if size:
        picture = ImageOps.fit(picture, (size[1], size[0]), Image.Resampling.LANCZOS)
    return to_tensor(picture)


def open_image(source: Source, formats: Sequence[str] = FORMATS) -> Image.Image:
    """A picture, its first frame, as RGB, with white where it is transparent.

    FileNotFoundError if there is no such file; ValueError if it is none of `formats`, damaged, or
    over 4096×4096 pixels (of a JPEG four times as many, which is halved while it is decoded).
    """
    with _opened(source, formats) as image:
        return on_white(ImageOps.exif_transpose(image))


def read_info(source: Source, formats: Sequence[str] = FORMATS) -> dict[str, Any]:
    """What is written before the pixels of a picture, which are not decoded: texts, comments.
    Errors as in `open_image`."""
    with _opened(source, formats) as image:
        return {str(key): value for key, value in image.info.items()}


@contextlib.contextmanager
def _opened(source: Source, formats: Sequence[str]) -> Iterator[Image.Image]:
    """An open picture not yet decoded, of a size that can be; ValueError also for what fails in
    decoding it."""
    name = "this" if isinstance(source, bytes) else repr(_short(str(source)))
    try:
        file = io.BytesIO(_content(source))
        Image.init()  # this Pillow may lack some
        with Image.open(file, formats=[f for f in formats if f in Image.OPEN]) as image:
            if image.format in ("JPEG", "MPO") and MAX_PIXELS < image.width * image.height:
                image.draft(None, (image.width // 2, image.height // 2))
            if image.width * image.height > MAX_PIXELS:
                raise ValueError(
                    f"{image.width}×{image.height} pixels; allowed are {MAX_PIXELS / 1e6:.1f} "
                    "million, as 4096×4096: make it smaller"
                )
            yield image
    except (FileNotFoundError, MemoryError):
        raise
    except Image.UnidentifiedImageError as e:
        allowed = ", ".join(f for f in formats if f in Image.OPEN)
        raise ValueError(
            f"{name} is no picture that can be read: allowed are {allowed}; save it as one of them"
        ) from e
    except Exception as e:  # a decoder's own error on a damaged file: Pillow has many kinds
        why = e if isinstance(e, KNOWN) else type(e).__name__
        raise ValueError(f"{name} is no picture that can be read: {why}") from e


def _content(source: Source) -> bytes:
    """The bytes of a picture file, which may be given as a data URL."""
    if isinstance(source, bytes):
        return source
    text = str(source)
    if _is_data(text):
        return base64.b64decode(text.partition("base64,")[2], validate=True)
    if re.match(r"https?:[/\\]+", text, re.IGNORECASE):  # a `Path` leaves one slash
        raise ValueError("it is an address on the web: download it, then give the file's name")
    if text[:7].lower() == "file://":
        parts = urlsplit(text)
        drive = parts.netloc if parts.netloc.endswith(":") else ""  # "file://C:/cat.png"
        path = Path(url2pathname(drive + parts.path))
    else:
        path = Path(text).expanduser()
    if not path.exists():
        raise FileNotFoundError(f"no picture at {_short(text)!r}")
    return read_bounded(path, MAX_BYTES)


def _short(text: str) -> str:
    return f"{text[:40]}…" if _is_data(text) else text


def _is_data(text: str) -> bool:
    return text[:5].lower() == "data:"


def on_white(picture: Image.Image) -> Image.Image:
    """A picture of any mode as RGB: what is transparent on white, 16 bits as 8, 32 as the least of
    8, 16 and 31 that hold its values; ValueError for pixels that are floating-point numbers or of
    all 32 bits, whose black and white nobody knows."""
    if picture.mode == "F":
        raise ValueError("its pixels are floating-point numbers: save it with 8 or 16 bits")
    if picture.mode.startswith("I"):  # "I" is 32 bits, and 16 before Pillow had a mode for them
        values = np.asarray(picture)
        bits = 16
        if picture.mode == "I":
            if values.min() < 0:  # an unsigned file's large values look like this too
                raise ValueError("its pixels have 32 bits: save it with 8 or 16")
            bits = next(n for n in (8, 16, 31) if values.max() < 2**n)
        picture = Image.fromarray((values >> bits - 8).clip(0, 255).astype(np.uint8))
    if picture.has_transparency_data:
        layer = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    return picture.convert("RGB")
