"""Deep learning on spine images with honest evaluation. Research software, not a medical device.

The names below are loaded when they are first used, so `import spinealign` is fast and does not load torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from spinealign._version import __version__

if TYPE_CHECKING:
    from spinealign.alignment.aligner import Aligner as Aligner
    from spinealign.alignment.cached import measure as measure
    from spinealign.alignment.cached import measure_study as measure_study
    from spinealign.alignment.result import Alignment as Alignment
    from spinealign.alignment.sagittal.foreign_masks import measure_masks as measure_masks
    from spinealign.cohort.audit.auditing import audit as audit
    from spinealign.cohort.cohort import Cohort as Cohort
    from spinealign.cohort.splitting import load_cohort as load_cohort
    from spinealign.errors import SpineAlignError as SpineAlignError
    from spinealign.evaluation.evaluating import evaluate as evaluate
    from spinealign.hub.pushing import push_to_hub as push_to_hub
    from spinealign.hub.pushing import train as train
    from spinealign.imaging.slice import Slice as Slice
    from spinealign.imaging.volume import Volume as Volume
    from spinealign.inference.cached import predict as predict
    from spinealign.inference.occlusion import HeatMap as HeatMap
    from spinealign.inference.prediction import Prediction as Prediction
    from spinealign.inference.prediction import predictions_to_dataframe as predictions_to_dataframe
    from spinealign.inference.predictor import Predictor as Predictor
    from spinealign.metrics.evaluation import Evaluation as Evaluation
    from spinealign.reading.scans import list_scans as list_scans
    from spinealign.reading.slices import read_slice as read_slice
    from spinealign.reading.volumes import read_volume as read_volume

_MODULES = {
    "Aligner": "alignment.aligner",
    "Alignment": "alignment.result",
    "Cohort": "cohort.cohort",
    "Evaluation": "metrics.evaluation",
    "HeatMap": "inference.occlusion",
    "Prediction": "inference.prediction",
    "Predictor": "inference.predictor",
    "Slice": "imaging.slice",
    "SpineAlignError": "errors",
    "Volume": "imaging.volume",
    "audit": "cohort.audit.auditing",
    "evaluate": "evaluation.evaluating",
    "list_scans": "reading.scans",
    "load_cohort": "cohort.splitting",
    "measure": "alignment.cached",
    "measure_masks": "alignment.sagittal.foreign_masks",
    "measure_study": "alignment.cached",
    "predict": "inference.cached",
    "predictions_to_dataframe": "inference.prediction",
    "push_to_hub": "hub.pushing",
    "read_slice": "reading.slices",
    "read_volume": "reading.volumes",
    "train": "hub.pushing",
}

__all__ = ["__version__", *_MODULES]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'spinealign' has no attribute {name!r}")
    value = getattr(import_module(f"spinealign.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
