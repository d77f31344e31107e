"""Pseudonyms and checks for patient identifiers."""
