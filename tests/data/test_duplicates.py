import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emotion_detection.data import duplicates


def block_means(image):
    """Average an image in 8 x 8 blocks, pixel by pixel."""
    grey = image.astype(float).mean(axis=0)
    rows = np.linspace(0, grey.shape[0], 9).astype(int)
    columns = np.linspace(0, grey.shape[1], 9).astype(int)
    return np.array(
        [
            grey[rows[y] : rows[y + 1], columns[x] : columns[x + 1]].mean()
            for y in range(8)
            for x in range(8)
        ]
    )


@pytest.fixture(scope="module")
def images(tiny_faces):
    """40 faces, of which 8 are altered copies of others."""
    faces = tiny_faces(32).astype(int)
    generator = np.random.default_rng(0)
    copies = np.concatenate(
        [faces[:4] * 0.7 + 20, faces[4:8] + generator.normal(0, 40, (4, 48, 48))]
    )
    return np.clip(np.concatenate([faces, copies]), 0, 255).astype(np.uint8)[:, np.newaxis]


def found(pairs):
    parts = list(pairs)
    return {
        tuple(pair): value
        for block, values in parts
        for pair, value in zip(block.tolist(), values.tolist(), strict=True)
    }


@pytest.mark.parametrize("block", [2048, 7, 1])
@pytest.mark.parametrize("threshold", [0.98, 0.9, 0.3])
def test_near_pairs_are_those_of_the_correlation_of_block_means(
    block, threshold, images, monkeypatch
):
    monkeypatch.setattr(duplicates, "_BLOCK", block)
    correlation = np.corrcoef([block_means(image) for image in images])
    expected = {
        (one, other)
        for one in range(len(images))
        for other in range(one + 1, len(images))
        if correlation[one, other] >= threshold
    }
    pairs = found(
        duplicates.find_near_pairs(duplicates.make_thumbnails(images), threshold=threshold)
    )
    assert set(pairs) == expected
    assert len(pairs) >= 4
    for pair, value in pairs.items():
        assert value == pytest.approx(correlation[pair], abs=1e-5)


@pytest.mark.parametrize("block", [2048, 5])
def test_pairs_between_two_sets_are_all_compared(block, images, monkeypatch):
    monkeypatch.setattr(duplicates, "_BLOCK", block)
    thumbs = duplicates.make_thumbnails(images)
    pairs = found(duplicates.find_near_pairs(thumbs[32:], thumbs[:32]))
    assert {(row, row) for row in range(4)} <= set(pairs)


@pytest.mark.parametrize("shape", [(1, 20, 20), (3, 17, 30), (1, 100, 51), (3, 48, 48), (1, 8, 8)])
def test_thumbnails_are_block_means_at_any_size(shape):
    images = np.random.default_rng(0).integers(0, 256, (3, *shape)).astype(np.uint8)
    thumbs = duplicates.make_thumbnails(images)
    assert thumbs.shape == (3, 64)
    assert thumbs.dtype == np.float32
    for image, thumb in zip(images, thumbs, strict=True):
        means = block_means(image)
        means -= means.mean()
        np.testing.assert_allclose(thumb, means / np.linalg.norm(means), atol=1e-5)


@pytest.mark.parametrize("level", [0, 1, 127, 255])
def test_faces_without_contrast_are_nobodys_near_duplicate(level, tiny_faces):
    flat = np.full((2, 1, 48, 48), level, np.uint8)
    images = np.concatenate([flat, tiny_faces(2)[:, np.newaxis]])
    thumbs = duplicates.make_thumbnails(images)
    assert not thumbs[:2].any()
    assert found(duplicates.find_near_pairs(thumbs, threshold=0.5)) == {}


def test_flat_duplicates_are_still_exact_duplicates():
    flat = np.zeros((2, 1, 48, 48), np.uint8)
    digests = np.stack([duplicates.digest_faces(image) for image in flat])
    assert duplicates.group_alike(digests, duplicates.make_thumbnails(flat)).tolist() == [0, 0]


def test_a_digest_is_of_the_pixels_alone(tiny_faces):
    one, other = tiny_faces(2)
    wide = np.zeros((48, 96), np.uint8)
    wide[:, ::2] = one
    assert (duplicates.digest_faces(one) == duplicates.digest_faces(wide[:, ::2])).all()
    assert (duplicates.digest_faces(one) != duplicates.digest_faces(other)).any()


@given(st.lists(st.integers(0, 6), max_size=30))
def test_exact_groups_are_numbered_by_their_first_face(kinds):
    # zeros at the end and bytes over 127 must count too
    patterns = np.zeros((7, 16), np.uint8)
    patterns[1, 15], patterns[2, 0], patterns[3, 0], patterns[4, 15] = 1, 1, 255, 255
    patterns[5, 7], patterns[6, :] = 3, 200
    groups = duplicates.group_exact(patterns[kinds])
    assert groups.tolist() == [kinds.index(kind) for kind in kinds]
    assert groups.dtype == np.int64


def test_groups_join_exact_and_near_duplicates_through_a_third(images):
    more = np.concatenate([images, images[32:34]])
    digests = np.stack([duplicates.digest_faces(image) for image in more])
    groups = duplicates.group_alike(digests, duplicates.make_thumbnails(more))
    assert groups[[0, 32, 40]].tolist() == [0, 0, 0]
    assert groups[[1, 33, 41]].tolist() == [1, 1, 1]
    assert groups[10] == 10


def test_duplicates_in_another_set_are_distinguished_as_exact_and_near(images):
    digests = np.stack([duplicates.digest_faces(image) for image in images])
    thumbs = duplicates.make_thumbnails(images)
    rows = [0, 32, 33, 20]
    exact, near = duplicates.find_duplicates(digests[rows], thumbs[rows], digests[:10], thumbs[:10])
    assert exact.tolist() == [True, False, False, False]
    assert near.tolist() == [True, True, True, False]
