"""What a network sees in an image, as one vector: the ground on which novelty is judged."""

from __future__ import annotations

from typing import Any

import torch

# The last layers keep only what tells the classes apart, so images that are unlike any of them look alike there; a
# little beyond the middle, a network still sees what an image is.
_DEPTH = 0.6


def logits_and_features(network: Any, pixel_values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Run an image classifier.

    Args:
        network: One of transformers or of this room.
        pixel_values: Shape (N, C, S, S).

    Returns:
        Logits of shape (N, classes), and features of shape (N, F): the average over all tokens or places of the hidden
        state at 60 % of the depth, or the logits of a network that shows no hidden state.
    """
    output = network(pixel_values=pixel_values, output_hidden_states=True)
    states = output.hidden_states or (output.logits,)
    middle = states[round(_DEPTH * (len(states) - 1))]
    if middle.ndim == 4:  # a map of shape (N, F, H, W)
        middle = middle.flatten(2).transpose(1, 2)
    return output.logits, middle.mean(dim=1) if middle.ndim == 3 else middle
