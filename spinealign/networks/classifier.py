"""Base classes of the networks, with the interface of an image classifier of transformers."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import ImageClassifierOutput

MULTI_LABEL = "multi_label_classification"  # problem type of transformers: each output has a sigmoid of its own


class ClassifierConfig(PreTrainedConfig):
    """Configuration of a `Classifier`.

    Attributes:
        num_channels: Channels of the input; all contain the same gray image.
    """

    num_channels: int = 3


class Classifier(PreTrainedModel):
    """An image classifier.

    Subclasses set `classifier`, the head, and implement `states`.
    """

    main_input_name = "pixel_values"
    classifier: nn.Module

    def states(self, pixel_values: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the output of each stage for `pixel_values` of shape (N, C, S, S).

        The last output, of shape (N, F), is the input of the head.
        """
        raise NotImplementedError

    def forward(
        self,
        pixel_values: torch.Tensor,
        *,
        labels: torch.Tensor | None = None,
        output_hidden_states: bool = False,
        **_kwargs: Any,
    ) -> ImageClassifierOutput:
        """Return logits of shape (N, outputs) for `pixel_values` of shape (N, C, S, S).

        With labels, of shape (N,) or for a multi-label network 0 or 1 of shape (N, outputs), the mean cross entropy is
        added; with `output_hidden_states` the output of all stages.
        """
        states = self.states(pixel_values)
        logits = self.classifier(states[-1])
        loss = None
        if labels is not None and self.config.problem_type == MULTI_LABEL:
            loss = nn.functional.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype))
        elif labels is not None:
            loss = nn.functional.cross_entropy(logits, labels)
        return ImageClassifierOutput(loss=loss, logits=logits, hidden_states=states if output_hidden_states else None)

    def _init_weights(self, module: nn.Module) -> None:
        """Initialize as Keras does: Glorot uniform weights (Glorot and Bengio, AISTATS 2010), biases 0."""
        if isinstance(module, nn.Linear | nn.Conv2d):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        else:
            super()._init_weights(module)


def make_head(features: int, config: ClassifierConfig) -> nn.Module:
    """Return a linear head: with a single logit for two classes, otherwise with one for each output."""
    if config.num_labels == 2 and config.problem_type != MULTI_LABEL:
        return LogOddsHead(features)
    return nn.Linear(features, config.num_labels)


class LogOddsHead(nn.Module):
    """A single logit z, returned as the two logits (0, z): their softmax is the sigmoid of z, as in Keras."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, 1)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return logits of shape (N, 2) for features of shape (N, F)."""
        return nn.functional.pad(self.linear(features), (1, 0))
