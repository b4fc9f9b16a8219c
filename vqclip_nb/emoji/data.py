"""Emoji as training data: fetch the sets, render them, and compose captioned scenes on the fly.

python -m vqclip_nb.emoji.data FOLDER     # npm and resvg-py needed, about a minute on two cores
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tarfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

GROUPS = (
    0,
    3,
    4,
    5,
    6,
    7,
)  # emojibase: faces, animals and nature, food, travel, activities, objects
LABELS = "emojibase-data@17.0.0"
HELD_OUT = "fxemoji"


@dataclass(frozen=True)
class Style:
    package: str
    licence: str
    words: tuple[str, ...]


STYLES = {
    "noto": Style("@iconify-json/noto@1.2.9", "Apache-2.0", ("a cartoon of", "a drawing of")),
    "3d": Style("@iconify-json/fluent-emoji@1.2.7", "MIT", ("a 3d render of", "a 3d model of")),
    "flat": Style(
        "@iconify-json/fluent-emoji-flat@1.2.6", "MIT", ("a flat icon of", "clip art of")
    ),
    "line": Style(
        "@iconify-json/fluent-emoji-high-contrast@1.2.6",
        "MIT",
        ("a line drawing of", "a black and white drawing of"),
    ),
    "sticker": Style("@iconify-json/twemoji@1.2.5", "CC-BY-4.0", ("a sticker of", "an emoji of")),
    HELD_OUT: Style("@iconify-json/fxemoji@1.2.2", "Apache-2.0", ()),
}
TRAINED = tuple(name for name in STYLES if name != HELD_OUT)

COLOURS = {  # background words and their sRGB, 0 to 255
    "white": (255, 255, 255),
    "black": (12, 12, 12),
    "gray": (128, 128, 128),
    "red": (215, 35, 35),
    "orange": (245, 140, 30),
    "yellow": (250, 220, 50),
    "green": (50, 160, 60),
    "blue": (40, 90, 215),
    "purple": (130, 55, 175),
    "pink": (250, 150, 190),
    "brown": (120, 75, 45),
    "turquoise": (50, 200, 195),
    "light blue": (165, 210, 250),
    "dark blue": (20, 30, 95),
    "light green": (170, 230, 150),
    "dark green": (15, 75, 35),
    "light gray": (205, 205, 205),
    "beige": (240, 225, 190),
}

# Concepts that no eye tells apart count as one; the pattern's replacement is their common name.
MERGED = (
    (re.compile(r".*(o’clock|-thirty)$"), "clock face"),
    (re.compile(r"(new|full|.*(quarter|gibbous|crescent)) moon( face)?$"), "moon"),
    (re.compile(r"globe (showing .*|with meridians)$"), "globe"),
    (re.compile(r"(open|closed) mailbox .*"), "mailbox"),
    (re.compile(r"speaker .* volume|muted speaker$"), "speaker"),
    (re.compile(r"magnifying glass .*"), "magnifying glass"),
    (re.compile(r"sun behind .*cloud$"), "sun behind cloud"),
    (re.compile(r"(outbox|inbox) tray$"), "tray"),
    (re.compile(r"(yen|dollar|euro|pound) banknote$"), "banknote"),
    (re.compile(r"hourglass .*"), "hourglass"),
    (re.compile(r"(1st|2nd|3rd) place medal|sports medal$"), "medal"),
)


def merged_name(label: str) -> str:
    """The name a concept is trained and scored under."""
    for pattern, name in MERGED:
        if pattern.match(label):
            return name
    return label


def fetch(folder: Path) -> None:
    """Bring the emoji packages into `folder` with npm, which checks their published digests."""
    for package in [LABELS, *(style.package for style in STYLES.values())]:
        target = folder / package.lstrip("@").replace("/", "-")
        if target.exists():
            continue
        packed = subprocess.run(
            ["npm", "pack", "--json", package],
            cwd=folder,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        archive = folder / json.loads(packed)[0]["filename"].lstrip("@").replace("/", "-")
        with tarfile.open(archive) as tar:
            tar.extractall(target.with_suffix(".part"), filter="data")
        target.with_suffix(".part").rename(target)
        archive.unlink()


def _package(folder: Path, package: str) -> Path:
    return folder / package.lstrip("@").replace("/", "-") / "package"


def _icon_name(
    style: str, label: str, hexcode: str, chars: dict[str, str], icons: dict
) -> str | None:
    if style == HELD_OUT:
        guess = re.sub(r"[^a-z0-9]", "", label.lower())
        return guess if guess in icons else None
    code = hexcode.lower()
    return chars.get(code) or chars.get(code.replace("-fe0f", ""))


def render(folder: Path, *, size: int = 128) -> None:
    """Render every concept in every style into `folder`: sprites.npy and concepts.json.

    sprites.npy: uint8 (styles, concepts, size, size, 4), RGBA with colour premultiplied by alpha;
    an icon that a set lacks is all zeros.
    """
    import resvg_py
    from PIL import Image

    emoji = json.loads((_package(folder, LABELS) / "en/data.json").read_text(encoding="utf8"))
    emoji = [e for e in emoji if e.get("group") in GROUPS]
    sprites = np.lib.format.open_memmap(
        folder / "sprites.part", "w+", np.uint8, (len(STYLES), len(emoji), size, size, 4)
    )

    def draw(svg: str) -> np.ndarray:
        import io

        png = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=size, height=size))
        rgba = np.asarray(Image.open(io.BytesIO(png)).convert("RGBA")).astype(np.float32)
        rgba[..., :3] *= rgba[..., 3:] / 255
        return rgba.round().astype(np.uint8)

    flat = json.loads((_package(folder, STYLES["flat"].package) / "chars.json").read_text())
    for row, (name, style) in enumerate(STYLES.items()):
        source = _package(folder, style.package)
        sheet = json.loads((source / "icons.json").read_text(encoding="utf8"))
        chars = json.loads((source / "chars.json").read_text()) or flat
        icons = sheet["icons"]
        aliases = {a: v["parent"] for a, v in sheet.get("aliases", {}).items()}
        jobs = {}
        for column, e in enumerate(emoji):
            icon = _icon_name(name, e["label"], e["hexcode"], chars, icons)
            icon = icons.get(aliases.get(icon, icon))
            if icon:
                w = icon.get("width", sheet.get("width", 16))
                h = icon.get("height", sheet.get("height", 16))
                x, y = icon.get("left", 0), icon.get("top", 0)
                side = max(w, h)  # some icons are not square: centre them
                x, y = x - (side - w) / 2, y - (side - h) / 2
                body = icon["body"].replace("currentColor", "#111")
                jobs[column] = (
                    f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink='
                    f'"http://www.w3.org/1999/xlink" viewBox="{x} {y} {side} {side}">{body}</svg>'
                )
        with ThreadPoolExecutor() as pool:
            for column, picture in zip(jobs, pool.map(draw, jobs.values()), strict=True):
                sprites[row, column] = picture
        print(f"{name}: {len(jobs)} of {len(emoji)} concepts", flush=True)
    sprites.flush()
    (folder / "sprites.part").rename(folder / "sprites.npy")
    concepts = [
        {"label": e["label"], "tags": e.get("tags", []), "group": e["group"]} for e in emoji
    ]
    (folder / "concepts.json").write_text(
        json.dumps(concepts, ensure_ascii=False, indent=0), encoding="utf8"
    )


@dataclass
class Batch:
    """Composed pictures and what is in them."""

    pictures: torch.Tensor  # (n, 3, size, size) in [0, 1]
    captions: list[str]
    foils: list[str]  # two for each picture, false in one fact: its style, and another
    concept: torch.Tensor  # (n,) index into Scenes.names of the first object
    style: torch.Tensor  # (n,) index into STYLES


def article(noun: str) -> str:
    """`noun` with a or an, or bare where it is a plural."""
    last = noun.split(" with ")[0].split(" in ")[0]
    if last.endswith("s") and not last.endswith(("ss", "us", "is")):
        return noun
    return (
        "an " if noun[0].lower() in "aeiou" and not noun.startswith(("uni", "one")) else "a "
    ) + noun


@dataclass
class Told:
    """What a caption says of a scene; what is empty is left out."""

    noun: str
    bare: bool = False  # no article
    look: str = ""
    style: str = ""
    link: str = ""
    other: str = ""
    colour: str = ""
    ground: str = "background"

    def caption(self) -> str:
        thing = f"{self.look} {self.noun}".strip()
        words = [self.style, thing if self.bare and not self.look else article(thing)]
        if self.other:
            words += [self.link, article(self.other)]
        if self.colour:
            words += ["on", article(self.colour), self.ground]
        return " ".join(word for word in words if word)


class Scenes:
    """Endless captioned pictures composed from rendered emoji, reproducible from a seed."""

    def __init__(
        self, folder: str | Path, *, size: int = 128, styles: tuple[str, ...] = TRAINED
    ) -> None:
        folder = Path(folder)
        if not (folder / "sprites.npy").exists():
            raise FileNotFoundError(
                f"no sprites.npy in {folder}: run python -m vqclip_nb.emoji.data {folder}"
            )
        sprites = np.load(folder / "sprites.npy", mmap_mode="r")
        self.size = size
        factor = max(1, sprites.shape[2] // size)
        order = list(STYLES)
        small = [self._shrink(sprites[order.index(s)], factor) for s in styles]
        self.sprites = torch.stack(small)  # (styles, concepts, 4, s, s) uint8
        self.styles = styles
        concepts = json.loads((folder / "concepts.json").read_text(encoding="utf8"))
        self.labels = [c["label"] for c in concepts]
        self.names = sorted({merged_name(label) for label in self.labels})
        self.name_of = torch.tensor([self.names.index(merged_name(label)) for label in self.labels])
        self.present = self.sprites.flatten(2).amax(-1) > 0  # (styles, concepts)
        count: dict[str, int] = {}
        for c in concepts:
            for tag in c["tags"]:
                count[tag] = count.get(tag, 0) + 1
        # A tag that many concepts share says too little to be a caption.
        self.synonyms = [
            [t for t in c["tags"] if count[t] <= 4 and c["group"] != 0] for c in concepts
        ]
        self.pairs = self.present.nonzero()  # (k, 2): style, concept

    @staticmethod
    def _shrink(sheet: np.ndarray, factor: int) -> torch.Tensor:
        rows = []
        for part in np.array_split(sheet, 8):
            x = torch.from_numpy(part.copy()).permute(0, 3, 1, 2).float()
            rows.append((F.avg_pool2d(x, factor) if factor > 1 else x).round().byte())
        return torch.cat(rows)

    def noun(self, concept: int, rng: np.random.Generator, *, synonyms: float = 0.2) -> str:
        names = self.synonyms[concept]
        if names and rng.random() < synonyms:
            return str(rng.choice(names))
        return merged_name(self.labels[concept])

    def batch(self, n: int, rng: np.random.Generator) -> Batch:
        """`n` scenes: one object (60 %) or two, on a plain, shaded or patchy background."""
        # Without replacement first: a batch with the same concept twice punishes a right answer.
        first = self.pairs[torch.from_numpy(rng.permutation(len(self.pairs))[:n])]
        second = self.pairs[torch.from_numpy(rng.integers(len(self.pairs), size=n))]
        same = torch.from_numpy(rng.random(n) < 0.6)[:, None]
        second = torch.where(
            same & self.present[first[:, 0], second[:, 1]][:, None],
            torch.stack([first[:, 0], second[:, 1]], 1),
            second,
        )
        captions: list[str] = []
        foils: list[str] = []
        theta = np.zeros((2, n, 2, 3), np.float32)
        show_second = np.zeros(n, bool)
        top_is_second = np.zeros(n, bool)
        background = np.zeros((n, 2, 3), np.float32)
        shade = np.zeros((n, 3), np.float32)  # direction x, y and strength of the second colour
        patchy = np.zeros(n, np.float32)
        colour_names = list(COLOURS)
        tint = np.full((n, 3), np.nan, np.float32)
        for i in range(n):
            told = Told(self.noun(int(first[i, 1]), rng), bare=rng.random() >= 0.9)
            x, y = rng.normal(0, 0.08, 2)
            scale, angle = rng.uniform(0.55, 0.95), rng.normal(0, 8)
            place = rng.random()
            if place < 0.12:
                big = rng.random() < 0.5
                scale = rng.uniform(0.95, 1.2) if big else rng.uniform(0.25, 0.4)
                x, y = (x, y) if big else rng.uniform(-0.5, 0.5, 2)
                told.look = "big" if big else "small"
            elif place < 0.22 and self.styles[int(first[i, 0])] != "line":
                told.look = colour_names[rng.integers(len(colour_names))]
                tint[i] = np.asarray(COLOURS[told.look], np.float32) / 255
            if place > 0.6:
                told.other = self.noun(int(second[i, 1]), rng)
                show_second[i] = True
                a, b = rng.uniform(0.38, 0.55, 2)
                if place > 0.85:  # side by side
                    side = 1 if rng.random() < 0.5 else -1
                    told.link = ("next to", "and", "beside")[rng.integers(3)]
                    x, y, x2, y2 = -0.5 * side, rng.normal(0, 0.1), 0.5 * side, rng.normal(0, 0.1)
                elif place > 0.74:  # above and below
                    over = rng.random() < 0.5
                    told.link = "above" if over else "below"
                    x, y, x2, y2 = (
                        rng.normal(0, 0.1),
                        -0.5 if over else 0.5,
                        rng.normal(0, 0.1),
                        0.5 if over else -0.5,
                    )
                else:  # on top of, or sunk into, the second
                    inside = rng.random() < 0.5
                    told.link, b = (
                        ("in", rng.uniform(0.6, 0.75)) if inside else ("on", rng.uniform(0.5, 0.65))
                    )
                    a = rng.uniform(0.38, 0.5)
                    x, y2 = rng.normal(0, 0.05), 0.95 - b
                    x2 = x + rng.normal(0, 0.03)
                    y = y2 - b * (0.35 if inside else 0.75) - a * 0.35
                    top_is_second[i] = inside
                scale = a
                theta[1, i] = self._theta(b, rng.normal(0, 5), x2, y2, rng.random() < 0.5)
            theta[0, i] = self._theta(scale, angle, x, y, rng.random() < 0.5)
            style = STYLES[self.styles[int(first[i, 0])]]
            if style.words and rng.random() < 0.5:
                told.style = str(rng.choice(style.words))
            kind = rng.random()
            word = colour_names[rng.integers(len(colour_names))]
            if rng.random() < 0.3:
                word = "white"
            background[i] = np.asarray(COLOURS[word], np.float32) / 255
            background[i] += rng.normal(0, 0.03, 3)
            if kind > 0.6:
                word2 = colour_names[rng.integers(len(colour_names))]
                turn = rng.uniform(0, 2 * np.pi)
                background[i, 1] = np.asarray(COLOURS[word2], np.float32) / 255
                if kind > 0.85:
                    background[i], patchy[i], word = rng.random((2, 3)), 1, ""
                elif kind > 0.75:
                    word, shade[i] = f"{word} and {word2}", (np.cos(turn), np.sin(turn), 1)
                else:  # the same colour, lit from one side
                    background[i, 1] = np.clip(background[i, 0] * rng.uniform(0.75, 1.2), 0, 1)
                    shade[i] = np.cos(turn), np.sin(turn), 1
            if word and rng.random() < 0.7:
                told.colour, told.ground = word, str(rng.choice(["background", "backdrop"]))
            captions.append(told.caption())
            foils += [replace(told, style=self._other_style(style, rng)).caption()]
            foils += [self._other_fact(told, [int(first[i, 1]), int(second[i, 1])], rng).caption()]
        canvas = self._ground(background, shade, patchy, rng)
        layers = [self._place(first, theta[0]), self._place(second, theta[1])]
        layers[0] = self._tinted(layers[0], torch.from_numpy(tint)[:, :, None, None])
        if (
            "line" in self.styles
        ):  # black lines would vanish on a dark ground: draw them in white there
            dark = torch.from_numpy(background.mean((1, 2)) < 0.3)
            for layer, which in zip(layers, (first, second), strict=True):
                turn = dark & (which[:, 0] == self.styles.index("line"))
                layer[turn, :3] = layer[turn, 3:] - layer[turn, :3]
        layers[1] *= torch.from_numpy(show_second)[:, None, None, None]
        swap = torch.from_numpy(top_is_second)[:, None, None, None]
        for layer in (
            torch.where(swap, layers[0], layers[1]),
            torch.where(swap, layers[1], layers[0]),
        ):
            canvas = canvas * (1 - layer[:, 3:]) + layer[:, :3]
        return Batch(canvas.clamp(0, 1), captions, foils, self.name_of[first[:, 1]], first[:, 0])

    def _other_style(self, style: Style, rng: np.random.Generator) -> str:
        words = [w for s in STYLES.values() if s is not style for w in s.words]
        return str(rng.choice(words))

    def _other_fact(self, told: Told, shown: list[int], rng: np.random.Generator) -> Told:
        """`told` with one thing, look, place or colour that is not in the picture."""
        absent = ~torch.isin(self.name_of, self.name_of[shown])
        noun = self.noun(int(rng.choice(absent.nonzero()[:, 0])), rng)
        said = (told.look, *told.colour.split(" and "))
        colour = str(rng.choice([c for c in COLOURS if c not in said]))
        ways = [dict(noun=noun)]
        if told.other:
            ways.append(dict(other=noun))
        if told.link in ("above", "below", "in", "on") and told.noun != told.other:
            ways.append(dict(noun=told.other, other=told.noun, look=""))
        if told.look in COLOURS:
            ways.append(dict(look=colour))
        if told.colour:
            ways.append(dict(colour=colour))
        return replace(told, **ways[rng.integers(len(ways))])

    @staticmethod
    def _theta(scale: float, degrees: float, x: float, y: float, flip: bool) -> np.ndarray:
        """Inverse affine map from the scene's [-1, 1] coordinates to the sprite's."""
        c, s = np.cos(np.deg2rad(degrees)) / scale, np.sin(np.deg2rad(degrees)) / scale
        m = np.array([[c, s, -c * x - s * y], [-s, c, s * x - c * y]], np.float32)
        if flip:
            m[0] *= -1
        return m

    def _place(self, which: torch.Tensor, theta: np.ndarray) -> torch.Tensor:
        sprites = self.sprites[which[:, 0], which[:, 1]].float() / 255
        shown = np.abs(theta).sum((1, 2)) > 0
        out = torch.zeros(len(sprites), 4, self.size, self.size)
        index = torch.from_numpy(np.nonzero(shown)[0])
        if len(index):
            grid = F.affine_grid(
                torch.from_numpy(theta)[index],
                (len(index), 4, self.size, self.size),
                align_corners=False,
            )
            out[index] = F.grid_sample(sprites[index], grid, align_corners=False)
        return out

    @staticmethod
    def _tinted(layer: torch.Tensor, colour: torch.Tensor) -> torch.Tensor:
        """Sprites (n, 4, s, s) in one colour (n, 3, 1, 1) with their own lights and darks; NaN
        leaves them."""
        alpha = layer[:, 3:]
        light = layer[:, :3].mean(1, keepdim=True) / alpha.clamp(min=1e-3)
        shade = torch.where(light < 0.5, 2 * light * colour, 1 - (2 - 2 * light) * (1 - colour))
        return torch.cat([torch.where(colour.isnan(), layer[:, :3], shade * alpha), alpha], 1)

    def _ground(
        self, colours: np.ndarray, shade: np.ndarray, patchy: np.ndarray, rng: np.random.Generator
    ) -> torch.Tensor:
        n, size = len(colours), self.size
        line = torch.linspace(-0.7, 0.7, size)
        shade_t, colours_t = torch.from_numpy(shade), torch.from_numpy(colours)
        mix = (
            0.5 + shade_t[:, 0, None, None] * line + shade_t[:, 1, None, None] * line[:, None]
        ).clamp(0, 1)
        mix = mix * shade_t[:, 2, None, None]
        cells = int(rng.integers(3, 9))
        noise = torch.from_numpy(rng.random((n, 1, cells, cells), np.float32))
        noise = F.interpolate(noise, (size, size), mode="bilinear")[:, 0]
        mix = torch.where(torch.from_numpy(patchy)[:, None, None] > 0, noise, mix)[:, None]
        return colours_t[:, 0, :, None, None] * (1 - mix) + colours_t[:, 1, :, None, None] * mix


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m vqclip_nb.emoji.data FOLDER")
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    fetch(target)
    render(target)
