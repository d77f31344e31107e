"""Training of the network that tells the kind of an image and its orientation."""
