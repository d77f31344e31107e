"""Named backbones, and the architectures among them that transformers does not have.

Importing this package registers these architectures with the auto classes of transformers. To add a backbone, add one
entry to `catalog.py`; if transformers does not have its class, write a module here with a configuration and a subclass
of `classifier.Classifier`, as in `densenet.py`, and name the class in the entry.
"""

from __future__ import annotations

from transformers import AutoConfig, AutoModelForImageClassification

from spinealign.networks.catalog import BACKBONES

for _backbone in BACKBONES.values():
    if _network := _backbone.network:
        AutoConfig.register(_network.config_class.model_type, _network.config_class, exist_ok=True)
        AutoModelForImageClassification.register(_network.config_class, _network, exist_ok=True)
