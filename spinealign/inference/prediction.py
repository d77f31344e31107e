"""What a model says of one slice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Prediction:
    """The finding in one slice. It is no diagnosis.

    Attributes:
        label: The class that is called: the finding from the operating point on, which need not be 0.5.
        confidence: Its probability in [0, 1].
        probabilities: Probability of each class; they sum to 1.
        model: Name of the model, with its commit where it came from the Hub.
        accepted: Whether the model may be asked about this image at all.
        rejection_reasons: Why not.
    """

    label: str
    confidence: float
    probabilities: Mapping[str, float]
    model: str
    accepted: bool = True
    rejection_reasons: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the content as plain data for JSON, with the keys in the order that the command line prints."""
        return {
            "label": self.label,
            "confidence": self.confidence,
            "probabilities": dict(self.probabilities),
            "accepted": self.accepted,
            "rejection_reasons": list(self.rejection_reasons),
            "model": self.model,
        }
