"""Shortcuts to the label: series, file properties, and coarse appearance."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from spinealign.cohort.audit.findings import ClassSeries, Probe, PropertyFinding
from spinealign.cohort.cohort import SPLITS, Cohort, Sample
from spinealign.cohort.file_properties import PROPERTIES
from spinealign.labels import SINGLE, Kind
from spinealign.metrics.folds import source_folds
from spinealign.metrics.shortcut import Baseline, fold_calls, thumbnail_ridge_calls
from spinealign.metrics.weighted import WeightedPredictions

FOLDS = 5
_FEW_SERIES = 5  # a class with at least this many series is not tied to a scanner or a patient
_MIN_AUC = 0.7
_FALSE_ALARM = 0.01  # probability of a false alarm over all properties


def series_of_classes(cohort: Cohort, name: str = SINGLE) -> tuple[ClassSeries, ...]:
    """Return the classes that can be recognized by their series.

    These are classes from a single series, unless all other classes are from the same one, and classes from fewer than
    five series that no other class has. Series with one source each, such as those of phantoms, are ignored. Images of
    unknown series are left out; each result gives the share of the class with a known series.
    """
    sources: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for sample in cohort:
        value = sample.value(name)
        if sample.series is not None and value is not None:
            sources[value][sample.series].add(sample.source)
    found = []
    for label, series in sorted(sources.items()) if len(sources) > 1 else ():
        others = {name for other, theirs in sources.items() if other != label for name in theirs}
        own = not set(series) & others
        single = len(series) == 1 and others != set(series)
        if (single or (own and len(series) < _FEW_SERIES)) and sum(map(len, series.values())) >= 2 * len(series):
            scans = [sample.series for sample in cohort if sample.value(name) == label]
            known = (len(scans) - scans.count(None)) / len(scans)
            found.append(ClassSeries(label, tuple(sorted(series)), own, known, name))
    return tuple(found)


def property_findings(
    cohort: Cohort, values: dict[str, NDArray[np.float64]], *, name: str = SINGLE
) -> tuple[PropertyFinding, ...]:
    """Compute how well each property tells one class of a label from the others.

    Means over the images of a source are compared, because copies are not independent. Of several classes, the one that
    a property tells best counts. The alarm tests whether the area under the ROC curve could be due to chance: its
    standard error under the null hypothesis is that of the Mann-Whitney statistic, with Bonferroni correction for the
    number of properties and classes. The values of each property have the shape (N,).
    """
    from sklearn.metrics import roc_auc_score

    classes = tuple(cohort.counts(name))
    if len(classes) < 2:
        return ()
    keys = [(sample.source, sample.value(name)) for sample in cohort]
    known = np.array([value is not None for _, value in keys])
    number = {key: index for index, key in enumerate(sorted({key for key in keys if key[1] is not None}, key=str))}
    member = np.array([number[key] for key in keys if key[1] is not None])
    sizes, kinds = np.bincount(member), np.array([value for _, value in number])
    tested = classes[1:] if len(classes) == 2 else classes
    z = NormalDist().inv_cdf(1 - _FALSE_ALARM / len(PROPERTIES) / len(tested) / 2)
    found = []
    for quantity, column in values.items():
        means = np.bincount(member, weights=column[known]) / sizes
        areas = {value: float(roc_auc_score(kinds == value, means)) for value in tested}
        told = max(areas, key=lambda value: abs(areas[value] - 0.5))
        others = f"not {told}" if len(classes) > 2 else classes[0]
        higher = None if round(areas[told], 2) == 0.5 else told if areas[told] > 0.5 else others
        best, count = max(areas[told], 1 - areas[told]), int((kinds == told).sum())
        variance = (len(kinds) + 1) / (12 * count * (len(kinds) - count))
        alarm = best >= max(_MIN_AUC, 0.5 + z * sqrt(variance))
        by_class = {value: float(means[kinds == value].mean()) for value in classes}
        found.append(PropertyFinding(quantity, PROPERTIES[quantity], by_class, best, higher, alarm, name))
    return tuple(found)


@dataclass(frozen=True)
class Classes:
    """The classes of one label, and their baseline features.

    Attributes:
        label: Name of the label.
        names: Names of the classes.
        codes: Class of each image with a known one, shape (N,).
        features: Thumbnails of these images, shape (N, 256).
        samples: These images.
        units: Their patients or sources, as `Cohort.units`.
    """

    label: str
    names: tuple[str, ...]
    codes: NDArray[np.int64]
    features: NDArray[np.float32]
    samples: tuple[Sample, ...]
    units: NDArray[np.str_]

    @classmethod
    def of(cls, cohort: Cohort, features: NDArray[np.float32], *, label: str) -> Classes:
        """Return the classes of a label; images without a class are left out."""
        names = tuple(cohort.counts(label))
        known = [index for index, sample in enumerate(cohort) if sample.value(label) is not None]
        samples = tuple(cohort.samples[index] for index in known)
        codes = np.array([names.index(str(sample.value(label))) for sample in samples], np.int64)
        return cls(label, names, codes, features[known], samples, np.array(cohort.units)[known])

    @property
    def sources(self) -> NDArray[np.str_]:
        """Source of each image."""
        return np.array([sample.source for sample in self.samples])

    def folds(self, *, seed: int) -> NDArray[np.intp] | None:
        """Return up to five folds over sources or patients, or None if a class has only one of them."""
        codes = range(len(self.names))
        folds = min(FOLDS, *(len(set(self.units[self.codes == code])) for code in codes))
        return source_folds([self.codes], self.units.tolist(), folds=folds, seed=seed) if folds > 1 else None


def shortcut_probes(classes: Classes, fold: NDArray[np.intp] | None) -> tuple[Probe, ...]:
    """Test the shortcut baseline on each held-out split as it is, copies included, and cross-validated over sources."""
    if len(classes.names) < 2:
        return (Probe("the collection", note="it needs two classes", of=classes.label),)
    splits = np.array([sample.split or "" for sample in classes.samples])
    train = splits == "train"
    probes = []
    for split in [split for split in SPLITS if split != "train" and (splits == split).any()]:
        if len(set(classes.codes[train].tolist())) < len(classes.names):
            probes.append(Probe(split, note="the train split does not have all classes", of=classes.label))
        else:
            tested = splits == split
            calls = thumbnail_ridge_calls(classes.features[train], classes.codes[train], test=classes.features[tested])
            probes.append(_judged(classes, split, calls, tested))
    if not probes:
        probes = [Probe("the given split", note="the collection has no held-out split", of=classes.label)]
    if fold is None:
        note = "a class has fewer than two distinct sources"
        return (*probes, Probe("folds over sources", note=note, of=classes.label))
    on = f"{len(np.unique(fold))} folds over sources"
    try:
        calls = fold_calls(classes.features, classes.codes, fold=fold)
    except ValueError:
        return (*probes, Probe(on, note="a fold would leave only one class to train on", of=classes.label))
    return (*probes, _judged(classes, on, calls, np.ones(len(calls), bool)))


def _judged(classes: Classes, on: str, calls: NDArray[np.int64], tested: NDArray[np.bool_]) -> Probe:
    truth, sources, count = classes.codes[tested], classes.sources[tested].tolist(), len(classes.names)
    kind: Kind = "binary" if count == 2 else "multi_class"
    reached = Baseline.of(WeightedPredictions(kind, truth, np.eye(count)[calls]), calls, groups=sources)
    return Probe(
        on,
        reached.scores["accuracy"],
        reached.scores["balanced_accuracy"],
        float(np.bincount(truth).max() / len(truth)),
        images=len(truth),
        sources=len(set(sources)),
        interval=reached.intervals["accuracy"] or (0.0, 1.0),
        balanced_interval=reached.intervals["balanced_accuracy"],
        alarm=reached.tells_the_classes,
        classes=classes.names,
        of=classes.label,
    )
