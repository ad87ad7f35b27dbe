"""From photographs to results: where the faces are, what they show, and what cannot be read."""

import inspect
import io
import itertools
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image

from emotion_detection import EmotionDetector
from emotion_detection.data.synthetic import make_synthetic_faces
from emotion_detection.errors import InputError
from emotion_detection.images.opening import ImageError
from emotion_detection.inference.align import MARGIN, align, compute_placement, cut_out
from emotion_detection.labels import FERPLUS
from emotion_detection.postprocessing import Prior
from emotion_detection.results import CUT, UNCERTAIN_FACE, UNSURE, Result
from emotion_detection.views import VIEWS, ZOOM, make_views

PLACES = [(60, 40, 160), (330, 90, 120), (560, 30, 200)]  # x, y, size of each drawn face


def _photograph(places: list[tuple[int, int, int]] = PLACES) -> np.ndarray:
    """Return three drawn faces on grey, uint8 (300, 800, 3)."""
    canvas = Image.new("RGB", (800, 300), (128, 128, 128))
    for face, (x, y, size) in zip(
        make_synthetic_faces(len(places), seed=3).faces, places, strict=True
    ):
        canvas.paste(Image.fromarray(face).convert("RGB").resize((size, size)), (x, y))
    return np.asarray(canvas)


@pytest.fixture(scope="module")
def detector() -> EmotionDetector:
    return EmotionDetector(threads=1)


@pytest.fixture(scope="module")
def found(detector: EmotionDetector) -> Result:
    return detector.detect(_photograph())


def test_each_face_is_found_where_it_is(found: Result) -> None:
    assert (found.width, found.height, found.skipped, found.source) == (800, 300, 0, None)
    assert len(found.faces) == len(PLACES)
    for face, (x, y, size) in zip(found.faces, PLACES, strict=True):
        centre = (face.box[0] + face.box[2] / 2, face.box[1] + face.box[3] / 2)
        assert abs(centre[0] - (x + size / 2)) < 0.2 * size
        assert abs(centre[1] - (y + size / 2)) < 0.25 * size
        assert 0.3 * size < face.box[2] < 1.1 * size
        left, right, nose, *mouth = face.landmarks
        assert left[0] < nose[0] < right[0]
        assert max(left[1], right[1]) < nose[1] < min(point[1] for point in mouth)
        assert 0.5 <= face.confidence <= 1
        assert face.flags == ()


def test_scores_are_those_of_the_aligned_crops(detector: EmotionDetector, found: Result) -> None:
    photograph, closer = _photograph(), MARGIN / ZOOM
    crops = [align(photograph, face.box, face.landmarks, 48) for face in found.faces]
    enlarged = [
        cut_out(photograph, compute_placement(face.box, face.landmarks, 48, closer), 48, 1)
        for face in found.faces
    ]
    views = [
        view for one in (crops, enlarged) for view in (np.stack(one), np.stack(one)[..., ::-1])
    ]
    readout = detector.readouts[detector.label_set]
    scores = readout.combine([detector.classify(view) for view in views])
    intensity = np.mean([detector.intensity(view) for view in views], axis=0)
    for row, face in enumerate(found.faces):
        assert tuple(face.scores) == FERPLUS
        np.testing.assert_allclose(list(face.scores.values()), scores[row], atol=1e-5)
        assert face.emotion == detector.labels[scores[row].argmax()]
        assert face.intensity == pytest.approx(float(intensity[row]), abs=1e-5)


@pytest.mark.parametrize("shape", ["path", "str", "bytes", "pillow", "array"])
def test_an_image_may_come_in_any_shape(
    detector: EmotionDetector, found: Result, tmp_path: Path, shape: str
) -> None:
    pixels, path = _photograph(), tmp_path / "a photo \N{SNOWMAN}.png"
    Image.fromarray(pixels).save(path)
    image: Any = {
        "path": path,
        "str": str(path),
        "bytes": path.read_bytes(),
        "pillow": Image.fromarray(pixels),
        "array": pixels,
    }[shape]
    result = detector.detect(image)
    assert result.faces == found.faces
    assert result.source == (str(path) if shape in ("path", "str") else None)


