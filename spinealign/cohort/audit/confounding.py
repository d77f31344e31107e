"""What but the finding tells the classes apart: series, properties of the files, the coarse look."""

from __future__ import annotations

from collections import Counter, defaultdict
from math import sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from spinealign.cohort.audit.findings import ClassSeries, Probe, PropertyFinding
from spinealign.cohort.audit.measuring import PROPERTIES
from spinealign.cohort.cohort import Cohort
from spinealign.cohort.loading import LoadedCohort
from spinealign.config import POSITIVE_LABEL
from spinealign.errors import require
from spinealign.metrics.evaluation import Baseline
from spinealign.metrics.folds import source_folds
from spinealign.metrics.shortcut import fold_calls, thumbnail, thumbnail_ridge_calls

FOLDS = 5
_FEW_SERIES = 5  # so many and more of a class are no longer a peculiarity of scanners or patients
_LEAST_AUC = 0.7
_CHANCE = 0.01  # of a false alarm over all properties


def positive_label(labels: tuple[str, ...]) -> str | None:
    """Return the class to predict: `fracture`, or the last of two; None where there is no such class."""
    if POSITIVE_LABEL in labels:
        return POSITIVE_LABEL if len(labels) > 1 else None
    return labels[-1] if len(labels) == 2 else None


def series_of_classes(cohort: Cohort) -> tuple[ClassSeries, ...]:
    """Return the classes that their few series give away.

    A class counts if it comes from a single series and other classes do not all come from that one, or if it comes
    from fewer than five that no other class has; series that hold one source each, such as those of phantoms, say
    nothing. Images whose series is not known are not looked at, and the share of the class that is known stands with
    what is found.
    """
    sources: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    images: Counter[str] = Counter()
    known: Counter[str] = Counter()
    for sample in cohort:
        images[sample.label] += 1
        if sample.series is not None:
            known[sample.label] += 1
            sources[sample.label][sample.series].add(sample.source)
    found = []
    for label, held in sorted(sources.items()) if len(sources) > 1 else ():
        others = {series for other, theirs in sources.items() if other != label for series in theirs}
        own = not set(held) & others
        single = len(held) == 1 and others != set(held)
        if (single or (own and len(held) < _FEW_SERIES)) and sum(map(len, held.values())) >= 2 * len(held):
            found.append(ClassSeries(label, tuple(sorted(held)), own, known[label] / images[label]))
    return tuple(found)


def property_findings(
    cohort: Cohort, values: dict[str, NDArray[np.float64]], *, positive: str | None
) -> tuple[PropertyFinding, ...]:
    """Say how well each property predicts the class.

    Copies are no evidence, so means over the images of a source are compared. The alarm asks whether the area could be
    chance: its standard error without any difference is that of the Mann-Whitney statistic, and the level is shared
    between the properties (Bonferroni).

    Args:
        cohort: The samples.
        values: The properties, each of shape (N,).
        positive: The class to predict; None gives no areas.
    """
    if positive is None:
        return ()
    require("sklearn", extra="train")
    from sklearn.metrics import roc_auc_score

    keys = [(sample.source, sample.label) for sample in cohort]
    unique = sorted(set(keys))
    number = {key: place for place, key in enumerate(unique)}
    member = np.array([number[key] for key in keys])
    sizes, kinds = np.bincount(member), np.array([label for _, label in unique])
    positives = kinds == positive
    least = _least_area(int(positives.sum()), int((~positives).sum()))
    found = []
    for name, column in values.items():
        means = np.bincount(member, weights=column) / sizes
        area = float(roc_auc_score(positives, means))
        by_class = {label: float(means[kinds == label].mean()) for label in cohort.labels}
        others = f"not {positive}" if len(by_class) > 2 else next(label for label in by_class if label != positive)
        higher = None if round(area, 2) == 0.5 else positive if area > 0.5 else others
        best = max(area, 1 - area)
        found.append(PropertyFinding(name, PROPERTIES[name], by_class, best, higher, best >= least))
    return tuple(found)


def _least_area(positives: int, negatives: int) -> float:
    z = NormalDist().inv_cdf(1 - _CHANCE / len(PROPERTIES) / 2)
    return max(_LEAST_AUC, 0.5 + z * sqrt((positives + negatives + 1) / (12 * positives * negatives)))


def shortcut_probes(loaded: LoadedCohort, positive: str | None, *, seed: int = 0) -> tuple[Probe, ...]:
    """Run the shortcut probe on each held-out part as it is, copies and all, and cross-validated over sources.

    Args:
        loaded: The images; copies share a source.
        positive: The class to predict.
        seed: Seed of the folds.
    """
    if positive is None:
        return (Probe("anything", note="it needs two classes, or one called fracture"),)
    cohort = loaded.cohort
    features = np.stack([thumbnail(gray) for gray in loaded.gray])
    truth = np.array([sample.label == positive for sample in cohort])
    splits = np.array([sample.split or "" for sample in cohort])
    probes = [_split_probe(cohort, features, truth, train=splits == "train", test=(split, splits == split))
              for split in cohort.splits if split != "train"]  # fmt: skip
    if not probes:
        probes = [Probe("the given split", note="the collection brings no held-out part")]
    return (*probes, _folds_probe(cohort, features, truth, seed=seed))


def _split_probe(
    cohort: Cohort,
    features: NDArray[np.float32],
    truth: NDArray[np.bool_],
    *,
    train: NDArray[np.bool_],
    test: tuple[str, NDArray[np.bool_]],
) -> Probe:
    split, held_out = test
    if len(set(truth[train].tolist())) < 2:
        return Probe(split, note="the train part does not hold both classes")
    calls = thumbnail_ridge_calls(features[train], truth[train], test=features[held_out])
    return _judged(split, calls, cohort, truth=truth, tested=held_out)


def _folds_probe(cohort: Cohort, features: NDArray[np.float32], truth: NDArray[np.bool_], *, seed: int) -> Probe:
    units = cohort.units
    rarest = min(len({unit for unit, is_it in zip(units, truth) if is_it == kind}) for kind in (True, False))
    folds = min(FOLDS, rarest)
    on = f"{folds} folds over sources"
    if folds < 2:
        return Probe("folds over sources", note="a class has fewer than two distinct sources")
    try:
        calls = fold_calls(features, truth, fold=source_folds(truth, units, folds=folds, seed=seed))
    except ValueError:
        return Probe(on, note="no cut leaves both classes to train on")
    return _judged(on, calls, cohort, truth=truth, tested=np.ones(len(truth), bool))


def _judged(
    on: str, calls: NDArray[np.bool_], cohort: Cohort, *, truth: NDArray[np.bool_], tested: NDArray[np.bool_]
) -> Probe:
    sources = [sample.source for sample, is_tested in zip(cohort, tested) if is_tested]
    reached = Baseline.of(truth[tested], calls, groups=sources)
    share = float(truth[tested].mean())
    return Probe(
        on,
        reached.scores.accuracy,
        reached.scores.balanced_accuracy,
        max(share, 1 - share),
        images=int(tested.sum()),
        sources=len(set(sources)),
        interval=reached.intervals["accuracy"] or (0.0, 1.0),
        alarm=reached.tells_the_classes,
    )
