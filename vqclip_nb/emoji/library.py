"""Drawings kept as code numbers, found by the words of a prompt, composed into a start picture."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from ..models.vqgan import VQGAN
from ..reading import GROUND
from ..regions import Size
from ..weights import read_checked
from .caption_looks import by_itself, once
from .caption_reader import parse, split_style
from .caption_words import (
    BACKDROPS,
    BODY,
    NOT_DRAWN,
    PART,
    READ,
    RELATIONS,
    SKIPPED,
    SMALL_WORDS,
    TABLES,
    WORDS,
    singulars,
)
from .compose import compose
from .drawings import Drawing, Scene, Start, describe, unpack_bits, unpack_masks
from .layers import SILHOUETTE, usual_colour
from .shorthand import TOKEN
from .vocabulary import Vocabulary

SCALE = 0.85  # of a drawing's own square, on the white square whose codes are kept
RARER = ("colourful", "simple", "comic", "line", "silhouette")  # where the usual styles have none
PREFERRED = ("noto", "3d", "sticker", "flat", *RARER)  # styles, where a prompt names none
SMALL = ("flat", "3d", "sticker", "noto", *RARER)  # the same, where things have half a picture each
INK = 0.05  # grey of a silhouette
EASIER = {"cat": "sticker"}  # things that another style makes easier to name, alone
BESIDE = {"pineapple": "noto"}  # and beside another thing
OWNED = re.compile(r"\b(\w+)['’]s (\w+)")
# Of whom a head is enough, and not of who wears a dress or shoes.
HEADS = {*TABLES["worn"].values(), "at the mouth", "in", "riding"} - {"on the body", "on the feet"}

# How far white is from 1 at most, and the share of a drawing that may be white by chance.
WHITE, MOTES = 0.15, 0.002


class Library:
    """The drawings of a pair, found by the words of a prompt.

    `vqgan` turns their code numbers into pictures; it must be the one they were encoded with, of
    `vqgan_hash`. digest: SHA-256 of the file. drawings: all of them, by their numbers; codes (n,
    side, side): theirs.
    """

    def __init__(self, path: Path, vqgan: VQGAN, vocabulary: Vocabulary) -> None:
        """Of a file by `training.build_library`; WeightsError if it is corrupt."""
        state, metadata, self.digest = read_checked(path)
        facts = json.loads(metadata["facts"])
        self.vqgan, self.vocabulary, self.vqgan_hash = vqgan, vocabulary, metadata["vqgan"]
        self.styles: dict[str, list[str]] = facts["styles"]
        self._side, self._n_embed = int(metadata["side"]), int(metadata["n_embed"])
        self._packed, self._packed_masks = state["codes"], state["masks"]
        self.concepts: list[dict[str, Any]] = facts["concepts"]
        styles = list(self.styles)
        self.drawings: list[Drawing] = []
        self._drawings: dict[int, dict[str, Drawing]] = {}  # concept: style: drawing
        for index, (style, concept) in enumerate(state["drawings"].tolist()):
            drawing = Drawing(self.concepts[concept]["label"], styles[style], index)
            self._drawings.setdefault(concept, {})[drawing.style] = drawing
            self.drawings.append(drawing)
        # What concepts are called, in lower case, labels before tags; of each the concepts.
        self._named: dict[str, dict[int, None]] = {}
        for key in ("name", "label", "also", "tags"):
            for i in self._drawings:
                called = self.concepts[i][key]
                for word in [called] if isinstance(called, str) else called:
                    # The table knows better than a tag: "table" is one of ping pong.
                    if key != "tags" or not (word in SKIPPED or word in vocabulary.nearest):
                        self._named.setdefault(word.lower(), {})[i] = None
            if key == "label":
                self._labels = {*self._named}
            elif key == "also":
                self._called = {*self._named}
        self._longest = max(len(word.split()) for word in (*self._named, *vocabulary.nearest))

    @functools.cached_property
    def codes(self) -> torch.Tensor:
        return unpack_bits(self._packed, self._n_embed).view(-1, self._side, self._side)

    @functools.cached_property
    def _masks(self) -> torch.Tensor:
        return unpack_masks(self._packed_masks)

    def codes_of(self, drawing: Drawing) -> torch.Tensor:
        """Its codes (1, side, side), without unpacking all others."""
        count = self._side**2
        codes = unpack_bits(self._packed, self._n_embed, drawing.index * count, count)
        return codes.view(1, self._side, self._side)

    def named(self, phrase: str) -> list[int]:
        """Concepts that a word or phrase names, best first; singular or plural."""
        forms = (phrase.lower(), *singulars(phrase.lower()))
        plural = f"{phrase.lower()}s"  # "a ballet shoe"
        for word in (*sorted(forms, key=lambda form: form not in self._called), plural):
            if word in self._named and (word != plural or word in self._labels):
                known = TABLES["meant"]
                meant = self._named.get(known.get(phrase.lower()) or known.get(word, word), ())
                return [*dict.fromkeys([*[*meant][:1], *self._named[word]])]
        return []

    def _meant(self, name: str) -> dict[str, Any]:
        """The concept that a thing's name means."""
        return self.concepts[self.named(name)[0]]

    def parse(self, text: str) -> Scene | None:
        """What a text asks for; None if nothing in it can be drawn."""
        style, text = split_style(text, self.styles)  # before others' words are put in its place
        asked = text
        text, look, replaced = self.vocabulary.rewrite(text, tokens=True)
        text = OWNED.sub(self._owned, PART.sub(r"\1", text))
        taken: dict[str, str] = {}

        @functools.cache
        def name_of(phrase: str) -> str | None:
            if TOKEN.fullmatch(phrase):
                return self.vocabulary.emoji.label(phrase)
            if self.named(phrase):
                label = self._meant(phrase)["label"]
                return label if label in BACKDROPS else TABLES["instead"].get(phrase, phrase)
            thing = self.vocabulary.nearest_known(phrase)
            if thing and phrase not in thing.split():  # "apple" is a red apple: no need to say
                taken[phrase] = thing
            return thing

        def several(phrase: str) -> bool:
            if phrase in self._labels or phrase in WORDS["plurals of one"]:
                return False
            known = (self._named, self.vocabulary.nearest)
            return any(one in words for one in singulars(phrase) for words in known)

        scene = parse(text, self.styles, name_of, self._longest, several, self._shown_in)
        if scene is None:
            return None
        said = {word: thing for word, thing in replaced.items() if thing is not None}
        said |= {t.said: taken[t.said] for t in scene.things if t.said in taken}
        drawn = [self._meant(thing.name) for thing in scene.things]
        names = " ".join(name for c in drawn for name in (c["label"].lower(), *c["tags"]))
        shown = {*chain.from_iterable(WORDS.get(f"shows {c['label'].lower()}", ()) for c in drawn)}
        left_out = {  # but "a slice of pizza" is a pizza, "a glass of wine" a wine glass
            word: told
            for word, told in scene.left_out.items()
            if told != NOT_DRAWN or (word not in SMALL_WORDS | shown and word not in names)
        }
        pairs = {*WORDS["pairs"], *re.findall(r"\bpair of (\w+s)\b", text.lower())} & self._labels
        grounded = bool(scene.background) and scene.background[-1].endswith(GROUND)
        heads = HEADS & {*scene.relations} or WORDS["heads"] & {c["label"] for c in drawn}
        alone = len(drawn) == 1 and not grounded
        # Not a head alone, which would lie on the ground beside the others.
        whole = not (alone or heads or "portrait" in asked.lower())
        things = []
        for thing, label in zip(scene.things, (c["label"] for c in drawn), strict=True):
            if label in WORDS["several in one"] or (thing.count == 2 and label in pairs):
                thing = replace(thing, count=1)
            if whole and (standing := TABLES["standing"].get(label)):
                thing = replace(thing, name=standing)
            things.append(thing)
        named, _ = self.vocabulary.emoji.split(asked.lower(), tokens=False)
        scene = once(replace(scene, things=tuple(things)), named)
        own = tuple(replace(t, **by_itself(t, self._meant(t.name))) for t in scene.things)
        style = style or scene.style or look
        return replace(scene, things=own, style=style, left_out=left_out, drawn_as=said)

    def _owned(self, found: re.Match) -> str:
        """ "horse face" of "horse's head", "fox with tail" of "fox's tail"."""
        owner, part = found[1].lower(), found[2].lower()
        whole = part in ("head", "face")
        joined = f"{owner} {'face' if whole else part}"
        if joined in self._labels:
            return joined
        if whole:
            known = any(concept["label"].lower() == owner for concept in self.concepts)
            return "face" if owner in WORDS["human"] else owner if known else found[0]
        return f"{owner} with {part}" if part in BODY and self.named(owner) else found[0]

    def _shown_in(self, whole: str, part: str) -> bool:
        """Whether the drawing of one thing shows another: the spoon of a bowl with spoon."""
        label, own = (self._meant(name)["label"] for name in (whole, part))
        shown = {own, part} & WORDS.get(f"shows {label.lower()}", frozenset())
        return bool(shown) or own == label or own in label.partition(" with ")[2].split(" and ")

    def shows(self, scene: Scene | None, phrase: str) -> bool:
        """Whether a word or phrase of a text is in the scene that was read from it: as a thing, as
        its style, or as how things stand or look."""
        if scene is None:
            return False
        words = set(phrase.split())
        if phrase in scene.left_out or scene.drawn_as.get(phrase) == "":
            return False
        if any(words <= set(t.said.split()) and self.named(t.said) for t in scene.things):
            return True
        if phrase in RELATIONS and not scene.relations:
            return False
        named = scene.style in self.styles and any(phrase in w for w in self.styles[scene.style])
        if words <= READ or named:
            return True
        colours = [*scene.background, *(c for t in scene.things for c in (t.colour, t.pattern[1]))]
        return any(words <= {*colour.split()} for colour in colours)

    def find(self, text: str, **how: Any) -> Start | None:
        """The `start` for what a text names, or None if nothing in it can be drawn."""
        return self.start(self.parse(text), **how)

    def start(self, scene: Scene | None, variant: int = 0, **how: Any) -> Start | None:
        """The start that fits a scene best; None for none.

        `variant` 1, 2, ... choose other drawings of the first thing, in the order of `choices`.
        how: `size` and `fill` of `compose`.
        """
        if scene is None:
            return None
        choice = list(self.choices(scene))
        first = choice[variant % len(choice)]
        # A thing beside a silhouette is one only if it has no other drawing.
        style = "" if first.style == "silhouette" else first.style
        others = [next(self.choices(scene, i, style)) for i in range(1, len(scene.things))]
        return self.compose(scene, (first, *others), **how)

    @property
    def names(self) -> list[str]:
        """What things are called, in their order."""
        return sorted({self.concepts[i]["name"] for i in self._drawings})

    def label_and_styles(self, name: str) -> tuple[str, list[str]]:
        """The label of the concept that a thing's name means, and the styles it is drawn in."""
        concept = self.named(name)[0]
        return self.concepts[concept]["label"], list(self._drawings[concept])

    def choices(self, scene: Scene, thing: int = 0, style: str = "") -> Iterator[Drawing]:
        """Every drawing that a thing of a scene may have: first in the style that the scene names,
        else in `style`, then in the usual order of one thing, or of two small ones."""
        for concept in self.named(scene.things[thing].name):
            drawings = self._drawings[concept]
            if self.concepts[concept]["label"] in BACKDROPS:
                yield drawings[PREFERRED[0]]
                return
            easier, usual = (EASIER, PREFERRED) if len(scene.things) == 1 else (BESIDE, SMALL)
            first = easier.get(self.concepts[concept]["label"], "")
            order = dict.fromkeys([scene.style or style, first, *usual, *self.styles])
            yield from (drawings[s] for s in order if s in drawings)

    def alternatives(self, start: Start) -> list[Start]:
        """The same scene with each other drawing that its first thing's name fits."""
        (first, *others), (height, width) = start.drawings, start.picture.shape[2:]
        drawings = (drawing for drawing in self.choices(start.scene) if drawing != first)
        return [self.compose(start.scene, (d, *others), (height, width)) for d in drawings]

    def compose(
        self, scene: Scene, drawings: Sequence[Drawing], size: Size = (128, 128), fill: bool = False
    ) -> Start:
        """A start of `size` (height, width) from chosen drawings, one for each thing of the scene;
        where that asks for silhouettes, drawings of other styles are blackened. fill: one thing is
        as large as the picture takes."""
        side = self._side * self.vqgan.downsample_factor
        made = describe(scene, drawings), scene, tuple(drawings)
        drawn = [(drawing.label, drawing.style) for drawing in drawings]
        if scene.style == SILHOUETTE:
            drawn = [(label, SILHOUETTE) for label, _ in drawn]
        plain = scene.plain and drawings[0].style == drawn[0][1]
        plain = plain and not usual_colour(*drawn[0], scene.style)
        if plain and size == (side, side):  # stored as it is
            codes = self.codes_of(drawings[0])
            return Start(self._decoded(codes), *made, codes)
        layers = []
        for drawing, (_, style) in zip(drawings, drawn, strict=True):
            layer = self.layer(drawing)
            if drawing.style != style and drawing.label not in BACKDROPS:
                layer = torch.cat([INK * layer[3:].expand(3, -1, -1), layer[3:]])
            layers.append(layer)
        return Start(compose(layers, scene, size, drawn, fill=fill), *made)

    def mask(self, drawing: str) -> torch.Tensor:
        """What a drawing covers, given as "style: label", (m, m) in [0, 1]."""
        return self._masks[self._called_in_full(drawing).index]

    def has_white(self, drawing: str) -> bool:
        """Whether a drawing, given like that, shows white inside of what it covers."""
        layer = self.layer(self._called_in_full(drawing))
        inside = -F.max_pool2d(-(layer[None, 3:] > 0.9).float(), 5, 1, 2)[0]
        white = (layer[:3].amin(0, keepdim=True) > 1 - WHITE) * inside
        return bool(white.sum() > MOTES * layer[3:].sum())

    def _called_in_full(self, drawing: str) -> Drawing:
        return next(d for d in self.drawings if f"{d.style}: {d.label}" == drawing)

    @torch.no_grad()
    def _decoded(self, codes: torch.Tensor) -> torch.Tensor:
        device = self.vqgan.codebook.weight.device
        latent = self.vqgan.codebook_vectors(codes.to(device))
        return self.vqgan.synthesize(latent, quantize=False).cpu()

    def layer(self, drawing: Drawing) -> torch.Tensor:
        """A drawing without its white ground (4, side, side), colour premultiplied by alpha."""
        picture = self._decoded(self.codes_of(drawing))[0]
        mask = self._masks[drawing.index][None, None]
        alpha = F.interpolate(mask, picture.shape[1:], mode="bilinear")[0]
        return torch.cat([(picture - (1 - alpha)).clamp(min=0).minimum(alpha), alpha])
