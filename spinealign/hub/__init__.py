"""Publishing on the Hub: models, datasets and Spaces."""
