"""What Python users meet: the package's names, and results to draw, cut, save and tabulate."""

import io
import pickle
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from PIL import Image

import emotion_detection
from emotion_detection import (
    EmotionDetector,
    Explanation,
    Face,
    ImageError,
    InputError,
    Result,
    annotate,
    explain,
)
from emotion_detection.data.synthetic import make_synthetic_faces
from emotion_detection.inference.annotate import annotate_image
from emotion_detection.inference.detection import ImageOrigin
from emotion_detection.results import list_columns, list_rows

SCORES = {"anger": 0.1, "happiness": 0.7, "neutral": 0.2}


def _pixels() -> np.ndarray:
    """Return two drawn faces on colour, uint8 (200, 400, 3)."""
    canvas = Image.new("RGB", (400, 200), (120, 130, 140))
    for face, x in zip(make_synthetic_faces(2, seed=3).faces, (20, 220), strict=True):
        canvas.paste(Image.fromarray(face).convert("RGB").resize((150, 150)), (x, 25))
    return np.asarray(canvas)


def _png(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


@pytest.fixture(scope="module")
def detector() -> EmotionDetector:
    return EmotionDetector(threads=1, views=1)


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photos") / "photo.png"
    path.write_bytes(_png(_pixels()))
    return path


@pytest.fixture(scope="module")
def result(detector: EmotionDetector, photo: Path) -> Result:
    return detector.detect(photo)


def _result(**changes: Any) -> Result:
    """Return a result of a face at 10, 20 that refers to no image."""
    face = Face((10.0, 20.0, 30.0, 40.0), (), 0.9, SCORES, 0.5)
    return replace(Result(100, 80, (face,), source="a<b>.jpg"), **changes)


def test_the_package_lists_its_names_without_importing_what_is_heavy() -> None:
    code = (
        "import sys, emotion_detection as e\n"
        "assert set(e.__all__) <= set(dir(e)), dir(e)\n"
        "assert 'onnxruntime' not in sys.modules and 'numpy' not in sys.modules\n"
        "from emotion_detection import Result, Face, ImageError, InputError\n"
        "assert 'numpy' not in sys.modules and 'PIL' not in sys.modules\n"
        "from emotion_detection import *\n"
        "assert callable(annotate) and callable(explain) and EmotionDetector"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert "_MODULES" not in dir(emotion_detection)


def test_a_result_is_a_sequence_of_faces(result: Result) -> None:
    assert len(result) == len(result.faces) == 2
    assert list(result) == [result[0], result[-1]] == list(result.faces)
    assert result[:1] == result.faces[:1]
    with pytest.raises(IndexError):
        result[2]
    assert not Result(4, 4)
    assert list(Result(4, 4)) == []


def test_representations_are_short() -> None:
    assert repr(_result()) == "Result('a<b>.jpg', 100x80, 1 face: happiness)"
    assert repr(_result()[0]) == "Face(happiness 0.70, intensity 0.50, box=(10, 20, 30, 40))"
    two = (*_result().faces, replace(_result()[0], track=3, intensity=None, flags=("cut",)))
    assert repr(two[1]) == "Face(happiness 0.70, box=(10, 20, 30, 40), track 3, cut)"
    named = _result(faces=two, frame=4, source=None)
    assert repr(named) == "Result(frame 4, 100x80, 2 faces: happiness 2)"
    assert repr(Result(4, 5)) == "Result(4x5, no faces)"
    assert len(repr(EmotionDetector(threads=1))) < 100


def test_plot_draws_as_the_command_does(result: Result, photo: Path) -> None:
    drawn = np.asarray(result.plot())
    np.testing.assert_array_equal(drawn, np.asarray(annotate_image(_pixels(), result)))
    assert (drawn != _pixels()).any()
    np.testing.assert_array_equal(np.asarray(annotate(photo, result)), drawn)
    plain = np.asarray(result.plot(bars=False))
    np.testing.assert_array_equal(plain, np.asarray(annotate_image(_pixels(), result, bars=False)))


def test_results_refer_to_whatever_image_they_are_of(detector: EmotionDetector) -> None:
    pixels, content = _pixels(), _png(_pixels())
    drawn = np.asarray(detector.detect(pixels).plot())
    forms: list[Any] = [content, io.BytesIO(content), Image.open(io.BytesIO(content))]
    for one in [*detector.detect(forms), *detector.detect_many(forms[::2])]:
        assert isinstance(one, Result)
        np.testing.assert_array_equal(np.asarray(one.plot()), drawn)
    bgr = np.ascontiguousarray(pixels[..., ::-1])
    for one in (detector.detect(bgr, color="bgr"), detector.detect(content)):
        np.testing.assert_array_equal(np.asarray(one.plot()), drawn)
        np.testing.assert_array_equal(np.asarray(one.plot(bgr, color="bgr")), drawn)
        assert pickle.loads(pickle.dumps(one)) == one


def test_results_of_a_generator_hold_no_images(detector: EmotionDetector, photo: Path) -> None:
    images: list[Any] = [_pixels(), photo]
    first, second = detector.detect_many(image for image in images)
    assert isinstance(first, Result)
    assert isinstance(second, Result)
    with pytest.raises(InputError, match=r"refers to no image: pass it, as result\.plot\(image\)"):
        first.plot()
    assert first.plot(_pixels()).tobytes() == second.plot().tobytes()


def test_an_image_of_another_size_is_refused(result: Result) -> None:
    with pytest.raises(InputError, match="an image of 399 x 200 pixels: the result is of one of"):
        result.plot(_pixels()[:, :-1])


def test_a_result_survives_another_working_folder(
    detector: EmotionDetector, photo: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(photo.parent)
    result = detector.detect(photo.name)
    assert result.source == photo.name
    monkeypatch.chdir(tmp_path)
    assert result.plot().size == (400, 200)


def test_save_writes_the_annotated_image_and_never_replaces_the_photo(
    result: Result, photo: Path, tmp_path: Path
) -> None:
    out = tmp_path / "new" / "drawn.png"
    assert result.save(out) == out
    np.testing.assert_array_equal(np.asarray(Image.open(out)), np.asarray(result.plot()))
    before = photo.read_bytes()
    link = tmp_path / "link.png"
    link.symlink_to(photo)
    for same in (photo, str(photo), link):
        with pytest.raises(InputError, match="is the image itself; choose another name"):
            result.save(same)
    with pytest.raises(InputError, match="the name of an image must end in"):
        result.save(tmp_path / "drawn.txt")
    assert photo.read_bytes() == before
    assert list(tmp_path.glob("drawn*")) == []


def test_crops_are_the_boxes_or_what_the_model_takes(
    detector: EmotionDetector, result: Result
) -> None:
    for crop, face in zip(result.crops(), result, strict=True):
        x, y, right, bottom = (
            *map(round, face.box[:2]),
            *map(round, (face.box[0] + face.box[2], face.box[1] + face.box[3])),
        )
        np.testing.assert_array_equal(np.asarray(crop), _pixels()[y:bottom, x:right])
    wide = result.crops(margin=0.2)[0]
    assert wide.width == pytest.approx(1.4 * result[0].box[2], abs=2)
    aligned = result.crops(aligned=True)
    assert all(crop.width == crop.height for crop in aligned)
    scores = detector.classify(aligned)
    for row, face in zip(scores, result, strict=True):
        np.testing.assert_allclose(row, list(face.scores.values()), atol=0.1)
    assert Result(4, 4).crops() == []
    with pytest.raises(InputError, match="margin -1: must be 0 or more"):
        result.crops(margin=-1)


def test_crops_stay_within_the_image() -> None:
    boxes = [(-20.0, -10.0, 60.0, 50.0), (90.0, 70.0, 40.0, 40.0), (-30.0, 0.0, 20.0, 20.0)]
    faces = tuple(replace(_result()[0], box=box) for box in boxes)
    image = np.zeros((80, 100, 3), np.uint8)
    sizes = [crop.size for crop in _result(faces=faces).crops(image)]
    assert sizes == [(40, 40), (10, 10), (1, 20)]


def test_rows_and_frames_are_those_of_the_csv_table(result: Result) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    assert result.rows() == [
        {name: row.get(name) for name in list_columns(result[0].scores)}
        for row in list_rows(result.as_dict())
    ]
    frame = result.to_frame(full=True)
    assert list(frame.columns) == list_columns(result[0].scores)
    assert list(frame["emotion"]) == [face.emotion for face in result]
    assert list(frame["face"]) == [1, 2]
    assert frame["score_anger"].dtype == float
    assert len(Result(4, 4).to_frame()) == 0
    assert Result(4, 4).rows() == []
    assert len(pandas.concat([frame, frame])) == 4


def test_a_frame_has_the_columns_that_are_read_first(result: Result) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = result.to_frame()
    scores = [f"score_{name}" for name in result[0].scores]
    core = ["emotion", "score", "intensity", "x", "y", "width", "height"]
    last = ["confidence", "uncertain_face", "flags", *scores]
    assert list(frame.columns) == ["file", "face", *core, *last]
    assert list(frame["score"]) == [round(face.score, 4) for face in result]
    pandas.testing.assert_frame_equal(
        frame.drop(columns="score"),
        result.to_frame(full=True)[list(frame.columns.drop("score"))],
    )
    faces = tuple(replace(face, track=number) for number, face in enumerate(result, 1))
    of_video = replace(result, faces=faces, frame=3, time=0.5).to_frame()
    assert list(of_video.columns) == ["file", "frame", "time", "track", *core, *last]
    assert of_video[["frame", "time", "track"]].to_numpy().tolist() == [[3, 0.5, 1], [3, 0.5, 2]]
    assert len(Result(4, 4).to_frame()) == 0


def test_supervision_gets_the_same_faces(result: Result) -> None:
    with warnings.catch_warnings():  # it advises to install OpenCV
        warnings.simplefilter("ignore")
        supervision = pytest.importorskip("supervision", reason="supervision is not installed")
    detections = result.to_supervision()
    assert isinstance(detections, supervision.Detections)
    for row, face in enumerate(result):
        x, y, width, height = face.box
        corners = (x, y, x + width, y + height)
        np.testing.assert_allclose(detections.xyxy[row], corners, rtol=1e-6)
        assert detections.confidence[row] == pytest.approx(face.confidence)
        assert detections["class_name"][row] == face.emotion
        assert list(face.scores)[detections.class_id[row]] == face.emotion
        assert detections["score"][row] == pytest.approx(face.score)
        assert detections["intensity"][row] == pytest.approx(face.intensity)
    assert detections.tracker_id is None
    drawn = supervision.BoxAnnotator().annotate(_pixels().copy(), detections)
    assert (drawn != _pixels()).any()
    assert len(detections[detections.confidence > 2]) == 0
    assert Result(4, 4).to_supervision() == supervision.Detections.empty()
    tracked = tuple(
        replace(face, track=number, intensity=None) for number, face in enumerate(result)
    )
    assert replace(result, faces=tracked).to_supervision().tracker_id.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("method", "package"), [("to_frame", "pandas"), ("to_supervision", "supervision")]
)
def test_a_missing_package_is_reported_in_one_line(
    method: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=rf"{method}\(\) needs {package}: pip install {package}"):
        getattr(_result(), method)()


def test_notebooks_show_the_image_and_a_table(result: Result) -> None:
    png = result._repr_png_()
    assert png is not None
    assert Image.open(io.BytesIO(png)).size == (400, 200)
    page = result._repr_html_()
    assert page.count("<tr>") == 3
    assert "data:image/jpeg;base64," in page
    large = Result(2000, 10, _origin=ImageOrigin(np.zeros((10, 2000, 3), np.uint8), "rgb", 10**6))
    png = large._repr_png_()
    assert png is not None
    assert Image.open(io.BytesIO(png)).width == 800


def test_notebooks_show_the_table_alone_where_there_is_no_image(tmp_path: Path) -> None:
    gone = _result(_origin=ImageOrigin.of(tmp_path / "gone.jpg", "rgb", 10**6))
    for result in (_result(), gone):
        assert result._repr_png_() is None
        page = result._repr_html_()
        assert "<img" not in page
        assert "a&lt;b&gt;.jpg" in page  # a file's name is no markup
        assert "<b>" not in page


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "1", "CMYK", "YCbCr", "HSV", "I", "I;16"])
def test_pil_images_of_any_mode_are_taken(detector: EmotionDetector, mode: str) -> None:
    image = Image.fromarray(_pixels())
    converted = image.convert("L").convert("I") if mode.startswith("I") else image.convert(mode)
    if mode.startswith("I"):
        converted = Image.fromarray(np.asarray(converted, np.uint16) * np.uint16(257))
    assert len(detector.detect(converted)) == 2


