"""Serving: engines, predictions, batches, heat maps."""
