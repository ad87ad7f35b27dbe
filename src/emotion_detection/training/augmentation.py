"""Augmentation: random for each face, on the whole batch, on the device (kornia)."""

from torch import nn

from emotion_detection.config import TrainConfig
from emotion_detection.training.corruption import RandomCorruption


def make_augmentation(config: TrainConfig) -> nn.Module | None:
    """Create the augmentation of a config.

    It maps float32 (N, C, H, W) from 0 to 1 to the same; random numbers are torch's.

    Returns:
        The augmentation, or None if every strength is 0.
    """
    moved = config.rotate or config.shift or config.scale
    if not (config.flip or moved or config.brightness or config.contrast or config.erase):
        return None
    # imported here: it takes seconds, and the baseline does without
    import kornia.augmentation as kornia

    steps: list[nn.Module] = []
    if config.flip:
        steps.append(kornia.RandomHorizontalFlip(p=config.flip))
    if moved:
        steps.append(
            kornia.RandomAffine(
                degrees=config.rotate,
                translate=(config.shift, config.shift),
                scale=(1 - config.scale, 1 + config.scale),
                padding_mode="border",
                p=1.0,
            )
        )
    if config.brightness:
        limits = (1 - config.brightness, 1 + config.brightness)
        steps.append(kornia.RandomBrightness(brightness=limits, p=1.0))
    if config.contrast:
        limits = (1 - config.contrast, 1 + config.contrast)
        steps.append(kornia.RandomContrast(contrast=limits, p=1.0))
    if config.erase:
        steps.append(kornia.RandomErasing(p=config.erase, scale=(0.02, 0.2)))
    return nn.Sequential(*steps)


def make_corruption(config: TrainConfig) -> nn.Module | None:
    """Create the random corruption of a config, or None; it is applied after augmentation."""
    return RandomCorruption(config.corrupt) if config.corrupt else None
