"""Models of the page: the operator's and, if allowed, those that visitors choose."""

from __future__ import annotations

import os
from collections import OrderedDict
from threading import Lock

from spinealign.checkpoint.checkpoint import Checkpoint
from spinealign.errors import CheckpointError
from spinealign.inference.predictor import Predictor
from spinealign.page.limits import MODELS_KEPT


class Models:
    """The operator's model and the last ones that visitors chose.

    Args:
        own: The operator's model.
        allow_others: Whether visitors may choose other models.

    Raises:
        CheckpointError: If the page cannot show the operator's model.

    Attributes:
        own: The operator's model.
    """

    def __init__(self, own: Predictor, *, allow_others: bool = False) -> None:
        check_binary(own.checkpoint)
        self.own = own
        self._allow_others = allow_others
        self._loading = Lock()  # load a model only once if two visitors request it at the same time
        self._kept: OrderedDict[str, Predictor] = OrderedDict()

    def get(self, name: str = "") -> Predictor:
        """Return a model, and load it again if it was dropped in favor of others.

        Args:
            name: `Predictor.model` of a model that `load` returned; empty for the operator's model.

        Raises:
            CheckpointError: If it cannot be loaded, or other models are not allowed.
        """
        if not name:
            return self.own
        kept = self._kept.get(name)  # without the lock, so that loading another model blocks nobody
        if kept is not None:
            return kept
        with self._loading:
            return self._kept.get(name) or self._load(name)

    def load(self, name: str | None) -> Predictor:
        """Load the model that a visitor requests.

        Args:
            name: Hub id (owner/name or owner/name@revision) or folder; empty for the operator's model.

        Raises:
            CheckpointError: If it cannot be loaded, or other models are not allowed.
        """
        asked = (name or "").strip()
        if not asked:
            return self.own
        with self._loading:
            return self._load(asked)

    def _load(self, name: str) -> Predictor:
        if not self._allow_others:
            raise CheckpointError("This page does not allow other models.")
        model, revision = (name, None) if os.path.isdir(name) else _divided(name)
        predictor = Predictor.from_pretrained(model, revision=revision)
        check_binary(predictor.checkpoint)
        self._kept[predictor.model] = predictor
        self._kept.move_to_end(predictor.model)
        if len(self._kept) > MODELS_KEPT:
            self._kept.popitem(last=False)
        return predictor


def check_binary(checkpoint: Checkpoint) -> None:
    """Check that the page can show a model.

    Raises:
        CheckpointError: If it does not have exactly one label, which is binary.
    """
    if checkpoint.target.problem_type != "binary":
        raise CheckpointError(
            f"The page only shows binary models, and {checkpoint.name} is {checkpoint.target.problem_type}; use "
            "spinealign predict or Predictor instead."
        )


def _divided(name: str) -> tuple[str, str | None]:
    model, _, revision = name.partition("@")
    return (model, revision) if model and revision else (name, None)
