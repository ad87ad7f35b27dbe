"""Random corruption of training faces."""

import io
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter
from pytorch_lightning.plugins.precision import HalfPrecision, MixedPrecision

from emotion_detection.training import augmentation
from emotion_detection.training.augmentation import STAGES, RandomCorruption

N = 256


@pytest.fixture(scope="module")
def faces() -> torch.Tensor:
    """Smooth random faces, float32 (N, 1, 48, 48)."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(N, 1, 7, 7, generator=generator)
    return torch.nn.functional.interpolate(coarse, 48, mode="bicubic").clamp(0, 1)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [24, 40, 48])
def test_shape_type_and_range_stay(channels: int, size: int) -> None:
    torch.manual_seed(0)
    batch = torch.rand(64, channels, size, size)
    changed = RandomCorruption(1.0)(batch)
    assert changed.shape == batch.shape
    assert changed.dtype == torch.float32
    assert bool(torch.isfinite(changed).all())
    assert 0 <= float(changed.min()) <= float(changed.max()) <= 1


@pytest.mark.parametrize("precision", ["bf16-mixed", "bf16-true"])
def test_half_precision_of_the_network_changes_nothing(precision: str, faces: torch.Tensor) -> None:
    plugin = (
        HalfPrecision(precision)
        if precision == "bf16-true"
        else MixedPrecision("bf16-mixed", "cpu")
    )
    torch.manual_seed(3)
    expected = RandomCorruption(1.0)(faces)
    module = plugin.convert_module(RandomCorruption(1.0))
    torch.manual_seed(3)
    with plugin.train_step_context():
        changed = module(faces)
    # a byte apart where rounding goes the other way
    torch.testing.assert_close(changed, expected, atol=1.1 / 255, rtol=0)
    assert float((changed - expected).abs().mean()) < 1e-4


@pytest.mark.parametrize("amount", [0.0, 0.3, 1.0])
def test_amount_scales_how_many_faces_are_corrupted(amount: float, faces: torch.Tensor) -> None:
    torch.manual_seed(1)
    whole = (faces * 255).round() / 255  # what is not corrupted otherwise is rounded at least
    changed = [
        (RandomCorruption(amount)(whole) != whole).flatten(1).any(1).float().mean()
        for _ in range(8)
    ]
    untouched = float(np.prod([1 - p for p in STAGES.values()]))
    expected = augmentation.FRACTION * amount * (1 - untouched)
    assert float(np.mean(changed)) == pytest.approx(expected, abs=0.05)


def test_most_faces_stay_lightly_touched(faces: torch.Tensor) -> None:
    torch.manual_seed(2)
    changed = RandomCorruption(0.8)(faces)  # as the presets have it
    error = (changed - faces).flatten(1).abs().mean(1)
    assert float(error.median()) < 0.05
    assert float(error.max()) > 0.15


def test_it_draws_from_torch_s_random_state_alone(faces: torch.Tensor) -> None:
    def draw(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return RandomCorruption(1.0)(faces)

    assert torch.equal(draw(3), draw(3))
    assert not torch.equal(draw(3), draw(4))


@pytest.mark.parametrize("name", list(STAGES))
def test_every_stage_changes_faces_and_leaves_the_input(name: str, faces: torch.Tensor) -> None:
    torch.manual_seed(5)
    before = faces.clone()
    changed = RandomCorruption(1.0)._run_stage(name, faces)
    assert changed.shape == faces.shape
    assert torch.equal(faces, before)
    assert float((changed - faces).abs().amax((1, 2, 3)).gt(1e-4).float().mean()) > 0.5


def _fixed(monkeypatch: pytest.MonkeyPatch, value: float) -> None:
    """Draw one number for every face instead of random ones."""

    def constant(batch: torch.Tensor, low: float, high: float, skew: float = 1.0) -> torch.Tensor:
        return torch.full((len(batch),), value)

    monkeypatch.setattr(augmentation, "_draw", constant)


@pytest.mark.parametrize("quality", [5, 15, 40])
def test_compression_is_near_libjpeg_s(
    quality: int, faces: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fixed(monkeypatch, float(quality))
    monkeypatch.setattr(torch, "randint", lambda *_: torch.zeros(2, dtype=torch.int64))
    noisy = (faces[:8] + 0.15 * torch.randn(8, 1, 48, 48)).clamp(0, 1)
    pixels = (noisy * 255).round()
    module = RandomCorruption(1.0)
    ours = augmentation.compress(pixels / 255, module.basis, module.table) * 255
    theirs = []
    for face in pixels[:, 0].to(torch.uint8).numpy():
        file = io.BytesIO()
        Image.fromarray(face).save(file, "JPEG", quality=quality)
        theirs.append(np.asarray(Image.open(file)))
    difference = np.abs(ours[:, 0].clamp(0, 255).numpy() - np.array(theirs, np.float32))
    lost = np.abs(pixels[:, 0].numpy() - np.array(theirs, np.float32))
    assert difference.mean() < 0.2 * lost.mean()


def test_gaussian_blur_is_pillow_s(faces: torch.Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    _fixed(monkeypatch, 1.5)

    def gaussian(high: int, size: Any, device: Any = None) -> torch.Tensor:
        return torch.zeros(size, dtype=torch.int64)

    monkeypatch.setattr(torch, "randint", gaussian)
    ours = augmentation.blur(faces[:4])
    for face, blurred in zip(faces[:4, 0], ours[:, 0], strict=True):
        image = Image.fromarray((face * 255).round().to(torch.uint8).numpy())
        theirs = np.asarray(image.filter(ImageFilter.GaussianBlur(1.5)), np.float32) / 255
        inner = slice(6, -6)
        assert np.abs(blurred.numpy() - theirs)[inner, inner].max() < 0.03


def test_noise_has_the_deviation_that_is_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(6)
    _fixed(monkeypatch, float(np.log(0.1)))
    grey = torch.full((200, 1, 48, 48), 0.25)
    found = (augmentation.add_noise(grey) - grey).flatten(1).std(1)
    # half of them by the square root of the light: half as much at a quarter of it
    near = [float(((found / wanted - 1).abs() < 0.1).float().mean()) for wanted in (0.1, 0.05)]
    assert near[0] == pytest.approx(0.5, abs=0.15)
    assert sum(near) > 0.95
