"""Training of the networks that find vertebrae."""
