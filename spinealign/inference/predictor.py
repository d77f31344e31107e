"""Prediction with a loaded model."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, Literal, cast, overload

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spinealign.checkpoint.checkpoint import Checkpoint, Engine
from spinealign.checkpoint.engines import NetworkEngine, Output, load_engine
from spinealign.checkpoint.finding import find_checkpoint
from spinealign.checkpoint.settings import ModelSettings
from spinealign.config import PreprocessingConfig
from spinealign.errors import CheckpointError, ImageError
from spinealign.imaging.preprocessing import normalize
from spinealign.imaging.quality import quality_reasons
from spinealign.imaging.slice import Slice
from spinealign.inference.occlusion import HeatMap, occlusion_map
from spinealign.inference.prediction import Prediction
from spinealign.inference.prepared import PreparedImage, prepare
from spinealign.metrics.novelty import NoveltyStatistics
from spinealign.reading.slices import SliceSource, read_slice

BATCH_SIZE = 8

logger = logging.getLogger(__name__)


class Predictor:
    """A checkpoint and the engine that runs it. Threads may share it, and it pickles by loading the checkpoint again.

    Example:
        >>> from spinealign.phantoms.axial_neck import draw_phantom
        >>> predictor = Predictor.from_pretrained()
        >>> predictor
        Predictor('spinealign/default', engine='onnx')
        >>> predictor(draw_phantom(1, fractured=False).slice).label
        'normal'
    """

    def __init__(self, checkpoint: Checkpoint, engine: NetworkEngine) -> None:
        self.checkpoint = checkpoint
        self.engine = engine

    @classmethod
    def from_pretrained(  # noqa: PLR0913 - the keywords of the Hugging Face libraries
        cls,
        pretrained_model_name_or_path: str | os.PathLike[str] | None = None,
        *,
        revision: str | None = None,
        token: str | bool | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
        local_files_only: bool = False,
        device: str | None = None,
        engine: Engine = "onnx",
    ) -> Predictor:
        """Load a model.

        Args:
            pretrained_model_name_or_path: Hub id or checkpoint folder; None for the embedded model.
            revision: Branch, tag or commit on the Hub.
            token: Access token of the Hub; None uses `hf auth login` or HF_TOKEN, False sends none.
            cache_dir: Folder of the download cache; None for the default.
            local_files_only: Use only files in the cache and never connect to the Hub.
            device: Device that runs the network. For ONNX Runtime the name of an installed execution provider, such as
                `cpu`, `cuda:0` or `openvino`; None for `cpu`. For torch a device of torch; None for `cuda` if
                available.
            engine: `onnx` (fast, small) or `torch`. A checkpoint without ONNX runs through torch.

        Raises:
            CheckpointError: If the checkpoint or revision does not exist, or is incomplete or unsafe.
            MissingDependencyError: If torch is needed and not installed.
            ValueError: If the revision is empty, or the engine or device is not available.
        """
        checkpoint = find_checkpoint(
            pretrained_model_name_or_path,
            revision=revision,
            token=token,
            cache_dir=cache_dir,
            local_files_only=local_files_only,
            engine=engine,
        )
        checkpoint.check()
        if checkpoint.is_plain:
            logger.warning(
                "%s has no spinealign.json: its probabilities are not calibrated, and it does not reject images that "
                "differ from its training images.",
                checkpoint.model,
            )
        return cls(checkpoint, load_engine(checkpoint, engine, device=device))

    def __reduce__(self) -> tuple[Any, ...]:
        # A copy without what is already parsed. Its folder is resolved, so loading needs neither token nor Hub.
        checkpoint = Checkpoint(self.checkpoint.folder.resolve(), self.checkpoint.model)
        return _reload, (type(self), checkpoint, self.engine.name, self.engine.device)

    def __repr__(self) -> str:
        return f"Predictor({self.model!r}, engine={self.engine.name!r})"

    @property
    def model(self) -> str:
        """Name of the model, with the commit for models from the Hub."""
        return self.checkpoint.model

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names, in the order of the logits."""
        return self.checkpoint.labels

    @property
    def settings(self) -> ModelSettings:
        """Settings stored with the weights."""
        return self.checkpoint.settings

    @property
    def preprocessing(self) -> PreprocessingConfig:
        """Steps from a slice to `pixel_values`."""
        return self.settings.preprocessing

    @overload  # text and bytes are one source, although they are sequences
    def __call__(self, source: SliceSource) -> Prediction: ...  # type: ignore[overload-overlap]

    @overload
    def __call__(self, source: Sequence[SliceSource]) -> list[Prediction]: ...

    def __call__(self, source: SliceSource | Sequence[SliceSource]) -> Prediction | list[Prediction]:
        """Predict one image, or a sequence of images.

        Args:
            source: A source that `read_slice` accepts, or a sequence of such sources.

        Returns:
            One prediction, or a list of predictions in the same order.

        Raises:
            ImageError: If an image cannot be used.
            TypeError: If a source is of another type.
        """
        if isinstance(source, Sequence) and not isinstance(source, str | bytes | bytearray | memoryview):
            return list(self.predict_many(source))
        return self._predict([self._prepare(cast(SliceSource, source))])[0]

    @overload
    def predict_many(
        self, sources: Iterable[SliceSource], *, errors: Literal["raise"] = "raise", explain: bool = False
    ) -> Iterator[Prediction]: ...

    @overload
    def predict_many(
        self, sources: Iterable[SliceSource], *, errors: Literal["return"], explain: bool = False
    ) -> Iterator[Prediction | ImageError]: ...

    def predict_many(
        self, sources: Iterable[SliceSource], *, errors: Literal["raise", "return"] = "raise", explain: bool = False
    ) -> Iterator[Prediction | ImageError]:
        """Predict many images in batches.

        Args:
            sources: Sources that `read_slice` accepts. At most one batch is read ahead.
            errors: `raise` stops at the first image that cannot be used; `return` yields its error and continues.
            explain: Add a heat map to each prediction.

        Returns:
            An iterator over one item for each source, in order: a `Prediction`, or with `errors="return"` an
            `ImageError` that names its `source`.

        Raises:
            ImageError: While iterating, if an image cannot be used and `errors` is `raise`.
            TypeError: If `sources` is one source, or while iterating as for `ImageError`, if a source is of another
                type.
            ValueError: If `errors` is unknown.
        """
        if errors not in ("raise", "return"):
            raise ValueError(f"errors must be 'raise' or 'return', not {errors!r}.")
        if _is_one_source(sources):
            raise TypeError("sources must be an iterable of images, not one image; put it in a list.")
        return self._predict_many(iter(sources), raise_errors=errors == "raise", explain=explain)

    def _predict_many(
        self, sources: Iterator[SliceSource], *, raise_errors: bool, explain: bool
    ) -> Iterator[Prediction | ImageError]:
        while batch := list(islice(sources, BATCH_SIZE)):
            items = [self._prepare_or_fail(source) for source in batch]
            usable = [item for item in items if isinstance(item, PreparedImage)]
            predictions = iter(self._predict(usable) if usable else ())
            for source, item in zip(batch, items):
                if isinstance(item, PreparedImage):
                    prediction = next(predictions)
                    heat_map = self._explain(item, prediction, prediction.label) if explain else None
                    yield replace(prediction, heat_map=heat_map)
                elif raise_errors:
                    raise item
                else:
                    error = item if isinstance(item, ImageError) else ImageError(str(item))
                    error.source = _name_of(source)
                    yield error

    def explain(self, source: SliceSource, *, label: str | None = None) -> HeatMap:
        """Compute how much a prediction depends on each region of an image, with any network and engine.

        Args:
            source: A source that `read_slice` accepts.
            label: Class to explain; None for the predicted class.

        Raises:
            ImageError: If the image cannot be used.
            ValueError: If the model does not have the class.
        """
        if label is not None and label not in self.labels:
            raise ValueError(f"The classes of the model are {', '.join(self.labels)}; got {label!r}.")
        prepared = self._prepare(source)
        (prediction,) = self._predict([prepared])
        return self._explain(prepared, prediction, label or prediction.label)

    def _explain(self, prepared: PreparedImage, prediction: Prediction, label: str) -> HeatMap:
        index = self.labels.index(label)

        def log_odds(intensities: NDArray[np.float32]) -> NDArray[np.float64]:
            logits = self.run(np.stack([normalize(item, self.preprocessing) for item in intensities])).logits
            others = np.delete(logits.astype(float), index, axis=1)
            return logits[:, index].astype(float) - np.logaddexp.reduce(others, axis=1)

        return HeatMap(
            prepared.gray,
            occlusion_map(prepared.gray, log_odds),
            label,
            prediction.probabilities[label],
            prediction.accepted,
            prediction.source,
        )

    def _prepare(self, source: SliceSource) -> PreparedImage:
        try:
            return prepare(read_slice(source), self.preprocessing)
        except ImageError as error:
            error.source = _name_of(source)
            raise

    def _prepare_or_fail(self, source: SliceSource) -> PreparedImage | Exception:
        try:
            return self._prepare(source)
        except (ImageError, TypeError, ValueError, OSError) as error:  # file objects raise the latter two
            return error

    def _predict(self, images: Sequence[PreparedImage]) -> list[Prediction]:
        config = self.preprocessing
        output = self.run(np.stack([normalize(item.gray / np.float32(255), config) for item in images]))
        reasons = [
            (
                *quality_reasons(
                    item.window_gray, self.settings.quality, color=item.color, assumed_white=item.assumed_white
                ),
                *unknown,
            )
            for item, unknown in zip(images, self._explain_novelty(output))
        ]
        predictions = []
        for item, probabilities, why in zip(images, self.calibrate(output.logits), reasons):
            named = {name: float(value) for name, value in zip(self.labels, probabilities)}
            label = self.decide(probabilities)
            predictions.append(Prediction(label, named[label], named, self.model, not why, why, source=item.source))
        return predictions

    def run(self, pixel_values: NDArray[np.float32]) -> Output:
        """Run the network.

        Args:
            pixel_values: Preprocessed images of shape (N, C, H, W).

        Returns:
            Raw logits of shape (N, classes), and the features from which novelty is measured.

        Raises:
            CheckpointError: If the network computes another number of classes than `config.json` names, numbers that
                are not finite, or features that do not fit the novelty statistics.
        """
        output = self.engine(pixel_values)
        checkpoint = self.checkpoint
        if output.logits.shape[1] != len(self.labels):
            raise CheckpointError(
                f"{checkpoint.name} names {len(self.labels)} classes but computes {output.logits.shape[1]}."
            )
        if not np.isfinite(output.logits).all():
            raise CheckpointError(
                f"{checkpoint.name} computes numbers that are not finite; its weights are damaged: {checkpoint.remedy}."
            )
        statistics = checkpoint.novelty
        if statistics is not None and not _fit(output.features, statistics):
            raise CheckpointError(
                f"The features of {checkpoint.name} do not fit its novelty statistics; {checkpoint.remedy}."
            )
        return output

    def calibrate(self, logits: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return calibrated probabilities of shape (N, classes) for raw logits of the same shape."""
        scaled = logits.astype(np.float64) / self.settings.decision.temperature
        scores = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        return scores / scores.sum(axis=1, keepdims=True)

    def decide(self, probabilities: NDArray[np.floating]) -> str:
        """Return the predicted class for the probability of each class, shape (classes,).

        A binary model predicts the positive class from the operating point on; other models predict the most probable
        class.
        """
        labels, positive = self.labels, self.settings.positive_class
        if len(labels) == 2 and positive in labels:
            index = labels.index(positive)
            return labels[index if probabilities[index] >= self.settings.decision.operating_point else 1 - index]
        return labels[int(np.argmax(probabilities))]

    def measure_novelty(self, features: NDArray[np.float32] | None) -> NDArray[np.float64] | None:
        """Return the distance of each image from the training images, shape (N,), for features of shape (N, F).

        The result is None without features or statistics.
        """
        statistics = self.checkpoint.novelty
        return None if statistics is None or features is None else statistics.distance(features)

    def _explain_novelty(self, output: Output) -> list[tuple[str, ...]]:
        distances = self.measure_novelty(output.features)
        if distances is None or self.settings.novelty is None:
            return [()] * len(output.logits)
        limit = self.settings.novelty.threshold
        sentence = "unknown to the model: novelty {:.1f} (limit {:.1f})"
        return [(sentence.format(distance, limit),) if distance > limit else () for distance in distances]


def _fit(features: NDArray[np.float32] | None, statistics: NoveltyStatistics) -> bool:
    return features is not None and features.shape[1] == statistics.means.shape[1] and bool(np.isfinite(features).all())


def _is_one_source(sources: object) -> bool:
    """Return whether an object is one image or file, although some of these can be iterated."""
    one = isinstance(sources, str | bytes | bytearray | memoryview | os.PathLike | Slice | Image.Image)
    return one or hasattr(sources, "read") or getattr(sources, "ndim", 3) < 3


def _name_of(source: object) -> str:
    """Return the path of a source that could not be read, or its type."""
    return os.fsdecode(source) if isinstance(source, str | os.PathLike) else type(source).__name__


def _reload(cls: type[Predictor], checkpoint: Checkpoint, engine: Engine, device: str | None) -> Predictor:
    return cls(checkpoint, load_engine(checkpoint, engine, device=device))
