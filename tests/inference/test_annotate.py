"""Boxes and labels: where they go, that they can be read, and that the rest stays as it was."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from emotion_detection.errors import InputError
from emotion_detection.images.opening import ImageError
from emotion_detection.inference import annotate
from emotion_detection.inference.annotate import (
    annotate_image,
    save_image,
)
from emotion_detection.inference.label_places import Area
from emotion_detection.labels import FERPLUS
from emotion_detection.palette import EMOTION_COLOURS, list_emotion_colours
from emotion_detection.results import UNCERTAIN_FACE, Face, Result


def _face(
    box: tuple[float, ...],
    emotion: str = "happiness",
    intensity: float | None = 0.5,
    track: int | None = None,
    names: tuple[str, ...] = FERPLUS,
) -> Face:
    scores = {name: 0.3 / (len(names) - 1) for name in names} | {emotion: 0.7}
    return Face(tuple(map(float, box)), (), 0.9, scores, intensity, track=track)


def _image(width: int, height: int, level: int = 90) -> np.ndarray:
    return np.full((height, width, 3), level, np.uint8)


def _drawn(width: int, height: int, *faces: Face, level: int = 90, **options: Any) -> np.ndarray:
    result = Result(width, height, faces)
    return np.asarray(annotate_image(_image(width, height, level), result, **options))


def _layout(
    width: int, height: int, faces: list[Face], bars: bool = True
) -> list[tuple[int, int, int, int]]:
    """Return left, top, right and bottom of each label."""
    boxes = [Area.of(face) for face in faces]
    colours = list_emotion_colours(FERPLUS)
    labels, places = annotate._best_layout((width, height), faces, boxes, colours, bars)
    return [
        (x, y, x + label.width, y + label.height)
        for label, (x, y) in zip(labels, places, strict=True)
    ]


def _overlap(one: tuple[float, ...], two: tuple[float, ...]) -> float:
    wide = min(one[2], two[2]) - max(one[0], two[0])
    high = min(one[3], two[3]) - max(one[1], two[1])
    return max(0.0, wide) * max(0.0, high)


def test_what_may_be_no_face_is_drawn_thin() -> None:
    face = _face((60, 60, 120, 120))
    doubtful = replace(face, flags=(UNCERTAIN_FACE,))
    sure, thin = (_drawn(300, 300, one) for one in (face, doubtful))
    row = slice(100, 140), slice(40, 80)  # its left side
    changed = [(drawn[row] != 90).any(axis=2).sum(axis=1) for drawn in (sure, thin)]
    assert (changed[1] >= 1).all()
    assert (changed[1] < changed[0]).all()


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_a_colour_profile_is_kept(suffix: str, tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = Image.fromarray(_image(40, 30))
    save_image(image, tmp_path / f"a{suffix}", profile)
    save_image(image, tmp_path / f"b{suffix}")
    with Image.open(tmp_path / f"a{suffix}") as kept, Image.open(tmp_path / f"b{suffix}") as plain:
        assert kept.info["icc_profile"] == profile
        assert "icc_profile" not in plain.info


def test_nothing_is_drawn_where_there_is_no_face() -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    image = annotate_image(image, Result(60, 40))
    assert image.mode == "RGB"
    np.testing.assert_array_equal(np.asarray(image), image)


def test_the_given_image_stays_as_it_was() -> None:
    image = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    before = image.copy()
    drawn = np.asarray(annotate_image(image, Result(320, 240, (_face((100, 100, 60, 80)),))))
    np.testing.assert_array_equal(image, before)
    changed = np.argwhere((drawn != image).any(axis=2))
    assert drawn.shape == image.shape
    # only the box with its label is touched: nothing far from the face, nothing inside of it
    assert changed.min(axis=0)[0] > 20
    assert changed.max(axis=0)[0] < 190
    np.testing.assert_array_equal(drawn[110:170, 110:150], image[110:170, 110:150])


@pytest.mark.parametrize("emotion", FERPLUS)
@pytest.mark.parametrize("level", [0, 60, 128, 255])
def test_a_box_has_the_emotions_colour_and_dark_edges(emotion: str, level: int) -> None:
    drawn = _drawn(400, 400, _face((100, 200, 120, 150), emotion), level=level)
    row = drawn[275].astype(int)
    line = np.flatnonzero((row == EMOTION_COLOURS[emotion]).all(axis=1))
    assert 100 in line
    assert 220 in line
    for side in (line[line < 160], line[line > 160]):
        assert len(side) >= 2
        for beside in (side.min() - 1, side.max() + 1):
            assert row[beside].max() < 40


@pytest.mark.parametrize("emotion", FERPLUS)
def test_text_on_each_colour_can_be_read(emotion: str) -> None:
    def luminance(colour: Any) -> float:
        level = np.asarray(colour) / 255
        linear = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    one, two = (
        luminance(EMOTION_COLOURS[emotion]),
        luminance(annotate._ink(EMOTION_COLOURS[emotion])),
    )
    # WCAG 2 asks for 4.5
    assert (max(one, two) + 0.05) / (min(one, two) + 0.05) >= 4.5


def _lab(colours: np.ndarray) -> np.ndarray:
    """Return CIELAB by LittleCMS, for sRGB uint8 (N, 3)."""
    profile = ImageCms.createProfile
    image = Image.fromarray(colours[None].astype(np.uint8))
    lab = ImageCms.profileToProfile(image, profile("sRGB"), profile("LAB"), outputMode="LAB")
    values = np.asarray(lab)[0].astype(float)
    signed = np.where(values[:, 1:] > 127, values[:, 1:] - 256, values[:, 1:])
    return np.column_stack([values[:, 0] * 100 / 255, signed])


SEEN = {
    "all": np.eye(3),
    # Machado, Oliveira & Fernandes (2009), whole loss of one kind of cones; on linear RGB
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
}


@pytest.mark.parametrize("vision", SEEN)
def test_no_two_emotions_look_alike_to_anyone(vision: str) -> None:
    level = np.array(list(EMOTION_COLOURS.values())) / 255
    linear = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ SEEN[vision].T, 0, 1)
    shown = np.where(seen <= 0.0031308, seen * 12.92, 1.055 * seen ** (1 / 2.4) - 0.055)
    lab = _lab(np.rint(shown * 255))
    distance = np.linalg.norm(lab[:, None] - lab[None], axis=2)
    assert distance[~np.eye(len(lab), dtype=bool)].min() > 15  # about 2 can just be noticed


def _grid(width: int, height: int, columns: int, rows: int, size: int) -> list[Face]:
    return [
        _face(
            (
                (column + 0.5) * width / columns - size / 2,
                (row + 0.55) * height / rows - size * 0.6,
                size,
                size * 1.2,
            ),
            FERPLUS[(row + column) % len(FERPLUS)],
        )
        for row in range(rows)
        for column in range(columns)
    ]


@pytest.mark.parametrize(
    ("width", "height", "columns", "rows", "size"),
    [
        (1920, 1080, 3, 1, 200),
        (1280, 720, 4, 3, 100),
        (1280, 720, 9, 5, 60),
        (800, 600, 6, 3, 64),
        (120, 160, 1, 2, 40),
        (640, 480, 1, 1, 150),
    ],
)
def test_labels_hide_neither_faces_nor_one_another(
    width: int, height: int, columns: int, rows: int, size: int
) -> None:
    faces = _grid(width, height, columns, rows, size)
    labels = _layout(width, height, faces)
    for own, label in enumerate(labels):
        assert 0 <= label[0] < label[2] <= width
        assert 0 <= label[1] < label[3] <= height
        for other in labels[own + 1 :]:
            assert _overlap(label, other) == 0
        for face in faces:
            x, y, wide, high = face.box
            hidden = _overlap(label, (x, y, x + wide, y + high))
            assert hidden <= 0.06 * wide * high


def test_labels_are_rich_where_there_is_room_and_short_in_a_crowd() -> None:
    (roomy,) = _layout(640, 480, [_face((250, 200, 120, 150))])
    (short,) = _layout(640, 480, [_face((250, 200, 120, 150))], bars=False)
    crowded = _layout(640, 480, _grid(640, 480, 8, 5, 50))
    assert roomy[3] - roomy[1] > 2.5 * (short[3] - short[1])
    assert max(bottom - top for _, top, _, bottom in crowded) <= short[3] - short[1]


def test_labels_grow_with_the_image_and_stay_readable() -> None:
    heights = {}
    for width in (120, 640, 1920, 3840):
        face = _face((0.3 * width, 0.3 * width, 0.3 * width, 0.35 * width))
        ((_, top, _, bottom),) = _layout(width, width, [face], bars=False)
        heights[width] = bottom - top
    assert heights[120] >= 14
    assert heights[120] <= heights[640] < heights[1920] < heights[3840]


@pytest.mark.parametrize(
    ("width", "height", "box"),
    [
        (1, 1, (0, 0, 1, 1)),
        (3, 400, (0, 100, 3, 3)),
        (400, 5, (100, 0, 5, 5)),
        (48, 48, (0, 0, 48, 48)),
        (100, 100, (-50, -60, 300, 400)),
        (100, 100, (90, 90, 40, 40)),
        (100, 100, (200, 200, 40, 40)),
        (100, 100, (50.3, 50.7, 0.2, 0.1)),
        (3000, 40, (1000, 5, 25, 30)),
    ],
)
@pytest.mark.parametrize("intensity", [None, 0.0, 1.0])
def test_any_image_and_box_can_be_drawn(
    width: int, height: int, box: tuple[float, ...], intensity: float | None
) -> None:
    drawn = _drawn(width, height, _face(box, intensity=intensity))
    assert drawn.shape == (height, width, 3)
    assert (drawn != 90).any()


@pytest.mark.parametrize("bars", [True, False])
def test_intensity_and_track_are_shown(bars: bool) -> None:
    box = (150, 200, 100, 120)
    images = [
        _drawn(400, 400, _face(box, intensity=intensity, track=track), bars=bars)
        for intensity, track in [(None, None), (0.1, None), (0.9, None), (0.9, 0), (0.9, 7)]
    ]
    for own, one in enumerate(images):
        assert all((one != two).any() for two in images[own + 1 :])


def test_own_classes_have_colours_and_long_names_stay_in_the_image() -> None:
    names = ("ein sehr langer Name " * 5, "größer", "neutral")
    colours = list_emotion_colours(names)
    assert colours["neutral"] == EMOTION_COLOURS["neutral"]
    assert len(set(colours.values())) == 3
    drawn = _drawn(200, 150, _face((60, 60, 60, 70), names[0], names=names))
    assert drawn.shape == (150, 200, 3)


def test_an_image_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="the result is of"):
        annotate_image(_image(30, 40), Result(40, 30))


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.png", "PNG"), ("a.JPG", "JPEG"), ("a.jpeg", "JPEG"), ("neu/b ü.webp", "WEBP")],
)
def test_images_are_written_in_the_format_of_their_name(
    tmp_path: Path, name: str, kind: str
) -> None:
    image = Image.fromarray(_image(20, 10, 77))
    save_image(image, tmp_path / name)
    read = Image.open(io.BytesIO((tmp_path / name).read_bytes()))
    assert (read.format, read.size) == (kind, (20, 10))
    assert np.abs(np.asarray(read.convert("RGB")).astype(int) - 77).max() <= 2
    assert [path.name for path in (tmp_path / name).parent.iterdir()] == [Path(name).name]


@pytest.mark.parametrize("name", ["a.gif", "a", "a.png.txt"])
def test_other_formats_are_not_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"must end in \.jpg"):
        save_image(Image.new("RGB", (2, 2)), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_can_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written") as refusal:
        save_image(Image.new("RGB", (2, 2)), tmp_path / "file" / "a.png")
    assert not isinstance(refusal.value, ImageError)


@pytest.mark.parametrize(
    ("name", "width", "said"),
    [
        ("a.webp", 17_000, "17000 x 2 pixels cannot be written as WEBP"),
        ("a.jpg", 70_000, "70000 x 2 pixels cannot be written as JPEG"),
        (f"{'a' * 245}.png", 2, "cannot be written: File name too long"),
    ],
)
def test_what_one_image_alone_cannot_be_written_for_is_its_own_error(
    tmp_path: Path, name: str, width: int, said: str
) -> None:
    with pytest.raises(ImageError, match=said) as refusal:
        save_image(Image.new("RGB", (width, 2)), tmp_path / name)
    assert "\n" not in str(refusal.value)
    assert list(tmp_path.iterdir()) == []
