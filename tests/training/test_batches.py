"""Batches are rows of the arrays, in an order that seed and epoch alone decide."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from emotion_detection.config import DataConfig, TrainConfig
from emotion_detection.data import Faces, load
from emotion_detection.training.batches import Batch, FaceBatches, Order


@pytest.fixture
def faces(
    tmp_path: Any, tiny_faces: Any, write_manifest: Any, data_config: Callable[..., DataConfig]
) -> dict[str, Faces]:
    names = [("a", "b")[row % 2] for row in range(56)]
    splits = ["train"] * 37 + ["validation"] * 13 + ["test"] * 6
    place = write_manifest(tmp_path / "data", tiny_faces(56, size=16), names, splits)
    dataset = load(data_config(place, size=16))
    return {name: dataset.split(name) for name in ("train", "validation")}


def drawn(faces: dict[str, Faces], seed: int = 0, place: Any = None) -> list[Batch]:
    batches = FaceBatches(faces["train"], faces["validation"], TrainConfig(batch_size=8, seed=seed))
    batches.trainer = SimpleNamespace(global_rank=0, world_size=1)
    if place is not None:
        batches.load_state_dict(place)
    return list(batches.train_dataloader())


def orders(epoch: int, seed: int | None = 0) -> list[list[int]]:
    order = Order(37, 8, seed)
    order.set_epoch(epoch)
    return [rows.tolist() for rows, _ in order]


def test_a_batch_is_what_indexing_the_arrays_gives(faces: dict[str, Faces]) -> None:
    train = faces["train"]
    assert isinstance(train.images, np.memmap)
    batches = drawn(faces)
    assert [len(batch.labels) for batch in batches] == [8, 8, 8, 8, 5]
    for batch, rows in zip(batches, orders(0), strict=True):
        assert batch.images.dtype == torch.uint8
        np.testing.assert_array_equal(batch.images, train.images[rows])
        np.testing.assert_array_equal(batch.labels, train.labels[rows])
        assert batch.targets is None
        assert float(batch.weight) == pytest.approx(1 / len(rows))


def test_targets_come_with_their_rows(faces: dict[str, Faces]) -> None:
    shares = np.random.default_rng(0).random((37, 2)).astype(np.float32)
    kept = replace(faces["train"], targets=shares)
    for batch, rows in zip(drawn({**faces, "train": kept}), orders(0), strict=True):
        np.testing.assert_array_equal(batch.targets, shares[rows])


def test_a_batch_is_a_copy_that_cannot_corrupt_the_cache(faces: dict[str, Faces]) -> None:
    before = np.array(faces["train"].images)
    drawn(faces)[0].images.zero_()
    np.testing.assert_array_equal(faces["train"].images, before)


def test_every_row_comes_once_an_epoch_in_another_order_each_time() -> None:
    seen = [[row for batch in orders(epoch) for row in batch] for epoch in range(3)]
    assert all(sorted(rows) == list(range(37)) for rows in seen)
    assert seen[0] != seen[1] != seen[2] != seen[0]
    assert orders(1) == orders(1)


def test_the_order_goes_by_the_seed() -> None:
    assert orders(0, seed=1) != orders(0, seed=2)


def test_validation_keeps_its_own_order() -> None:
    rows = [row for batch in orders(5, seed=None) for row in batch]
    assert rows == list(range(37))


def test_a_resumed_epoch_begins_at_its_batch_and_the_next_at_its_first() -> None:
    order = Order(37, 8, 0)
    order.set_epoch(2)
    order.first_batch = 3
    order.set_epoch(2)  # Lightning says it again
    assert [rows.tolist() for rows, _ in order] == orders(2)[3:]
    order.set_epoch(3)
    assert [rows.tolist() for rows, _ in order] == orders(3)


def test_a_resumed_run_is_given_the_rest_of_its_epoch(faces: dict[str, Faces]) -> None:
    rest = drawn(faces, place={"epoch": 1, "batch": 2})
    expected = [faces["train"].images[rows] for rows in orders(1)[2:]]
    assert len(rest) == 3
    for batch, images in zip(rest, expected, strict=True):
        np.testing.assert_array_equal(batch.images, images)


def test_the_place_is_after_the_batch_in_hand(faces: dict[str, Faces]) -> None:
    batches = FaceBatches(faces["train"], faces["validation"], TrainConfig())
    progress = SimpleNamespace(is_last_batch=False, current=SimpleNamespace(ready=4))
    loop = SimpleNamespace(epoch_loop=SimpleNamespace(batch_progress=progress))
    batches.trainer = SimpleNamespace(current_epoch=6, fit_loop=loop)
    assert batches.state_dict() == {"epoch": 6, "batch": 4}
    progress.is_last_batch = True
    assert batches.state_dict() == {"epoch": 7, "batch": 0}


@pytest.mark.parametrize(("count", "batches"), [(1, 1), (16, 1), (17, 1), (18, 2), (33, 2)])
def test_a_last_batch_of_one_face_is_left_out_of_training(count: int, batches: int) -> None:
    assert len(Order(count, 16, seed=0)) == len(list(Order(count, 16, seed=0))) == batches
    assert len(Order(count, 16, seed=None)) == -(-count // 16)