def test_every_form_of_an_array_gives_the_same_result(detector: EmotionDetector) -> None:
    rgb = _pixels()
    expected = detector.detect(rgb)
    opaque = np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)])
    forms: list[Any] = [
        rgb.astype(np.uint16) * 257,
        rgb.astype(">u2") * np.uint16(257),
        rgb.astype(np.int32),
        rgb / 255,
        (rgb / 255).astype(np.float32),
        opaque,
        rgb.transpose(2, 0, 1),
        torch.from_numpy(rgb.copy()),
        torch.from_numpy(rgb / np.float32(255)).permute(2, 0, 1),
    ]
    for form in forms:
        assert detector.detect(form) == expected
        assert detector.detect_many(form) == [expected]
    bgra = opaque[..., [2, 1, 0, 3]]
    assert detector.detect(bgra, color="bgr") == expected
    grey = np.asarray(Image.fromarray(rgb).convert("L"))
    for same in (grey[..., None], grey[None], np.dstack([grey, np.full_like(grey, 255)])):
        assert detector.detect(same) == detector.detect(grey)


def test_files_that_are_open_are_read_from_where_they_stand(
    detector: EmotionDetector, photo: Path, result: Result
) -> None:
    with photo.open("rb") as file:
        told = detector.detect(file)
        assert told.faces == result.faces
        assert told.source == str(photo)
        with pytest.raises(ImageError, match=r"nothing left to read: file\.seek\(0\)"):
            detector.detect(file)
    with pytest.raises(ImageError, match="cannot be read: read of closed file"):
        detector.detect(file)
    upload = io.BytesIO(photo.read_bytes())
    assert detector.detect(upload).source is None

    class FormFile(io.BytesIO):
        name, filename = "field", "holiday.png"

    assert detector.detect(FormFile(photo.read_bytes())).source == "holiday.png"
    with photo.open(encoding="latin-1") as text, pytest.raises(ImageError, match="mode 'rb'"):
        detector.detect(cast(Any, text))

    class Upload:
        async def read(self, size: int = -1) -> bytes:
            return b""

    with pytest.raises(ImageError, match=r"an? Upload: its read\(\) gives no bytes.*await"):
        detector.detect(cast(Any, Upload()))


