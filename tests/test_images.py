"""Pictures from outside: of every kind, none of them runs code or surprises."""

import io
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import vqclip_nb as vq
from vqclip_nb.images import is_picture, load_image, open_image, to_data_url
from vqclip_nb.reading import parse_prompt


def png(width: int, height: int) -> bytes:
    """A PNG that says it has so many pixels, and holds none."""
    header = struct.pack(">II5B", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b""))
    number = struct.Struct(">I").pack
    parts = [number(len(d)) + k + d + number(zlib.crc32(k + d)) for k, d in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_the_size_is_checked_before_anything_is_decoded_and_a_photo_halved():
    with pytest.raises(ValueError, match="7000×7000 pixels; allowed are 16.8 million"):
        open_image(png(7000, 7000))
    with pytest.raises(ValueError, match="exceeds limit"):
        open_image(png(60_000, 60_000))
    with pytest.raises(ValueError, match="no picture that can be read"):
        open_image(png(8, 8))  # nothing in it
    file = io.BytesIO()
    Image.new("RGB", (5000, 4000), "red").save(file, "JPEG")
    picture = open_image(file.getvalue())
    assert picture.size == (2500, 2000) and picture.getpixel((9, 9))[0] > 250


@pytest.mark.skipif(os.name == "nt", reason="no such files there")
def test_only_regular_files_are_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "nothing").touch()
    (tmp_path / "link").symlink_to("/dev/zero")
    kinds = {"pipe": "a pipe", "folder": "a folder", "nothing": "is empty", "link": "a device"}
    for name, words in kinds.items():
        with pytest.raises(ValueError, match=words):
            load_image(tmp_path / name)


def test_a_file_may_be_below_home_or_an_address_of_a_file(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    for name in ("a fox.png", "a.jpe"):
        Image.new("RGB", (8, 8), "white").save(tmp_path / name)
    address = (tmp_path / "a fox.png").as_uri()
    for source in ("~/a fox.png", "~/a.jpe", address, address.replace("file:", "FILE:")):
        assert is_picture(source) and load_image(source).min() == 1
    data = to_data_url(torch.ones(1, 3, 8, 8)).replace("data:", "DATA:")
    assert is_picture(data) and load_image(data).min() == 1
    web = ("https://example.org/fox.png", "HTTPS://Example.org/fox")
    for source in (*web, Path("https://example.org/fox.png")):
        with pytest.raises(ValueError, match="download it"):
            load_image(source)


@pytest.mark.parametrize(
    "ending", "tiff tif avif heic HEIC jxl jfif svg jpe dib exr hdr dng cr2 raw NEF pdf".split()
)
def test_a_prompt_that_names_a_picture_is_not_painted_as_words(ending):
    assert is_picture(f"fox.{ending}") and not is_picture(f"a fox {ending}")
    assert not is_picture("a page of a .pdf") and parse_prompt("fox.pdf:2") == [("fox.pdf", 2)]


@pytest.mark.parametrize("most", [np.int32(255), np.int32(2**31 - 1), np.uint16(65535)])
def test_whole_numbers_keep_their_brightness(tmp_path, most):
    ramp = np.linspace(0, most, 64).astype(type(most)).reshape(8, 8)
    Image.fromarray(ramp).save(tmp_path / "ramp.tiff")
    expected = torch.linspace(0, 1, 64).reshape(8, 8)
    found = load_image(tmp_path / "ramp.tiff")[0, 0]
    torch.testing.assert_close(found, expected, atol=0.005, rtol=0)


def test_numbers_whose_white_nobody_knows_are_refused(tmp_path):
    for value, words in ((np.int32(-1), "have 32 bits"), (np.float32(0.5), "floating-point")):
        Image.fromarray(np.full((8, 8), value)).save(tmp_path / "a.tiff")
        with pytest.raises(ValueError, match=f"{words}.*: save it with 8 or 16"):
            load_image(tmp_path / "a.tiff")


@pytest.mark.parametrize("kind", ["ICO", "PPM", "PDF", "heic"])
def test_formats_that_are_not_needed_are_refused_with_what_to_do(tmp_path, pair, kind):
    path = tmp_path / f"fox.{kind.lower()}"
    if kind == "heic":
        path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99))
    else:
        Image.new("RGB", (32, 32)).save(path, kind)
    with pytest.raises(ValueError, match="allowed are PNG, JPEG.*save it as one of them"):
        vq.Run(pair, vq.Settings(include=["a fox"], init_image=str(path)))


@pytest.mark.parametrize("kind", ["RGBA", "LA", "P"])
def test_what_is_transparent_is_white(tmp_path, kind):
    picture = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    picture.paste((0, 0, 0, 255), (0, 0, 4, 8))
    picture = picture.quantize() if kind == "P" else picture.convert(kind)
    picture.save(tmp_path / "half.png")
    x = load_image(tmp_path / "half.png")
    assert x.shape == (1, 3, 8, 8) and x[..., :4].max() == 0 and x[..., 4:].min() == 1


def test_only_a_whole_picture_is_excused_from_the_length_of_a_prompt():
    url = to_data_url(torch.rand(1, 3, 64, 64))
    assert len(url) > 2000 and vq.Settings(include=[f"a cat | {url}:2"])
    for region in (f"left: {url}:2 | a cat", f"{url}: {url}"):
        assert vq.Settings(include=["a fox"], regions=[region]).regions == [region]
    words = ("cat " * 2500 + "data:image/", f"{'cat ' * 600}| {url}", f"a fox {url}", f"{url} fox")
    for prompt in (*words, f"a fox: {url}", f"{'| ' * 2000}{url}"):
        with pytest.raises(ValueError, match="include has .* characters: allowed are 2,000"):
            vq.Settings(include=[prompt])
        with pytest.raises(ValueError, match="regions has .* characters: allowed are 2,000"):
            vq.Settings(include=["a fox"], regions=[f"left: {prompt}"])
        with pytest.raises(ValueError, match="the prompt has .* characters: allowed are 2,000"):
            parse_prompt(prompt)


@pytest.mark.skipif(os.name == "nt", reason="no fork there")
def test_each_format_is_read_as_the_first_picture_of_a_process(tmp_path):
    """Pillow loads its readers when they are first asked for."""
    picture = Image.new("RGB", (32, 16), (200, 30, 30))
    for kind in {"AVIF", "MPO", "WEBP", "TIFF"} & {*Image.registered_extensions().values()}:
        more = dict(save_all=True, append_images=[picture]) if kind == "MPO" else {}
        picture.save(tmp_path / kind, kind, **more)
    code = """if True:
        import os, sys; from vqclip_nb.images import load_image
        for path in sys.argv[1:]:
            if not os.fork():
                t = load_image(path)
                print(path, *t.shape, round(float(t[0, 0].mean()), 1), flush=True)
                os._exit(0)
            os.wait()"""
    paths = sorted(tmp_path.iterdir())
    done = subprocess.run([sys.executable, "-c", code, *paths], capture_output=True, text=True)
    assert done.stdout.splitlines() == [f"{path} 1 3 16 32 0.8" for path in paths], done.stderr
