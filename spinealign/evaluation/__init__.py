"""Evaluation of a model on a collection of labeled images."""
