"""Training of the networks that outline vertebrae in sagittal MR."""
