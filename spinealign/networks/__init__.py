"""Architectures that transformers does not have; importing this room makes them known to its auto classes."""

from __future__ import annotations

from transformers import AutoConfig, AutoModelForImageClassification

from spinealign.networks.cnn import CnnClassifier, CnnConfig
from spinealign.networks.densenet import DenseNet121Classifier, DenseNet121Config
from spinealign.networks.thumbnail import ThumbnailClassifier, ThumbnailConfig
from spinealign.networks.vgg import Vgg16Classifier, Vgg16Config

for _network in (CnnClassifier, DenseNet121Classifier, ThumbnailClassifier, Vgg16Classifier):
    AutoConfig.register(_network.config_class.model_type, _network.config_class, exist_ok=True)
    AutoModelForImageClassification.register(_network.config_class, _network, exist_ok=True)

__all__ = [
    "CnnClassifier",
    "CnnConfig",
    "DenseNet121Classifier",
    "DenseNet121Config",
    "ThumbnailClassifier",
    "ThumbnailConfig",
    "Vgg16Classifier",
    "Vgg16Config",
]
