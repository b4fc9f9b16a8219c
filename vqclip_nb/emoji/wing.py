"""What the emoji pair has beside its two networks: its reader, its drawings, its prior."""

from __future__ import annotations

import dataclasses
import json
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from ..attributes import Attribute, parse_attributes
from ..images import is_picture
from ..models.pair import EMOJI, Pair
from ..reading import WEATHERS, Reading, every_text, read_prompt
from ..regions import Area, Size
from ..settings import Settings
from ..weights import read_checked
from .backdrops import AT_SEA
from .caption_words import BACKDROPS, MEDIA_WORDS, NOT_DRAWN, WORDS, article
from .compose import FACING
from .drawings import Scene, Start, Thing
from .forming import Forming, Part, Shape, draw
from .library import Library
from .placing import CENTRED
from .prior import Prior
from .priors import Priors
from .scenery import ground, weathered

USUAL = ("noto", "3d", "sticker")  # styles of what forms, where a prompt names none
# Words of labels whose drawings hold letters or figures, or turn one way: not to be mirrored.
WRITTEN = set("arrow button calendar clock dollar euro keycap letter letters medal note".split())
WRITTEN |= set("notes points pound sign watch yen".split())
SCALES, SHIFT = (0.86, 1.1), 0.055  # of a thing alone, by the seed; in shares of the sides
# Where something is on a head, which is looked for on the left, or somebody looks at another.
NOT_MIRRORED = {"at the mouth", "on the face", "round the neck", "wearing", "chasing", *FACING}
# What a place takes the place of, but a time and a weather, which are seen.
OTHER_GROUND = re.compile(rf"^on an? (?!{'|'.join(WEATHERS)}).* background above ")
STYLED = 0.5  # strength of a style from which on the drawing that is begun with is of it


