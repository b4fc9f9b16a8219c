"""The mark of generated media in every kind of file, and `vqclip --what` on files of strangers."""

import json
import subprocess

import imageio_ffmpeg
import pytest
from PIL import Image, PngImagePlugin

from vqclip_nb.__main__ import main
from vqclip_nb.export import save_gif, save_mp4, save_png
from vqclip_nb.marks import IPTC, XMP, read_mark
from vqclip_nb.recipe import describe

FRAMES = [Image.new("RGB", (48, 32), (40 * i, 9, 99)) for i in range(4)]
RECIPE = {
    "made_by": "vqclip_nb",
    "form": 2,
    "settings": {"include": ["a fox"], "seed": 7},
    "steps": 60,
    "pair": "emoji",
    "changes": [[20, {"include": ["an owl"]}]],
    "versions": {"vqclip_nb": "0.2.0"},
}


def save(folder, kind, recipe=RECIPE):
    if kind == "png":
        return save_png(FRAMES[0], folder / "a.png", recipe)
    return {"gif": save_gif, "mp4": save_mp4}[kind](FRAMES, folder / f"a.{kind}", recipe)


@pytest.mark.parametrize("kind", ["png", "gif", "mp4"])
def test_every_kind_is_marked(kind, tmp_path):
    assert read_mark(save(tmp_path, kind)) == IPTC
    assert read_mark(save(tmp_path, kind, {"digital_source_type": IPTC})) == IPTC


def test_the_packet_of_a_gif_is_where_readers_look(tmp_path):
    """Block by block, as the format has it; the packet ends before the trailer."""
    data = save(tmp_path, "gif").read_bytes()
    at = data.index(b"\x21\xff\x0bXMP DataXMP") + 14
    assert data[at : at + len(XMP.encode())] == XMP.encode()
    while data[at]:  # read as a chain of blocks it ends in the trailer
        at += 1 + data[at]
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.n_frames == 4 and gif.info["loop"] == 0
        assert json.loads(gif.info["comment"]) == RECIPE
    assert data[at + 1] in b"\x21\x2c"  # the next extension or picture


def test_the_packet_of_a_film_is_a_box_that_players_pass_over(tmp_path):
    path = save(tmp_path, "mp4")
    data, at, boxes = path.read_bytes(), 0, []
    while at < len(data):
        boxes.append(data[at + 4 : at + 8])
        at += int.from_bytes(data[at : at + 4], "big")
    assert at == len(data) and boxes[-1] == b"uuid"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "warning", "-export_xmp", "1", "-i", path]
    told = subprocess.run([*command, "-f", "null", "-"], capture_output=True, text=True)
    assert told.returncode == 0 and not told.stderr
    read = subprocess.run([*command, "-f", "ffmetadata", "-"], capture_output=True, text=True)
    assert IPTC in read.stdout.replace("\\", "")


@pytest.mark.parametrize("kind", ["png", "gif", "mp4"])
def test_what_says_what_a_file_holds(kind, tmp_path, capsys):
    assert main(["--what", str(save(tmp_path, kind))]) == 0
    told = capsys.readouterr().out
    for words in ("48×32 pixels", "mark: trainedAlgorithmicMedia", "vqclip_nb '0.2.0'", "'emoji'"):
        assert words in told
    assert "include: ['a fox']" in told and "seed: 7" in told and "an owl" in told


def test_files_of_strangers_are_said_and_do_no_harm(tmp_path, capsys):
    plain = tmp_path / "plain.gif"
    Image.new("RGB", (8, 8)).save(plain)
    assert "mark: none\nrecipe: none" in describe(plain)

    coloured = "\x1b[31mred\u202e"  # a terminal would obey
    hostile = RECIPE | {"pair": coloured, "steps": coloured, "versions": [coloured]}
    hostile |= {"settings": {"include": [coloured], "init_image": "/etc/passwd"}}
    told = describe(save(tmp_path, "gif", hostile))
    assert told.isprintable() is False and "\x1b" not in told and "\u202e" not in told
    assert "passwd" not in told

    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", f"<a:DigitalSourceType>{IPTC}</a:>", zip=True)
    Image.new("RGB", (8, 8)).save(tmp_path / "packed.png", pnginfo=info)
    assert read_mark(tmp_path / "packed.png") == IPTC

    (tmp_path / "list.mp4").write_text("ffconcat version 1.0\nfile /etc/passwd\n")
    (tmp_path / "text.gif").write_text("DigitalSourceType=")
    for name, words in [("list.mp4", "no film"), ("text.gif", "no picture"), ("no", "no file")]:
        assert main(["--what", str(tmp_path / name)]) == 1
        assert words in capsys.readouterr().err
