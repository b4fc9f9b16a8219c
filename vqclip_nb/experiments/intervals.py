"""How sure a score is: means with 95 % intervals."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas


def mean_interval(values: Iterable[float]) -> tuple[float, float]:
    """Mean, and half the width of its 95 % interval (Student 1908: t · s / √n).

    Missing values (NaN) are left out. Fewer than three values have no interval (NaN): that of two
    is thirteen times as wide as their spread. None have no mean either.
    """
    from scipy.stats import t

    x = present(values)
    mean = float(x.mean()) if len(x) else float("nan")
    if len(x) < 3:
        return mean, float("nan")
    return mean, float(t.ppf(0.975, len(x) - 1) * x.std(ddof=1) / len(x) ** 0.5)


def present(values: Iterable[float]) -> np.ndarray:
    x = np.asarray(list(values), float)
    return x[~np.isnan(x)]


def over_seeds(frame: pandas.DataFrame, by: list[str], score: str) -> pandas.DataFrame:
    """Columns mean and interval of a score in a frame of `grid`, a row for each value of `by`.

    Prompts are averaged within a seed first, so that n is the number of seeds: the interval says
    what another seed may change, not another prompt.
    """
    seeds = frame.groupby([*by, "seed"], sort=False)[score].mean()
    groups = seeds.groupby(level=by, sort=False)
    return groups.agg(mean=lambda v: mean_interval(v)[0], interval=lambda v: mean_interval(v)[1])


def plus_minus(mean: float, interval: float, digits: int = 3) -> str:
    """As in "0.512 ± 0.034"; the mean alone where there is no interval."""
    return f"{mean:.{digits}f}" + ("" if np.isnan(interval) else f" ± {interval:.{digits}f}")
