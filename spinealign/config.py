"""Settings of preprocessing, quality, decision and novelty, which are stored with the weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from math import inf, isfinite
from typing import Any

MANIFEST_FILE = "manifest.csv"
DISCLAIMER = "Research software, not a medical device: do not base decisions about a person on it."

DENOISE_METHODS = ("none", "gaussian", "median", "wavelet")
PLANES = ("axial", "sagittal", "coronal")
EQUALIZE_METHODS = ("none", "histogram", "clahe")


@dataclass(frozen=True)
class EnhancementConfig:
    """Window and filters, applied before an image is resized."""

    window_center: float = field(default=300.0, metadata={"help": "Center of the CT window in HU."})
    window_width: float = field(default=1500.0, metadata={"help": "Width of the CT window in HU."})
    white: float | None = field(
        default=None,
        metadata={"help": "Value shown as white in gray images of 16 bits that use fewer, such as 4095 for 12 bits."},
    )
    denoise: str = field(default="none", metadata={"help": "Noise filter.", "choices": list(DENOISE_METHODS)})
    equalize: str = field(
        default="none", metadata={"help": "Contrast equalization.", "choices": list(EQUALIZE_METHODS)}
    )

    def __post_init__(self) -> None:
        if not (isfinite(self.window_center) and isfinite(self.window_width) and self.window_width > 0):
            raise ValueError(
                f"Expected a finite window_center and a positive window_width, got {self.window_center} and "
                f"{self.window_width}."
            )
        if self.white is not None and not 0 < self.white < inf:
            raise ValueError(f"white must be positive, got {self.white}.")
        if self.denoise not in DENOISE_METHODS:
            raise ValueError(f"denoise must be one of {', '.join(DENOISE_METHODS)}, got {self.denoise!r}.")
        if self.equalize not in EQUALIZE_METHODS:
            raise ValueError(f"equalize must be one of {', '.join(EQUALIZE_METHODS)}, got {self.equalize!r}.")


@dataclass(frozen=True)
class PreprocessingConfig(EnhancementConfig):
    """All steps from a `Slice` to `pixel_values`, shared by training and prediction."""

    image_size: int = field(default=224, metadata={"help": "Height and width of the network's input in pixels."})
    image_mean: tuple[float, ...] = field(
        default=(0.485, 0.456, 0.406), metadata={"help": "Mean of each channel for intensities in [0, 1]."}
    )
    image_std: tuple[float, ...] = field(
        default=(0.229, 0.224, 0.225), metadata={"help": "Standard deviation of each channel."}
    )
    resample: int = field(default=3, metadata={"help": "Number of a Pillow interpolation filter; 3 is bicubic."})

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "image_mean", tuple(float(value) for value in self.image_mean))
        object.__setattr__(self, "image_std", tuple(float(value) for value in self.image_std))
        if not isinstance(self.image_size, int) or self.image_size < 1:
            raise ValueError(f"image_size must be a positive whole number, got {self.image_size}.")
        if self.resample not in range(6):
            raise ValueError(f"resample must be a number from 0 to 5, got {self.resample}.")
        if len(self.image_mean) != len(self.image_std) or not self.image_mean:
            raise ValueError("image_mean and image_std must have one value for each channel.")
        if not all(map(isfinite, self.image_mean + self.image_std)) or min(self.image_std) <= 0:
            raise ValueError("image_mean and image_std must be finite, and image_std positive.")

    @classmethod
    def from_preprocessor(
        cls, preprocessor: Mapping[str, Any], enhancement: EnhancementConfig | None = None
    ) -> PreprocessingConfig:
        """Take size, normalization and interpolation from the content of a `preprocessor_config.json` of transformers.

        If it crops the center of a larger image, the whole image is resized to the size of the crop instead, so that no
        part of a slice is lost.

        Raises:
            ValueError: If it does not describe a square resize with normalization.
        """
        crop = preprocessor.get("crop_size") if preprocessor.get("do_center_crop") else None
        size = crop or preprocessor.get("size", 224)
        if isinstance(size, Mapping):
            if size.get("height") != size.get("width"):
                raise ValueError(f"its input is not square: {dict(size)}")
            size = size.get("height", size.get("shortest_edge"))
        plain = not preprocessor.get("do_normalize", True)
        if not preprocessor.get("do_rescale", True):
            raise ValueError("it does not rescale gray levels to [0, 1], which is not supported")
        try:
            return cls(
                **asdict(enhancement or EnhancementConfig()),
                image_size=int(size),
                image_mean=(0.0, 0.0, 0.0) if plain else tuple(preprocessor.get("image_mean", (0.5, 0.5, 0.5))),
                image_std=(1.0, 1.0, 1.0) if plain else tuple(preprocessor.get("image_std", (0.5, 0.5, 0.5))),
                resample=int(preprocessor.get("resample", 2)),
            )
        except (TypeError, OverflowError) as error:
            raise ValueError(f"it does not describe an image input ({error})") from error


@dataclass(frozen=True)
class QualityConfig:
    """Limits of image quality; gray levels are from 0 (black) to 255 (white)."""

    min_side: int = field(default=128, metadata={"help": "Smallest length of the shorter side in pixels."})
    max_aspect: float = field(default=1.5, metadata={"help": "Largest ratio of the longer to the shorter side."})
    min_brightness: float = field(default=10.0, metadata={"help": "Smallest mean gray level."})
    max_brightness: float = field(default=215.0, metadata={"help": "Largest mean gray level."})
    min_information: float = field(default=2.0, metadata={"help": "Smallest entropy of the gray levels in bits."})
    min_sharpness: float = field(default=0.04, metadata={"help": "Smallest share of the contrast that a blur removes."})
    max_color: float = field(default=8.0, metadata={"help": "Largest mean difference of the channels in gray levels."})

    def __post_init__(self) -> None:
        for item in fields(self):
            if not isfinite(getattr(self, item.name)):
                raise ValueError(f"{item.name} must be a finite number, got {getattr(self, item.name)}.")


@dataclass(frozen=True)
class InputConfig:
    """What a model takes. An image that is known to differ is not accepted; what is not known is not checked."""

    modality: str | None = field(default=None, metadata={"help": "DICOM modality of the images, such as CT or MR."})
    plane: str | None = field(default=None, metadata={"help": "Plane of the images.", "choices": list(PLANES)})
    min_spacing_mm: float | None = field(default=None, metadata={"help": "Smallest distance of pixels in mm."})
    max_spacing_mm: float | None = field(default=None, metadata={"help": "Largest distance of pixels in mm."})

    def __post_init__(self) -> None:
        if self.plane not in (None, *PLANES):
            raise ValueError(f"plane must be one of {', '.join(PLANES)}, got {self.plane!r}.")
        if not 0 <= (self.min_spacing_mm or 0) <= (inf if self.max_spacing_mm is None else self.max_spacing_mm):
            raise ValueError(
                f"Expected 0 <= min_spacing_mm <= max_spacing_mm, got {self.min_spacing_mm} and {self.max_spacing_mm}."
            )


@dataclass(frozen=True)
class ReadingLimits:
    """Limits of image files, so that a damaged or hostile file fails fast.

    Attributes:
        max_bytes: Largest file in bytes, compressed or not.
        max_pixels: Largest number of pixels of a slice.
        max_slices: Largest number of slices of a volume, or of frames that are read from a file.
        max_voxels: Largest number of voxels of a volume; 4 bytes of memory each.
        max_files: Largest number of files in an archive.
        max_unpacked: Largest size of all files in an archive in bytes.
        max_ratio: Largest ratio of that size to the packed size, from 64 MiB on.
    """

    max_bytes: int = 512 * 1024**2
    max_pixels: int = 64_000_000
    max_slices: int = 10_000
    max_voxels: int = 512_000_000
    max_files: int = 200_000
    max_unpacked: int = 64 * 1024**3
    max_ratio: int = 500

    def __post_init__(self) -> None:
        for item in fields(self):
            if getattr(self, item.name) < 1:
                raise ValueError(f"{item.name} must be positive, got {getattr(self, item.name)}.")


@dataclass(frozen=True)
class DecisionConfig:
    """Calibration and operating point.

    Attributes:
        temperature: Divisor of the logits (Guo et al., ICML 2017).
        operating_point: Smallest calibrated probability at which the finding is reported, in (0, 1).
        target_sensitivity: Sensitivity for which the operating point was chosen; None if it was not chosen.
        sources: Number of distinct source slices of the calibration split.
        note: A sentence that says how both were chosen, or why they were not.
    """

    temperature: float = 1.0
    operating_point: float = 0.5
    target_sensitivity: float | None = None
    sources: int = 0
    note: str = "not calibrated"

    def __post_init__(self) -> None:
        if not (isfinite(self.temperature) and self.temperature > 0):
            raise ValueError(f"temperature must be positive, got {self.temperature}.")
        if not 0 < self.operating_point < 1:
            raise ValueError(f"operating_point must be between 0 and 1, got {self.operating_point}.")


@dataclass(frozen=True)
class NoveltyConfig:
    """Limit beyond which an image is rejected as unknown; the statistics are in `novelty.safetensors`.

    Attributes:
        threshold: Largest accepted Mahalanobis distance.
        rejected: Share of the held-out images of each collection above the threshold, in [0, 1], with equal weight
            for each source.
        rejected_unseen: The same share for five folds of sources, each with a threshold chosen on the other folds.
        sources: Number of distinct source slices of these images.
    """

    threshold: float
    rejected: dict[str, float] = field(default_factory=dict)
    rejected_unseen: dict[str, float] = field(default_factory=dict)
    sources: int = 0

    def __post_init__(self) -> None:
        if not (isfinite(self.threshold) and self.threshold > 0):
            raise ValueError(f"The novelty threshold must be positive, got {self.threshold}.")
