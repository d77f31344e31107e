"""Settings that travel with the weights, said once for code, `spinealign.json`, command line and card."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from math import isfinite
from typing import Any

POSITIVE_LABEL, NEGATIVE_LABEL = "fracture", "normal"
SETTINGS_FILE = "spinealign.json"
NOVELTY_FILE = "novelty.safetensors"
FORMAT_VERSION = 1
DISCLAIMER = "Research software, not a medical device: no decision about a person may rest on it."

DENOISE_METHODS = ("none", "gaussian", "median", "wavelet")
EQUALIZE_METHODS = ("none", "histogram", "clahe")


@dataclass(frozen=True)
class EnhancementConfig:
    """How an image is windowed and enhanced before it is resized."""

    window_center: float = field(default=300.0, metadata={"help": "Middle of the CT window in HU."})
    window_width: float = field(default=1500.0, metadata={"help": "Full width of the CT window in HU."})
    denoise: str = field(default="none", metadata={"help": "Noise filter.", "choices": list(DENOISE_METHODS)})
    equalize: str = field(
        default="none", metadata={"help": "Contrast equalisation.", "choices": list(EQUALIZE_METHODS)}
    )

    def __post_init__(self) -> None:
        if not (isfinite(self.window_center) and isfinite(self.window_width) and self.window_width > 0):
            raise ValueError(
                f"window_width must be positive and both finite, not {self.window_center} and {self.window_width}."
            )
        if self.denoise not in DENOISE_METHODS:
            raise ValueError(f"denoise must be one of {', '.join(DENOISE_METHODS)}, not {self.denoise!r}.")
        if self.equalize not in EQUALIZE_METHODS:
            raise ValueError(f"equalize must be one of {', '.join(EQUALIZE_METHODS)}, not {self.equalize!r}.")


@dataclass(frozen=True)
class ConditioningConfig(EnhancementConfig):
    """The whole way from a `Slice` to the network's `pixel_values`; training and serving share it."""

    image_size: int = field(default=224, metadata={"help": "Height and width that the network sees, in pixels."})
    image_mean: tuple[float, ...] = field(
        default=(0.485, 0.456, 0.406), metadata={"help": "Mean of each channel, for intensities in [0, 1]."}
    )
    image_std: tuple[float, ...] = field(
        default=(0.229, 0.224, 0.225), metadata={"help": "Standard deviation of each channel."}
    )
    resample: int = field(default=3, metadata={"help": "Pillow's number of the interpolation; 3 is bicubic."})

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "image_mean", tuple(float(value) for value in self.image_mean))
        object.__setattr__(self, "image_std", tuple(float(value) for value in self.image_std))
        if not isinstance(self.image_size, int) or self.image_size < 1:
            raise ValueError(f"image_size must be a positive whole number, not {self.image_size}.")
        if self.resample not in range(6):
            raise ValueError(f"resample must be a number of Pillow's from 0 to 5, not {self.resample}.")
        if len(self.image_mean) != len(self.image_std) or not self.image_mean:
            raise ValueError("image_mean and image_std need one value for each channel.")
        if not all(map(isfinite, self.image_mean + self.image_std)) or min(self.image_std) <= 0:
            raise ValueError("image_mean and image_std must be finite, and image_std positive.")

    @classmethod
    def from_preprocessor(
        cls, preprocessor: Mapping[str, Any], enhancement: EnhancementConfig | None = None
    ) -> ConditioningConfig:
        """Take size, normalisation and interpolation from a `preprocessor_config.json` of transformers.

        Where it cuts out the center of a larger image, the whole image is brought to the size of the cut instead: no
        part of a slice may be left out.

        Args:
            preprocessor: Its content.
            enhancement: Window and filters; the defaults where None.

        Raises:
            ValueError: If it describes no square resize and normalisation of an image.
        """
        cut = preprocessor.get("crop_size") if preprocessor.get("do_center_crop") else None
        size = cut or preprocessor.get("size", 224)
        if isinstance(size, Mapping):
            if size.get("height") != size.get("width"):
                raise ValueError(f"it asks for an input that is no square: {dict(size)}")
            size = size.get("height", size.get("shortest_edge"))
        plain = not preprocessor.get("do_normalize", True)
        if not preprocessor.get("do_rescale", True):
            raise ValueError("it asks for gray levels from 0 to 255, which is not supported")
        try:
            return cls(
                **asdict(enhancement or EnhancementConfig()),
                image_size=int(size),
                image_mean=(0.0, 0.0, 0.0) if plain else tuple(preprocessor.get("image_mean", (0.5, 0.5, 0.5))),
                image_std=(1.0, 1.0, 1.0) if plain else tuple(preprocessor.get("image_std", (0.5, 0.5, 0.5))),
                resample=int(preprocessor.get("resample", 2)),
            )
        except (TypeError, OverflowError) as error:
            raise ValueError(f"it describes no image input ({error})") from error


