"""Names of drawings of several words in a text: "a cat on the roof", "an owl in an old tree"."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..reading import any_of
from .caption_words import COLOURS, OF_A_KIND, WORDS, one_word, singulars
from .shorthand import Replaced

if TYPE_CHECKING:
    from .vocabulary import Vocabulary

# What may stand between two words of a name.
BETWEEN = frozenset("a an are her his is its some the their".split())
DETAILS = WORDS["details"]  # may stand there too, and is left out: "down an icy hill"
LONGEST = 12  # words, with those between
ARTICLE = re.compile(r"\b(?:an?|the) $", re.IGNORECASE)
COLOUR = re.compile(rf"\b({any_of(COLOURS)}) $", re.IGNORECASE)
# "Cats and dogs" are no pairs of each, and "cats on a sofa" share it.
NOT_SEVERAL = re.compile(r" (?:and|at|by|in|near|on|under) ")
WORD = re.compile(r"\w[\w'’-]*")


class Found(NamedTuple):
    """A name in a text: where it begins and ends, as the table has it, and what stands for it;
    whether there are several, and the words in it that are left out."""

    start: int
    end: int
    name: str
    instead: str
    several: bool = False
    left_out: tuple[str, ...] = ()


def names_of(phrases: Mapping[str, str]) -> dict[str, str]:
    """Of a table of phrases those that stand for a drawing, which the table keeps whole ("cat on
    roof = cat on roof", or that on a background), without what may stand between."""
    own = {new for name, new in phrases.items() if name == new.partition(" on a ")[0]}
    return {
        " ".join(word for i, word in enumerate(name.split()) if not i or word not in BETWEEN): new
        for name, new in phrases.items()
        if new in own and " " in name
    }


def with_names(text: str, found: Iterable[Found], said: Replaced) -> str:
    """A text with what stands for the names of drawings in it. said: takes up what was replaced."""
    for one in reversed([*found]):
        if one.name != one.instead:
            said[one.name] = one.instead
        said |= dict.fromkeys(one.left_out, "")
        label, on, background = one.instead.partition(" on a ")
        before = ARTICLE.sub("", text[: one.start])
        colour, noun = COLOUR.search(before), one.name.split()[0]
        if colour and noun in label.split()[1:]:  # "a green parrot on a pirate's shoulder"
            before = before[: colour.start()]
            said[colour[1].lower()] = ""
        if one.several and not OF_A_KIND.intersection(before.lower().split()[-1:]):
            before += "two "
        text = f"{before}{one_word(label)}{on}{background}{text[one.end :]}"
    return text


def find_names(text: str, words: Vocabulary, joints: Collection[str]) -> Iterator[Found]:
    """The names in a text, from left to right, the longest first, but where a phrase of the table
    takes in their beginning: "on a forest path". joints: words that begin another part of a
    text."""
    parts = [m for m in WORD.finditer(text) if m[0].lower() not in BETWEEN]
    for one in _longest_names(text, words.drawing_names, words.thing, joints):
        before = [m for m in parts if m.start() < one.start][-2:]
        longer = filter(None, (words.any_phrase.match(text, m.start()) for m in before))
        places = [m.end() for m in longer if " background" in words.phrases[m[0].lower()]]
        if max(places, default=0) <= one.start:
            yield one


def _longest_names(
    text: str, names: Mapping[str, str], thing: Callable[[str], bool], joints: Collection[str]
) -> Iterator[Found]:
    words, at = [*WORD.finditer(text)], 0

    def longest(at: int) -> tuple[int, Found | None]:
        """Where the longest name that begins at a word ends, and it; -1 for none."""
        best: tuple[int, Found | None] = -1, None
        said: list[str] = []
        for last in range(at, min(at + LONGEST, len(words))):
            word = words[last][0].lower()
            if last > at and text[words[last - 1].end() : words[last].start()] != " ":
                break
            if word in BETWEEN and last > at:
                continue
            said.append(word)
            found = _named(said, names)
            if found and _stands_alone(text, words, at, last, found[0], thing, joints):
                start, end = words[at].start(), words[last].end()
                best = last, Found(start, end, found[0], names[found[0]], *found[1:])
        return best

    while at < len(words):
        last, found = longest(at)
        for later in range(at + 1, last + 1):  # "a black cat playing the piano"
            if longest(later)[0] > last:
                at, (last, found) = later, longest(later)
        if found:
            yield found
        at = max(at, last) + 1


def _named(
    said: Sequence[str], names: Mapping[str, str]
) -> tuple[str, bool, tuple[str, ...]] | None:
    """The name that words are, whether they are its plural, and those that are left out."""
    left_out = tuple(word for word in said[1:-1] if word in DETAILS)
    for rest in ([*said[1:]], [word for word in said[1:] if word not in left_out]):
        for first in (said[0], *singulars(said[0])):
            name, several = " ".join([first, *rest]), first != said[0]
            if name in names and not (several and NOT_SEVERAL.search(name)):
                return name, several, left_out if len(rest) < len(said) - 1 else ()
    return None


def _stands_alone(
    text: str,
    words: list[re.Match],
    at: int,
    last: int,
    name: str,
    thing: Callable[[str], bool],
    joints: Collection[str],
) -> bool:
    """Whether a name is not a part of what is meant: "a dog and a ball of yarn"."""
    before = words[at - 1][0].lower() if at else ""
    if at and text[words[at - 1].end() : words[at].start()] == " " and before not in joints:
        if before not in COLOURS and thing(before):
            return False  # "a cherry blossom tree in spring"
    after = ""
    if last + 1 < len(words) and text[words[last].end() : words[last + 1].start()] == " ":
        after = words[last + 1][0].lower()
    if after in ("of", "inside") or (
        after and after not in joints and not after.endswith("ing") and thing(after)
    ):
        return False
    if after == "and" and " with " in name:
        return False  # "a snowman with a carrot nose and a scarf"
    if " and " in f" {name} " and (before == "and" or after == "and" or after.endswith("ing")):
        return False  # "a fox and a hedgehog and a mushroom"
    doer = not WORDS["bearers"].isdisjoint(text[: words[at].start()].lower().split()[-2:])
    return not (doer and name.split()[0].endswith("ing"))  # "a dog building a snowman"
