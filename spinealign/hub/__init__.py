"""Publishing: what of a checkpoint goes to the Hub, the checks before it does, and the push."""
