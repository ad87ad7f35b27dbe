"""Augmentation: random for each face, on the whole batch, on the device (kornia).

Random corruption: a selected face passes through some of the stages of a real image, in order: pose
and crop, occlusion, light, blur, resolution, noise, compression. Most strengths are light. The
family is wider than the fixed set for tests (:mod:`emotion_detection.evaluation.corruptions`), and
has neither code nor parameters in common with it.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from emotion_detection.config import TrainConfig

FRACTION = 0.8
"""Fraction of the faces that are corrupted at ``amount`` 1; the others are left as they are."""

STAGES = {
    "pose": 0.3,
    "occlusion": 0.3,
    "light": 0.3,
    "blur": 0.25,
    "resolution": 0.25,
    "noise": 0.4,
    "compression": 0.15,
}
"""Probability that a corrupted face passes through each stage."""

_MIDDLE = 128 / 255
"""The grey that JPEG's coefficients count from."""

_KERNEL = 17
"""Side of the blur kernels in pixels; wide enough for the strongest blur of a face of 48."""

# Luminance table of the JPEG standard (ITU-T T.81, table K.1): how coarsely each frequency is kept.
_JPEG_TABLE = (
    *(16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55),
    *(14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62),
    *(18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92),
    *(49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99),
)


class RandomCorruption(nn.Module):
    """Corrupt some faces of a batch at random, each by itself, on the batch's device.

    Takes float32 (N, C, H, W) from 0 to 1 and returns the same; random numbers are torch's. It
    works in float32 also where the network is trained in half precision, whose steps are coarser
    than those of bytes.

    Args:
        amount: 0 leaves every face as it is; 1 corrupts :data:`FRACTION` of them.
    """

    def __init__(self, amount: float) -> None:
        super().__init__()
        self.amount = amount
        # no buffers: a network of half precision has all of its buffers rounded
        self.basis = _cosine_basis()
        self.table = torch.tensor(_JPEG_TABLE, dtype=torch.float32).reshape(8, 8) / 255

    def forward(self, faces: Tensor) -> Tensor:
        """Return the faces, float32 (N, C, H, W) from 0 to 1, some of them corrupted."""
        with torch.autocast(faces.device.type, enabled=False):
            return self._corrupt(faces)

    def _corrupt(self, faces: Tensor) -> Tensor:
        rows = _draw_rows(len(faces), FRACTION * self.amount, faces.device)
        if not len(rows):
            return faces
        corrupted = faces[rows]
        for name, probability in STAGES.items():
            part = _draw_rows(len(rows), probability, faces.device)
            if len(part):
                corrupted[part] = self._run_stage(name, corrupted[part]).clamp(0, 1)
        # cameras and files keep bytes
        corrupted = (corrupted * 255).round() / 255
        return faces.index_copy(0, rows, corrupted)

    def _run_stage(self, name: str, faces: Tensor) -> Tensor:
        if name == "compression":
            return compress(faces, self.basis.to(faces), self.table.to(faces))
        stages = {
            "pose": change_pose,
            "occlusion": occlude,
            "light": change_light,
            "blur": blur,
            "resolution": lower_resolution,
            "noise": add_noise,
        }
        return stages[name](faces)


def _draw_rows(count: int, probability: float, device: torch.device) -> Tensor:
    return (_uniform(count, device) < probability).nonzero().squeeze(1)


def _uniform(count: int, device: torch.device) -> Tensor:
    # the default type is half precision where the network is
    return torch.rand(count, device=device, dtype=torch.float32)


def _draw(faces: Tensor, low: float, high: float, skew: float = 1.0) -> Tensor:
    """Draw a number a face: float32 (N,), from ``low`` to ``high``; a skew above 1 favours low."""
    return low + (high - low) * _uniform(len(faces), faces.device) ** skew


def _draw_sign(faces: Tensor) -> Tensor:
    return torch.where(_uniform(len(faces), faces.device) < 0.5, -1.0, 1.0)


def _per_face(values: Tensor) -> Tensor:
    return values[:, None, None, None]


def change_pose(faces: Tensor) -> Tensor:
    """Turn, shift and scale faces: up to 45 degrees, 0.3 widths, half to 1.8 times the size."""
    angle = _draw(faces, 0, math.radians(45), 1.5) * _draw_sign(faces)
    # sampling 1 / s times as far apart shows the face s times as large
    size = torch.exp(_draw(faces, 0, math.log(1.8), 1.2) * _draw_sign(faces))
    shift = [2 * _draw(faces, 0, 0.3, 2.0) * _draw_sign(faces) for _ in range(2)]
    cosine, sine = angle.cos() / size, angle.sin() / size
    matrix = torch.stack(
        [torch.stack([cosine, -sine, shift[0]], 1), torch.stack([sine, cosine, shift[1]], 1)], 1
    )
    grid = functional.affine_grid(matrix, list(faces.shape), align_corners=False)
    return functional.grid_sample(faces, grid, padding_mode="border", align_corners=False)


