"""Collections of sagittal slices with masks of vertebrae."""
