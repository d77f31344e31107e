"""Labels of images: their kinds and classes, and their place among the outputs of a network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["binary", "multi_class", "ordinal"]
ProblemType = Literal["binary", "multi_class", "ordinal", "multi_label", "mixed"]

KINDS: tuple[Kind, ...] = ("binary", "multi_class", "ordinal")
PROBLEM_TYPES: tuple[ProblemType, ...] = (*KINDS, "multi_label", "mixed")
POSITIVE_NAMES = ("fracture", "positive", "abnormal", "1", "yes", "true", "present")
MISSING = -1
SINGLE = "label"  # name of the label of class folders and of a manifest with one label


@dataclass(frozen=True)
class Label:
    """One property of an image, such as a finding or a grade.

    Attributes:
        name: Name of the label: the column of a manifest, or `label` for class folders.
        kind: `binary`, `multi_class`, or `ordinal` for grades in ascending order.
        classes: Names of the classes in the order of their codes.
        positive: Class that is reported as the finding; None unless the kind is `binary`.
    """

    name: str
    kind: Kind
    classes: tuple[str, ...]
    positive: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"The kind of label {self.name} must be one of {', '.join(KINDS)}, got {self.kind!r}.")
        if len(set(self.classes)) != len(self.classes) or len(self.classes) < 2:
            raise ValueError(f"Label {self.name} needs at least two distinct classes, got {', '.join(self.classes)}.")
        if self.kind == "binary" and len(self.classes) != 2:
            raise ValueError(f"Label {self.name} has {len(self.classes)} classes; a binary label has two.")
        if (self.kind == "binary") != (self.positive in self.classes):
            raise ValueError(f"The positive class {self.positive!r} does not fit label {self.name} ({self.kind}).")

    @property
    def positive_index(self) -> int:
        """Code of the positive class of a binary label."""
        return self.classes.index(self.positive or "")

    def encode(self, values: Iterable[str | None]) -> NDArray[np.int64]:
        """Return the code of each class name, and `MISSING` for None, shape (N,).

        Raises:
            ValueError: If a value is not one of the classes.

        Example:
            >>> Label("grade", "ordinal", ("1", "2", "3")).encode(["3", None, "1"]).tolist()
            [2, -1, 0]
        """
        codes = {name: code for code, name in enumerate(self.classes)}
        try:
            return np.array([MISSING if value is None else codes[value] for value in values], np.int64)
        except KeyError as error:
            known = ", ".join(self.classes)
            raise ValueError(f"Label {self.name} has the classes {known}; got {error.args[0]!r}.") from None

    def expected_grade(self, probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the mean grade of an ordinal label, shape (...), for probabilities of the classes of shape (..., K).

        Grades are the numeric names of the classes, or else their places from 0.
        """
        try:
            grades = np.array([float(name) for name in self.classes])
        except ValueError:
            grades = np.arange(len(self.classes), dtype=float)
        return np.asarray(np.asarray(probabilities, float) @ grades)


