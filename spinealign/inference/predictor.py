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

from spinealign.checkpoint.checkpoint import Checkpoint, Engine
from spinealign.checkpoint.engines import load_engine
from spinealign.checkpoint.finding import find_checkpoint
from spinealign.errors import ImageError
from spinealign.imaging.preprocessing import normalize
from spinealign.imaging.quality import quality_reasons
from spinealign.inference.occlusion import HeatMap, occlusion_maps
from spinealign.inference.prediction import Finding, Prediction, summarize
from spinealign.inference.prepared import PreparedImage, prepare
from spinealign.inference.scorer import Scorer
from spinealign.reading.slices import SliceSource, failed_source, is_slice_source, name_source, read_slice

BATCH_SIZE = 8

logger = logging.getLogger(__name__)


class Predictor(Scorer):
    """A loaded model. Threads may share it, and it pickles by loading the checkpoint again.

    Examples:
        >>> from spinealign.phantoms.axial_neck import draw_phantom
        >>> predictor = Predictor.from_pretrained()
        >>> predictor
        Predictor('spinealign/default', 'binary', labels=('normal', 'fracture'), engine='onnx')
        >>> predictor(draw_phantom(1, fractured=False).slice).label
        'normal'
    """

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

    @overload  # text and bytes are one source, although they can be iterated
    def __call__(self, source: SliceSource) -> Prediction: ...  # type: ignore[overload-overlap]

    @overload
    def __call__(self, source: Iterable[SliceSource]) -> list[Prediction | ImageError]: ...

    def __call__(self, source: SliceSource | Iterable[SliceSource]) -> Prediction | list[Prediction | ImageError]:
        """Predict one image, or each image of a list, tuple, generator or other iterable.

        Args:
            source: A source that `read_slice` accepts, or an iterable of such sources. A path, an open file and an
                array of any shape are always one source.

        Returns:
            One prediction. For an iterable, a list with one item for each source, in order: a prediction, or the
            `ImageError` of an image that cannot be used, with its `source`.

        Raises:
            ImageError: If the only image cannot be used.
            TypeError: If the only source is of another type.
        """
        if is_slice_source(source) or not isinstance(source, Iterable):
            return self._predict([self._prepare(cast(SliceSource, source))])[0]
        return list(self.predict_many(cast("Iterable[SliceSource]", source)))

    @overload
    def predict_many(
        self,
        sources: Iterable[SliceSource],
        *,
        errors: Literal["return"] = "return",
        explain: bool = False,
        white: float | None = None,
    ) -> Iterator[Prediction | ImageError]: ...

    @overload
    def predict_many(
        self,
        sources: Iterable[SliceSource],
        *,
        errors: Literal["raise"],
        explain: bool = False,
        white: float | None = None,
    ) -> Iterator[Prediction]: ...

    def predict_many(
        self,
        sources: Iterable[SliceSource],
        *,
        errors: Literal["return", "raise"] = "return",
        explain: bool = False,
        white: float | None = None,
    ) -> Iterator[Prediction | ImageError]:
        """Predict many images in batches.

        Args:
            sources: Sources that `read_slice` accepts. At most one batch is read ahead.
            errors: `return` yields the error of an image that cannot be used in its place and continues; `raise` stops
                there.
            explain: Add heat maps to each prediction, one for each label.
            white: Value shown as white, such as 4095 for 12 bits, in gray images with more than 8 bits; images whose
                scale is known are unchanged.

        Returns:
            An iterator over one item for each source, in order: a `Prediction`, or an `ImageError` that names its
            `source`.

        Raises:
            ImageError: While iterating, if an image cannot be used and `errors` is `raise`.
            TypeError: If `sources` is one source, or while iterating as for `ImageError`, if a source is of another
                type.
            ValueError: If `errors` is unknown or `white` is not positive.
        """
        if errors not in ("return", "raise"):
            raise ValueError(f"errors must be 'return' or 'raise', not {errors!r}.")
        if white is not None and not white > 0:
            raise ValueError(f"white must be positive, got {white}.")
        if is_slice_source(sources) or not isinstance(sources, Iterable):
            raise TypeError(f"Expected an iterable of images, got one {type(sources).__name__}; put it in a list.")
        return self._predict_many(iter(sources), raise_errors=errors == "raise", explain=explain, white=white)

    def _predict_many(
        self, sources: Iterator[SliceSource], *, raise_errors: bool, explain: bool, white: float | None
    ) -> Iterator[Prediction | ImageError]:
        while batch := list(islice(sources, BATCH_SIZE)):
            items = [self._prepare_or_fail(source, white) for source in batch]
            usable = [item for item in items if isinstance(item, PreparedImage)]
            predictions = iter(self._predict(usable) if usable else ())
            for source, item in zip(batch, items):
                if isinstance(item, PreparedImage):
                    prediction = next(predictions)
                    outputs = [self._predicted_output(finding) for finding in prediction.findings] if explain else []
                    yield replace(prediction, heat_maps=self._explain(item, prediction, outputs))
                elif raise_errors:
                    raise item
                else:
                    yield failed_source(item, source)

    def explain(self, source: SliceSource, *, label: str | None = None) -> HeatMap:
        """Compute how much a prediction depends on each region of an image, with any network and engine.

        Args:
            source: A source that `read_slice` accepts.
            label: Output to explain: one of `labels`, such as a class, or the name of a label for its predicted class.
                None for the predicted class of the only label.

        Raises:
            ImageError: If the image cannot be used.
            ValueError: If the model does not have the output, or has several labels and none is named.
        """
        names = [item.name for item in self.target.labels]
        if label not in {*names, *self.labels} and (label is not None or len(names) > 1):
            raise ValueError(f"Name one of the outputs of the model: {', '.join(self.labels)}; got {label!r}.")
        prepared = self._prepare(source)
        (prediction,) = self._predict([prepared])
        if label is None or label not in self.labels:
            label = self._predicted_output(prediction.findings[0 if label is None else names.index(label)])
        return self._explain(prepared, prediction, [label])[0]

    def _predicted_output(self, finding: Finding) -> str:
        """Return the output to explain: that of the predicted class, or the only one of the label."""
        names = [label.name for label in self.target.labels]
        outputs = self.labels[self.target.columns[names.index(finding.name)]]
        return outputs[[*finding.probabilities].index(finding.label)] if len(outputs) > 1 else outputs[0]

    def _explain(self, prepared: PreparedImage, prediction: Prediction, outputs: Sequence[str]) -> tuple[HeatMap, ...]:
        def log_odds(intensities: NDArray[np.float32]) -> NDArray[np.float64]:
            pixel_values = np.stack([normalize(item, self.preprocessing) for item in intensities])
            return self.log_odds(self.run(pixel_values).logits, outputs)

        maps = occlusion_maps(prepared.gray, log_odds) if outputs else ()
        accepted, probabilities = prediction.accepted, prediction.probabilities
        return tuple(
            HeatMap(prepared.gray, heat, output, probabilities[output], accepted, prediction.source)
            for output, heat in zip(outputs, maps)
        )

    def _prepare(self, source: SliceSource, white: float | None = None) -> PreparedImage:
        try:
            image = read_slice(source)
            image = image.with_white(white) if white else image
            return prepare(image, self.preprocessing, takes=self.settings.takes)
        except ImageError as error:
            error.source = name_source(source)
            raise

    def _prepare_or_fail(self, source: SliceSource, white: float | None) -> PreparedImage | Exception:
        try:
            return self._prepare(source, white)
        except (ImageError, TypeError) as error:
            return error

    def _predict(self, images: Sequence[PreparedImage]) -> list[Prediction]:
        output = self.run(np.stack([normalize(item.gray / np.float32(255), self.preprocessing) for item in images]))
        novelty, limit = self.measure_novelty(output.features), self.settings.novelty
        predictions, probabilities = [], self.probabilities(output.logits)
        for place, item in enumerate(images):
            reasons = item.mismatches + quality_reasons(
                item.window_gray, self.settings.quality, color=item.color, assumed_white=item.assumed_white
            )
            if novelty is not None and limit is not None and novelty[place] > limit.threshold:
                reasons += (f"unknown to the model: novelty {novelty[place]:.1f} (limit {limit.threshold:.1f})",)
            own = [part[place] for part in probabilities]
            named = {name: float(own[part][index]) for name, (part, index) in zip(self.labels, self.target.places)}
            findings = tuple(self.find(label, part) for label, part in zip(self.target.labels, own))
            said = summarize(findings) if self.target.has_several else findings[0].label
            confidence = min(finding.confidence for finding in findings)
            accepted, source, notes = not reasons, item.source, item.notes
            predictions.append(
                Prediction(said, confidence, named, self.model, accepted, reasons, source, findings, notes=notes)
            )
        return predictions


def _reload(cls: type[Predictor], checkpoint: Checkpoint, engine: Engine, device: str | None) -> Predictor:
    return cls(checkpoint, load_engine(checkpoint, engine, device=device))