def test_a_list_gives_a_list(detector: EmotionDetector, found: Result) -> None:
    blank = np.full((100, 140, 3), 127, np.uint8)
    one, none, two = detector.detect([_photograph(), blank, _photograph()])
    assert (none.width, none.height, none.faces) == (140, 100, ())
    for result in (one, two):
        assert [face.box for face in result.faces] == [face.box for face in found.faces]
        for face, alone in zip(result.faces, found.faces, strict=True):
            assert face.scores == pytest.approx(alone.scores, abs=1e-5)
    assert detector.detect([]) == []


def test_errors_stand_in_the_place_of_their_images(
    detector: EmotionDetector, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no image")
    whole = _photograph()
    first, error, last = detector.detect_many([whole, broken, whole])
    assert isinstance(error, ImageError)
    assert str(error).startswith(f"{broken}: not an image in a format that is read")
    assert isinstance(first, Result)
    assert first == last
    with pytest.raises(ImageError, match=r"broken\.jpg"):
        detector.detect([whole, broken])
    with pytest.raises(InputError, match=r"gone\.png: no such file"):
        detector.detect(tmp_path / "gone.png")


def test_small_faces_are_counted_and_not_read(found: Result) -> None:
    limit = (max(found.faces[1].box[2:]) + max(found.faces[0].box[2:])) / 2
    result = EmotionDetector(threads=1, min_face_size=limit).detect(_photograph())
    assert (len(result.faces), result.skipped) == (2, 1)
    assert [face.box for face in result.faces] == [found.faces[place].box for place in (0, 2)]


def test_a_face_that_leaves_the_image_is_flagged_as_cut(detector: EmotionDetector) -> None:
    pixels = _photograph([(60, 40, 200)])
    whole = detector.detect(pixels).faces[0]
    edge = int(whole.box[0] + 0.3 * whole.box[2])
    (cut,) = detector.detect(np.ascontiguousarray(pixels[:, edge:])).faces
    assert (whole.flags, cut.flags) == ((), (CUT,))


def test_only_one_frame_of_an_animation_is_read_with_a_note(
    detector: EmotionDetector, tmp_path: Path
) -> None:
    frames = [Image.fromarray(_photograph()), Image.new("RGB", (800, 300))]
    frames[0].save(tmp_path / "two.webp", save_all=True, append_images=frames[1:], lossless=True)
    result = detector.detect(tmp_path / "two.webp")
    assert len(result.faces) == len(PLACES)
    assert any("first of 2 frames" in note for note in result.notes)


def test_threads_share_a_detector(found: Result) -> None:
    detector = EmotionDetector(threads=1)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(detector.detect, [_photograph()] * 8))
    assert all(result == results[0] for result in results)
    assert results[0].faces == found.faces


def test_a_model_without_intensity_tells_none(grey: Any, colour: Any) -> None:
    faces = EmotionDetector(colour.path, threads=1).detect(_photograph()).faces
    assert [face.intensity for face in faces] == [None] * 3
    faces = EmotionDetector(grey.path, threads=1, labels="fer2013").detect(_photograph()).faces
    assert all(len(face.scores) == 7 and face.intensity is not None for face in faces)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("detection_size", 8),
        ("min_confidence", 0.0),
        ("min_confidence", 50),
        ("min_face_size", -1.0),
        ("min_score", "high"),
        ("certain", None),
        ("model", 3),
        ("labels", ["ferplus"]),
        ("device", "gpu"),
        ("views", 2.5),
        ("views", True),
        ("device", -1),
        ("device", 0.5),
    ],
)
def test_bad_settings_are_refused_when_the_detector_is_made(setting: str, value: Any) -> None:
    with pytest.raises(InputError, match=f"^{setting} ") as error:
        EmotionDetector(threads=1, **{setting: value})
    assert "\n" not in str(error.value)


def test_it_detects_where_nothing_heavy_can_be_imported() -> None:
    png = io.BytesIO()
    Image.fromarray(_photograph()).save(png, "PNG")
    code = (
        "import sys\n"
        "heavy = 'torch torchvision pytorch_lightning lightning cv2 matplotlib pyarrow timm'\n"
        "sys.modules.update(dict.fromkeys(heavy.split()))\n"  # importing them fails
        "from emotion_detection import EmotionDetector\n"
        "print(len(EmotionDetector(threads=1).detect(sys.stdin.buffer.read()).faces))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=png.getvalue(), capture_output=True, check=True
    )
    assert done.stdout.decode().strip() == "3"


