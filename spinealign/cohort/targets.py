"""Labels of collections: which kinds they have, and the codes of their classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import cast

import numpy as np
from numpy.typing import NDArray

from spinealign.cohort.cohort import Cohort
from spinealign.errors import CohortError
from spinealign.labels import KINDS, SINGLE, Kind, Label, ProblemType, Target, find_positive


@dataclass(frozen=True)
class Column:
    """A label as it is requested: `name`, `name:kind`, `name=positive` or `name:kind=class/class/...`.

    Attributes:
        name: Column of a manifest or Hub dataset.
        kind: Kind of the label.
        classes: The positive class of a binary label, or all classes of another in the order of their codes; empty to
            find them in the collections.
    """

    name: str
    kind: Kind = "binary"
    classes: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Column:
        """Parse the words of an option.

        Raises:
            ValueError: If the kind is unknown, or the name is empty.

        Example:
            >>> Column.parse("severity:ordinal=mild/severe")
            Column(name='severity', kind='ordinal', classes=('mild', 'severe'))
        """
        head, _, classes = text.partition("=")
        name, colon, kind = head.partition(":")
        if not name or (colon and kind not in KINDS):
            raise ValueError(
                f"Expected a label such as narrowing, narrowing=stenosed or grade:ordinal, got {text!r}; the kinds are "
                f"{', '.join(KINDS)}."
            )
        return cls(name, cast(Kind, kind or "binary"), tuple(classes.split("/")) if classes else ())


def target_of(
    cohorts: Sequence[Cohort],
    *,
    problem_type: ProblemType | None = None,
    positive: str | None = None,
    grades: Sequence[str] = (),
    labels: Sequence[str] = (),
) -> Target:
    """Return the target of a training, and check that the collections, indexed with the columns of `labels`, fit it.

    The kind of the problem, if it is None, is `ordinal` with `grades`, `binary` for two classes and `multi_class` for
    more; for several labels `multi_label` if all are binary, and `mixed` otherwise. The positive class of a single
    binary label is recognized if it is None, and the grades in ascending order if they are numbers. Without `labels`,
    described in `Column`, there is the single label of class folders or of the column `label`.

    Raises:
        CohortError: If the classes of the collections do not fit, with the remedy.
        ValueError: If the options contradict each other.
    """
    columns = [Column.parse(text) for text in labels] or [Column(SINGLE)]
    several = problem_type in ("multi_label", "mixed") or (problem_type is None and len(columns) > 1)
    if several and not labels:
        raise ValueError(f"A {problem_type} problem needs the names of the label columns (labels).")
    if not several:
        if len(columns) > 1:
            raise ValueError(
                f"A {problem_type} problem has one label, got {', '.join(column.name for column in columns)}."
            )
        columns = [_single(columns[0], cohorts, problem_type, positive, grades, typed=":" in "".join(labels))]
    elif positive:
        raise ValueError("positive applies to a single label; name the positive class of a column as name=class.")
    found = tuple(_label(column, cohorts, grades) for column in columns)
    if grades and not any(label.kind == "ordinal" for label in found):
        raise ValueError("grades needs an ordinal label.")
    if not several:
        return Target(found[0].kind, found)
    binary = all(label.kind == "binary" for label in found)
    return Target(problem_type or ("multi_label" if binary else "mixed"), found)


def codes(cohort: Cohort, label: Label) -> NDArray[np.int64]:
    """Return the code of the class of each sample, and `labels.MISSING` where it is unknown, shape (N,).

    Classes are compared without regard to case.

    Raises:
        CohortError: If a class of the collection is not one of the label.
    """
    known = {name.casefold(): name for name in label.classes}
    values = [sample.value(label.name) for sample in cohort]
    other = sorted({value for value in values if value is not None and value.casefold() not in known})
    if other:
        named = "" if label.name == SINGLE else f" of label {label.name}"
        remedy = "Rename them, leave their images out, or name the column of the classes (label_column)."
        if label.kind == "binary" and len({*values} - {None}) <= 2:
            remedy = "Name the positive class of the collection (--positive, or positive in Python)."
        raise CohortError(
            f"{cohort.name} has the classes {', '.join(other)}{named}, and the model knows {', '.join(label.classes)}. "
            f"{remedy}"
        )
    return label.encode(None if value is None else known[value.casefold()] for value in values)


def require_parts(cohort: Cohort, target: Target) -> None:
    """Check that the splits for training and for selecting the epoch have images of the classes.

    Without splits, the whole collection is checked. Training needs all classes of the collection, or two grades of an
    ordinal label. The epoch is selected on both classes of a single binary label, or on one value of each other label.

    Raises:
        CohortError: If images are missing.
    """
    splits = ("train", cohort.selection_split or "test") if cohort.splits else (None,)
    for label, split in product(target.labels, splits):
        part = cohort if split is None else cohort.part(split)
        found, known = part.counts(label.name), cohort.counts(label.name)
        missing = sorted(known.keys() - found.keys())
        if split in ("train", None):
            enough = len(found) > 1 and (label.kind == "ordinal" or not missing)
        else:
            enough = bool(found) and (target.problem_type != "binary" or len(found) > 1)
        if not enough:
            wanted = ", ".join(missing) or "a second class"
            named = f" of label {label.name}" if target.has_several else ""
            remedy = (
                f"is left in {split}. Copies of held-out sources may have been dropped from it; add images, or use "
                "split='source' for a new split."
                if split
                else "was found. Add images."
            )
            raise CohortError(f"{cohort.name}: no image of {wanted}{named} {remedy}")


def with_positive(cohort: Cohort, label: Label, *, positive: str) -> Cohort:
    """Return a collection with one or two classes, which have the names of a binary label of a model.

    `positive` is the name of the positive class in the collection.

    Raises:
        CohortError: If the collection has no such class, or more than two.
    """
    if label.kind != "binary":
        raise CohortError(f"positive applies to a binary label; label {label.name} is {label.kind}.")
    classes = {name.casefold(): name for name in cohort.counts(label.name)}
    if len(classes) > 2 or positive.casefold() not in classes:
        raise CohortError(
            f"{cohort.name} has the classes {', '.join(classes.values())}; expected {positive!r} and its absence."
        )
    negative = label.classes[1 - label.positive_index]

    def renamed(value: str | None) -> str | None:
        return value and (label.positive if value.casefold() == positive.casefold() else negative)

    samples = (
        replace(
            sample,
            label=renamed(sample.label),
            labels={name: renamed(value) if name == label.name else value for name, value in sample.labels.items()},
        )
        for sample in cohort
    )
    return replace(cohort, samples=tuple(samples))


def _single(
    column: Column,
    cohorts: Sequence[Cohort],
    problem_type: ProblemType | None,
    positive: str | None,
    grades: Sequence[str],
    *,
    typed: bool,
) -> Column:
    """Return the column of a single label with its kind, which the number of classes decides if none is given."""
    kind = problem_type or (column.kind if typed else "ordinal" if grades else None)
    if kind is None:
        several = len(_classes(cohorts, column.name)) > 2 and not positive
        kind = "multi_class" if several else "binary"
    if typed and kind != column.kind:
        raise ValueError(f"Label {column.name} is {column.kind}, and problem_type is {problem_type}.")
    if positive and kind != "binary":
        raise ValueError(f"positive applies to a binary label, and this one is {kind}.")
    return replace(column, kind=cast(Kind, kind), classes=(positive,) if positive else column.classes)


def _classes(cohorts: Sequence[Cohort], name: str) -> list[str]:
    return sorted({value for cohort in cohorts for value in cohort.counts(name)})


def _label(column: Column, cohorts: Sequence[Cohort], grades: Sequence[str]) -> Label:
    """Return a label with its classes, checked against the collections."""
    name, present = column.name, _classes(cohorts, column.name)
    named = ", ".join(present) or "none"
    where = ", ".join(cohort.name for cohort in cohorts)
    where, remedy = (where, "") if name == SINGLE else (f"Label {name} of {where}", ", or leave the label out")
    if len(present) < 2:
        raise CohortError(
            f"{where} has the classes {named}; training needs at least two. Add images of another class{remedy}."
        )
    if column.kind == "binary":
        return _binary(column, present, where)
    classes = column.classes or (tuple(grades) if column.kind == "ordinal" else ())
    if not classes and column.kind == "ordinal":
        try:
            classes = tuple(sorted(present, key=float))
        except ValueError:
            raise CohortError(
                f"{where} has the grades {named}, which are not numbers; name them in ascending order (grades, or "
                f"{name}:ordinal=first/second)."
            ) from None
    classes = classes or tuple(present)
    spelled = {value.casefold(): value for value in present}
    if other := [value for key, value in spelled.items() if key not in {item.casefold() for item in classes}]:
        raise CohortError(
            f"{where} has the classes {', '.join(other)}, which are not among {', '.join(classes)}; name all classes."
        )
    return Label(name, column.kind, tuple(spelled.get(item.casefold(), item) for item in classes))


def _binary(column: Column, present: Sequence[str], where: str) -> Label:
    named = ", ".join(present)
    option = "--positive, or positive in Python" if column.name == SINGLE else f"{column.name}=class"
    if len(present) > 2:
        kinds = "problem_type" if column.name == SINGLE else f"{column.name}:multi_class or {column.name}:ordinal"
        raise CohortError(f"{where} has the classes {named}; a binary label has two. Choose another kind ({kinds}).")
    wanted = column.classes[0].casefold() if column.classes else None
    positive = next((item for item in present if item.casefold() == wanted), None)
    if wanted and positive is None:
        raise CohortError(f"{where} has the classes {named}, and not the positive class {column.classes[0]!r}.")
    positive = positive or find_positive(present, name=column.name)
    if positive is None:
        raise CohortError(f"{where} has the classes {named}; name the positive one ({option}).")
    negative = next(item for item in present if item != positive)
    return Label(column.name, "binary", (negative, positive), positive)
