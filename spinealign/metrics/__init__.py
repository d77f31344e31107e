"""Scores, intervals and calibration of arrays."""
