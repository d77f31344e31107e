"""The page in the browser: load the embedded model and serve it. Hugging Face Spaces runs this file."""

from spinealign import Predictor
from spinealign.page import launch

if __name__ == "__main__":
    launch(Predictor.from_pretrained())
