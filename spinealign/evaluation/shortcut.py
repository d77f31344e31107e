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


def thumbnail_ridge(
    train: NDArray[np.floating],
    train_positive: NDArray[np.bool_],
    *,
    test: NDArray[np.floating],
    test_positive: NDArray[np.bool_],
) -> float:
    """Return the accuracy of ridge regression on thumbnails.

    A high value means that the label can be read off the coarse look of the image, so a high accuracy of any other
    model on the same split says nothing about the finding.

    Args:
        train: Features of the training images, shape (N, F).
        train_positive: Their truth, shape (N,).
        test: Features of the test images, shape (M, F).
        test_positive: Their truth, shape (M,).

    Returns:
        Share of the test images that it calls right, in [0, 1].

    Raises:
        MissingDependencyError: If scikit-learn is not installed.
    """
    require("sklearn", extra="train")
    from sklearn.linear_model import RidgeClassifier

    return float(RidgeClassifier(alpha=1.0).fit(train, train_positive).score(test, test_positive))
