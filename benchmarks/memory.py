"""Does the Studio's memory stay flat? python -m benchmarks.memory --steps 5000"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time

from .full_size import resident

MARKS = (500, 1000, 2500, 5000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=5000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["VQCLIP_CACHE"] = folder
        import vqclip_nb as vq

        tiny = dict(total_iter=asked.steps, height=16, width=16, crops=1)
        settings = vq.Settings(include=["a fox"], **tiny)
        studio = vq.Studio(vq.load_pair("emoji", device="cpu"), settings, folder=folder)

        def look() -> None:
            for mark in (m for m in MARKS if m <= asked.steps):
                while studio.run is None or len(studio.run.history) < mark:
                    time.sleep(0.05)
                print(f"after {mark:,} steps: {resident():,.0f} MB", flush=True)

        threading.Thread(target=look, daemon=True).start()
        studio.paint()
        time.sleep(0.2)


if __name__ == "__main__":
    main()
