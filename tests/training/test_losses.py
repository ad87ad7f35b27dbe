"""What a face costs: against torch's own losses and the formulas."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from emotion_detection.config import TrainConfig
from emotion_detection.data import Faces
from emotion_detection.training.batches import Batch
from emotion_detection.training.losses import compute_class_weights, compute_face_losses, sum_losses
from emotion_detection.training.network import ModelSpec, take_apart

COUNT = 12
ONE = ModelSpec("baseline", ("a", "b", "c"), 1, 16, 0.0, label_set="ferplus")
TWO = ModelSpec(
    "baseline", ("a", "b", "c"), 1, 16, 0.0, "ferplus", {"fer2013": ("a", "b")}, intensity=True
)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def outputs(spec: ModelSpec) -> Tensor:
    return random(COUNT, spec.outputs).mul(2).requires_grad_()


def batch(**fields: Any) -> Batch:
    usual: dict[str, Any] = {
        "images": torch.zeros(COUNT, 1, 16, 16, dtype=torch.uint8),
        "labels": torch.arange(COUNT) % 3,
        "targets": None,
        "intensity": None,
        "also": {},
        "weight": torch.tensor(1.0),
    }
    return Batch(**usual | fields)


def cost(spec: ModelSpec, raw: Tensor, faces: Batch, **fields: Any) -> Tensor:
    weights = fields.pop("weights", None)
    config = TrainConfig(**fields)
    own = compute_face_losses(spec, config, take_apart(spec, raw), faces, weights)
    return sum_losses(spec, config, own)


def labelled(labels: list[int], also: dict[str, list[int]] | None = None) -> Faces:
    count = len(labels)
    return Faces(
        stored=np.zeros((count, 1, 16, 16), np.uint8),
        labels=np.array(labels),
        targets=None,
        intensity=None,
        digests=np.zeros((count, 16), np.uint8),
        thumbnails=np.zeros((count, 64), np.float32),
        folder=Path(),
        also={name: np.array(values) for name, values in (also or {}).items()},
    )


def test_plain_labels_cost_torchs_cross_entropy() -> None:
    raw, faces = outputs(ONE), batch()
    expected = functional.cross_entropy(raw, faces.labels, reduction="none")
    torch.testing.assert_close(cost(ONE, raw, faces), expected)


def test_a_distribution_costs_the_mean_of_what_its_classes_cost() -> None:
    raw, targets = outputs(ONE), random(COUNT, 3, seed=1).softmax(1)
    expected = -(targets * raw.log_softmax(1)).sum(1)
    torch.testing.assert_close(cost(ONE, raw, batch(targets=targets)), expected)


def test_every_part_is_added_with_its_weight() -> None:
    raw, strength = outputs(TWO), random(COUNT, seed=3).sigmoid()
    also = torch.arange(COUNT) % 2
    faces = batch(also={"fer2013": also}, intensity=strength)
    logit = raw[:, 5]
    expected = (
        functional.cross_entropy(raw[:, :3], faces.labels, reduction="none")
        + 0.3 * functional.cross_entropy(raw[:, 3:5], also, reduction="none")
        - 0.7
        * (strength * torch.log(logit.sigmoid()) + (1 - strength) * torch.log((-logit).sigmoid()))
    )
    found = cost(TWO, raw, faces, extra_labels_weight=0.3, intensity_weight=0.7)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("with_targets", [False, True])
@pytest.mark.parametrize(("unknown", "columns"), [("first", slice(0, 3)), ("also", slice(3, 5))])
def test_a_face_without_a_label_of_a_set_costs_nothing_in_it(
    unknown: str, columns: slice, with_targets: bool
) -> None:
    labels, also = torch.arange(COUNT) % 3, torch.arange(COUNT) % 2
    rows = torch.arange(COUNT) < 5
    {"first": labels, "also": also}[unknown][rows] = -1
    targets = random(COUNT, 3, seed=1).softmax(1) if with_targets else None
    raw = outputs(TWO)
    weights = {"ferplus": torch.tensor([1.0, 2.0, 0.5]), "fer2013": torch.tensor([0.5, 1.5])}
    faces = batch(labels=labels, also={"fer2013": also}, targets=targets)
    cost(TWO, raw, faces, label_smoothing=0.2, weights=weights).sum().backward()
    assert torch.isfinite(raw.grad).all()
    assert (raw.grad[rows, columns] == 0).all()
    assert (raw.grad[~rows, columns] != 0).all()
    other = slice(3, 5) if unknown == "first" else slice(0, 3)
    assert (raw.grad[rows, other] != 0).all()


def test_an_unknown_intensity_costs_nothing() -> None:
    raw, strength = outputs(TWO), random(COUNT, seed=3).sigmoid()
    strength[:4] = torch.nan
    faces = batch(intensity=strength)
    found = cost(TWO, raw, faces)
    found.sum().backward()
    assert torch.isfinite(found).all()
    assert (raw.grad[:4, 5] == 0).all()
    assert (raw.grad[4:, 5] != 0).all()
    torch.testing.assert_close(found[:4], cost(TWO, raw, batch())[:4])


@pytest.mark.parametrize("balance", [0.0, 1.0])
def test_a_mixtures_cost_is_the_mixture_of_the_costs(balance: float) -> None:
    raw, share = outputs(TWO), torch.rand(COUNT, generator=torch.Generator().manual_seed(7))
    order = torch.randperm(COUNT, generator=torch.Generator().manual_seed(8))
    targets, strength = random(COUNT, 3, seed=1).softmax(1), random(COUNT, seed=3).sigmoid()
    weights = compute_class_weights(labelled([0] * 9 + [1, 2], {"fer2013": [0, 1]}), TWO, balance)
    faces = batch(targets=targets, intensity=strength)
    mixed = batch(
        targets=share[:, None] * targets + (1 - share[:, None]) * targets[order],
        intensity=share * strength + (1 - share) * strength[order],
    )
    one, other = (cost(TWO, raw, b, weights=weights) for b in (faces, faces.permuted(order)))
    expected = cost(TWO, raw, mixed, weights=weights)
    torch.testing.assert_close(share * one + (1 - share) * other, expected)
    assert not torch.allclose(one, expected)


def test_permuting_moves_everything_that_is_known_of_a_face_together() -> None:
    numbers = torch.arange(COUNT)
    strength = numbers.float()
    faces = batch(
        labels=numbers, targets=numbers[:, None].float(), intensity=strength, also={"x": numbers}
    )
    order = torch.randperm(COUNT, generator=torch.Generator().manual_seed(1))
    other = faces.permuted(order)
    for column in (other.labels, other.targets[:, 0], other.intensity, other.also["x"]):
        assert column.tolist() == order.tolist()


def test_label_smoothing_spreads_its_mass_over_all_classes() -> None:
    raw, faces = outputs(ONE), batch()
    logs = raw.log_softmax(1)
    own = -logs[torch.arange(COUNT), faces.labels]
    expected = 0.9 * own - 0.1 * logs.mean(1)
    torch.testing.assert_close(cost(ONE, raw, faces, label_smoothing=0.1), expected)


def test_distributions_are_not_smoothed_further() -> None:
    raw, faces = outputs(ONE), batch(targets=random(COUNT, 3, seed=1).softmax(1))
    assert torch.equal(cost(ONE, raw, faces, label_smoothing=0.1), cost(ONE, raw, faces))


def test_without_balance_there_are_no_weights() -> None:
    assert compute_class_weights(labelled([0, 1, 2]), ONE, 0.0) is None


@pytest.mark.parametrize("balance", [0.25, 0.5, 1.0])
def test_class_weights_are_1_in_the_mean_over_the_faces(balance: float) -> None:
    labels, also = [0] * 30 + [1] * 6 + [2] * 3 + [-1] * 2, [0] * 11 + [-1] * 20 + [1] * 10
    weights = compute_class_weights(labelled(labels, {"fer2013": also}), TWO, balance)
    assert weights is not None
    for name, known in (("ferplus", labels), ("fer2013", also)):
        assert float(weights[name][[k for k in known if k >= 0]].mean()) == pytest.approx(1)
    assert float(weights["ferplus"][1] / weights["ferplus"][0]) == pytest.approx(5**balance)


def test_at_balance_1_every_class_weighs_the_same() -> None:
    weights = compute_class_weights(labelled([0] * 30 + [1] * 6 + [2] * 3), ONE, 1.0)
    assert weights is not None
    np.testing.assert_allclose(weights["ferplus"].numpy() * [30, 6, 3], 13, rtol=1e-6)


def test_a_class_without_faces_has_a_finite_weight() -> None:
    weights = compute_class_weights(labelled([0, 0, 1]), ONE, 1.0)
    assert weights is not None
    assert torch.isfinite(weights["ferplus"]).all()


def test_class_weights_multiply_the_cost_of_their_class() -> None:
    raw, faces = outputs(ONE), batch()
    weights = {"ferplus": torch.tensor([1.0, 3.0, 0.5])}
    expected = cost(ONE, raw, faces) * weights["ferplus"][faces.labels]
    torch.testing.assert_close(cost(ONE, raw, faces, weights=weights), expected)
