"""Scores, confidence intervals, calibration and novelty of arrays of predictions."""
