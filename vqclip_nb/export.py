"""PNG, GIF and MP4 files that carry their recipe and the mark of generated media."""

import itertools
import json
import re
import subprocess
import uuid
from collections.abc import Callable, Iterator, Sequence
from numbers import Real
from pathlib import Path
from typing import Any

import torch
from PIL import Image, PngImagePlugin

from .files import write_atomically
from .images import to_pil
from .knobs import shown
from .reading import readable

KEY = "vqclip_nb"  # of the recipe in a PNG, and who made it
# IPTC's word for media made by an algorithm that learned from samples.
IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
XMP = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
    f'Iptc4xmpExt:DigitalSourceType="{IPTC}"/></rdf:RDF></x:xmpmeta><?xpacket end="r"?>'
)
PNG_KEY = "XML:com.adobe.xmp"
MP4_BOX = uuid.UUID("be7acfcb-97a9-42e8-9c71-999491e3afac")
NOTHING = "nothing to save yet: take at least one step"

Progress = Callable[[int, int], None] | None  # called with frames done, of how many


def file_name(prompt: str, kind: str) -> str:
    """A file's name from a prompt: "a-red-apple.gif"."""
    words = re.findall(r"\w+", readable(prompt).lower())
    return f"{'-'.join(words)[:60].strip('-') or 'picture'}.{kind.lower()}"


def _ending(path: str | Path, ending: str) -> Path:
    """`path`, if it ends as what is written there; else ValueError."""
    if Path(path).suffix.lower() != ending:
        raise ValueError(
            f"{str(path)!r}: what is written is a {ending[1:].upper()}, so the name "
            f"must end in {ending}; save_png, save_gif and save_mp4 write one kind each"
        )
    return Path(path)


def save_png(image: Image.Image, path: str | Path, recipe: dict[str, Any]) -> Path:
    """Write one picture with its recipe; ValueError if `path` does not end in .png."""
    path = _ending(path, ".png")
    info = PngImagePlugin.PngInfo()
    info.add_itxt(KEY, json.dumps(recipe, ensure_ascii=False))
    info.add_itxt(PNG_KEY, XMP)
    return write_atomically(path, lambda part: image.save(part, "PNG", pnginfo=info))


def _sequence(images: Sequence[Image.Image], fps: float, boomerang: bool) -> list[Image.Image]:
    if not images:
        raise ValueError(NOTHING)
    if not isinstance(fps, Real) or isinstance(fps, bool) or not 0.1 <= fps <= 50:
        raise ValueError(f"fps={shown(fps)}: give a number from 0.1 to 50, of frames a second")
    size = min(image.size for image in images)  # a last one that was finished is larger
    images = [image if image.size == size else image.resize(size) for image in images]
    return [*images, *images[-2:0:-1]] if boomerang else images


def _counted(images: Sequence[Image.Image], progress: Progress) -> Iterator[Image.Image]:
    for i, image in enumerate(images, 1):
        yield image
        if progress:
            progress(i, len(images))


def save_gif(
    images: Sequence[Image.Image],
    path: str | Path,
    recipe: dict[str, Any],
    *,
    fps: float = 10,
    boomerang: bool = False,
    progress: Progress = None,
) -> Path:
    """Write an endless animation with its recipe; the last frame stays a second longer.

    The format counts hundredths of a second: where a frame takes no whole number of them, unlike
    durations add up. ValueError if `path` does not end in .gif.
    """
    path = _ending(path, ".gif")
    images = _sequence(images, fps, boomerang)
    # Quantized one by one first: Pillow's own palette step is many times slower.
    frames = [image.quantize(256) for image in _counted(images, progress)]
    ends = [10 * round(100 * i / fps) for i in range(len(frames) + 1)]  # in milliseconds
    durations = [end - begin for begin, end in itertools.pairwise(ends)]
    if not boomerang:
        durations[-1] += 1000
    options = dict(save_all=True, append_images=frames[1:], loop=0, duration=durations)
    comment = json.dumps(recipe).encode()

    def save(part: Path) -> None:
        frames[0].save(part, "GIF", comment=comment, **options)
        _mark_gif(part)

    return write_atomically(path, save)


