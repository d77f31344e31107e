"""Random augmentation of training images with MONAI."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from transformers.hf_argparser import HfArg


@dataclass(frozen=True)
class AugmentationConfig:
    """Strength of each augmentation; 0 switches it off."""

    rotation_deg: float = HfArg(default=15.0, help="Augmentation: largest rotation in degrees.")
    shift: float = HfArg(default=0.06, help="Augmentation: largest shift, as a share of the image's side.")
    zoom: float = HfArg(default=0.1, help="Augmentation: largest change of scale.")
    shear: float = HfArg(default=0.05, help="Augmentation: largest shear factor.")
    flip: bool = HfArg(default=True, help="Augmentation: mirror left and right with probability 0.5.")
    noise: float = HfArg(
        default=0.02, help="Augmentation: largest standard deviation of added noise, as a share of white."
    )
    contrast: float = HfArg(default=0.2, help="Augmentation: largest change of gamma.")

    def __post_init__(self) -> None:
        for name in ("rotation_deg", "shift", "zoom", "shear", "noise", "contrast"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}.")
        if self.zoom >= 1 or self.contrast >= 1:
            raise ValueError("zoom and contrast must be below 1.")


class Augmentation:
    """Augmentation of single images of `image_size` pixels in height and width."""

    def __init__(self, config: AugmentationConfig, image_size: int) -> None:
        from monai.transforms import Compose, RandAdjustContrast, RandAffine, RandFlip, RandGaussianNoise

        affine = RandAffine(
            prob=1.0,
            rotate_range=np.deg2rad(config.rotation_deg),
            translate_range=config.shift * image_size,
            scale_range=config.zoom,
            shear_range=config.shear,
            padding_mode="zeros",
        )
        moves = config.rotation_deg or config.shift or config.zoom or config.shear
        steps = [
            (moves, affine),
            (config.flip, RandFlip(prob=0.5, spatial_axis=1)),
            (config.contrast, RandAdjustContrast(prob=0.5, gamma=(1 - config.contrast, 1 + config.contrast))),
            (config.noise, RandGaussianNoise(prob=0.5, std=config.noise)),
        ]
        self._pipeline = Compose([step for strength, step in steps if strength])

    def __call__(self, intensity: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
        """Augment an image in [0, 1] of shape (S, S); the result depends only on the image and the seed."""
        self._pipeline.set_random_state(seed)
        changed = np.asarray(self._pipeline(intensity[None]), np.float32)[0]
        return np.clip(changed, 0.0, 1.0)
