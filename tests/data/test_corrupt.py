import pytest
from PIL import Image

from emotion_detection.data import load
from emotion_detection.errors import InputError


@pytest.fixture
def spoiled(tmp_path, tiny_set, write_folders):
    """Write 42 images, two of them spoiled."""
    place = write_folders(tmp_path / "own", *tiny_set)
    image = place / "train" / "angry" / "Training_00000.png"
    image.write_bytes(image.read_bytes()[:300])
    (place / "train" / "disgust" / "Training_00001.png").write_bytes(b"")
    return place


def test_corrupt_images_under_the_limit_are_counted_and_listed(spoiled, data_config, capsys):
    dataset = load(data_config(spoiled, max_corrupt=0.05))
    assert dataset.sizes == {"train": 26, "validation": 7, "test": 7}
    assert [face.name for face in dataset.corrupt] == [
        "train/angry/Training_00000.png",
        "train/disgust/Training_00001.png",
    ]
    assert all(face.reason for face in dataset.corrupt)
    assert load(data_config(spoiled, max_corrupt=0.05)).corrupt == dataset.corrupt
    assert "unreadable images left out: 2" in capsys.readouterr().err


def test_corrupt_images_over_the_limit_are_an_error_that_names_the_first(
    spoiled, data_config, tmp_path
):
    with pytest.raises(InputError) as caught:
        load(data_config(spoiled))
    message = str(caught.value)
    assert "2 of 42 images cannot be read, more than 1.0% (--max_corrupt)" in message
    assert "the first: train/angry/Training_00000.png: " in message
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_stricter_limit_holds_for_a_dataset_that_was_already_built(spoiled, data_config):
    load(data_config(spoiled, max_corrupt=0.05))
    with pytest.raises(InputError, match="2 of 42 images cannot be read"):
        load(data_config(spoiled, max_corrupt=0.04))


def test_a_dataset_of_nothing_but_corrupt_images_names_the_first(tmp_path, data_config):
    for emotion in ("happy", "sad"):
        (tmp_path / "own" / emotion).mkdir(parents=True)
        (tmp_path / "own" / emotion / "1.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"2 of 2 images cannot be read.*first: happy/1\.png"):
        load(data_config(tmp_path / "own"))
    with pytest.raises(InputError, match="there are no faces in it"):
        load(data_config(tmp_path / "own", max_corrupt=1.0))


def test_images_of_formats_that_are_not_opened_are_listed_not_passed_over(spoiled, data_config):
    # a whole icon, which Pillow itself would open
    Image.new("RGB", (48, 48), "navy").save(spoiled / "train" / "happy" / "old.png", "ICO")
    dataset = load(data_config(spoiled, max_corrupt=0.1))
    assert dataset.corrupt[-1].name == "train/happy/old.png"
    assert dataset.corrupt[-1].reason.startswith("not an image in a format that is read")
    assert dataset.corrupt[-1].reason.endswith(": a Windows icon")
