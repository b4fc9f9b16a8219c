"""Safe reading of what comes with weights, a VQGAN's configuration and stored facts: bounded, with
nothing resolved, and with values that a network can have."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..files import read_bounded
from .errors import WeightsError

MAX_CONFIG = 65_536  # bytes; the published ones have less than 1,000
MAX_DEPTH = 20
MAX_LIST = 16
LIMITS = {  # smallest and largest, ten times and more what is published
    **dict.fromkeys(("embed_dim", "in_channels", "out_ch", "z_channels"), (1, 1 << 14)),
    **dict.fromkeys(("resolution", "attn_resolutions"), (1, 1 << 16)),
    **{"n_embed": (1, 1 << 20), "unshuffle": (1, 64), "ch": (1, 4096)},
    **{"ch_mult": (1, 256), "num_res_blocks": (0, 64)},
}
LISTS = ("ch_mult", "attn_resolutions")


def read_config(path: str | Path) -> dict[str, Any]:
    """A VQGAN's OmegaConf yaml as a plain dict with ddconfig, embed_dim and n_embed.

    Raises WeightsError, also for aliases, tags and `${...}`: nothing in it is resolved.
    """
    try:
        text = read_bounded(path, MAX_CONFIG).decode()
    except (OSError, ValueError) as e:
        raise WeightsError(f"{path} is no VQGAN configuration: {e}") from e
    return parse_config(text, str(path))


def parse_config(text: str, source: str) -> dict[str, Any]:
    """As `read_config`, of a text of yaml or JSON; errors name `source`."""
    from omegaconf import OmegaConf

    try:
        _check_yaml(text)
        config: Any = OmegaConf.to_container(OmegaConf.create(text), resolve=False)
        while "ddconfig" not in config:  # published files nest it as model.params, Gumbel as ours
            config = config["model" if "model" in config else "params"]
        found = {key: config[key] for key in ("ddconfig", "embed_dim", "n_embed")}
        found |= {key: config[key] for key in ("unshuffle", "l2_norm") if key in config}
        if not isinstance(found["ddconfig"], dict):
            raise ValueError("its ddconfig is no list of settings")
        _check_numbers({**found["ddconfig"], **found})
        return found
    except Exception as e:
        raise WeightsError(
            f"{source} is no VQGAN configuration: it needs ddconfig, embed_dim and n_embed "
            f"({str(e)[:300] or type(e).__name__})"
        ) from e


def _check_yaml(text: str) -> None:
    """ValueError for what makes a short yaml large, deep, or dependent on this machine."""
    import yaml

    if len(text) > MAX_CONFIG:
        raise ValueError(f"it is longer than {MAX_CONFIG:,} bytes")
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise ValueError("it repeats parts by aliases, which are not read")
        if getattr(event, "tag", None):
            raise ValueError(f"it has the tag {event.tag!r}, and tags are not read")
        if isinstance(event, yaml.ScalarEvent) and "${" in event.value:
            raise ValueError(f"it refers to {event.value[:80]!r}, and references are not resolved")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise ValueError(f"it is nested deeper than {MAX_DEPTH} levels")


def _check_numbers(values: dict[str, Any]) -> None:
    """ValueError for numbers that no network has, which would take hours or all memory to build."""
    for key, (least, most) in LIMITS.items():
        if key not in values:
            continue
        value = values[key]
        if key in LISTS and not (isinstance(value, list) and len(value) <= MAX_LIST):
            raise ValueError(f"{key} is {value!r}, not a list of up to {MAX_LIST} numbers")
        for number in value if key in LISTS else [value]:
            if type(number) is not int or not least <= number <= most:
                raise ValueError(f"{key} is {value!r}: allowed are {least} to {most:,}")
    if values.get("ch_mult") == []:
        raise ValueError("ch_mult is empty")


def _is_colour(values: Any) -> bool:
    if not isinstance(values, list) or len(values) != 3:
        return False
    return all(type(v) in (int, float) and 0 < v <= 1 for v in values)


SOUND: dict[str, Callable[[Any], bool]] = {
    "words": lambda v: isinstance(v, list) and all(isinstance(word, str) for word in v),
    "size": lambda v: type(v) is int and 16 <= v <= 8192,
    "ground": lambda v: isinstance(v, str),
    "dropout": lambda v: type(v) in (int, float) and 0 <= v < 1,
    "defaults": lambda v: isinstance(v, dict),
    "open_clip": lambda v: isinstance(v, str),
    "activation": lambda v: v in ("gelu", "quick gelu"),
    "mean": _is_colour,
    "std": _is_colour,
}


def parse_facts(*metadata: Mapping[str, str]) -> dict[str, Any]:
    """What weight files of ours know besides weights, of several files together: size, words,
    ground, dropout, defaults; activation, open_clip, mean and std of a CLIP. Raises WeightsError
    for what cannot be."""
    found: dict[str, Any] = {}
    try:
        for one in metadata:
            found |= json.loads(one.get("facts", "{}"))
    except (ValueError, TypeError, RecursionError) as e:
        raise WeightsError(f"the facts stored with these weights cannot be read: {e}") from e
    for key, value in found.items():
        if key in SOUND and not SOUND[key](value):
            words = repr(value)[:80]
            raise WeightsError(f"the weights say that their {key} is {words}, which cannot be")
    return found