class EmojiWing:
    """What a pair has whose CLIP is the one that ships, and its VQGAN that or another."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair

    @cached_property
    def library(self) -> Library | None:
        """Drawings to start from; None unless the pair's VQGAN is the one that they were made
        with. WeightsError if their file is corrupt."""
        words = self.pair.clip.vocabulary
        library = Library(EMOJI / "library.safetensors", self.pair.vqgan, words)
        return library if library.vqgan_hash == self.pair.vqgan_hash else None

    @cached_property
    def priors(self) -> Priors:
        """What draws codes for a caption, by style; empty unless CLIP and VQGAN are those that it
        learned from; by `NAMED` what draws without a caption. WeightsError for a corrupt file."""
        state, metadata, digest = read_checked(EMOJI / "prior.safetensors")
        facts = {key: json.loads(value) for key, value in metadata.items()}
        if facts["hashes"] != self.pair.hashes:
            return Priors({}, {"config": {}, "styles": []}, "", self.pair.device)
        return Priors(state, facts, digest, self.pair.device)

    @property
    def prior(self) -> Prior | None:
        """That of the first style."""
        return next(iter(self.priors.values()), None)

    def read(self, reading: Reading, extras: str) -> Reading:
        """A reading with its scene, and those of its regions."""
        found, regions = self._scene(reading, every_text(reading.parts, extras)), []
        for region, own in reading.regions:
            placed = found.scene is not None and found.scene.backdrop
            own = dataclasses.replace(own, ending="") if placed else own  # as the whole's
            asked = f"{'' if is_picture(extras) else extras}{own.ending}"
            shown = self._scene(own, every_text(own.parts, asked))
            if placed and shown.scene:
                shown = dataclasses.replace(shown, scene=shown.scene.before(found.scene))
            regions.append((region, shown))
        return dataclasses.replace(found, regions=tuple(regions))

    def _scene(self, reading: Reading, text: str) -> Reading:
        if self.library is None:
            return reading
        scene = self.library.parse(text) if text else None
        shown = frozenset(w for w in reading.substitutions if self.library.shows(scene, w))
        not_drawn: dict[str, str] = {}
        if scene:
            left_out = (word for word, thing in scene.drawn_as.items() if not thing)
            not_drawn |= scene.left_out
            not_drawn |= {w: "left out" for w in left_out if w not in reading.substitutions}
        about: dict[str, Any] = dict(scene=scene, in_drawing=shown, not_drawn=not_drawn)
        if scene and scene.backdrop:  # it is the background, and what it is called is said once
            place = scene.things[-1].name
            said = {k: v for k, v in reading.substitutions.items() if k not in place.split()}
            said = {k: place if AT_SEA.get(v or "") == place else v for k, v in said.items()}
            grounds = {k for k, v in said.items() if v and OTHER_GROUND.search(v)}
            about["not_drawn"] |= dict.fromkeys(grounds, NOT_DRAWN)  # "in autumn", in a kitchen
            said = {k: v for k, v in said.items() if k not in grounds}
            about |= dict(ending="", substitutions=said)
        return dataclasses.replace(reading, text=text, **about)

    def guess(self, text: str) -> Scene | None:
        """The thing whose name CLIP reads most alike to a text that names nothing; None if it knows
        none of its words."""
        clip, library, words = self.pair.clip, self.library, self.pair.clip.vocabulary
        if library is None or not any(w.isalpha() and words.knows(w) for w in text.split()):
            return None
        names = [name for name in library.names if all(map(words.knows, name.lower().split()))]
        alike = F.normalize(clip.encode_text([f"a {name}" for name in names]), dim=-1)
        name = names[int((alike @ clip.encode_text([text])[0]).argmax())]
        return Scene((Thing(name),), drawn_as={text: name})

    def start(self, reading: Reading, settings: Settings, size: Size, seed: int) -> Start | None:
        """A drawing of the library, one for each region, or what the prior draws; which of those
        that fit says `seed`."""
        if settings.start == "prior":
            forming = self.forming(reading, settings, size, seed)
            if forming is None:
                return None
            drawn = draw(forming, generator=torch.Generator().manual_seed(seed))  # best first
            return drawn[settings.drawing % len(drawn)]
        if self.library is None:
            return None
        drawing = settings.drawing + seed  # 0 is the best of those that fit
        if reading.regions:
            return self._collage(self.library, reading, drawing, size)
        asked = self._asked(reading, parse_attributes(settings.attributes))
        return self.library.start(asked, drawing, size=size)

    def medium(self, reading: Reading) -> Callable[[torch.Tensor], torch.Tensor] | None:
        """That of the prompt, or of the first region that names one."""
        read = [reading, *(own for _, own in reading.regions)]
        named = [own.scene.style for own in read if own.scene is not None]
        if not (wanted := [style for style in named if style in MEDIA_WORDS]):
            return None
        from .media import MEDIA  # with torchvision and matplotlib, which take a second

        return MEDIA[wanted[0]]

    def forming(
        self, reading: Reading, settings: Settings, size: Size, seed: int
    ) -> Forming | None:
        """None where a text names nothing that is drawn."""
        if self.library is None or not self.priors:
            return None
        wanted: list[tuple[Reading, Area | None]] = [(reading, None)]
        attributes = parse_attributes(settings.attributes)
        if reading.regions:
            attributes = []
            areas = [region.area(size) for region, _ in reading.regions]
            free = ~torch.stack([area.inside for area in areas]).any(0)
            around = reading.scene is not None and bool(free.any())  # else at most a background
            wanted = [(reading, Area(free))] if around else []
            wanted += [(own, area) for (_, own), area in zip(reading.regions, areas, strict=True)]
        rng, parts = np.random.default_rng(seed), []
        for own, area in wanted:
            scene = self._asked(own, attributes)
            if scene is None:
                return None
            shapes = []
            for thing in scene.things:
                label, style = self._label_and_style(thing, scene, seed)
                turned = bool(rng.random() < 0.5) and not WRITTEN & set(label.split())
                mirrored = turned and not NOT_MIRRORED & {*scene.relations}
                pose = float(rng.uniform(*SCALES)), *map(float, rng.uniform(-SHIFT, SHIFT, 2))
                alone = area is None and len(scene.things) == thing.count == 1
                alone = alone and not scene.backdrop
                drawing, mask = f"{style}: {label}", None
                holes = label in WORDS["with holes"] or not self.library.has_white(drawing)
                if drawing in self.priors.names and not holes:
                    mask = self.library.mask(drawing)
                pose = pose if alone else CENTRED
                shapes.append(Shape(thing.name, label, style, mirrored, pose, mask, holes))
            parts.append(Part(scene, tuple(shapes), area))
        return Forming(self.pair, self.priors, parts, reading.background, size)

    def _label_and_style(self, thing: Thing, scene: Scene, seed: int) -> tuple[str, str]:
        """The label and the style by which the prior draws a thing: that of the scene, where it has
        such a drawing; else another, which is said."""
        priors, styles = self.priors, self.library.styles
        label, drawn = self.library.label_and_styles(thing.name)
        if label in BACKDROPS:  # of which there is one drawing
            return label, USUAL[0]
        wanted = (scene.style,) if scene.style in styles else USUAL
        fitting = [s for s in priors if s in drawn and s in wanted]
        fitting = [s for s in fitting if label not in priors.weak.get(s, ())] or fitting
        read = read_prompt(article(label), self.pair.clip.vocabulary)
        told = [s for s in drawn if f"{s}: {label}" in priors.names]
        # No prior was shown what that one is told in a style of theirs: a man, a wizard.
        if not fitting or read.substitutions or {*told} & {*USUAL}:
            fitting = [s for s in told if s in wanted or scene.style not in styles]
            fitting = [s for s in fitting if s in USUAL] or fitting
        if not fitting:
            fitting = [s for s in (*USUAL, *told, *priors) if s in drawn][:1]
            said = f"no {scene.style} drawing of {label}: it is drawn as {fitting[0]}"
            warnings.warn(f"{self.pair.name}: {said}", stacklevel=2)
        return label, fitting[seed % len(fitting)]  # the next seed: another

    def _asked(self, reading: Reading, attributes: Sequence[Attribute] = ()) -> Scene | None:
        """What a reading asks the library for, its first thing with attributes; where it names
        nothing, what CLIP reads most alike."""
        if self.library is None or not reading.text:
            return None
        scene = reading.scene or self.guess(reading.text)
        for attribute in attributes if scene else ():
            scene = taken_on(attribute, scene, self.library.styles)
        return scene

    def _collage(
        self, library: Library, reading: Reading, variant: int, size: Size
    ) -> Start | None:
        """A drawing for each region as large as its box, on the background that it or the prompt
        names; None if the library knows nothing of any of them. A prompt that names nothing but a
        background gives that."""
        areas = [region.area(size) for region, _ in reading.regions]
        found = None
        if not torch.stack([area.inside for area in areas]).any(0).all():
            found = library.start(reading.scene, variant, size=size)
        parts: list[tuple[str, Start]] = [("around", found)] if found else []
        picture = found.picture.clone() if found else ground(reading.background, size)[None]
        for (region, own), area in zip(reading.regions, areas, strict=True):
            start = library.start(self._asked(own), variant, size=area.size, fill=True)
            area.paste(picture, start.picture if start else ground(own.background, area.size))
            parts += [(region.name, start)] if start else []
        if not parts:
            return None
        picture = weathered(picture[0], reading.background)[None]
        drawings = tuple(d for _, start in parts for d in start.drawings)
        told = "; ".join(f"{place}: {start.description}" for place, start in parts)
        return Start(picture, told, parts[0][1].scene, drawings)


def taken_on(attribute: Attribute, scene: Scene, styles: Mapping[str, Sequence[str]]) -> Scene:
    """A scene whose first thing has an attribute, as far as its strength; the scene itself below 0.

    styles: words of each style of the drawings, as in {"line": ["a line drawing of"]}.
    """
    word, strength = attribute.word, attribute.strength
    if strength <= 0:
        return scene
    if attribute.kind == "style":
        named = [name for name, words in styles.items() if f"{word} of" in words]
        return dataclasses.replace(scene, style=named[0]) if named and strength >= STYLED else scene
    first, *others = scene.things
    changed = {"tint" if attribute.kind == "colour" else "zoom": (word, strength)}
    return dataclasses.replace(scene, things=(dataclasses.replace(first, **changed), *others))
