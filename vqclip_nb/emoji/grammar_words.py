"""The words that the grammar of captions reads: sizes, counts, relations, what is worn."""

from __future__ import annotations

import re

from ..palettes import COLOURS

SIZES = {
    **dict.fromkeys(("big", "large", "huge", "giant", "enormous", "fat", "chubby"), "big"),
    **dict.fromkeys(("small", "little", "tiny", "mini"), "small"),
}
MATERIALS = {"wooden": "brown", "rusty": "brown", "copper": "copper", "bronze": "copper"}
MATERIALS |= {"chocolate": "brown"}
COUNTS = {
    **{word: i for i, word in enumerate("one two three four five six".split(), 1)},
    **{str(i): i for i in range(1, 7)},
    **{"pair of": 2, "couple of": 2, "several": 3, "many": 6, "lots of": 6},
    **dict.fromkeys(("bunch of", "group of", "pile of", "row of", "flock of"), 3),
}
# Numbers of which six are drawn, which is said.
MORE = frozenset("seven eight nine ten eleven twelve dozen twenty fifty hundred thousand".split())
MORE |= {"million", "billion"}
MORE |= {str(i) for i in range(7, 101)}
RELATIONS = {  # words between two things, and how the first then stands to the second
    **dict.fromkeys(("next to", "and", "beside", "with", "near", "by", "as well as"), "beside"),
    **dict.fromkeys(("chasing", "watching", "leaning on", "leaning against"), "beside"),
    **dict.fromkeys(("above", "over"), "above"),
    **dict.fromkeys(("jumping over", "leaping over", "flying over", "flying above"), "above"),
    **dict.fromkeys(("below", "under", "beneath", "underneath"), "below"),
    **dict.fromkeys(("on", "on top of", "atop", "onto", "riding", "crossing"), "on"),
    **dict.fromkeys(("sitting on", "standing on", "lying on"), "on"),
    **dict.fromkeys(("in", "inside", "into", "inside of"), "in"),
    **dict.fromkeys("holding carrying playing eating drinking reading hugging".split(), "holding"),
    **dict.fromkeys(("full of", "filled with"), "full of"),
    "in front of": "in front of",
    "behind": "behind",
    "among": "among",
    "wearing": "wearing",
}
WORN = {  # where on who wears it
    **dict.fromkeys(
        "hat cap crown helmet tiara sombrero turban fedora beanie wig".split(), "wearing"
    ),
    **dict.fromkeys(
        "glasses sunglasses goggles spectacles monocle eyepatch moustache".split(),
        "on the face",
    ),
    **dict.fromkeys("beard scarf tie necktie necklace medal stethoscope".split(), "round the neck"),
    **dict.fromkeys(
        "shirt t-shirt sweater jumper coat jacket dress vest suit".split(), "on the body"
    ),
    **dict.fromkeys("boots shoes sneakers sandals slippers skates socks".split(), "on the feet"),
}
BODY = frozenset(  # what a drawing shows or does not: "a cat with yellow eyes"
    "arm arms beak claws ear ears eye eyes feather feathers feet fin fins foot fur hair horn horns "
    "knee knees lap leg legs mane mouth nose paws shoulder shoulders skin spots stripes tail teeth "
    "tentacles trunk tusks whiskers wing wings".split()
)
HOLDERS = frozenset(  # of what they hold more than one: "a bowl of apples"
    "bag barrel basket bowl box bucket cart crate cup jar pot vase wheelbarrow".split()
)
BACKDROPS = frozenset("buildings hills mountains skyscrapers trees".split())
TABLES = frozenset("counter desk shelf table".split())
PLANTS = frozenset("cactus flower flowers herb lily orchid plant rose sunflower tree tulip".split())
FLOWER_POT = "bucket"  # the drawing that is most like one
VASES = frozenset("bottle vase".split())
TOOLS = frozenset("fork handle knife ladle lid spoon straw".split())  # beside what they are with
OTHER_WAY = {"on": "below", "above": "below", "below": "on", "served on": "below"}
FLAT = frozenset("plate plates tray".split())
SKY = frozenset("sun moon star stars cloud clouds rainbow".split())  # what stands over others
WITHOUT = ("without", "no", "not")  # what follows is not asked for
# What a thing in front of them does; elsewhere some of them are things: "a cooking pot".
DOING = frozenset(
    "acting boxing camping cooking crying cycling dancing drumming fencing frying gaming juggling "
    "knitting running screaming shopping skiing snowboarding surfing swimming weeping".split()
)
READ = frozenset(
    word
    for table in (RELATIONS, COUNTS, SIZES, MATERIALS, COLOURS)
    for phrase in table
    for word in phrase.split()
)
PLACES = frozenset(
    "forest woods wood jungle garden park meadow desert city town village mountains street".split()
)
NOT_DRAWN, TOO_MANY = "not drawn", "not drawn, a picture holds three"
AS_SIX = "drawn as six"
HUMAN = frozenset("person human man woman boy girl child".split())
# Drawn black and white as they are.
TWO_COLOURED = frozenset("badger cow panda penguin skunk zebra orca soccer".split())
CLOCK, CLOCK_TIME = frozenset(("clock", "watch")), re.compile(r"\d{1,2}:\d\d")
ARTICLES = ("a", "an", "the")
MOST = 3  # things in a picture
# Of whom something is a part: "on a pirate's shoulder".
PART = re.compile(
    r"(\b(?:on|in|over|by) (?:(?:an?|the|his|her|my) )?(?:[\w-]+ )?[\w-]+)['’]s? "
    r"(?:shoulders?|head|back|lap|hands?|nose|arms?|wrist)\b"
)
TURNED = frozenset("but is are painted dyed coloured colored".split())  # "a cat, but orange"
SENTENCE_END = re.compile(r"(?<=\w\w)[.!?]+(?=\s|$)|[;\n]+")
OF = ("of", "of a", "of an", "of the")
SKIPPED = frozenset(
    "a an the some its their his her my your this that is are at to maybe perhaps also then".split()
)
# Of several drawings with one name, the one that is meant.
MEANT = {"moon": "crescent moon", "knife": "kitchen knife", "honey": "honey pot", "sheep": "ewe"}
MEANT |= {"cherry": "cherries", "mountains": "mountain", "rocks": "rock", "fork": "fork and knife"}
MEANT |= {"cardboard box": "package", "eggs": "egg", "hats": "top hat", "book": "open book"}
PAIRS = frozenset(("cherries", "gloves", "socks"))  # drawings of two
ONE = frozenset(("headphones", "earphones", "pliers", "trousers", "pants"))  # plurals of one thing
TWO_TONE = "black and white"
TWO_TONE_WORDS = (TWO_TONE, "white and black")
TWO_TONES = re.compile(
    rf"\b{TWO_TONE} (?!photo|picture|image|drawing|painting|film|art|style|sketch)\w", re.IGNORECASE
)
