"""What each corruption does to a face, against SciPy and against where drawn faces have things."""

import numpy as np
import pytest
from scipy import ndimage

from emotion_detection.data.synthetic import make_synthetic_faces
from emotion_detection.evaluation.corruptions import CORRUPTIONS, STRENGTHS, corrupt


@pytest.fixture(scope="module")
def drawn() -> np.ndarray:
    """uint8 (64, 1, 48, 48)."""
    return make_synthetic_faces(64).faces[:, None]


@pytest.mark.parametrize("name", ["rotation", "tight_crop", "loose_crop"])
def test_faces_are_placed_as_scipy_places_them(name: str, drawn: np.ndarray) -> None:
    spoiled = corrupt(drawn, name, 3).astype(int)
    at = CORRUPTIONS[name].strengths[2]

    def placed(face: np.ndarray, angle: float, factor: float) -> np.ndarray:
        cosine, sine = np.cos(np.deg2rad(angle)) / factor, np.sin(np.deg2rad(angle)) / factor
        turn = np.array([[cosine, -sine], [sine, cosine]])
        middle = np.array([23.5, 23.5])
        return ndimage.affine_transform(
            face.astype(float), turn, middle - turn @ middle, order=1, mode="nearest"
        )

    for face, own in zip(drawn[:8, 0], spoiled[:8, 0], strict=True):
        ways = [placed(face, a, 1) for a in (at, -at)] if name == "rotation" else []
        ways = ways or [placed(face, 0, at)]
        assert min(np.abs(own - way).max() for way in ways) <= 2.5  # 1/256 of a pixel off


def test_shifted_faces_are_moved_as_far_as_documented(drawn: np.ndarray) -> None:
    far = 0.18 * 48
    directions = 2 * np.pi * np.arange(16) / 16
    for face, own in zip(drawn[:8, 0], corrupt(drawn, "shift", 3)[:8, 0], strict=True):
        ways = [
            ndimage.shift(face.astype(float), far * np.array(by), order=1, mode="nearest")
            for by in zip(np.sin(directions), np.cos(directions), strict=True)
        ]
        assert min(np.abs(own - way).max() for way in ways) <= 2.5


def test_blur_keeps_light_and_spreads_a_point_as_far_as_documented() -> None:
    point = np.zeros((16, 1, 97, 97), np.uint8)
    point[:, :, 46:51, 46:51] = 255
    down, right = (np.indices((97, 97)) - 48).astype(float)
    for name, reach in (("defocus_blur", 0.06), ("motion_blur", 0.17 / 2)):
        spread = corrupt(point, name, 3)[:, 0].astype(float)
        assert spread.sum(axis=(1, 2)) == pytest.approx(255 * 25, rel=0.15)  # rounded to bytes
        away = np.hypot(down, right)[spread.max(axis=0) > 4].max()
        assert away == pytest.approx(reach * 97 + np.hypot(2, 2), abs=1.6)
    # a line, not a disc: long one way and short the other
    for lines in spread:
        seen = np.stack([down[lines > 4], right[lines > 4]])
        narrow, wide = np.linalg.eigvalsh(np.cov(seen))
        assert wide > 5 * narrow


def test_low_resolution_is_the_mean_of_areas() -> None:
    faces = make_synthetic_faces(4).faces[:, None]
    halves = faces.reshape(4, 1, 24, 2, 24, 2).mean(axis=(3, 5))
    # bilinear between the middles of the 24 pixels
    places = np.clip((np.arange(48) + 0.5) / 2 - 0.5, 0, 23)
    grid = np.meshgrid(places, places, indexing="ij")
    for face, half in zip(corrupt(faces, "low_resolution", 1)[:, 0], halves[:, 0], strict=True):
        wanted = ndimage.map_coordinates(half, grid, order=1, mode="nearest")
        np.testing.assert_allclose(face, wanted, atol=0.51)


@pytest.mark.parametrize("strength", STRENGTHS)
def test_noise_has_the_deviation_that_is_documented(strength: int) -> None:
    for level in (60, 128, 200):
        flat = np.full((30, 1, 48, 48), level, np.uint8)
        sd = CORRUPTIONS["gaussian_noise"].strengths[strength - 1]
        photons = CORRUPTIONS["shot_noise"].strengths[strength - 1]
        shot = 255 * np.sqrt(level / 255 / photons)
        for name, wanted in (("gaussian_noise", sd), ("shot_noise", shot)):
            noise = corrupt(flat, name, strength).astype(float) - level
            # cut off at black and white as a camera does
            normal = np.random.default_rng(0).normal(0, wanted, noise.size)
            normal = np.clip(np.rint(normal + level), 0, 255) - level
            assert noise.std() == pytest.approx(normal.std(), rel=0.03, abs=0.1)
            assert noise.mean() == pytest.approx(normal.mean(), abs=0.05 * wanted)
        assert len({face.tobytes() for face in corrupt(flat, "gaussian_noise", strength)}) == 30


