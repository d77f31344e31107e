"""What the networks of this room share: they look like an image classifier of transformers."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.modeling_outputs import ImageClassifierOutput


class Classifier(PreTrainedModel):
    """An image classifier of two classes; a subclass sets `classifier`, its head, and defines `states`."""

    main_input_name = "pixel_values"
    classifier: nn.Module

    def states(self, pixel_values: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return what each stage computes of `pixel_values`, (N, C, S, S); the last, (N, F), is what the head sees."""
        raise NotImplementedError

    def forward(
        self,
        pixel_values: torch.Tensor,
        *,
        labels: torch.Tensor | None = None,
        output_hidden_states: bool = False,
        **_kwargs: Any,
    ) -> ImageClassifierOutput:
        """Classify images.

        Args:
            pixel_values: Shape (N, C, S, S).
            labels: Index of the true class of each image, shape (N,), for the loss.
            output_hidden_states: Return the states of all stages, too.

        Returns:
            Logits of shape (N, 2) and, with labels, the mean cross entropy.
        """
        states = self.states(pixel_values)
        logits = self.classifier(states[-1])
        loss = None if labels is None else nn.functional.cross_entropy(logits, labels)
        return ImageClassifierOutput(loss=loss, logits=logits, hidden_states=states if output_hidden_states else None)

    def _init_weights(self, module: nn.Module) -> None:
        """Start as Keras does: uniform weights by Glorot and Bengio (AISTATS 2010), biases 0."""
        if isinstance(module, nn.Linear | nn.Conv2d):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        else:
            super()._init_weights(module)


class LogOddsHead(nn.Module):
    """The single output of a Keras classifier, given as two logits: softmax of (0, z) is the sigmoid of z."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, 1)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return logits of shape (N, 2) of features of shape (N, F)."""
        return nn.functional.pad(self.linear(features), (1, 0))


class StackedClassifier(Classifier):
    """Convolutions, a flattened map, a dense layer with dropout and one logit: how the original system built them."""

    def __init__(self, config: Any, convolutions: nn.Sequential, *, flattened: int) -> None:
        super().__init__(config)
        self.features = convolutions
        self.dense = nn.Linear(flattened, config.hidden_size)
        self.dropout = nn.Dropout(config.dropout)
        self.classifier = LogOddsHead(config.hidden_size)
        self.post_init()

    def states(self, pixel_values: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the map after each pooling, and the units of the dense layer."""
        state, maps = pixel_values, []
        for layer in self.features:
            state = layer(state)
            if isinstance(layer, nn.MaxPool2d):
                maps.append(state)
        return (*maps, self.dropout(torch.relu(self.dense(state.flatten(1)))))
