"""Publishing: what of a checkpoint goes to the Hub, the checks before it does, and the push."""

from spinealign.hub.pushing import plan_push, push_to_hub

__all__ = ["plan_push", "push_to_hub"]
