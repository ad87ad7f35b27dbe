import numpy as np
import pytest

from emotion_detection.data import load
from emotion_detection.data.locate import recognise_format
from emotion_detection.errors import InputError


@pytest.fixture
def fill(tiny_faces, png):
    """Return a function that writes dissimilar images: ``fill(folder, count)``."""
    made = [0]

    def write(folder, count=6, names=None):
        folder.mkdir(parents=True, exist_ok=True)
        for row in range(count):
            name = names[row] if names else f"{row}.png"
            (folder / name).write_bytes(png(tiny_faces(1, seed=made[0])[0]))
            made[0] += 1

    return write


def test_own_class_names_are_kept_and_follow_the_known_ones(tmp_path, fill, data_config):
    for name in ("tired", "happy", "Bored"):
        fill(tmp_path / "own" / name)
    dataset = load(data_config(tmp_path / "own"))
    assert dataset.labels == ("happiness", "Bored", "tired")
    assert dataset.label_set == "own"


def test_known_class_names_are_mapped_and_ordered(tmp_path, fill, data_config):
    for name in ("Sad", "joyful", "MAD", "contempt", "sadness"):
        fill(tmp_path / "own" / name, 10)
    dataset = load(data_config(tmp_path / "own"))
    assert dataset.labels == ("anger", "happiness", "sadness", "contempt")
    counts = sum(dataset.split(name).counts(4) for name in ("train", "validation", "test"))
    assert counts.tolist() == [10, 10, 20, 10]


@pytest.mark.parametrize("name", ["val", "validation", "Valid", "dev"])
def test_the_validation_folder_goes_by_several_names(name, tmp_path, fill, data_config):
    for split, count in (("train", 8), (name, 3), ("test", 2)):
        fill(tmp_path / "own" / split / "happy", count)
        fill(tmp_path / "own" / split / "sad", count)
    dataset = load(data_config(tmp_path / "own"))
    assert dataset.sizes == {"train": 16, "validation": 6, "test": 4}
    assert all(face.startswith(f"{name}/") for face in dataset.split("validation").names)


def test_without_a_validation_folder_it_is_taken_from_train_alone(tmp_path, fill, data_config):
    for split, count in (("train", 20), ("test", 5)):
        fill(tmp_path / "own" / split / "happy", count)
        fill(tmp_path / "own" / split / "sad", count)
    dataset = load(data_config(tmp_path / "own"))
    assert dataset.sizes == {"train": 36, "validation": 4, "test": 10}
    assert all(name.startswith("train/") for name in dataset.split("validation").names)
    assert all(name.startswith("test/") for name in dataset.split("test").names)


def test_images_may_lie_deeper_in_a_class(tmp_path, fill, data_config):
    fill(tmp_path / "own" / "happy" / "indoors" / "2024", 5)
    fill(tmp_path / "own" / "sad", 5)
    dataset = load(data_config(tmp_path / "own"))
    assert dataset.labels == ("happiness", "sadness")
    assert sum(dataset.sizes.values()) == 10


def test_hidden_files_and_other_files_are_no_faces(tmp_path, fill, data_config):
    root = tmp_path / "own"
    fill(root / "happy", 5)
    fill(root / "sad", 5)
    fill(root / ".trash", 5)
    fill(root / "__MACOSX", 5)
    fill(root / "happy" / ".thumbnails", 5)
    (root / "happy" / "._0.png").write_bytes(b"\x00\x05\x16\x07")
    (root / "happy" / "Thumbs.db").write_bytes(b"no image")
    (root / "notes").mkdir()
    (root / "notes" / "read.me").write_text("no image")
    (root / "._manifest.csv").write_bytes(b"\x00\x05\x16\x07\xff")
    dataset = load(data_config(root))
    assert dataset.labels == ("happiness", "sadness")
    assert sum(dataset.sizes.values()) == 10
    assert dataset.corrupt == ()


def test_names_in_any_script_with_blanks_are_read(tmp_path, fill, data_config):
    root = tmp_path / "meine Gesichter 表情"
    fill(root / "sehr müde", 4, ["a b.png", "ü.png", "表情 1.png", "😀.PNG"])
    fill(root / "嬉しい", 4)
    dataset = load(data_config(root))
    assert dataset.labels == ("sehr müde", "嬉しい")
    names = {
        name for split in ("train", "validation", "test") for name in dataset.split(split).names
    }
    assert {"sehr müde/😀.PNG", "sehr müde/表情 1.png", "嬉しい/0.png"} <= names


def test_a_loop_of_links_ends_and_counts_nothing_twice(tmp_path, fill, data_config):
    root = tmp_path / "own"
    fill(root / "happy", 5)
    fill(root / "sad", 5)
    (root / "loop").symlink_to(root, target_is_directory=True)
    (root / "happy" / "up").symlink_to(root, target_is_directory=True)
    (root / "self").symlink_to(root / "self")
    dataset = load(data_config(root))
    assert dataset.labels == ("happiness", "sadness")
    assert sum(dataset.sizes.values()) == 10


def test_a_linked_class_folder_is_read(tmp_path, fill, data_config):
    fill(tmp_path / "elsewhere", 5)
    fill(tmp_path / "own" / "sad", 5)
    (tmp_path / "own" / "happy").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    dataset = load(data_config(tmp_path / "own"))
    assert dataset.labels == ("happiness", "sadness")
    assert sum(dataset.sizes.values()) == 10


def test_fer2013s_prefixes_decide_over_the_folder(tmp_path, fill, data_config):
    for name in ("happy", "sad"):
        fill(tmp_path / "own" / "train" / name, 4)
        fill(tmp_path / "own" / "test" / name, 2, ["PublicTest_7.png", "PrivateTest_8.png"])
    dataset = load(data_config(tmp_path / "own"))
    assert dataset.sizes == {"train": 8, "validation": 2, "test": 2}


def test_datasets_side_by_side_are_not_taken_for_emotions(tmp_path, fill):
    for name in ("mine", "yours"):
        fill(tmp_path / "sets" / name / "train" / "happy", 2)
        fill(tmp_path / "sets" / name / "train" / "sad", 2)
    with pytest.raises(InputError, match=r"several datasets in it: name one, or all"):
        recognise_format(tmp_path / "sets")


def test_the_same_folder_gives_the_same_faces_in_the_same_order(tmp_path, fill, data_config):
    fill(tmp_path / "own" / "happy", 12)
    fill(tmp_path / "own" / "sad", 12)
    one = load(data_config(tmp_path / "own"))
    other = load(data_config(tmp_path / "own", cache=str(tmp_path / "other-cache")))
    assert one.hash == other.hash
    assert one.folder != other.folder
    assert list(one.split("train").names) == list(other.split("train").names)
    np.testing.assert_array_equal(one.split("test").images, other.split("test").images)
