"""Names and options that people from other libraries type first: understood or answered."""

import copy
import inspect
import pickle
from collections.abc import Callable
from typing import Any

import pytest

import emotion_detection
from emotion_detection import EmotionDetector
from emotion_detection.commands.option_names import understand
from emotion_detection.commands.option_suggestions import suggest
from emotion_detection.images.opening import ImageError, image_to_array
from emotion_detection.inference.devices import parse_device
from emotion_detection.other_libraries import ANSWERS, DETECTOR_SETTINGS, SETTINGS
from emotion_detection.results import Face, Result

POINTS = ((10.0, 10.0),) * 5
FACE = Face((0.0, 0.0, 30.0, 40.0), POINTS, 0.9, {"anger": 0.2, "happiness": 0.8})
RESULT = Result(64, 64, (FACE,))


@pytest.fixture(scope="module")
def detector() -> EmotionDetector:
    return EmotionDetector(threads=1)


OPTIONS = ["--min_confidence", "--device", "--model", "--out"]


@pytest.mark.parametrize(
    ("owner", "name", "hint"),
    [
        (EmotionDetector, "predict", "use detect(image)"),
        (RESULT, "boxes", "use face.box (x, y, width, height)"),
        (RESULT, "to_json", "use json.dumps(result.as_dict())"),
        (FACE, "dominant_emotion", "use emotion"),
    ],
)
def test_names_of_other_libraries_are_answered(owner: object, name: str, hint: str) -> None:
    owner = owner() if owner is EmotionDetector else owner
    with pytest.raises(AttributeError, match=f"has no attribute '{name}'") as caught:
        getattr(owner, name)
    assert hint in str(caught.value)


def test_other_unknown_names_are_plain_errors() -> None:
    with pytest.raises(AttributeError, match=r"^'Result' object has no attribute 'xyz'$"):
        _ = RESULT.xyz  # type: ignore[attr-defined]  # that is the point
    assert not hasattr(FACE, "__array__")
    assert copy.deepcopy(RESULT) == pickle.loads(pickle.dumps(RESULT)) == RESULT


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        ({"conf": 0.5}, "'conf'; use min_confidence"),
        ({"imgsz": 640}, "'imgsz'; use detection_size"),
        ({"iou": 0.5}, "'iou'; overlapping boxes of one face are merged"),
        ({"detector_backend": "mtcnn"}, "'detector_backend'; there is one face detector"),
        ({"min_confidance": 0.5}, "'min_confidance'; did you mean min_confidence?"),
        ({"nothing": 1}, "'nothing'"),
    ],
)
def test_settings_of_other_libraries_are_answered(arguments: Any, answer: str) -> None:
    with pytest.raises(TypeError) as caught:
        EmotionDetector(**arguments)
    start = "EmotionDetector() got an unexpected keyword argument "
    assert str(caught.value).startswith(start + answer)


@pytest.mark.parametrize(
    ("call", "answer"),
    [
        (lambda d: d.detect("a.jpg", conf=0.5), "EmotionDetector(min_confidence=...)"),
        (lambda d: d.detect("a.jpg", device="cpu"), "EmotionDetector(device=...)"),
        (lambda d: d.detect("a.jpg", actions=["emotion"]), "all emotions are scored"),
        (lambda d: d.detect("a.jpg", enforce_detection=False), "result without faces"),
        (lambda d: d.detect(img_path="a.jpg"), "as the first argument, without a name"),
        (lambda d: d.detect("a.jpg", colour="bgr"), "did you mean color?"),
        (lambda d: d.detect_many([], stream=True), "detect_video yields results"),
        (lambda d: d.detect_video("a.mp4", vid_stride=2), "use frame_stride"),
        (lambda d: d.detect_video(0, show=True), "result.plot().show() opens a window"),
        (lambda d: d.classify([], top_k=1), "choose among face.scores"),
        (lambda _: RESULT.plot(conf=True), "got an unexpected keyword argument 'conf'"),
        (lambda _: RESULT.save(filename="a.jpg"), "pass the path as the first argument"),
    ],
)
def test_arguments_of_other_libraries_are_answered(
    detector: EmotionDetector, call: Callable[[Any], object], answer: str
) -> None:
    with pytest.raises(TypeError, match="got an unexpected keyword argument") as caught:
        call(detector)
    assert answer in str(caught.value)


def test_what_is_called_or_indexed_as_elsewhere_is_answered(detector: EmotionDetector) -> None:
    with pytest.raises(TypeError, match=r"use detector\.detect\(image\)"):
        detector("a.jpg", conf=0.5)  # type: ignore[operator]  # that is the point
    with pytest.raises(TypeError, match=r"result\['faces'\]: a result is a sequence of faces"):
        RESULT["faces"]  # type: ignore[call-overload]  # that is the point


def test_names_at_the_root_of_other_packages_are_answered() -> None:
    with pytest.raises(AttributeError, match=r"'DeepFace'; use EmotionDetector$"):
        _ = emotion_detection.DeepFace
    with pytest.raises(AttributeError, match=r"'detect'; use EmotionDetector\(\)\.detect"):
        _ = emotion_detection.detect
    with pytest.raises(AttributeError, match=r"has no attribute 'xyz'$"):
        _ = emotion_detection.xyz


def test_right_arguments_of_decorated_methods_stay_visible() -> None:
    assert list(inspect.signature(EmotionDetector.detect).parameters) == [
        *("self", "image", "color")
    ]


def test_answers_name_arguments_that_exist() -> None:
    arguments = {*DETECTOR_SETTINGS, *inspect.signature(EmotionDetector.detect_video).parameters}
    assert set(SETTINGS.values()) <= arguments
    assert set(DETECTOR_SETTINGS) == set(inspect.signature(EmotionDetector).parameters) - {
        "old_names"
    }
    assert not set(SETTINGS) & set(ANSWERS)


@pytest.mark.parametrize(
    ("word", "understood"),
    [
        ("source=a.jpg", ["a.jpg"]),
        ("conf=0.4", ["--min_confidence=0.4"]),
        ("device=0", ["--device=0"]),
        ("a=b.jpg", ["a=b.jpg"]),
    ],
)
def test_settings_without_dashes_are_understood(word: str, understood: list[str]) -> None:
    assert understand([word], OPTIONS, takes_inputs=True) == understood
    assert understand([word], OPTIONS) == [word]


@pytest.mark.parametrize(("given", "name"), [(0, "cuda"), ("0", "cuda"), (1, "cuda:1")])
def test_a_number_is_a_gpu(given: object, name: str) -> None:
    device = parse_device(given)
    assert device is not None
    assert device.name == name


def test_what_cannot_be_chosen_names_the_way() -> None:
    said = suggest("--save-crop", OPTIONS, "emotion predict")
    assert said == ": 'emotion data crop IN OUT' writes the faces"
    assert "no window" in suggest("--show", OPTIONS, "emotion predict")


def test_a_video_is_answered_with_the_method_for_it() -> None:
    content = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + b"\0" * 64
    with pytest.raises(ImageError, match=r"EmotionDetector\.detect_video\(\)"):
        image_to_array(content)