@dataclass(frozen=True)
class Target:
    """All labels that a model predicts.

    A single label has one output for each class. Among several labels, a binary label has one output: the log-odds of
    its positive class.

    Attributes:
        problem_type: `binary`, `multi_class` or `ordinal` for one label; `multi_label` for several binary labels;
            `mixed` for several labels of any kind.
        labels: The labels in the order of their outputs.
    """

    problem_type: ProblemType
    labels: tuple[Label, ...]

    def __post_init__(self) -> None:
        if self.problem_type not in PROBLEM_TYPES:
            known = ", ".join(PROBLEM_TYPES)
            raise ValueError(f"problem_type must be one of {known}, got {self.problem_type!r}.")
        kinds = [label.kind for label in self.labels]
        if not kinds or (not self.has_several and kinds != [self.problem_type]):
            raise ValueError(f"The problem type {self.problem_type} does not fit the labels {', '.join(kinds)}.")
        if self.problem_type == "multi_label" and set(kinds) != {"binary"}:
            raise ValueError("All labels of a multi_label problem are binary; use mixed for other kinds.")
        if len(set(self.outputs)) < len(self.outputs):
            raise ValueError(f"Two outputs have the same name: {', '.join(self.outputs)}; rename a label.")

    @property
    def has_several(self) -> bool:
        """Whether the problem type is one for several labels."""
        return self.problem_type in ("multi_label", "mixed")

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs, for `id2label`.

        Example:
            >>> pfirrmann = Label("pfirrmann", "ordinal", ("1", "2"))
            >>> narrowing = Label("narrowing", "binary", ("0", "1"), positive="1")
            >>> Target("mixed", (pfirrmann, narrowing)).outputs
            ('pfirrmann=1', 'pfirrmann=2', 'narrowing')
        """
        names: list[str] = []
        for label in self.labels:
            if not self.has_several:
                names += label.classes
            elif label.kind == "binary":
                names.append(label.name)
            else:
                names += [f"{label.name}={name}" for name in label.classes]
        return tuple(names)

    @property
    def places(self) -> tuple[tuple[int, int], ...]:
        """Label and class of each output, as indices; an output with a log-odds has the positive class."""
        return tuple(
            (number, label.positive_index if columns.stop - columns.start == 1 else place)
            for number, (label, columns) in enumerate(zip(self.labels, self.columns))
            for place in range(columns.stop - columns.start)
        )

    @property
    def columns(self) -> tuple[slice, ...]:
        """Outputs of each label."""
        widths = [1 if self.has_several and label.kind == "binary" else len(label.classes) for label in self.labels]
        ends = np.cumsum(widths).tolist()
        return tuple(slice(end - width, end) for width, end in zip(widths, ends))

    def class_logits(self, logits: NDArray[np.floating]) -> tuple[NDArray[np.float64], ...]:
        """Return the logits of the classes of each label, whose softmax are the probabilities, each of shape (N, K).

        The outputs of the network have the shape (N, outputs). One log-odds z of a binary label is (0, z).
        """
        outputs: NDArray[np.float64] = np.asarray(logits, np.float64)
        if outputs.ndim != 2 or outputs.shape[1] != len(self.outputs):
            raise ValueError(f"Expected logits of shape (N, {len(self.outputs)}), got {outputs.shape}.")
        parts: list[NDArray[np.float64]] = []
        for label, columns in zip(self.labels, self.columns):
            part = outputs[:, columns]
            if part.shape[1] == 1:
                part = np.hstack([np.zeros_like(part), part] if label.positive_index else [part, np.zeros_like(part)])
            parts.append(part)
        return tuple(parts)

    def probabilities(
        self, logits: NDArray[np.floating], *, temperatures: Sequence[float] | None = None
    ) -> tuple[NDArray[np.float64], ...]:
        """Return the probabilities of the classes of each label, each of shape (N, K).

        The outputs of the network have the shape (N, outputs); `temperatures` are the divisors of each label, None for
        1.

        Example:
            >>> one = Target("binary", (Label("label", "binary", ("normal", "fracture"), positive="fracture"),))
            >>> one.probabilities(np.array([[0.0, 0.0]]))[0].tolist()
            [[0.5, 0.5]]
        """
        found: list[NDArray[np.float64]] = []
        for part, temperature in zip(self.class_logits(logits), temperatures or [1.0] * len(self.labels), strict=True):
            scaled = part / temperature
            odds = np.exp(scaled - scaled.max(axis=1, keepdims=True))
            found.append(np.asarray(odds / odds.sum(axis=1, keepdims=True), np.float64))
        return tuple(found)


def find_positive(classes: Iterable[str], *, name: str = SINGLE) -> str | None:
    """Return the class that names a finding: one of `POSITIVE_NAMES`, or the name of the label itself.

    The result is None if there is no such class, or more than one. Case is ignored.

    Example:
        >>> find_positive(["Normal", "Fracture"])
        'Fracture'
    """
    found = [item for item in classes if item.casefold() in (*POSITIVE_NAMES, name.casefold())]
    return found[0] if len(found) == 1 else None


def binary_target(negative: str, positive: str) -> Target:
    """Return the target of a finding and its absence, in this order of the outputs."""
    return Target("binary", (Label(SINGLE, "binary", (negative, positive), positive),))


def target_of_outputs(outputs: Sequence[str], *, positive: str | None, multi_label: bool = False) -> Target:
    """Return the target of a network of which only the names of the outputs are known.

    With two outputs and a positive class it is binary, otherwise multi_class. With `multi_label`, each output is the
    log-odds of a binary label with the classes `0` and `1`.

    Raises:
        ValueError: If there are fewer than two classes.
    """
    if multi_label:
        return Target("multi_label", tuple(Label(name, "binary", ("0", "1"), "1") for name in outputs))
    if len(outputs) == 2 and positive in outputs:
        return Target("binary", (Label(SINGLE, "binary", tuple(outputs), positive),))
    return Target("multi_class", (Label(SINGLE, "multi_class", tuple(outputs)),))
