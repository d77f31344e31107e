"""Alignment in sagittal MR: from maps of a network to named vertebrae, measures and findings."""
