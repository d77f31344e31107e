"""Deep learning on spine images that people can trust. Not a medical device."""

from spinealign._version import __version__
from spinealign.errors import SpineAlignError
from spinealign.imaging.slice import Slice
from spinealign.inference.prediction import Prediction
from spinealign.inference.predictor import Predictor, predict
from spinealign.reading.slices import read_slice

__all__ = ["Prediction", "Predictor", "Slice", "SpineAlignError", "__version__", "predict", "read_slice"]
