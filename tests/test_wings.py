"""The package without its wings: pairs from files still paint."""

import shutil
import subprocess
import sys
from pathlib import Path

import vqclip_nb

PACKAGE = Path(vqclip_nb.__file__).parent
SCRIPT = """
import sys
import vqclip_nb as vq
pair = vq.open_pair(clip=sys.argv[1], vqgan=sys.argv[2], device="cpu")
reading = pair.read("a lighthouse:2 | snow", extras="at night")
assert [(p.clip_text, p.weight) for p in reading.parts] == [("a lighthouse", 2), ("snow", 1)]
settings = vq.Settings(include=["a red apple"], height=32, width=32, total_iter=2, crops=2)
run = vq.Run(pair, settings)
assert len(list(run)) == 2 and run.start is None
run.save_png("apple.png")
assert vq.replay("apple.png", pair).image.tobytes() == run.image.tobytes()
print(vq.__file__)
"""


def test_a_pair_opened_from_files_paints_without_emoji_studio_and_experiments(tmp_path):
    wings = shutil.ignore_patterns("emoji", "studio", "experiments", "__pycache__")
    copy = tmp_path / PACKAGE.name
    shutil.copytree(PACKAGE, copy, ignore=wings)
    files = [str(PACKAGE / "emoji" / f"{name}.safetensors") for name in ("clip", "vqgan")]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *files],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path), "PATH": "", "VQCLIP_CACHE": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).parent == copy
