"""Findings and predictions as text and pages for people."""