def occlude(faces: Tensor) -> Tensor:
    """Cover a part of each face: below a line, above one, a strip across, or a patch.

    The cover is one grey, a ramp of greys, noise, or a piece of another face.
    """
    count, _, height, width = faces.shape
    device = faces.device
    kind = torch.randint(4, (count,), device=device)
    left, right = torch.zeros(count, device=device), torch.ones(count, device=device)
    top, bottom = torch.zeros(count, device=device), torch.ones(count, device=device)
    below, above, strip, patch = (kind == number for number in range(4))
    top = torch.where(below, _draw(faces, 0.45, 0.95), top)
    bottom = torch.where(above, _draw(faces, 0.05, 0.42), bottom)
    middle, half = _draw(faces, 0.2, 0.9), _draw(faces, 0.04, 0.18)
    band = strip | patch
    top, bottom = torch.where(band, middle - half, top), torch.where(band, middle + half, bottom)
    center, reach = _draw(faces, 0.2, 0.8), _draw(faces, 0.08, 0.35)
    left = torch.where(patch, center - reach, left)
    right = torch.where(patch, center + reach, right)
    y = (torch.arange(height, device=device, dtype=faces.dtype) + 0.5) / height
    x = (torch.arange(width, device=device, dtype=faces.dtype) + 0.5) / width
    # a cover need not lie level
    slope = _draw(faces, -0.3, 0.3)
    tilted = y[None, :, None] + slope[:, None, None] * (x[None, None, :] - 0.5)
    inside = (tilted >= top[:, None, None]) & (tilted < bottom[:, None, None])
    inside &= ((x >= left[:, None]) & (x < right[:, None]))[:, None, :]
    return torch.where(inside[:, None], _draw_cover(faces, x, y), faces)