def save_mp4(
    images: Sequence[Image.Image],
    path: str | Path,
    recipe: dict[str, Any],
    *,
    fps: float = 10,
    boomerang: bool = False,
    progress: Progress = None,
) -> Path:
    """Write an H.264 film with its recipe; ValueError if `path` does not end in .mp4, OSError if
    the encoder did not write all of it."""
    import imageio.v2 as imageio
    import imageio_ffmpeg
    import numpy as np

    path = _ending(path, ".mp4")
    images = _sequence(images, fps, boomerang)
    escaped = json.dumps(recipe)
    for sign in "\\=;#":
        escaped = escaped.replace(sign, f"\\{sign}")

    def save(part: Path) -> None:
        # In a file: a command line takes no long recipe.
        bare, words = part.with_suffix(".mov"), part.with_suffix(".txt")
        try:
            words.write_text(f";FFMETADATA1\ncomment={escaped}\n", encoding="utf8")
            options: dict[str, Any] = dict(format="FFMPEG", fps=fps, codec="libx264", quality=8)
            options |= dict(macro_block_size=2, ffmpeg_log_level="error")
            film: Any
            with imageio.get_writer(bare, **options) as film:
                for image in _counted(images, progress):
                    film.append_data(np.asarray(image))
            done = subprocess.run(
                [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-v", "error", "-i", bare.resolve()]
                + ["-i", words.resolve(), "-map_metadata", "1", "-codec", "copy"]
                + ["-movflags", "use_metadata_tags", part.resolve()],
                capture_output=True,
                encoding="utf8",
                errors="replace",
                stdin=subprocess.DEVNULL,
            )
            # The encoder's own end is not told: a film cut short by a full disk has fewer frames.
            whole = done.returncode == 0 and part.is_file()
            frames = imageio_ffmpeg.count_frames_and_secs(part.resolve())[0] if whole else 0
            if frames != len(images):
                raise OSError(
                    f"{path} was not written: {frames} of {len(images)} frames; is the disk full? "
                    f"{done.stderr.strip()[-200:]}"
                )
            content = MP4_BOX.bytes + XMP.encode()
            with open(part, "ab") as file:  # the mark is a box of its own at the end
                file.write((8 + len(content)).to_bytes(4, "big") + b"uuid" + content)
        finally:
            bare.unlink(missing_ok=True)
            words.unlink(missing_ok=True)

    return write_atomically(path, save)


# -- the mark of generated media, IPTC's word in an XMP packet
#
# Where a packet lies in each kind of file is laid down in part 3 of Adobe's XMP specification.


def _mark_gif(path: Path) -> None:
    """Put the packet into a GIF, behind its header and the colours for all frames."""
    data = path.read_bytes()
    packed = data[10]
    at = 13 + (3 * 2 ** ((packed & 7) + 1) if packed & 0x80 else 0)
    # A packet is no chain of blocks: whoever takes it for one lands in the trailer, each byte of
    # which leads to its end.
    trailer = bytes([1, *range(255, -1, -1), 0])
    extension = b"\x21\xff\x0bXMP DataXMP" + XMP.encode() + trailer
    path.write_bytes(b"GIF89a" + data[6:at] + extension + data[at:])


# -- through several pictures


@torch.no_grad()
def morph(runs: Sequence[Any], between: int = 12) -> Iterator[Image.Image]:
    """Pictures on straight lines through the last latents of every picture of `runs` (the report's
    res_z), `between` steps a line.

    ValueError for fewer than two pictures, for unlike sizes, or for runs of different pairs.
    """
    if len({id(run.pair) for run in runs}) > 1:
        raise ValueError("a morph needs pictures that were painted with the same pair")
    latents = [
        run.painting.optimization.latent(frame.state.get("average", frame.z).to(run.pair.device))
        for run in runs
        for frame in {f.index: f for f in run.frames if f.state}.values()
    ]
    quantize = runs[0].painting.quantized
    for z in interpolate(latents, between):
        yield to_pil(runs[0].pair.vqgan.synthesize(z, quantize=quantize)[0])


def interpolate(latents: Sequence[torch.Tensor], between: int) -> Iterator[torch.Tensor]:
    """Latents on straight lines from each to the next, `between` steps a line, ends included;
    ValueError for fewer than two or for unlike shapes."""
    if len(latents) < 2 or len({z.shape for z in latents}) > 1:
        raise ValueError("a morph needs at least two pictures, all of the same size")
    for a, b in itertools.pairwise(latents):
        for i in range(between):
            yield torch.lerp(a, b, i / between)
    yield latents[-1]