def test_tensors_that_become_no_array_say_why(detector: EmotionDetector) -> None:
    tensor = torch.zeros(3, 8, 8, requires_grad=True)
    with pytest.raises(ImageError, match=r"a Tensor: cannot become an array: .*requires grad"):
        detector.detect(tensor)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.full((8, 8, 3), 128.0), r"float64 with values from 128 to 128: floats .* 255\)$"),
        (np.full((8, 8, 3), -2.0, np.float32), r"undo the normalization\)$"),
        (np.full((8, 8), np.nan), "floats must be from 0 to 1$"),
        (np.full((8, 8), 1000), "whole numbers must be from 0 to 255, or uint16$"),
        (np.zeros((2, 8, 8, 3), np.uint8), r"a batch of images; pass list\(array\)"),
        (np.zeros((5, 8, 5), np.uint8), r"must be \(H, W\), \(H, W, C\) or \(C, H, W\)"),
    ],
)
def test_arrays_that_no_rule_covers_are_refused(
    detector: EmotionDetector, image: np.ndarray, words: str
) -> None:
    with pytest.raises(ImageError, match=words):
        detector.detect(image)


def test_alpha_lies_on_white() -> None:
    from emotion_detection.images.opening import image_to_array

    clear = np.zeros((2, 2, 4), np.uint8)
    assert (image_to_array(clear)[0] == 255).all()
    assert (image_to_array(clear[..., :2])[0] == 255).all()