def _points(size: int) -> dict[str, np.ndarray]:
    """Pixels (N, points, 2), x and y, of drawn faces' landmarks, as the drawing places them."""
    drawn = make_synthetic_faces(64, size=size)
    p = drawn.parameters
    corner = np.maximum(p["mouth_size"], 0.10)
    spots = {
        "eyes": [(-p["eye_spacing"], -0.14), (p["eye_spacing"], -0.14)],
        "mouth": [
            (-corner, p["mouth_height"]),
            (0, p["mouth_height"]),
            (corner, p["mouth_height"]),
        ],
        "chin": [(0, 0.95 * p["head_height"])],
        "hair": [(0, p["hairline"] - 0.05)],
    }
    found = {}
    for name, places in spots.items():
        points = []
        for x, y in places:
            # a turned head's features slide to the side; see render_faces
            x = x + 0.22 * p["yaw"]
            cosine, sine = np.cos(np.deg2rad(p["tilt"])), np.sin(np.deg2rad(p["tilt"]))
            right, down = cosine * x - sine * y, sine * x + cosine * y
            points.append((right * p["scale"] + p["shift_x"], down * p["scale"] + p["shift_y"]))
        found[name] = (np.moveaxis(np.array(points), -1, 0) + 1) * size / 2
    return found


@pytest.mark.parametrize("size", [48, 64])
@pytest.mark.parametrize(
    ("name", "spot", "least"),
    [
        ("eyes_covered", "eyes", (0, 0.6, 0.9, 0.97, 1.0)),
        ("mouth_covered", "mouth", (0, 0.3, 0.6, 0.95, 1.0)),
        ("mask", "mouth", (0, 0, 0.9, 1.0, 1.0)),
        ("mask", "chin", (0.4, 0.95, 1.0, 1.0, 1.0)),
        ("hat", "hair", (0, 0.3, 0.9, 0.95, 1.0)),
    ],
)
def test_regions_that_are_documented_as_covered_are(
    name: str, spot: str, least: tuple[float, ...], size: int
) -> None:
    faces = make_synthetic_faces(64, size=size).faces[:, None]
    points = np.clip(_points(size)[spot], 0, size - 1).astype(int)
    for strength, share in zip(STRENGTHS, least, strict=True):
        spoiled = corrupt(faces, name, strength)
        # one grey over an upright rectangle: where two greys both differ from the face's
        other = corrupt(faces, name, strength, seed=1)
        area = ((spoiled != faces) | (other != faces)).any(axis=(0, 1))
        hidden = area[points[..., 1], points[..., 0]]
        assert hidden.mean() >= share, (name, strength, hidden.mean())
        covered = spoiled[:, 0][:, area]
        assert (covered == covered[:, :1]).all()
        assert np.array_equal(spoiled[:, 0][:, ~area], faces[:, 0][:, ~area])


@pytest.mark.parametrize(
    ("name", "spot"), [("eyes_covered", "mouth"), ("mouth_covered", "eyes"), ("mask", "eyes")]
)
def test_regions_that_are_not_documented_as_covered_are_not(name: str, spot: str) -> None:
    faces = make_synthetic_faces(64).faces[:, None]
    points = np.clip(_points(48)[spot], 0, 47).astype(int)
    area = (corrupt(faces, name, 4) != faces).any(axis=(0, 1))
    assert area[points[..., 1], points[..., 0]].mean() <= 0.05


def test_dark_and_flat_leave_the_percent_that_is_documented(drawn: np.ndarray) -> None:
    for strength, percent in zip(STRENGTHS, (60, 40, 25, 15, 8), strict=True):
        dark, flat = (corrupt(drawn, name, strength) for name in ("darkness", "low_contrast"))
        np.testing.assert_allclose(dark, drawn * (percent / 100), atol=0.51)
        means = drawn.mean(axis=(1, 2, 3), keepdims=True)
        np.testing.assert_allclose(flat, means + (drawn - means) * percent / 100, atol=1.01)
