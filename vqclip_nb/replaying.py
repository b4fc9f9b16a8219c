"""A picture painted again from the recipe in its file."""

import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from .models.pair import Pair
from .parts import crop_ranges
from .recipe import FORM, Changes, check_parts, read_recipe, recipe_settings, without_pictures
from .run import Run
from .settings import KNOBS, Settings

MAX_REPLAY = 2e9  # pixels that a replay paints unasked: 7,100 steps of 512×512 with 12 crops
VIEWED = 1 / 3  # of the time of a painted pixel, for one that CLIP sees: 1.2 and 4 µs, emoji, CPU
PIXEL = 1.2e-6  # seconds for a painted pixel, emoji, CPU
STEP = 25_000  # pixels that a step costs at least, however small: 30 ms
AT_ONCE = 500  # a step of a replay may paint MAX_REPLAY / AT_ONCE pixels: 2000×2000


def replay(path: str | Path, pair: Pair, *, limit: float | None = MAX_REPLAY, **parts: Any) -> Run:
    """Paint the picture of a PNG, GIF or MP4 of ours again, steered or not: the same bytes on the
    same machine.

    limit: pixels painted in all steps together, with a third of those that CLIP sees, and at most a
    500th of them painted in one; None for any number. parts: those of `Run` that replaced a part of
    the loop. ValueError if the file holds no recipe, if `pair` has other weights, if a part is
    missing, or if it would paint more than `limit`; TypeError for an option that is no part; a
    warning says what else may change the bytes.
    """
    recipe = read_recipe(path)
    check_recipe(recipe, pair)
    check_parts(path, recipe.get("parts", []), parts)
    changes, steps = recipe_changes(recipe), recipe.get("steps")
    if not isinstance(steps, int) or steps < 1:
        raise ValueError(f"{path} does not say after how many steps the picture was taken")
    first = recipe_settings(recipe)
    if limit is not None:
        check_cost(path, pair, first, changes, steps, limit)
    run = Run(pair, first, **parts)
    while len(run.history) < steps:
        while changes and changes[0][0] == len(run.history):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # given when it was painted
                run.change(**changes.pop(0)[1])
        if run.done:
            break
        run.step()
    if recipe.get("done") and not run.done:  # the picture diverged here and was ended
        run.step()
    return run


def check_cost(
    path: str | Path, pair: Pair, first: Settings, changes: Changes, steps: int, limit: float
) -> None:
    """ValueError if a picture would take more than `limit` pixels, as `replay` counts them."""
    full = first.for_pair(pair.defaults)
    along = [full]  # a change may ask for more steps, or for more pictures
    for _, change in changes:
        along.append(along[-1].replace(**change).for_pair(pair.defaults))
    total = max(s.steps_ahead * len(s.include) for s in along)
    total += min(steps, max(s.total_iter * len(s.include) for s in along))
    views = max(crop_ranges(s.crops, len(s.regions))[-1].stop for s in along)
    pixels = full.height * full.width
    each = max(STEP, pixels + VIEWED * views * pair.clip.resolution**2)
    if max(each * total, pixels * AT_ONCE) > limit:
        raise ValueError(
            f"{path} takes {total:,} steps of {full.width}×{full.height} pixels and {views} "
            f"crops, about {each * total * PIXEL / 60:,.0f} minutes on two cores, more than "
            f"{limit:.3g} pixels in all or {limit / AT_ONCE:.3g} in a step: "
            "give limit=None to paint it all the same"
        )


def recipe_changes(recipe: dict[str, Any]) -> list[tuple[int, dict[str, Any]]]:
    """What was changed after how many steps; ValueError if that cannot be read."""
    changes = recipe.get("changes", [])
    if recipe.get("form") != FORM and changes:
        raise ValueError(
            "this picture was steered with an earlier version, whose recipes hold the last "
            "settings and not the first: it cannot be painted again"
        )
    try:
        found = [(int(at), {str(k): v for k, v in change.items()}) for at, change in changes]
        named = {name for _, change in found for name in without_pictures(change)}
        if unknown := {name for _, change in found for name in change} - KNOBS.keys():
            raise ValueError(f"{', '.join(sorted(unknown))} is no setting")
    except (TypeError, ValueError, AttributeError, OverflowError) as e:
        raise ValueError(f"the recipe's changes cannot be read: {e}") from e
    if named:
        raise ValueError(
            f"the recipe's changes name pictures on another machine ({', '.join(sorted(named))}), "
            "which are never opened: it cannot be painted again"
        )
    return found


def check_recipe(recipe: dict[str, Any], pair: Pair) -> None:
    """ValueError if `pair` has other weights than the recipe's; a warning names what else may
    change the bytes."""
    if recipe.get("hashes") != pair.hashes:
        raise ValueError(
            f"the picture was painted with {recipe.get('pair')!r} of other weights than "
            f"{pair.name!r} here"
        )
    if recipe.get("library") and recipe["library"] != (pair.library and pair.library.digest):
        raise ValueError("the picture was started from another library of drawings than that here")
    if recipe.get("prior") and recipe["prior"] != (pair.prior and pair.prior.digest):
        raise ValueError("the picture was painted with another prior than that here")
    now = {"device": str(pair.device), "threads": torch.get_num_threads()}
    versions = recipe.get("versions")
    then = {k: recipe.get(k) for k in now}
    if isinstance(versions, dict):
        now["torch"], then["torch"] = version("torch"), versions.get("torch")
    other = [f"{k} {now[k]}, then {then[k]}" for k in now if now[k] != then[k]]
    if other:
        warnings.warn(f"the bytes may differ: {'; '.join(other)}", stacklevel=3)
