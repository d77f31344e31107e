"""Publishing on the Hub: models, datasets and Spaces."""

from spinealign.hub.pushing import plan_push, push_to_hub

__all__ = ["plan_push", "push_to_hub"]