def _draw_cover(faces: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Return the occluding content of each face: float32 (N, C, H, W)."""
    tone, slant = _draw(faces, 0, 1), _draw(faces, -0.6, 0.6)
    angle = _draw(faces, 0, 2 * math.pi)
    ramp = angle.cos()[:, None, None] * (x - 0.5) + angle.sin()[:, None, None] * (y - 0.5)[:, None]
    material = torch.randint(4, (len(faces),), device=faces.device)
    cover = _per_face(tone) + _per_face(slant * (material >= 1)) * ramp[:, None]
    noise = _per_face(_draw(faces, 0, 0.25) * (material == 2)) * torch.randn_like(faces)
    others = faces.roll(1, 0).flip(2)
    return torch.where(_per_face(material == 3), others, (cover + noise).clamp(0, 1))


def change_light(faces: Tensor) -> Tensor:
    """Change brightness, contrast or gamma: glare to near darkness, fog to hard light."""
    kind = torch.randint(3, (len(faces),), device=faces.device)
    factor = torch.exp(_draw(faces, 0, math.log(0.06), 1.3))
    glare = _draw(faces, 1, 1.9)
    is_glare = _uniform(len(faces), faces.device) < 0.25
    brightness = torch.where(is_glare, glare, factor)
    contrast = torch.where(is_glare, _draw(faces, 1, 2), factor)
    gamma = torch.exp(_draw(faces, 0, math.log(3), 1.3) * _draw_sign(faces))
    mean = faces.mean(dim=(1, 2, 3), keepdim=True)
    # haze lifts the mean, too
    base = mean + _per_face(_draw(faces, -0.25, 0.25))
    return torch.where(
        _per_face(kind == 0),
        faces * _per_face(brightness),
        torch.where(
            _per_face(kind == 1),
            (faces - mean) * _per_face(contrast) + base.clamp(0.05, 0.95),
            faces.clamp_min(1e-4) ** _per_face(gamma),
        ),
    )


def blur(faces: Tensor) -> Tensor:
    """Blur by a Gaussian, a disc (defocus) or a line (motion), each face by a kernel of its own."""
    count, channels, height, width = faces.shape
    axis = torch.arange(_KERNEL, device=faces.device, dtype=faces.dtype) - _KERNEL // 2
    y, x = axis[None, :, None], axis[None, None, :]
    unit = width / 48
    distance = (x**2 + y**2).sqrt()
    sigma = unit * _draw(faces, 0.4, 3.2, 1.5)[:, None, None]
    gaussian = torch.exp(-(distance**2) / (2 * sigma**2))
    radius = unit * _draw(faces, 0.8, 5.5, 1.5)[:, None, None]
    disc = (radius + 0.5 - distance).clamp(0, 1)
    angle = _draw(faces, 0, math.pi)[:, None, None]
    half = unit * _draw(faces, 1, 7.5, 1.4)[:, None, None]
    along, across = x * angle.cos() + y * angle.sin(), y * angle.cos() - x * angle.sin()
    line = (1 - across.abs()).clamp(0, 1) * (half + 0.5 - along.abs()).clamp(0, 1)
    kind = torch.randint(3, (count, 1, 1), device=faces.device)
    kernels = torch.where(kind == 0, gaussian, torch.where(kind == 1, disc, line))
    kernels = kernels / kernels.sum(dim=(1, 2), keepdim=True)
    pad = _KERNEL // 2
    padded = functional.pad(faces, (pad,) * 4, mode="replicate")
    kernels = kernels[:, None].expand(-1, channels, -1, -1).reshape(-1, 1, _KERNEL, _KERNEL)
    flat = padded.reshape(1, count * channels, height + 2 * pad, width + 2 * pad)
    return functional.conv2d(flat, kernels, groups=count * channels).reshape(faces.shape)


def lower_resolution(faces: Tensor) -> Tensor:
    """Scale faces down, to an eighth of their width at most, and up again."""
    height, width = faces.shape[2:]
    changed = torch.empty_like(faces)
    # faces of one group share their size, so that each group is one operation
    groups = torch.randint(4, (len(faces),), device=faces.device)
    for group in range(4):
        rows = (groups == group).nonzero().squeeze(1)
        factor = float(torch.exp(_draw(faces[:1], 0, math.log(8), 1.2)).item())
        small = [max(4, round(side / factor)) for side in (height, width)]
        down, up = torch.randint(3, (2,)).tolist()
        if len(rows):
            reduced = _resize(faces[rows], small, ("area", "bilinear", "nearest-exact")[down])
            up_mode = ("bicubic", "bilinear", "nearest-exact")[up]
            changed[rows] = _resize(reduced, [height, width], up_mode)
    return changed


def _resize(faces: Tensor, size: list[int], mode: str) -> Tensor:
    aligned = {"align_corners": False} if mode in ("bilinear", "bicubic") else {}
    return functional.interpolate(faces, size, mode=mode, **aligned)


def add_noise(faces: Tensor) -> Tensor:
    """Add Gaussian or shot noise, fine or in grains of two pixels."""
    deviation = _per_face(torch.exp(_draw(faces, math.log(0.012), math.log(0.3), 1.2)))
    is_shot = _uniform(len(faces), faces.device) < 0.5
    deviation = torch.where(_per_face(is_shot), deviation * faces.clamp_min(0).sqrt(), deviation)
    noise = torch.randn_like(faces)
    grain = functional.avg_pool2d(noise, 2, 1, padding=1)[:, :, :-1, :-1] * 2
    is_grain = _uniform(len(faces), faces.device) < 0.25
    return faces + deviation * torch.where(_per_face(is_grain), grain, noise)


def compress(faces: Tensor, basis: Tensor, table: Tensor) -> Tensor:
    """Round the cosine coefficients of blocks of 8 x 8 pixels, as JPEG does.

    Args:
        faces: float32 (N, C, H, W) from 0 to 1.
        basis: float32 (8, 8), the orthonormal cosine basis.
        table: float32 (8, 8), the steps at quality 50, in units of white.
    """
    count, channels, height, width = faces.shape
    quality = _draw(faces, 3, 45)
    steps = torch.where(quality < 50, 50 / quality, 2 - quality / 50)
    down, right = -height % 8, -width % 8
    # a grid that begins anywhere: images are cut and compressed again
    first = [int(value) for value in torch.randint(8, (2,)).tolist()]
    pad = (first[1], (8 - first[1]) % 8 + right, first[0], (8 - first[0]) % 8 + down)
    padded = functional.pad(faces, pad, mode="replicate")
    rows, columns = padded.shape[2] // 8, padded.shape[3] // 8
    blocks = padded.reshape(count, channels, rows, 8, columns, 8).transpose(3, 4) - _MIDDLE
    waves = basis @ blocks @ basis.T
    coarse = table * steps[:, None, None, None, None, None]
    waves = (waves / coarse).round() * coarse
    blocks = basis.T @ waves @ basis + _MIDDLE
    padded = blocks.transpose(3, 4).reshape(padded.shape)
    return padded[:, :, first[0] : first[0] + height, first[1] : first[1] + width]


def _cosine_basis() -> Tensor:
    """Return the orthonormal basis of the 8-point cosine transform (type II), float32 (8, 8)."""
    place = torch.arange(8, dtype=torch.float64)
    basis = torch.cos(math.pi * (2 * place[None] + 1) * place[:, None] / 16) / 2
    basis[0] /= math.sqrt(2)
    return basis.float()


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
