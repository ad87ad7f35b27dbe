"""Detectors in other processes, working folders and subclasses; inputs of detect_many."""

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from emotion_detection import EmotionDetector, ImageError, InputError, Result
from emotion_detection.pretrained import find_model

CROPS = np.zeros((2, 48, 48), np.uint8)


class Named(EmotionDetector):
    """A detector with a constructor of its own."""

    def __init__(self, name: str) -> None:
        super().__init__(views=2, labels="fer2013")
        self.name = name


def test_a_detector_is_unpickled_in_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "there").mkdir()
    shutil.copy(find_model(), tmp_path / "own.onnx")
    monkeypatch.chdir(tmp_path)
    detector = EmotionDetector("own.onnx", min_confidence=0.6, prior="balanced")
    content = pickle.dumps(detector)
    monkeypatch.chdir(tmp_path / "there")
    again = pickle.loads(content)
    assert again.settings == detector.settings
    assert repr(again) == repr(detector)
    np.testing.assert_array_equal(again.classify(CROPS), detector.classify(CROPS))


def test_a_subclass_is_unpickled_without_its_constructor() -> None:
    again = pickle.loads(pickle.dumps(Named("door")))
    assert (type(again), again.name, again.views, again.label_set) == (Named, "door", 2, "fer2013")


@pytest.mark.parametrize("images", [None, 5, {"a.jpg": 1}], ids=str)
def test_what_is_no_image_and_no_list_is_refused(images: object) -> None:
    with pytest.raises(InputError, match="must be an image, or a list"):
        EmotionDetector().detect_many(images)  # type: ignore[arg-type]  # what users may pass


def test_a_folder_stands_for_the_images_in_it(tmp_path: Path) -> None:
    empty, photos = tmp_path / "empty", tmp_path / "photos"
    (photos / "deeper").mkdir(parents=True)
    empty.mkdir()
    (photos / "notes.txt").write_text("no image")
    for name in ("b.png", "a.png", "deeper/c.png"):
        Image.new("L", (40, 30)).save(photos / name)
    detector = EmotionDetector()
    found = detector.detect_many(photos)
    names = [str(photos / name) for name in ("a.png", "b.png", "deeper/c.png")]
    assert [result.source for result in found if isinstance(result, Result)] == names
    with pytest.raises(InputError, match="empty: no images in this folder"):
        detector.detect_many(str(empty))
    with pytest.raises(ImageError, match=r"photos: a folder, not an image: .*detect_many"):
        detector.detect(photos)
