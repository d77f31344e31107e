"""The models that answer: the operator's, and where it is allowed those that people ask for."""

from __future__ import annotations

import os
from collections import OrderedDict
from threading import Lock

from spinealign.errors import CheckpointError
from spinealign.inference.predictor import Predictor
from spinealign.page.limits import MODELS_KEPT


class Models:
    """The operator's model, and the last ones that people asked for.

    Attributes:
        own: The operator's model.
    """

    def __init__(self, own: Predictor, *, allow_others: bool = False) -> None:
        self.own = own
        self._allow_others = allow_others
        self._loading = Lock()  # two people who ask for one model wait for one loading
        self._kept: OrderedDict[str, Predictor] = OrderedDict()

    def get(self, name: str = "") -> Predictor:
        """Return a model, which is loaded again if others were used in the meantime.

        Args:
            name: What `load` found, by its own name; empty for the operator's model.

        Raises:
            CheckpointError: As for `load`.
        """
        if not name:
            return self.own
        kept = self._kept.get(name)  # who loads another one keeps nobody waiting
        if kept is not None:
            return kept
        with self._loading:
            return self._kept.get(name) or self._load(name)

    def load(self, name: str | None) -> Predictor:
        """Load a model that a person asks for.

        Args:
            name: A Hub id, alone or with a revision (owner/name@revision), or a folder; empty for the operator's model.

        Raises:
            CheckpointError: If it cannot be used, or no other model is allowed.
        """
        asked = (name or "").strip()
        if not asked:
            return self.own
        with self._loading:
            return self._load(asked)

    def _load(self, name: str) -> Predictor:
        if not self._allow_others:
            raise CheckpointError("This page answers with its own model alone.")
        model, revision = (name, None) if os.path.isdir(name) else _divided(name)
        predictor = Predictor.from_pretrained(model, revision)
        self._kept[predictor.model] = predictor
        self._kept.move_to_end(predictor.model)
        if len(self._kept) > MODELS_KEPT:
            self._kept.popitem(last=False)
        return predictor


def _divided(name: str) -> tuple[str, str | None]:
    model, _, revision = name.partition("@")
    return (model, revision) if model and revision else (name, None)
