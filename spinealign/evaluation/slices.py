"""Summary of sagittal slices and series that networks measured: outlines, levels and measures, over patients."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from spinealign.alignment.sagittal.scaling import FEWEST, is_plausible
from spinealign.evaluation.compared_values import (
    KINDS,
    REACH_MM,
    VOLUMES,
    agreement,
    label_noise,
    of_middle_slices,
    of_volumes,
)
from spinealign.evaluation.measured_slice import MeasuredSlice
from spinealign.evaluation.named_series import NamedPicture
from spinealign.metrics.agreement import Estimate
from spinealign.metrics.value_agreement import (
    Figure,
    SagittalEvaluation,
    ValueAgreement,
    mean_figure,
    share_figure,
)

_Item = TypeVar("_Item", MeasuredSlice, NamedPicture)
MID_SLICE, WITHIN_REACH = "mid slice", f"median of the slices within {REACH_MM} mm"
ALL = "all"
REJECTED_SHARE = 0.01  # of the held-out slices and series, by the limit of the probability


def outline_figures(slices: Sequence[MeasuredSlice], part: str) -> list[Figure]:
    """Return the Dice of bodies and structures, and the shares of found and false bodies."""
    bodies = [(dice, item.patient) for item in slices for dice, known in zip(item.dice, _whole(item)) if known]
    found = [
        mean_figure("dice_per_body", part, values=[dice for dice, _ in bodies], patients=[name for _, name in bodies]),
        _worst_patient(bodies, part),
        share_figure(
            "bodies_found",
            part,
            hits=[dice > 0 for dice, _ in bodies],
            patients=[patient for _, patient in bodies],
        ),
        _false_bodies(slices, part),
    ]
    for name in ("body", "disc", "canal", "s1"):
        labeled = [item for item in slices if name in item.scores]
        values, patients = [item.scores[name] for item in labeled], [item.patient for item in labeled]
        found.append(mean_figure(f"dice_{name}", part, values=values, patients=patients))
    return [figure for figure in found if figure is not None]


def _whole(item: MeasuredSlice) -> list[bool]:
    """Return which bodies of the reference the border does not cut; all, if that is not known."""
    return [bool(row) for row in item.reference] or [True] * len(item.dice)


def _worst_patient(bodies: Sequence[tuple[float, str]], part: str) -> Figure | None:
    if not bodies:
        return None
    names, group = np.unique([patient for _, patient in bodies], return_inverse=True)
    means = np.bincount(group, weights=[dice for dice, _ in bodies]) / np.bincount(group)
    value = float(means.min())
    return Figure("dice_of_worst_patient", part, Estimate(value, value, value), len(bodies), len(names))


def _false_bodies(slices: Sequence[MeasuredSlice], part: str) -> Figure | None:
    """Return the share of found bodies that are false."""
    trials = [(place < item.false_bodies, item.patient) for item in slices for place in range(len(item.found.bodies))]
    return share_figure(
        "false_bodies", part, hits=[hit for hit, _ in trials], patients=[patient for _, patient in trials]
    )


def naming_figures(pictures: Sequence[NamedPicture], *, least: float = 0.0) -> list[Figure]:
    """Return how often L5 is named, and right, in whole series by sequence, and how often wrongly in cut ones.

    `least` is the smallest mean probability of the bodies in an accepted image.
    """
    whole = whole_series(pictures)
    known = [item for item in whole if item.known]
    found = []
    for part in (ALL, *sorted({item.sequence for item in known})):
        items = [item for item in known if part in (ALL, item.sequence)]
        certain = [item for item in items if item.found.named is not None]
        found += [
            _share("l5_certain", part, items, lambda item: item.found.named is not None),
            _share("l5_right_if_certain", part, certain, lambda item: item.found.named == item.l5),
        ]
    found += [
        _share("l5_is_lowest", ALL, known, lambda item: item.l5 == len(item.found.bodies) - 1),
        _share("l5_certain", "also without boxes", whole, lambda item: item.found.named is not None),
        _share("rejected", ALL, whole, lambda item: len(item.found.bodies) < FEWEST or item.found.probability < least),
    ]
    cut = [item for item in pictures if item.cut and item.known]
    for part in (ALL, *dict.fromkeys(item.cut for item in cut)):
        items = [item for item in cut if part in (ALL, item.cut)]
        found += [
            _share("falsely_named", part, items, lambda item: item.found.named not in (None, item.l5)),
            _share("cut_certain", part, items, lambda item: item.found.named is not None),
        ]
    return [figure for figure in found if figure is not None]


def leveled_figures(slices: Sequence[MeasuredSlice], part: str) -> list[Figure]:
    """Return how often L5 is named, and right, in slices with masks."""
    items = [item for item in slices if item.leveled]
    certain = [item for item in items if item.found.named is not None]
    found = [
        _share("l5_certain", part, items, lambda item: item.found.named is not None),
        _share("l5_right_if_certain", part, certain, lambda item: item.found.named == item.l5),
    ]
    return [figure for figure in found if figure is not None]


def whole_series(pictures: Sequence[NamedPicture]) -> list[NamedPicture]:
    """Return the picture of each whole series at the first zoom with a likely height of the bodies, or zoom 1."""
    groups: dict[str, list[NamedPicture]] = defaultdict(list)
    for item in pictures:
        if not item.cut:
            groups[item.name].append(item)
    return [next((item for item in items if is_plausible(item.found.height)), items[0]) for items in groups.values()]


def probability_limit(slices: Sequence[MeasuredSlice], pictures: Sequence[NamedPicture]) -> float:
    """Return the smallest mean probability of the bodies in an accepted image, from held-out ones; 0 without any."""
    found = [item.found for item in slices] + [item.found for item in whole_series(pictures)]
    probabilities = [item.probability for item in found if len(item.bodies) >= FEWEST]
    return float(np.quantile(probabilities, REJECTED_SHARE)) if probabilities else 0.0


def _share(name: str, part: str, items: Sequence[_Item], is_hit: Callable[[_Item], bool]) -> Figure | None:
    return share_figure(name, part, hits=[is_hit(item) for item in items], patients=[item.patient for item in items])


def evaluate_slices(
    slices: Sequence[MeasuredSlice],
    *,
    pictures: Sequence[NamedPicture] = (),
    transfers: Mapping[str, Sequence[MeasuredSlice]] | None = None,
) -> SagittalEvaluation:
    """Summarize held-out slices and series over patients.

    Args:
        slices: Slices with masks.
        pictures: Series with boxes of their discs, and parts of them.
        transfers: Slices that were measured by a network that had not seen their source, by a name.
    """
    figures, measures = list[Figure](), list[ValueAgreement]()
    for source in dict.fromkeys(item.source for item in slices):
        own = [item for item in slices if item.source == source]
        figures += [*outline_figures(own, source), *leveled_figures(own, source)]
        sets = {f"{source}, {MID_SLICE}": of_middle_slices(slices, source)}
        if source == VOLUMES:
            sets[f"{source}, {WITHIN_REACH}"] = of_volumes(slices)
        measures += [
            found for part, values in sets.items() for kind in KINDS if (found := agreement(values, kind, part=part))
        ]
    figures += [noise for kind in KINDS if (noise := label_noise(slices, kind))]
    figures += naming_figures(pictures, least=probability_limit(slices, pictures))
    for name, items in (transfers or {}).items():
        outlined = outline_figures(items, name)  # without what the source of the training has no labels of
        figures += [each for each in outlined if each.estimate.high > 0 or each.name not in ("dice_disc", "dice_canal")]
    return SagittalEvaluation(tuple(figures), tuple(measures))
