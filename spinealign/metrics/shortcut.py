"""The shortcut probe: how well a model does that cannot possibly see the finding."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spinealign.errors import require

THUMBNAIL_SIZE = 16


def thumbnail(gray: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Shrink a gray image of shape (H, W) to 256 features in [0, 1], too few for any fracture."""
    small = Image.fromarray(gray).resize((THUMBNAIL_SIZE, THUMBNAIL_SIZE), Image.Resampling.BOX)
    return np.asarray(small, np.float32).ravel() / np.float32(255)


def thumbnail_ridge_calls(
    train: NDArray[np.floating], train_positive: NDArray[np.bool_], *, test: NDArray[np.floating]
) -> NDArray[np.bool_]:
    """Return what ridge regression on thumbnails calls positive; both classes count alike, however rare one is.

    Where it is right, the label can be read off the coarse look of the image, so a high accuracy of any other model on
    the same split says nothing about the finding.

    Args:
        train: Features of the training images, shape (N, F).
        train_positive: Their truth, shape (N,).
        test: Features of the images to call, shape (M, F).

    Returns:
        The calls, shape (M,).

    Raises:
        MissingDependencyError: If scikit-learn is not installed.
    """
    require("sklearn", extra="train")
    from sklearn.linear_model import RidgeClassifier

    return np.asarray(
        RidgeClassifier(alpha=1.0, class_weight="balanced").fit(train, train_positive).predict(test), bool
    )


def fold_calls(
    features: NDArray[np.floating], positive: NDArray[np.bool_], *, fold: NDArray[np.intp]
) -> NDArray[np.bool_]:
    """Return what ridge regression calls positive, each image by the model of the other folds, shape (N,).

    Args:
        features: Features of all images, shape (N, F).
        positive: Their truth, shape (N,).
        fold: The fold of each image, as `source_folds` gives it, shape (N,).
    """
    calls = np.zeros(len(positive), bool)
    for number in np.unique(fold):
        held_out = fold == number
        calls[held_out] = thumbnail_ridge_calls(features[~held_out], positive[~held_out], test=features[held_out])
    return calls
