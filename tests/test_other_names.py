"""Names and options that people from other libraries type first: understood or answered."""

import copy
import pickle

import pytest

from emotion_detection import EmotionDetector
from emotion_detection.commands.option_names import understand
from emotion_detection.commands.suggestions import suggest
from emotion_detection.images.opening import ImageError, image_to_array
from emotion_detection.inference.devices import parse_device
from emotion_detection.results import Face, Result

POINTS = ((10.0, 10.0),) * 5
FACE = Face((0.0, 0.0, 30.0, 40.0), POINTS, 0.9, {"anger": 0.2, "happiness": 0.8})
RESULT = Result(64, 64, (FACE,))
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
