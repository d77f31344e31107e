"""Training with the Hugging Face Trainer: options, stages, resuming, export.

`pipeline.run_training` shows all stages in one function. Only this package and `networks` import torch at import time.
"""
