"""Copies against look-alikes: one image altered, and one drawn person with other expressions."""

import io

import numpy as np
import pytest
from PIL import Image

from emotion_detection.data import duplicates
from emotion_detection.data import synthetic as drawn
from emotion_detection.data.duplicates import LARGEST_CERTAIN, are_copies
from emotion_detection.data.fingerprints import (
    find_same_faces,
    read_fingerprints,
    take_fingerprints,
    write_fingerprints,
)


@pytest.fixture(scope="module")
def faces():
    """60 drawn faces, uint8 (60, 48, 48): all of other people, light, pose and noise."""
    return drawn.make_synthetic_faces(600, seed=5, size=48).faces.reshape(-1, 48, 48)[::10]


@pytest.fixture(scope="module")
def posed():
    """Drawn faces of one lamp, pose and background: images (N, 48, 48), labels and people."""
    still = {"tilt": 0, "yaw": 0, "scale": 1, "shift_x": 0, "shift_y": 0, "gaze": 0}
    still |= {"smile_skew": 0, "light_x": 0.1, "light_y": -0.1, "gain": 1, "contrast": 1}
    still |= {"background": 0.45, "blur": 0.3, "noise": 0.005}
    before = dict(drawn._PICTURE)
    try:
        for name, value in still.items():
            drawn._PICTURE[name] = (value, value + 1e-9, 1.0)
        for name in ("occlusion", "lips_part"):
            drawn._PICTURE[name] = (*before[name][:2], 0.0)
        found = drawn.make_synthetic_faces(100, seed=3, size=48)
    finally:
        drawn._PICTURE.clear()
        drawn._PICTURE.update(before)
    return found.faces.reshape(-1, 48, 48), np.array(found.labels), np.array(found.identity)


def encoded(face, kind, quality):
    out = io.BytesIO()
    Image.fromarray(face).save(out, kind, quality=quality)
    return np.asarray(Image.open(out).convert("L"))


def cut(face, left, top, right, bottom):
    image = Image.fromarray(face).resize((144, 144), Image.Resampling.BICUBIC)
    return np.asarray(image.crop((left, top, right, bottom)).resize((48, 48)))


ALTERED = {
    "JPEG": lambda face: encoded(face, "JPEG", 75),
    "WebP": lambda face: encoded(face, "WEBP", 80),
    "brighter": lambda face: (face * 0.7 + 40).astype(np.uint8),
    "shifted": lambda face: cut(face, 4, 0, 140, 136),
    "cut closer": lambda face: cut(face, 5, 5, 139, 139),
}


@pytest.mark.parametrize("how", ALTERED)
def test_an_altered_image_is_a_copy(how, faces):
    altered = np.stack([ALTERED[how](face) for face in faces])
    assert are_copies(faces, altered).mean() > 0.9


def test_another_expression_of_a_person_looks_alike_and_is_no_duplicate(posed):
    images, labels, people = posed
    thumbs = duplicates.make_thumbnails(images[:, np.newaxis])
    pairs = np.concatenate([pair for pair, _ in duplicates.find_near_pairs(thumbs)])
    one, other = pairs.T
    different = (labels[one] != labels[other]) & (people[one] == people[other])
    assert different.sum() > 100
    copies = are_copies(images[one[different]], images[other[different]])
    assert copies.mean() < 0.1
    certain = are_copies(images[one[different]], images[other[different]], LARGEST_CERTAIN)
    assert certain.mean() < 0.03


def test_flat_faces_are_duplicates_of_nothing(faces):
    flat = np.full((2, 48, 48), 90, np.uint8)
    assert not are_copies(flat, flat).any()
    assert not are_copies(flat, faces[:2]).any()


def prints_of(images):
    return take_fingerprints(np.stack([duplicates.digest_faces(image) for image in images]), images)


def test_a_face_is_found_again_and_others_are_not(faces):
    known = prints_of(faces[:40])
    altered = np.stack([encoded(face, "JPEG", 75) for face in faces[10:20]])
    looked_for = np.concatenate([faces[[7, 3]], altered, faces[40:]])
    found = find_same_faces(prints_of(looked_for), known)
    assert found[:2].tolist() == [7, 3]
    assert found[2:12].tolist() == list(range(10, 20))
    assert (found[12:] == -1).all()


def test_an_exact_copy_comes_before_a_similar_one(faces):
    altered = encoded(faces[0], "JPEG", 75)
    known = prints_of(np.stack([altered, faces[0], faces[0]]))
    assert find_same_faces(prints_of(faces[:1]), known).tolist() == [1]


def test_fingerprints_come_back_from_a_file_and_broken_ones_are_refused(faces, tmp_path):
    known, path = prints_of(faces), tmp_path / "faces.npz"
    write_fingerprints(path, known, roles=np.arange(len(faces)))
    back, more = read_fingerprints(path)
    np.testing.assert_array_equal(back.digests, known.digests)
    np.testing.assert_array_equal(back.miniatures, known.miniatures)
    assert more["roles"].tolist() == list(range(len(faces)))
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ValueError, match="no fingerprints"):
        read_fingerprints(path)
    with pytest.raises(FileNotFoundError):
        read_fingerprints(tmp_path / "missing.npz")