def test_sixteen_bits_are_rounded_to_eight() -> None:
    from emotion_detection.images.arrays import convert_levels

    levels = np.arange(65536, dtype=np.uint16)
    np.testing.assert_array_equal(convert_levels(levels, ""), np.rint(levels / 257))
    assert convert_levels(np.array([True, False]), "").tolist() == [255, 0]


def test_explain_maps_each_face(detector: EmotionDetector, photo: Path, result: Result) -> None:
    found = explain(detector, photo, method="occlusion")
    assert [one.emotion for one in found] == [face.emotion for face in result]
    for one, face in zip(found, result, strict=True):
        assert isinstance(one, Explanation)
        assert one.heat.shape == one.crop.shape == (48, 48)
        assert one.score == pytest.approx(face.score, abs=1e-6)
        assert one.plot().mode == "RGB"
        assert one._repr_png_().startswith(b"\x89PNG")
    (named,) = explain(detector, found[0].crop, "angry", crops=True, masks=20)
    assert named.emotion == "anger"
    np.testing.assert_array_equal(named.crop, found[0].crop)
    assert explain(detector, np.zeros((60, 60), np.uint8)) == []
    with pytest.raises(InputError, match="emotion 'bored': must be one of anger, "):
        explain(detector, photo, "bored")


def test_old_names_still_work_and_warn() -> None:
    with pytest.warns(DeprecationWarning, match="is now called") as caught:
        old = EmotionDetector(
            threads=1, working_size=320, threshold=0.5, smallest=40, least_score=0.6
        )
    assert [str(one.message) for one in caught] == [
        "working_size is now called detection_size",
        "threshold is now called min_confidence",
        "smallest is now called min_face_size",
        "least_score is now called min_score",
    ]
    assert {one.filename for one in caught} == {__file__}
    new = EmotionDetector(
        threads=1, detection_size=320, min_confidence=0.5, min_face_size=40, min_score=0.6
    )
    assert old.settings == new.settings
    with pytest.raises(TypeError, match="unexpected keyword argument 'treshold'"):
        EmotionDetector(**cast(Any, {"treshold": 0.5}))


def test_the_old_name_of_the_image_error_is_understood_with_a_warning() -> None:
    with pytest.warns(FutureWarning, match="now called ImageError"):
        assert emotion_detection.PictureError is emotion_detection.ImageError
