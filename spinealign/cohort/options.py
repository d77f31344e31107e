"""Options that say how a collection is read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any


def _option(text: str, metavar: str) -> Any:
    return field(default=None, metadata={"help": text, "metavar": metavar})


@dataclass(frozen=True, kw_only=True)
class CollectionOptions:
    """How a folder or a manifest is read; None selects what is usual.

    Attributes:
        source_pattern: Regular expression for file names or relative paths, without suffix, with a group `source`
            and, optionally, `series`; None selects that of the "cervical fracture" set.
        patient_pattern: Regular expression for relative paths; its group `patient`, its first group or the match is the
            patient. With an empty one, folders below a class are not taken as patients.
        path_column: Column of a manifest with the paths.
        label_column: Column of a manifest with the classes.
        labels: Columns of a manifest or Hub dataset that are read as labels in place of `label_column`, each as
            `cohort.targets.Column` describes it; also a text with commas.
        root: Folder that the paths of a manifest are relative to; None for that of the manifest.
        test_fold: Fold of a manifest that is the test split; None for the lowest.
    """

    source_pattern: str | None = _option(
        "Pattern of file names or relative paths with a group (?P<source>...) for the source.", "REGEX"
    )
    patient_pattern: str | None = _option(
        "Pattern of relative paths whose group (?P<patient>...), first group or match is the patient; with an empty "
        "one, folders below a class are not taken as patients.",
        "REGEX",
    )
    path_column: str | None = _option("Column of a manifest with the paths.", "NAME")
    label_column: str | None = _option("Column of a manifest with the classes.", "NAME")
    labels: list[str] | None = field(
        default=None,
        metadata={
            "help": "Columns that are labels, such as narrowing,bulging; each may name its kind (binary, multi_class, "
            "ordinal) and classes: grade:ordinal, stenosis:ordinal=mild/moderate/severe, narrowing=stenosed.",
            "metavar": "NAMES",
        },
    )
    root: str | None = _option(
        "Folder that the paths of a manifest are relative to, if not that of the manifest.", "DIR"
    )
    test_fold: str | None = _option("Fold of a manifest that is the test split, if not the lowest.", "FOLD")

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", split_names(self.labels))


def split_names(words: str | Iterable[object] | None) -> list[str] | None:
    """Return the names of a text with commas, or of several; None if there are none.

    Example:
        >>> split_names(["a,b", 3])
        ['a', 'b', '3']
    """
    parts = [words] if isinstance(words, str) else words or ()
    return [name for part in parts for word in str(part).split(",") if (name := word.strip())] or None


def chosen_options(source: object) -> dict[str, Any]:
    """Return the options among the attributes of an object, such as a parsed command line, by name."""
    return {item.name: getattr(source, item.name) for item in fields(CollectionOptions)}
