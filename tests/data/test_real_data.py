"""FER-2013 itself: the published counts, and the same bytes from every shape."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from emotion_detection.config import DataConfig
from emotion_detection.data import load
from emotion_detection.data.fer2013_faces import Fer2013Matcher
from emotion_detection.labels import FER2013

pytestmark = [pytest.mark.real_data, pytest.mark.slow]

COUNTS = {
    "train": [3995, 436, 4097, 7215, 4830, 3171, 4965],
    "validation": [467, 56, 496, 895, 653, 415, 607],
    "test": [491, 55, 528, 879, 594, 416, 626],
}
USAGES = {"train": "Training", "validation": "PublicTest", "test": "PrivateTest"}
FIRST = 300
"""Faces of each split that are written in the other shapes."""


@pytest.fixture(scope="module")
def whole(fer2013_root, fer2013_cache):
    return load(DataConfig(data=str(fer2013_root), cache=str(fer2013_cache)))


def test_the_counts_a_class_and_split_are_the_published_ones(whole):
    assert whole.labels == FER2013
    assert whole.label_set == "fer2013"
    assert whole.corrupt == ()
    assert whole.sizes == {"train": 28_709, "validation": 3_589, "test": 3_589}
    for split, counts in COUNTS.items():
        assert whole.split(split).counts(7).tolist() == counts


def test_faces_stand_in_kaggles_order(whole):
    first = {"train": 0, "validation": 28_709, "test": 28_709 + 3_589}
    for split, start in first.items():
        names = whole.split(split).names
        expected = [f"{USAGES[split]}_{start + row:05d}.png" for row in range(len(names))]
        assert list(names) == expected


@pytest.fixture(scope="module")
def subset(whole):
    parts = [whole.split(split) for split in USAGES]
    faces = np.concatenate([part.images[:FIRST, 0] for part in parts])
    labels = [int(label) for part in parts for label in part.labels[:FIRST]]
    return faces, labels, [usage for usage in USAGES.values() for _ in range(FIRST)]


def test_csv_folders_and_parquet_of_a_part_give_the_same_bytes(
    whole, subset, tmp_path, data_config, write_csv, write_icml_csv, write_folders, write_parquet
):
    places = [
        write(tmp_path / name, *subset)
        for name, write in (
            ("csv", write_csv),
            ("icml", write_icml_csv),
            ("folders", write_folders),
            ("parquet", write_parquet),
        )
    ]
    datasets = [load(data_config(place)) for place in places]
    assert len({dataset.hash for dataset in datasets}) == 1
    for dataset in datasets:
        for split in USAGES:
            np.testing.assert_array_equal(
                dataset.split(split).images, whole.split(split).images[:FIRST]
            )
            np.testing.assert_array_equal(
                dataset.split(split).labels, whole.split(split).labels[:FIRST]
            )


def test_the_files_own_bytes_are_the_faces(whole, fer2013_root):
    import io

    from PIL import Image

    path = fer2013_root / "data" / "test-00000-of-00001.parquet"
    table = pq.read_table(path).slice(0, 50).to_pylist()
    names = list(whole.split("test").names)
    images = whole.split("test").images
    for row in table:
        pixels = np.asarray(Image.open(io.BytesIO(row["image"]["bytes"])))
        np.testing.assert_array_equal(images[names.index(row["image"]["path"]), 0], pixels)


def test_every_face_is_known_by_its_pixels(whole):
    for split in USAGES:
        faces = whole.split(split)
        matcher = Fer2013Matcher()
        for name, image in zip(faces.names, faces.images[:, 0], strict=True):
            number = int(name[-9:-4])
            assert matcher.match(image, number, USAGES[split]) == number


def test_a_shuffled_part_keeps_the_names_of_its_faces(whole, tmp_path, write_csv, data_config):
    train = whole.split("train")
    images, known = train.images, train.names  # once: where rows are not contiguous, a copy
    rows = np.random.default_rng(0).permutation(len(train))[:200]
    labels = [int(label) for label in train.labels[rows]]
    write_csv(tmp_path, images[rows, 0], labels, ["Training"] * 200)
    dataset = load(data_config(tmp_path, validation_fraction=0, test_fraction=0))
    part = dataset.split("train")
    names = {images[row].tobytes(): set() for row in rows}
    for row in range(len(train)):
        if (pixels := images[row].tobytes()) in names:
            names[pixels].add(known[row])
    for name, image in zip(part.names, part.images, strict=True):
        assert name in names[image.tobytes()]
