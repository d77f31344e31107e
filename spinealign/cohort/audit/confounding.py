"""Shortcuts to the label: series, file properties, and coarse appearance."""

from __future__ import annotations

from collections import defaultdict
from math import sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from spinealign.cohort.audit.findings import ClassSeries, Probe, PropertyFinding
from spinealign.cohort.cohort import Cohort
from spinealign.cohort.file_properties import PROPERTIES
from spinealign.cohort.loading import LoadedCohort
from spinealign.config import POSITIVE_LABEL
from spinealign.metrics.folds import source_folds
from spinealign.metrics.shortcut import Baseline, fold_calls, thumbnail, thumbnail_ridge_calls
from spinealign.metrics.weighted import WeightedPredictions

FOLDS = 5
_FEW_SERIES = 5  # a class with at least this many series is not tied to a scanner or a patient
_MIN_AUC = 0.7
_FALSE_ALARM = 0.01  # probability of a false alarm over all properties


def positive_label(labels: tuple[str, ...]) -> str | None:
    """Return the positive class: `fracture`, or the last of two classes; None without either."""
    if POSITIVE_LABEL in labels:
        return POSITIVE_LABEL if len(labels) > 1 else None
    return labels[-1] if len(labels) == 2 else None


def series_of_classes(cohort: Cohort) -> tuple[ClassSeries, ...]:
    """Return the classes that can be recognized by their series.

    These are classes from a single series, unless all other classes are from the same one, and classes from fewer than
    five series that no other class has. Series with one source each, such as those of phantoms, are ignored. Images of
    unknown series are left out; each result gives the share of the class with a known series.
    """
    sources: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for sample in cohort:
        if sample.series is not None:
            sources[str(sample.label)][sample.series].add(sample.source)
    found = []
    for label, series in sorted(sources.items()) if len(sources) > 1 else ():
        others = {name for other, theirs in sources.items() if other != label for name in theirs}
        own = not set(series) & others
        single = len(series) == 1 and others != set(series)
        if (single or (own and len(series) < _FEW_SERIES)) and sum(map(len, series.values())) >= 2 * len(series):
            scans = [sample.series for sample in cohort if sample.label == label]
            known = (len(scans) - scans.count(None)) / len(scans)
            found.append(ClassSeries(label, tuple(sorted(series)), own, known))
    return tuple(found)


def property_findings(
    cohort: Cohort, values: dict[str, NDArray[np.float64]], *, positive: str | None
) -> tuple[PropertyFinding, ...]:
    """Compute how well each property predicts the class.

    Means over the images of a source are compared, because copies are not independent. The alarm tests whether the
    area under the ROC curve could be due to chance: its standard error under the null hypothesis is that of the
    Mann-Whitney statistic, with Bonferroni correction for the number of properties. The values of each property have
    the shape (N,). Without a positive class there are no findings.
    """
    if positive is None:
        return ()
    from sklearn.metrics import roc_auc_score

    keys = [(sample.source, sample.label) for sample in cohort]
    number = {key: index for index, key in enumerate(sorted(set(keys)))}
    member = np.array([number[key] for key in keys])
    sizes, kinds = np.bincount(member), np.array([label for _, label in number])
    positives = kinds == positive
    z = NormalDist().inv_cdf(1 - _FALSE_ALARM / len(PROPERTIES) / 2)
    variance = (len(positives) + 1) / (12 * int(positives.sum()) * int((~positives).sum()))
    threshold = max(_MIN_AUC, 0.5 + z * sqrt(variance))  # smallest area that raises the alarm
    found = []
    for name, column in values.items():
        means = np.bincount(member, weights=column) / sizes
        area = float(roc_auc_score(positives, means))
        by_class = {label: float(means[kinds == label].mean()) for label in cohort.labels}
        others = f"not {positive}" if len(by_class) > 2 else next(label for label in by_class if label != positive)
        higher = None if round(area, 2) == 0.5 else positive if area > 0.5 else others
        best = max(area, 1 - area)
        found.append(PropertyFinding(name, PROPERTIES[name], by_class, best, higher, best >= threshold))
    return tuple(found)


def shortcut_probes(loaded: LoadedCohort, positive: str | None, *, seed: int = 0) -> tuple[Probe, ...]:
    """Test the shortcut baseline on each held-out split as it is, copies included, and cross-validated over sources.

    The images are rendered with the default preprocessing, and copies have the same source.
    """
    if positive is None:
        return (Probe("anything", note="it needs two classes, or one named fracture"),)
    features = np.stack([thumbnail(gray) for gray in loaded.gray])
    truth = np.array([sample.label == positive for sample in loaded.cohort]).astype(int)
    sources = np.array([sample.source for sample in loaded.cohort])
    splits = np.array([sample.split or "" for sample in loaded.cohort])
    train = splits == "train"
    probes = []
    for split in [split for split in loaded.cohort.splits if split != "train"]:
        if len(set(truth[train].tolist())) < 2:
            probes.append(Probe(split, note="the train split does not have both classes"))
        else:
            tested = splits == split
            calls = thumbnail_ridge_calls(features[train], truth[train], test=features[tested])
            probes.append(_judged(split, truth[tested], calls, sources[tested]))
    if not probes:
        probes = [Probe("the given split", note="the collection has no held-out split")]
    units = np.array(loaded.cohort.units)
    folds = min(FOLDS, *(len(set(units[truth == kind])) for kind in (True, False)))
    if folds < 2:
        return (*probes, Probe("folds over sources", note="a class has fewer than two distinct sources"))
    on = f"{folds} folds over sources"
    try:
        calls = fold_calls(features, truth, fold=source_folds([truth], units.tolist(), folds=folds, seed=seed))
    except ValueError:
        return (*probes, Probe(on, note="a fold would leave only one class to train on"))
    return (*probes, _judged(on, truth, calls, sources))


def _judged(on: str, truth: NDArray[np.int64], calls: NDArray[np.int64], sources: NDArray[np.str_]) -> Probe:
    reached = Baseline.of(WeightedPredictions("binary", truth, np.eye(2)[calls]), calls, groups=sources.tolist())
    share = float(truth.mean())
    return Probe(
        on,
        reached.scores["accuracy"],
        reached.scores["balanced_accuracy"],
        max(share, 1 - share),
        images=len(truth),
        sources=len(set(sources)),
        interval=reached.intervals["accuracy"] or (0.0, 1.0),
        alarm=reached.tells_the_classes,
    )