@dataclass(frozen=True)
class QualityConfig:
    """What an image must bring before a model is asked about it; gray levels run from 0 (black) to 255 (white)."""

    min_side: int = field(default=128, metadata={"help": "Pixels on the shorter side."})
    max_aspect: float = field(default=1.5, metadata={"help": "Longer side over shorter side."})
    min_brightness: float = field(default=10.0, metadata={"help": "Mean gray level."})
    max_brightness: float = field(default=215.0, metadata={"help": "Mean gray level."})
    min_information: float = field(default=2.0, metadata={"help": "Entropy of the gray levels in bits."})
    min_sharpness: float = field(default=0.04, metadata={"help": "Share of the contrast that a blur takes away."})
    max_color: float = field(default=8.0, metadata={"help": "Mean difference between the channels in gray levels."})

    def __post_init__(self) -> None:
        for item in fields(self):
            if not isfinite(getattr(self, item.name)):
                raise ValueError(f"{item.name} must be a finite number, not {getattr(self, item.name)}.")


@dataclass(frozen=True)
class DecisionConfig:
    """How logits become a probability and a call, and how both were chosen.

    Attributes:
        temperature: The logits are divided by it (Guo et al., ICML 2017).
        operating_point: Calibrated probability of a fracture from which a slice is called one, in (0, 1).
        target_sensitivity: The sensitivity for which the operating point was chosen; None where it was not.
        sources: Distinct source slices of the calibration part.
        note: What was done in plain words, or why nothing was.
    """

    temperature: float = 1.0
    operating_point: float = 0.5
    target_sensitivity: float | None = None
    sources: int = 0
    note: str = "not calibrated"

    def __post_init__(self) -> None:
        if not (isfinite(self.temperature) and self.temperature > 0):
            raise ValueError(f"temperature must be positive, not {self.temperature}.")
        if not 0 < self.operating_point < 1:
            raise ValueError(f"operating_point must lie between 0 and 1, not {self.operating_point}.")


@dataclass(frozen=True)
class NoveltyConfig:
    """When an image is too unlike the training images; the statistics lie in `novelty.safetensors`.

    Attributes:
        threshold: Largest Mahalanobis distance that is accepted.
        rejected: Share of the held-out images of each collection that lies beyond it, in [0, 1]; each source counts
            alike.
        rejected_unseen: The same, of each fifth of the sources by a threshold that was chosen on the others.
        sources: Distinct source slices of these images.
    """

    threshold: float
    rejected: dict[str, float] = field(default_factory=dict)
    rejected_unseen: dict[str, float] = field(default_factory=dict)
    sources: int = 0

    def __post_init__(self) -> None:
        if not (isfinite(self.threshold) and self.threshold > 0):
            raise ValueError(f"the threshold of the novelty must be positive, not {self.threshold}.")


@dataclass(frozen=True)
class ModelSettings:
    """What `spinealign.json` says beside the weights.

    Attributes:
        conditioning: The way from a slice to `pixel_values`.
        quality: What an image must bring.
        decision: How logits become a call.
        novelty: When an image is rejected as unknown; None where the model cannot tell.
        training_data: Names of the collections the model was trained on, as its owner calls them.
        split: How they were split; with the pattern and the seed, the same files give the same parts again.
        source_pattern: What named the source slices, where it was not the default.
        seed: The seed of the training.
    """

    conditioning: ConditioningConfig = field(default_factory=ConditioningConfig)
    quality: QualityConfig = field(default_factory=QualityConfig)
    decision: DecisionConfig = field(default_factory=DecisionConfig)
    novelty: NoveltyConfig | None = None
    training_data: tuple[str, ...] = ()
    split: str = "auto"
    source_pattern: str | None = None
    seed: int | None = None

    def was_trained_on(self, collection: str) -> bool:
        """Tell whether a collection bears the name of one that the model was trained on.

        A folder and the dataset that was pushed from it bear one name: the owner does not count, nor what a Hub id
        writes otherwise.

        Example:
            >>> ModelSettings(training_data=("cervical fracture",)).was_trained_on("you/Cervical-Fracture")
            True
        """
        return _plain_name(collection) in map(_plain_name, self.training_data)

    def to_json(self) -> str:
        """Return the text of `spinealign.json`."""
        return json.dumps({"format_version": FORMAT_VERSION, **asdict(self)}, indent=2) + "\n"

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> ModelSettings:
        """Take over what `spinealign.json` says.

        Args:
            content: The decoded file.

        Raises:
            ValueError: If it is damaged, or written by a newer format.
        """
        try:
            version = int(content["format_version"])
            conditioning = _known(ConditioningConfig, content["conditioning"])
            quality = _known(QualityConfig, content.get("quality", {}))
            decision = _known(DecisionConfig, content.get("decision", {}))
            novelty = _known(NoveltyConfig, content["novelty"]) if content.get("novelty") else None
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise ValueError(f"it is damaged ({type(error).__name__}: {error})") from error
        if version > FORMAT_VERSION:
            raise ValueError(
                f"its format is {version}, and this release reads up to {FORMAT_VERSION}; "
                "run: pip install --upgrade spinealign"
            )
        return cls(
            conditioning=ConditioningConfig(**conditioning),
            quality=QualityConfig(**quality),
            decision=DecisionConfig(**decision),
            novelty=None if novelty is None else NoveltyConfig(**novelty),
            training_data=tuple(str(name) for name in content.get("training_data", ())),
            split=str(content.get("split", "auto")),
            source_pattern=content.get("source_pattern"),
            seed=content.get("seed"),
        )


def _plain_name(collection: str) -> str:
    return re.sub(r"[\W_]+", "-", collection.rsplit("/", maxsplit=1)[-1]).casefold()


def _known(kind: type, content: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a section says that this release understands."""
    names = {item.name for item in fields(kind)}
    return {key: value for key, value in content.items() if key in names}
