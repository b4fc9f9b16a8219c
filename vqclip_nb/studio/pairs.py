"""Another pair of networks, loaded when it is asked for."""

from __future__ import annotations

import logging

import ipywidgets as w

from ..loading import available_pairs, load_pair
from ..models.pair import Pair
from ..weights import WeightsError
from .callbacks import Callbacks
from .controls import labelled

log = logging.getLogger(__name__)


class PairChoice:
    """Which pair paints the next picture."""

    def __init__(self, pair: Pair, calls: Callbacks) -> None:
        self.pair, self.calls, self.messages = pair, calls, calls.messages
        names = list(dict.fromkeys([pair.name, *available_pairs()]))
        self.control = labelled(
            w.Dropdown(options=names, description="pair"),
            "the networks: emoji ships with the package, others are downloaded",
        )
        load = "Press Run to load this pair and paint with it."
        calls.on(self.control, lambda: self.messages.say("now", load))

    def choose(self, name: str | None) -> bool:
        """Set the control, without loading; whether there is such a pair."""
        known = name in self.control.options
        with self.calls.quietly():
            self.control.value = name if known else self.pair.name
        return known

    def load(self) -> Pair | None:
        """The chosen pair; None, and said why, if it cannot be had."""
        name = self.control.value
        if name == self.pair.name:
            return self.pair
        self.messages.say(
            "now", f"Loading {name}; the first time it is downloaded, which can take minutes …"
        )
        try:
            self.pair = load_pair(name)
        except WeightsError as e:
            log.info("not loaded", exc_info=True)
            tried = "\n" in str(e).strip()  # one line for each place that was tried
            why = "it could not be downloaded" if tried else str(e)
            self.choose(self.pair.name)
            self.messages.say(
                "problem",
                f"{name} is not here: {why}. Check the connection and choose it again, or go on "
                f"with {self.pair.name}.",
                "error",
            )
            return None
        finally:
            self.messages.clear("now")
        return self.pair
