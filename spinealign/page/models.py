"""The models that answer: the operator's, and where it is allowed those that people ask for."""

from __future__ import annotations

import os
from functools import lru_cache
from threading import Lock

from spinealign.errors import CheckpointError
from spinealign.inference.predictor import Predictor

MODELS_KEPT = 2


class Models:
    """The operator's model, and the last ones that people asked for.

    Attributes:
        own: The operator's model.
    """

    def __init__(self, own: Predictor, *, allow_others: bool = False) -> None:
        self.own = own
        self._allow_others = allow_others
        self._loading = Lock()  # two people who ask for one model wait for one loading
        self._load = lru_cache(maxsize=MODELS_KEPT)(Predictor.from_pretrained)

    def get(self, name: str = "") -> Predictor:
        """Return a model.

        Args:
            name: A Hub id or a folder; empty for the operator's model.

        Raises:
            CheckpointError: If it cannot be used, or no other model is allowed.
        """
        if not name.strip():
            return self.own
        if not self._allow_others:
            raise CheckpointError("This page answers with its own model alone.")
        with self._loading:
            return self._load(name.strip())


def shown_name(predictor: Predictor) -> str:
    """Return the name of a model without the folders of this machine."""
    name = predictor.model  # embedded, a Hub id with its commit, or a folder
    return os.path.basename(os.path.abspath(name)) if os.path.isdir(name) else name
