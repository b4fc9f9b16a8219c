"""Pictures and films open elsewhere and carry their recipe and the mark of generated media."""

import json
import os
import subprocess
from itertools import product

import imageio.v3 as iio
import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image
from runs import finished

import vqclip_nb as vq
from vqclip_nb.export import IPTC, save_gif, save_mp4
from vqclip_nb.recipe import read_recipe


@pytest.fixture(scope="module")
def run(pair):
    texts = dict(include=["ein fox; 'weird' = \"Käfer\" \\ #1", "🍍 apple " * 3], exclude="a\ncat")
    quick = dict(total_iter=5, crops=2, height=32, width=48, show_step=1, seed=3, start="library")
    quick |= dict(finish=False)
    return finished(vq.Run(pair, vq.Settings(**texts, **quick)))


@pytest.mark.parametrize("kind", ["png", "gif", "mp4"])
def test_the_recipe_travels_in_the_file(run, tmp_path, kind):
    path = getattr(run, f"save_{kind}")(tmp_path / f"picture.{kind}")
    assert vq.open_recipe(path) == run.settings
    found = read_recipe(path)
    assert found["hashes"] == run.pair.hashes and found["pair"] == "emoji"
    assert found["digital_source_type"] == IPTC and found["versions"]["torch"]
    assert IPTC.encode() in path.read_bytes()
    assert os.listdir(tmp_path) == [path.name]


def test_films_have_every_frame_and_a_packet_that_players_pass_over(run, tmp_path):
    path = run.save_gif(tmp_path / "a.gif", fps=5)
    with Image.open(path) as gif:
        assert gif.n_frames == len(run.frames) == 10 and gif.info["loop"] == 0
        assert gif.info["duration"] == 200 and gif.size == (48, 32)
        gif.seek(9)
        last = np.asarray(gif.convert("RGB"), np.float32)
        assert gif.info["duration"] == 1200
    assert np.abs(last - np.asarray(run.image, np.float32)).mean() < 6
    frames = [Image.new("RGB", (8, 8), (i, 0, 0)) for i in range(60)]
    for fps in (12, 24, 50):  # it takes as long as was asked
        with Image.open(save_gif(frames, tmp_path / "c.gif", {}, fps=fps)) as gif:
            took = [gif.seek(i) or gif.info["duration"] for i in range(gif.n_frames)]
        assert sum(took) - 1000 == pytest.approx(1000 * 60 / fps, rel=0.01)
        assert min(took) >= 20  # players slow down what is faster
    path = run.save_mp4(tmp_path / "a.mp4")
    film = iio.imread(path)
    assert film.shape == (10, 32, 48, 3)
    assert np.abs(film[-1].astype(float) - np.asarray(run.image, float)).mean() < 12
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "warning", "-export_xmp", "1", "-i", path]
    told = subprocess.run([*command, "-f", "null", "-"], capture_output=True, text=True)
    assert told.returncode == 0 and not told.stderr
    read = subprocess.run([*command, "-f", "ffmetadata", "-"], capture_output=True, text=True)
    assert IPTC in read.stdout.replace("\\", "")


def test_bad_requests(run, pair, small, tmp_path):
    for kind, name in product(("png", "gif", "mp4"), ("a.jpg", "a", "a.png.avi")):
        with pytest.raises(ValueError, match=rf"a {kind.upper()}, .* must end in \.{kind}"):
            getattr(run, f"save_{kind}")(tmp_path / name)
    for kind, fps in product(("gif", "mp4"), ("24", None, True, 0)):
        with pytest.raises(ValueError, match=f"fps={fps!r}: give a number from 0.1 to 50"):
            getattr(run, f"save_{kind}")(tmp_path / f"a.{kind}", fps=fps)
    with pytest.raises(ValueError, match="at least one step"):
        vq.Run(pair, small()).save_gif(tmp_path / "a.gif")
    assert not os.listdir(tmp_path) and run.save_png(tmp_path / "a.PNG").exists()


def test_recipes_are_long_under_odd_names_or_missing(tmp_path, run, monkeypatch):
    for name in ("plain.png", "plain.gif"):
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "text.mp4").write_text("no film")
    run.save_mp4(tmp_path / "film.mp4")
    (tmp_path / "list.mp4").write_text("ffconcat version 1.0\nfile film.mp4\n")
    for name in ("plain.png", "plain.gif", "text.png", "text.mp4", "list.mp4"):
        with pytest.raises(ValueError, match="no recipe"):
            vq.open_recipe(tmp_path / name)
    with pytest.raises(FileNotFoundError, match="gone.png"):
        vq.open_recipe(tmp_path / "gone.png")
    recipe = run.recipe() | {"long": "x=;#\\" * 100_000}
    monkeypatch.chdir(tmp_path)
    for name in ("a:b.mp4", "-c.mp4", "d'e.mp4"):
        save_mp4([f.image for f in run.frames], name, recipe)
        assert read_recipe(name) == json.loads(json.dumps(recipe)), name
