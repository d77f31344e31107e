"""Image processing and drawing: `Slice`, windowing, filters, network input, image quality, pictures."""
