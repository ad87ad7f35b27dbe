"""Crops in, scores out: the right numbers, in any form that crops may have."""

import inspect
import io
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image

import emotion_detection
from emotion_detection import EmotionDetector, pretrained
from emotion_detection.config import TrainConfig
from emotion_detection.errors import InputError
from emotion_detection.images.opening import crop_to_square
from emotion_detection.inference import emotion_detector as module
from emotion_detection.io.files import load_file
from emotion_detection.labels import FER2013, FERPLUS


def _crops(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture(scope="module")
def detector(grey: Any) -> EmotionDetector:
    return EmotionDetector(grey.path, threads=1)


def test_the_package_hands_on_the_class() -> None:
    assert emotion_detection.EmotionDetector is module.EmotionDetector
    assert "EmotionDetector" in emotion_detection.__all__
    missing = "Nothing"
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        getattr(emotion_detection, missing)


def test_it_says_what_the_model_is(detector: EmotionDetector, colour: Any) -> None:
    assert detector.labels == FERPLUS
    assert detector.label_set == "ferplus"
    assert detector.label_sets == {"ferplus": FERPLUS, "fer2013": FER2013}
    assert (detector.input.size, detector.input.channels) == (48, 1)
    assert detector.has_intensity
    in_colour = EmotionDetector(colour.path, threads=1)
    assert in_colour.input == (32, 3)
    assert in_colour.label_sets == {"ferplus": FERPLUS}
    assert not in_colour.has_intensity


@pytest.mark.parametrize("count", [1, 2, 256, 257, 600])
def test_scores_and_intensity_are_the_networks(
    detector: EmotionDetector, grey: Any, count: int
) -> None:
    crops = _crops(count, 48, 48, seed=count)
    scores, intensity = detector.classify(crops), detector.intensity(crops)
    assert (scores.shape, scores.dtype) == ((count, 8), np.float32)
    assert (intensity.shape, intensity.dtype) == ((count,), np.float32)
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(scores, grey.scores(crops[:, None]), atol=1e-5)
    np.testing.assert_allclose(intensity, grey.intensity(crops[:, None]), atol=1e-5)
    assert count == 1 or np.ptp(scores, axis=0).max() > 0.1


def test_more_than_a_batch_is_run_in_parts(grey: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    own = EmotionDetector(grey.path, threads=1)
    sizes = []
    real = module.faces

    def noted(crops: np.ndarray, *others: Any) -> np.ndarray:
        sizes.append(len(crops))
        return real(crops, *others)

    monkeypatch.setattr(module, "faces", noted)
    own.classify(_crops(600, 48, 48))
    assert sizes == [256, 256, 88]


def test_the_other_set_of_labels_has_scores_of_its_own(grey: Any) -> None:
    crops = _crops(5, 48, 48)
    other = EmotionDetector(grey.path, threads=1, labels="fer2013")
    assert (other.labels, other.label_set) == (FER2013, "fer2013")
    expected = grey.scores(crops[:, None], "scores_fer2013")
    np.testing.assert_allclose(other.classify(crops), expected, atol=1e-5)
    assert "fer2013" in repr(other)


def test_its_own_labels_may_be_named(grey: Any, detector: EmotionDetector) -> None:
    crops = _crops(5, 48, 48)
    own = EmotionDetector(grey.path, threads=1, labels="ferplus")
    np.testing.assert_array_equal(own.classify(crops), detector.classify(crops))


def test_labels_that_a_model_has_not_are_refused(colour: Any) -> None:
    with pytest.raises(InputError, match=r"labels 'fer2013': .*model\.onnx scores ferplus$"):
        EmotionDetector(colour.path, labels="fer2013")


def test_a_model_without_intensity_reports_it(colour: Any) -> None:
    with pytest.raises(InputError, match="this model gives no intensity"):
        EmotionDetector(colour.path, threads=1).intensity(_crops(1, 32, 32))


def test_grey_and_rgb_of_the_same_content_score_alike(
    detector: EmotionDetector, colour: Any
) -> None:
    in_colour = EmotionDetector(colour.path, threads=1)
    for height, width in [(48, 48), (32, 32), (70, 51)]:
        crops = _crops(4, height, width)
        rgb = np.repeat(crops[..., None], 3, axis=3)
        for each in (detector, in_colour):
            np.testing.assert_array_equal(each.classify(crops), each.classify(rgb))


@pytest.mark.parametrize("shape", [(48, 48), (20, 20), (97, 97), (200, 120), (31, 64), (1, 5)])
@pytest.mark.parametrize("channels", [1, 3])
def test_crops_are_brought_to_the_input_as_training_decodes_images(
    detector: EmotionDetector, grey: Any, colour: Any, shape: tuple[int, int], channels: int
) -> None:
    crops = _crops(3, *shape, *([3] if channels == 3 else []))
    images = [Image.fromarray(crop) for crop in crops]
    faces = np.stack([crop_to_square(image, 48, 1) for image in images])
    np.testing.assert_allclose(detector.classify(crops), grey.scores(faces), atol=1e-5)
    faces = np.stack([crop_to_square(image, 32, 3) for image in images])
    scores = EmotionDetector(colour.path, threads=1).classify(crops)
    np.testing.assert_allclose(scores, colour.scores(faces), atol=1e-5)


def test_grey_is_the_luma_of_itu_r_601(detector: EmotionDetector, grey: Any) -> None:
    crops = _crops(3, 48, 48, 3)
    weights = np.array([19595, 38470, 7471])  # 0.299, 0.587 and 0.114 of 2 ** 16
    luma = ((crops @ weights + 2**15) >> 16).astype(np.uint8)
    np.testing.assert_array_equal(detector.classify(crops), detector.classify(luma))


def test_crops_need_not_lie_in_one_piece(detector: EmotionDetector) -> None:
    crops = _crops(6, 96, 96)
    parts = crops[::2, ::-2, 1::2]
    np.testing.assert_array_equal(detector.classify(parts), detector.classify(parts.copy()))
    parts.flags.writeable = False
    detector.classify(parts)


@pytest.mark.parametrize("shape", [(0, 48, 48), (0, 10, 20), (0, 48, 48, 3)])
def test_no_crops_give_no_rows(detector: EmotionDetector, shape: tuple[int, ...]) -> None:
    crops = np.zeros(shape, np.uint8)
    assert detector.classify(crops).shape == (0, 8)
    assert detector.intensity(crops).shape == (0,)
    assert detector.classify(crops).dtype == np.float32


@pytest.mark.parametrize(
    ("crops", "words"),
    [
        (_crops(48, 48), "are one image"),
        (_crops(48, 48, 3), "are one image"),
        (_crops(48, 48, 1), "are one image"),
        (_crops(2, 48, 48, 5), "of shape (2, 48, 48, 5)"),
        (_crops(2, 2, 48, 48, 3), "of shape (2, 2, 48, 48, 3)"),
        (_crops(48), "of shape (48,)"),
        (np.uint8(3), "of shape ()"),
        (np.zeros((2, 0, 48), np.uint8), "have no pixels"),
        (np.zeros((2, 48, 0, 3), np.uint8), "have no pixels"),
        (None, "are a NoneType"),
        (3, "are a int"),
    ],
)
def test_anything_else_is_refused_in_one_line(
    detector: EmotionDetector, crops: Any, words: str
) -> None:
    for method in (detector.classify, detector.intensity):
        with pytest.raises(InputError) as say:
            method(crops)
        message = str(say.value)
        assert message.startswith("crops ")
        assert words in message
        assert "uint8 (N, H, W) for grey or (N, H, W, 3) for RGB" in message
        assert "\n" not in message
        assert len(message) < 200


@pytest.mark.parametrize(
    ("crops", "words"),
    [
        (np.full((2, 48, 48), np.nan), "crops of float64 .*: floats must be from 0 to 1"),
        (np.full((2, 48, 48), 200.0, np.float32), r"floats must be from 0 to 1 \(divide by 255\)"),
        (np.full((2, 48, 48), -1.0), r"floats must be from 0 to 1 \(undo the normalization\)"),
        (np.full((2, 48, 48), 256), "crops of int64 with values from 256 to 256: whole numbers"),
        (np.full((2, 48, 48), -1, np.int8), "crops of int8 with values from -1 to -1"),
        (np.zeros((2, 48, 48), object), "crops of object: must be uint8"),
        (["nosuch.png"], "^nosuch.png: no such file"),
        ("nosuch.png", "^nosuch.png: no such file"),
        ([_crops(48, 48), None], "^crop 2: a NoneType: must be a path"),
        ([[1, 2], [3, 4]], "^crop 1: a list: must be a path"),
    ],
)
def test_levels_and_images_that_cannot_be_read_are_refused(
    detector: EmotionDetector, crops: Any, words: str
) -> None:
    with pytest.raises(InputError, match=words) as say:
        detector.classify(crops)
    assert "\n" not in str(say.value)


def test_every_form_of_crops_gives_the_same_scores(
    detector: EmotionDetector, colour: Any, tmp_path: Path
) -> None:
    crops = _crops(3, 48, 48)
    expected = detector.classify(crops)
    images = [Image.fromarray(crop) for crop in crops]
    for number, image in enumerate(images):
        image.save(tmp_path / f"{number}.png")
    paths = sorted(tmp_path.glob("*.png"))
    opaque = np.full((3, 48, 48, 4), 255, np.uint8)
    opaque[..., :3] = crops[..., None]
    forms: list[Any] = [
        images,
        tuple(crops),
        (image for image in images),
        [images[0], str(paths[1]), paths[2].read_bytes()],
        [io.BytesIO(path.read_bytes()) for path in paths],
        crops[..., None],
        crops[:, None],
        np.repeat(crops[:, None], 3, axis=1),
        opaque,
        crops.astype(np.int64),
        crops.astype(np.uint16) * 257,
        crops / 255,
        torch.from_numpy(crops / np.float32(255))[:, None],
    ]
    for form in forms:
        np.testing.assert_array_equal(detector.classify(form), expected)
    np.testing.assert_array_equal(detector.classify(images[0]), expected[:1])
    np.testing.assert_array_equal(detector.intensity(images), detector.intensity(crops))
    assert detector.classify([]).shape == (0, 8)
    in_colour, rgb = EmotionDetector(colour.path, threads=1), _crops(2, 32, 32, 3)
    bgr = in_colour.classify(rgb[..., ::-1], color="bgr")
    np.testing.assert_array_equal(bgr, in_colour.classify(rgb))
    bgr = in_colour.classify([crop[..., ::-1] for crop in rgb], color="bgr")
    np.testing.assert_array_equal(bgr, in_colour.classify(rgb))
    with pytest.raises(InputError, match="color 'hsv': must be 'rgb' or 'bgr'"):
        detector.classify(images, color="hsv")


@pytest.mark.parametrize("threads", [0, -1, 1.5, "two"])
def test_threads_are_a_whole_number_from_one(grey: Any, threads: Any) -> None:
    with pytest.raises(InputError, match="must be a whole number from 1, or None"):
        EmotionDetector(grey.path, threads=threads)


def test_the_number_of_threads_changes_nothing_to_be_seen(
    grey: Any, detector: EmotionDetector
) -> None:
    crops = _crops(30, 48, 48)
    for threads in (None, 2, np.int64(2)):
        scores = EmotionDetector(grey.path, threads=threads).classify(crops)
        np.testing.assert_allclose(scores, detector.classify(crops), atol=1e-6)


def test_many_threads_may_use_one_detector(detector: EmotionDetector) -> None:
    batches = [_crops(count, 60, 50, 3, seed=count) for count in (1, 7, 30, 300)] * 6
    alone = [detector.classify(crops) for crops in batches]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(detector.classify, batches))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_detector_of_one_file_scores_as_another(grey: Any, detector: EmotionDetector) -> None:
    crops = _crops(9, 48, 48)
    again = EmotionDetector(str(grey.path.parent), threads=1)
    np.testing.assert_array_equal(again.classify(crops), detector.classify(crops))


def test_it_works_where_nothing_but_the_runtime_is_installed(grey: Any, tmp_path: Path) -> None:
    code = """
import sys
class Refuse:
    def find_spec(self, name, *_):
        if name.partition(".")[0] in ("torch", "pytorch_lightning", "cv2", "matplotlib", "onnx"):
            raise ImportError("not installed: " + name)
sys.meta_path.insert(0, Refuse())
import numpy as np
from emotion_detection import EmotionDetector
detector = EmotionDetector(sys.argv[1], threads=1)
np.save(sys.argv[2], detector.classify(np.load(sys.argv[3])))
"""
    crops = _crops(4, 48, 48)
    np.save(tmp_path / "crops.npy", crops)
    words = [str(grey.path), str(tmp_path / "scores.npy"), str(tmp_path / "crops.npy")]
    environment = {**os.environ, "PYTHONWARNINGS": "error"}
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, env=environment
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    np.testing.assert_allclose(
        np.load(tmp_path / "scores.npy"), grey.scores(crops[:, None]), atol=1e-5
    )


def test_the_shipped_model_is_the_default(
    grey: Any, detector: EmotionDetector, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert inspect.signature(EmotionDetector).parameters["model"].default is None
    monkeypatch.setattr(pretrained, "read_model", lambda: load_file(grey.path))
    crops = _crops(3, 48, 48)
    for model in (None, "pretrained"):
        scores = EmotionDetector(model, threads=1).classify(crops)
        np.testing.assert_array_equal(scores, detector.classify(crops))


@pytest.mark.slow
def test_a_trained_runs_folder_scores_as_its_onnx_file(
    tmp_path: Path, tiny_set: Any, write_folders: Callable[..., Path]
) -> None:
    from emotion_detection.training import train

    folders = {name: str(tmp_path / name) for name in ("models", "logs", "cache")}
    data = write_folders(tmp_path / "faces", *tiny_set)
    quiet = {"accelerator": "cpu", "enable_progress_bar": False}
    run = train(
        TrainConfig(data=str(data), name="own", size=24, epochs=1, trainer=quiet, **folders)
    )
    own = EmotionDetector(run.folder, threads=1)
    crops = _crops(20, 24, 24)
    assert (own.labels, own.input) == (FER2013, (24, 1))
    session = onnxruntime.InferenceSession(str(run.folder / "model.onnx"))
    (scores,) = session.run(["scores"], {"faces": crops[:, None]})
    np.testing.assert_allclose(own.classify(crops), scores, atol=1e-5)