def test_people_keep_their_numbers_in_a_video(detector: EmotionDetector, tmp_path: Path) -> None:
    pytest.importorskip("av", reason="the extra video is not installed")
    from emotion_detection.inference.video_writer import VideoWriter

    path = tmp_path / "two.mp4"
    with VideoWriter(path, 10) as video:
        for step in range(6):
            places = [(60 + 8 * step, 40, 160), (420 - 8 * step, 60, 160)]
            video.write(_photograph(places), step / 10)
    raw = list(detector.detect_video(path, frame_stride=2, smoothing=0))
    assert [result.frame for result in raw] == [0, 2, 4]
    assert [result.time for result in raw] == pytest.approx([0, 0.2, 0.4], abs=1e-3)
    assert {result.source for result in raw} == {str(path)}
    assert all(result._origin is None for result in raw)  # frames would fill the memory
    assert [[face.track for face in result.faces] for result in raw] == [[1, 2]] * 3
    with pytest.warns(DeprecationWarning, match="every is now called frame_stride"):
        smooth = list(detector.detect_video(path, every=2, smoothing=10))
    for one, other in zip(raw, smooth, strict=True):
        assert [face.raw_scores for face in other.faces] == [face.scores for face in one.faces]

    def travelled(results: list[Result]) -> float:
        first, last = (np.array(list(r.faces[0].scores.values())) for r in results[::2])
        return float(np.abs(last - first).sum())

    assert travelled(smooth) < travelled(raw)
    seconds = list(detector.detect_video(path, every_seconds=0.3))
    assert [result.frame for result in seconds] == [0, 3]


@pytest.mark.parametrize(
    ("source", "error", "said"),
    [
        ("gone.mp4", ImageError, "no such file"),
        (987, ImageError, "987: no such camera|987: cannot be read"),
        (-1, InputError, "cameras are numbered from 0"),
        (1.5, InputError, "a video of float: must be a path, a camera's number, or"),
        (b"gone.mp4", InputError, "a video of bytes: must be"),
        ("ftp://host/a.mp4", InputError, "only local files are opened"),
    ],
)
def test_what_is_no_video_is_reported_in_one_line(
    detector: EmotionDetector, source: Any, error: type[Exception], said: str
) -> None:
    pytest.importorskip("av", reason="the extra video is not installed")
    with pytest.raises(error, match=said):
        next(detector.detect_video(source))


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "faces"), [("justin.jpg", 1), ("sample3.jpg", 3), ("sample6.jpg", 4)]
)
def test_all_faces_of_photos_are_found_and_nothing_else(
    detector: EmotionDetector, photographs: Path, name: str, faces: int
) -> None:
    result = detector.detect(photographs / name)
    assert (len(result.faces), result.skipped) == (faces, 0)
    assert all(face.confidence > 0.8 and face.flags == () for face in result.faces)
    for one, other in itertools.pairwise(result.faces):  # side by side
        assert one.box[0] + one.box[2] < other.box[0]
    assert "happiness" in {face.emotion for face in result.faces}


def test_unsure_faces_are_flagged(found: Result) -> None:
    scores = sorted(face.score for face in found.faces)
    least = (scores[0] + scores[1]) / 2
    told = EmotionDetector(threads=1, min_score=least).detect(_photograph())
    assert [UNSURE in face.flags for face in told.faces] == [f.score < least for f in found.faces]
    assert sum(UNSURE in face.flags for face in told.faces) == 1


def test_uncertain_faces_are_flagged(found: Result) -> None:
    confidences = sorted(face.confidence for face in found.faces)
    level = (confidences[0] + confidences[1]) / 2
    told = EmotionDetector(threads=1, certain=level).detect(_photograph())
    flagged = [UNCERTAIN_FACE in face.flags for face in told.faces]
    assert flagged == [face.confidence < level for face in found.faces]
    assert flagged == [face.is_uncertain for face in told.faces]
    assert sum(flagged) == 1
    with pytest.raises(InputError, match="certain 2: must be a number between 0 and 1"):
        EmotionDetector(certain=2)


def test_images_with_more_pixels_than_allowed_are_refused() -> None:
    out = io.BytesIO()
    Image.fromarray(_photograph()).save(out, "PNG")
    detector = EmotionDetector(threads=1, max_pixels=1000)
    with pytest.raises(ImageError, match=r"800 x 300 pixels: more than 0\.001 megapixels"):
        detector.detect(out.getvalue())
    for bad in (0, 1.5, "many"):
        with pytest.raises(InputError, match="max_pixels"):
            EmotionDetector(max_pixels=bad)


