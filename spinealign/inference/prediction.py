"""Predictions, and their collection in a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from spinealign.errors import ImageError, require
from spinealign.inference.occlusion import HeatMap
from spinealign.labels import Kind


@dataclass(frozen=True)
class Finding:
    """Prediction of one label.

    Attributes:
        name: Name of the label: a column of the training manifest, or `label` for class folders.
        kind: `binary`, `multi_class` or `ordinal`.
        label: Predicted class: the positive class of a binary label from the operating point on (which may differ from
            0.5), otherwise the most probable class.
        confidence: Probability of this class in [0, 1].
        probabilities: Probability of each class; they sum to 1.
        is_positive: Whether `label` is the positive class of a binary label; None for other kinds.
        expected_grade: Mean grade under the probabilities of an ordinal label; None for other kinds.
    """

    name: str
    kind: Kind
    label: str
    confidence: float
    probabilities: Mapping[str, float]
    is_positive: bool | None = None
    expected_grade: float | None = None


@dataclass(frozen=True)
class Prediction:
    """The findings in one slice. Not a diagnosis.

    Attributes:
        label: Predicted class. Of a model with several labels, a summary of the findings, such as
            "pfirrmann 4, narrowing", which names the binary labels that are positive.
        confidence: Probability of this class in [0, 1]. Of several findings, the smallest of their confidences.
        probabilities: Probability of each output of the model: of each class, or with several labels of each name of
            `Target.outputs`.
        model: Name of the model, with the commit for models from the Hub.
        accepted: Whether the image is good enough and similar enough to the training images.
        rejection_reasons: Reasons why it is not accepted.
        source: Path of the image as given, or the kind of object.
        findings: One for each label of the model.
        heat_maps: Explanation of each finding, if it was requested.
        notes: Sentences about what was ignored or assumed while reading the image.
    """

    label: str
    confidence: float
    probabilities: Mapping[str, float]
    model: str
    accepted: bool = True
    rejection_reasons: tuple[str, ...] = ()
    source: str = ""
    findings: tuple[Finding, ...] = field(default=(), repr=False)
    heat_maps: tuple[HeatMap, ...] = field(default=(), compare=False, repr=False)
    notes: tuple[str, ...] = ()

    @property
    def expected_grade(self) -> float | None:
        """Mean grade under the probabilities, if the only label is ordinal."""
        return self.findings[0].expected_grade if len(self.findings) == 1 else None

    @property
    def heat_map(self) -> HeatMap | None:
        """The first heat map, which is that of the only label; None if it was not requested."""
        return self.heat_maps[0] if self.heat_maps else None

    def to_dict(self) -> dict[str, Any]:
        """Return the prediction as plain data for JSON, without `source` and `heat_maps`."""
        return {
            "label": self.label,
            "confidence": self.confidence,
            "probabilities": dict(self.probabilities),
            "findings": [asdict(finding) for finding in self.findings],
            "accepted": self.accepted,
            "rejection_reasons": list(self.rejection_reasons),
            "notes": list(self.notes),
            "model": self.model,
        }


def summarize(findings: Iterable[Finding]) -> str:
    """Return the grades and classes, and the names of the positive labels, as text; "no finding" without any."""
    told = (item for item in findings if item.is_positive is not False)
    return ", ".join(item.name if item.is_positive else f"{item.name} {item.label}" for item in told) or "no finding"


def tabulate(items: Iterable[Prediction | ImageError]) -> tuple[list[str], list[dict[str, Any]]]:
    """Return the columns and the rows of a table; see `predictions_to_dataframe`. A row lacks what its item lacks."""
    rows: list[dict[str, Any]] = []
    named: dict[str, None] = {}
    for item in items:
        if isinstance(item, ImageError):
            rows.append({"source": item.source, "error": str(item)})
            continue
        own = _named(item)
        named.update(dict.fromkeys(own))
        joined = {"rejection_reasons": "; ".join(item.rejection_reasons), "notes": " ".join(item.notes)}
        rows.append({**item.to_dict(), **own, **joined, "source": item.source})
    return ["source", "label", "confidence", *named, "accepted", "rejection_reasons", "notes", "model", "error"], rows


def _named(item: Prediction) -> dict[str, Any]:
    """Return the columns whose names come from the model."""
    several, columns = len(item.findings) > 1, dict[str, Any]()
    for finding in item.findings:
        suffix = f"_{finding.name}" if several else ""
        if several:
            columns[f"label{suffix}"] = finding.label
        if finding.expected_grade is not None:
            columns[f"expected_grade{suffix}"] = finding.expected_grade
    return {**columns, **{f"probability_{name}": value for name, value in item.probabilities.items()}}


def predictions_to_dataframe(items: Iterable[Prediction | ImageError]) -> Any:
    """Collect predictions in a table.

    Args:
        items: Predictions and errors, such as the output of a `Predictor` for a list of sources.

    Returns:
        A pandas DataFrame with one row for each item and the columns `source`, `label`, `confidence`, `expected_grade`
        for grades, `probability_<output>` for each output, `accepted`, `rejection_reasons` (joined by "; "), `notes`,
        `model` and `error`. With several labels, each has its own `label_<name>` and, for grades,
        `expected_grade_<name>`. Values that an item does not have are missing.

    Raises:
        MissingDependencyError: If pandas is not installed.
    """
    require("pandas", extra="evaluate")
    import pandas  # type: ignore[import-untyped]

    columns, rows = tabulate(items)
    return pandas.DataFrame(rows, columns=columns).astype({"accepted": "boolean"})
