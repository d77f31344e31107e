"""Inference: predictions and heat maps."""
