"""Predictions, and their collection in a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from spinealign.errors import ImageError, require
from spinealign.inference.occlusion import HeatMap


@dataclass(frozen=True)
class Prediction:
    """The finding in one slice. Not a diagnosis.

    Attributes:
        label: Predicted class: the positive class from the operating point on (which may differ from 0.5), otherwise
            the most probable class.
        confidence: Probability of this class in [0, 1].
        probabilities: Probability of each class; they sum to 1.
        model: Name of the model, with the commit for models from the Hub.
        accepted: Whether the image is good enough and similar enough to the training images.
        rejection_reasons: Reasons why it is not accepted.
        source: Path of the image as given, or the kind of object.
        heat_map: Explanation, if it was requested.
    """

    label: str
    confidence: float
    probabilities: Mapping[str, float]
    model: str
    accepted: bool = True
    rejection_reasons: tuple[str, ...] = ()
    source: str = ""
    heat_map: HeatMap | None = field(default=None, compare=False, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as plain data for JSON, without `source` and `heat_map`."""
        return {
            "label": self.label,
            "confidence": self.confidence,
            "probabilities": dict(self.probabilities),
            "accepted": self.accepted,
            "rejection_reasons": list(self.rejection_reasons),
            "model": self.model,
        }


def predictions_to_dataframe(items: Iterable[Prediction | ImageError]) -> Any:
    """Collect predictions in a table.

    Args:
        items: Predictions and errors, such as the output of a `Predictor` for a list of sources.

    Returns:
        A pandas DataFrame with one row for each item and the columns `source`, `label`, `confidence`,
        `probability_<class>` for each class, `accepted`, `rejection_reasons` (joined by "; "), `model` and `error`.
        Values that an item does not have are missing.

    Raises:
        MissingDependencyError: If pandas is not installed.
    """
    require("pandas", extra="evaluate")
    import pandas  # type: ignore[import-untyped]

    rows: list[dict[str, Any]] = []
    classes: dict[str, None] = {}
    for item in items:
        if isinstance(item, ImageError):
            rows.append({"source": item.source, "error": str(item)})
            continue
        named = {f"probability_{label}": value for label, value in item.probabilities.items()}
        classes.update(dict.fromkeys(named))
        reasons = "; ".join(item.rejection_reasons)
        rows.append({**item.to_dict(), **named, "rejection_reasons": reasons, "source": item.source})
    columns = ["source", "label", "confidence", *classes, "accepted", "rejection_reasons", "model", "error"]
    return pandas.DataFrame(rows, columns=columns).astype({"accepted": "boolean"})
