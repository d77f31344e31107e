"""Serve the page with the embedded model; entry point of Hugging Face Spaces."""

from spinealign import Predictor
from spinealign.page import launch

if __name__ == "__main__":
    launch(Predictor.from_pretrained())
