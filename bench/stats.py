"""Median, minimum and maximum of a few rounds."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """What several rounds said, in the unit of the samples."""

    median: float
    min: float
    max: float


def spread(samples: Iterable[float]) -> Spread | None:
    """The spread of `samples`, or None when there are none."""
    values = list(samples)
    if not values:
        return None
    return Spread(statistics.median(values), min(values), max(values))