def test_opencvs_order_of_colours_gives_the_same(detector: EmotionDetector) -> None:
    rgb = _photograph().copy()
    rgb[..., 2] //= 2
    (bgr,) = detector.detect_many([np.ascontiguousarray(rgb[..., ::-1])], color="bgr")
    assert bgr == detector.detect(rgb) == detector.detect([rgb[..., ::-1]], color="BGR")[0]
    assert bgr != detector.detect(rgb[..., ::-1])


def test_a_single_image_is_one_image(detector: EmotionDetector, tmp_path: Path) -> None:
    (missing,) = detector.detect_many("a.jpg")
    assert str(missing) == "a.jpg: no such file"
    path = tmp_path / "a.png"
    Image.fromarray(_photograph()).save(path)
    whole = detector.detect(_photograph())
    for form in (str(path), path, path.read_bytes(), Image.open(path), _photograph()):
        (told,) = detector.detect_many(form)
        assert isinstance(told, Result)
        assert told.faces == whole.faces


def test_a_pickled_detector_gives_the_same(detector: EmotionDetector) -> None:
    made = EmotionDetector(threads=1, labels="fer2013", min_score=0.4, certain=0.6)
    again = pickle.loads(pickle.dumps(made))
    assert (again.settings, again.label_set) == (made.settings, "fer2013")
    assert again.detect(_photograph()) == made.detect(_photograph())


def test_long_inputs_are_cut_in_messages(detector: EmotionDetector) -> None:
    for text in ("data:image/jpeg;base64," + "A" * 300_000, "A" * 300_000):
        with pytest.raises(ImageError) as caught:
            detector.detect(text)
        assert len(str(caught.value)) < 400


def test_crops_of_large_images_come_from_their_full_size(detector: EmotionDetector) -> None:
    canvas = Image.new("RGB", (8000, 4000), (128, 128, 128))
    for face, x in zip(make_synthetic_faces(2, seed=3).faces, (1000, 6000), strict=True):
        big = Image.fromarray(face).convert("RGB").resize((260, 260), Image.Resampling.BICUBIC)
        canvas.paste(big, (x, 1500))
    out = io.BytesIO()
    canvas.save(out, "JPEG", quality=95)
    told, expected = detector.detect(out.getvalue()), detector.detect(np.asarray(canvas))
    assert (told.width, told.height) == (8000, 4000)
    assert len(told.faces) == len(expected.faces) == 2
    for one, other in zip(told.faces, expected.faces, strict=True):
        np.testing.assert_allclose(one.box, other.box, atol=30)
        assert abs(one.scores[other.emotion] - other.score) < 0.25


@pytest.mark.parametrize("least", [-0.1, 1.1, float("nan")])
def test_a_bad_min_score_is_named(least: float) -> None:
    with pytest.raises(InputError, match="between 0 and 1"):
        EmotionDetector(min_score=least)


def test_it_tells_its_settings() -> None:
    told: dict[str, Any] = {"detection_size": 320, "min_confidence": 0.5, "min_face_size": 40.0}
    told |= {"min_score": 0.6, "certain": 0.7, "max_pixels": 1000}
    assert EmotionDetector(**told).settings._asdict() == told
    defaults = inspect.signature(EmotionDetector).parameters
    plain = EmotionDetector().settings._asdict()
    assert plain == {name: defaults[name].default for name in told}


@pytest.mark.parametrize("views", VIEWS)
def test_views_of_images_and_of_crops_are_averaged(views: int) -> None:
    crops = make_synthetic_faces(3).faces
    plain, averaged = EmotionDetector(threads=1), EmotionDetector(threads=1, views=views)
    shown = make_views(crops[:, None], views)
    own = plain.readouts[plain.label_set].combine([plain.classify(one[:, 0]) for one in shown])
    np.testing.assert_allclose(averaged.classify(crops), own, atol=1e-5)
    assert averaged.views == views
    assert plain.views == 4


def test_other_views_and_priors_are_refused() -> None:
    with pytest.raises(InputError, match="views 3: must be one of 1, 2, 4"):
        EmotionDetector(views=3)
    with pytest.raises(InputError, match="prior 'uniform': must be one of natural, balanced"):
        EmotionDetector(prior=cast(Prior, "uniform"))
