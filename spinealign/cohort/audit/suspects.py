"""Images to look at: labels that are likely wrong, and images unlike the others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spinealign.cohort.audit.findings import Suspect

_COMPONENTS = 32  # principal components of the features
_NEIGHBORS = 10  # of other sources, of which the mean distance is taken
_FAR = 2.5  # distance from which an image is reported, in units of the median of all distances
_MIN_SOURCES = 30  # below which no image is unlike the others


def likely_wrong(
    probabilities: NDArray[np.float64],
    codes: NDArray[np.integer],
    *,
    classes: Sequence[str],
    names: Sequence[str],
    sources: Sequence[str],
    label: str,
) -> tuple[Suspect, ...]:
    """Rank the sources whose class is likely wrong, the most likely first.

    A class is suspected by the rule of confident learning (Northcutt et al., JAIR 2021): another class has a
    probability of at least the mean probability of its own images, and the highest of those that do. Probabilities,
    out-of-fold and of shape (N, K), are averaged over the copies of a source; classes have the shape (N,).
    """
    _, first, member = np.unique(
        np.array([f"{code} {source}" for code, source in zip(codes, sources)]), return_index=True, return_inverse=True
    )
    counts = np.bincount(member)
    mean = np.stack([np.bincount(member, weights=column) / counts for column in probabilities.T], axis=1)
    given = codes[first]
    thresholds = np.array([mean[given == code, code].mean() for code in range(len(classes))])
    confident = np.where(mean >= thresholds, mean, -1)
    proposed = confident.argmax(axis=1)
    suspected = np.flatnonzero((confident.max(axis=1) >= 0) & (proposed != given))
    own, other = mean[suspected, given[suspected]], mean[suspected, proposed[suspected]]
    return tuple(
        Suspect(names[first[row]], label, classes[given[row]], classes[proposed[row]], float(mean[row, proposed[row]]))
        for row in suspected[np.argsort(own - other, kind="stable")]
    )


def off_topic(features: NDArray[np.floating], *, names: Sequence[str], sources: Sequence[str]) -> tuple[Suspect, ...]:
    """Rank the images that are far from all others, the farthest first; one for each source.

    The distance is the mean to the ten nearest images of other sources (Ramaswamy et al., SIGMOD 2000) in the
    principal components of the features, shape (N, F). Ten or fewer alike off-topic images are found together.
    """
    from sklearn.decomposition import PCA
    from sklearn.neighbors import NearestNeighbors
    from sklearn.preprocessing import RobustScaler

    _, first = np.unique(np.asarray(sources), return_index=True)
    if len(first) < _MIN_SOURCES:
        return ()
    scaled = RobustScaler(copy=False).fit_transform(features[first])  # in place, since collections may be large
    scaled = np.clip(scaled, -10, 10, out=scaled)
    components = PCA(min(_COMPONENTS, *scaled.shape), copy=False, random_state=0).fit_transform(scaled)
    distances, _ = NearestNeighbors(n_neighbors=_NEIGHBORS + 1).fit(components).kneighbors(components)
    mean = distances[:, 1:].mean(axis=1)
    relative = mean / max(float(np.median(mean)), 1e-9)
    order = np.argsort(-relative, kind="stable")
    far = order[relative[order] >= _FAR]
    return tuple(Suspect(names[first[row]], distance=float(relative[row])) for row in far)


def class_probabilities(
    features: NDArray[np.floating], codes: NDArray[np.integer], *, fold: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return the probabilities of the classes by logistic regression on the other folds, shape (N, K)."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import PredefinedSplit, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, class_weight="balanced", max_iter=500))
    found = cross_val_predict(model, features, codes, cv=PredefinedSplit(fold), method="predict_proba")
    return np.asarray(found, np.float64)
