"""Options of the data and the network."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, get_type_hints

from transformers.hf_argparser import HfArg

from spinealign.cohort.options import CollectionOptions, split_names
from spinealign.cohort.splitting import LEAKAGE_POLICIES, SPLIT_METHODS
from spinealign.labels import PROBLEM_TYPES

DEFAULT_BACKBONE = "facebook/deit-tiny-patch16-224"


_TYPES: dict[Any, Any] = {str: str, str | None: (str, type(None)), bool: bool, int: int, float: (int, float)}


def _check_values(options: Any) -> None:
    """Check types and choices, which argparse has already checked for a command line.

    Raises:
        TypeError: If a value has the wrong type.
        ValueError: If a value is not one of the choices.
    """
    hints = get_type_hints(type(options))  # HfArgumentParser replaces the types of the fields
    for item in fields(options):
        choices, value = item.metadata.get("choices"), getattr(options, item.name)
        kind = _TYPES.get(hints[item.name])
        if kind and (not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool)):
            raise TypeError(
                f"{item.name} must be {getattr(hints[item.name], '__name__', hints[item.name])}, got {value!r}."
            )
        if choices and value is not None and value not in choices:
            raise ValueError(f"{item.name} must be one of {', '.join(choices)}, got {value!r}.")


@dataclass(frozen=True)
class DataArguments(CollectionOptions):
    """Training images and their split."""

    data_dir: list[str] = field(
        metadata={
            "help": "Collections: folders {train,val,test}/{class}/* or {class}/*, manifests with the columns path "
            "and label, or Hub dataset ids. Several collections are used together for training and are "
            "evaluated one by one."
        }
    )
    task: str = HfArg(
        default="classification",
        help="Task of the model. vertebrae has options of its own: see --task vertebrae --help.",
        metadata={"choices": ["classification", "vertebrae"]},
    )
    split: str = HfArg(
        default="auto",
        help="official: use the splits of the collection; source: make new splits that share no source slice; "
        "auto: official if the collection has splits, source otherwise.",
        metadata={"choices": list(SPLIT_METHODS)},
    )
    on_leakage: str = HfArg(
        default="drop",
        help="Treatment of a source slice that is in two splits: drop its copies from the earlier split, stop "
        "with an error, or keep them and say so in the card.",
        metadata={"choices": list(LEAKAGE_POLICIES)},
    )
    problem_type: str | None = HfArg(
        default=None,
        help="binary, multi_class or ordinal for one label; multi_label for several binary labels, mixed for labels of "
        "several kinds. By default, the classes and labels decide.",
        metadata={"choices": list(PROBLEM_TYPES)},
    )
    positive: str | None = HfArg(
        default=None,
        help="Class that is the finding, of a single binary label. By default, a class such as fracture, positive, "
        "abnormal, yes or 1 is recognized.",
    )
    grades: list[str] | None = field(
        default=None,
        metadata={
            "help": "Grades of an ordinal label in ascending order, such as 1,2,3,4,5. By default, they are numbers."
        },
    )
    balance: bool = HfArg(default=True, help="Weight the loss so that all classes of a label count equally.")
    cache_dir: str | None = HfArg(
        default=None,
        help="Folder that keeps the rendered images for the next run; by default, nothing of an image is kept.",
    )
    folds: int = HfArg(
        default=0,
        help="Before the training, run a cross-validation over sources with this number of folds, such as 5; "
        "0 skips it.",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "grades", split_names(self.grades))
        _check_values(self)
        if self.folds < 0 or self.folds == 1:
            raise ValueError(f"folds must be 0 or at least 2, got {self.folds}.")


@dataclass(frozen=True)
class ModelArguments:
    """Network and format of its weights."""

    model_name_or_path: str = HfArg(
        default=DEFAULT_BACKBONE,
        help="Network: a Hub id, a transformers folder, spinealign/default for the embedded model, or a name of "
        "spinealign.networks.catalog, such as cnn or vgg16.",
        aliases=["--backbone"],
    )
    model_revision: str | None = HfArg(default=None, help="Branch, tag or commit of the backbone.")
    from_scratch: bool = HfArg(default=False, help="Start from random weights.")
    early_stopping_patience: int = HfArg(
        default=3, help="Stop after this number of epochs without improvement on the validation split."
    )
    target_sensitivity: float = HfArg(
        default=0.95,
        help="Sensitivity of the operating point on the calibration split. With too few sources there, the "
        "operating point stays at 0.5.",
    )
    weights_dtype: str = HfArg(
        default="float32",
        help="Number format of the stored weights; bfloat16 halves the files. The network computes in float32.",
        metadata={"choices": ["float32", "bfloat16"]},
    )
    card_notes: str | None = HfArg(
        default=None,
        help="Markdown file that is included in the model card: origin and license of backbone and images.",
    )

    def __post_init__(self) -> None:
        _check_values(self)
        if not 0 < self.target_sensitivity <= 1:
            raise ValueError(f"target_sensitivity must be in (0, 1], got {self.target_sensitivity}.")
        if self.early_stopping_patience < 1:
            raise ValueError(f"early_stopping_patience must be at least 1, got {self.early_stopping_patience}.")
