"""The residual networks: their size, their cost, how they lie in memory."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from emotion_detection.training.network import (
    NETWORKS,
    ModelSpec,
    build,
    count_multiply_adds,
    count_parameters,
)
from emotion_detection.training.residual import ResidualNet

RESIDUAL = [name for name in NETWORKS if name != "baseline"]


def spec(network: str, size: int = 48, channels: int = 1) -> ModelSpec:
    return ModelSpec(network, tuple("abcdefgh"), channels, size, 0.2, intensity=True)


def counted(network: nn.Module, face: Tensor) -> int:
    """Count multiply-adds layer by layer: each output's share of the weights."""
    total = 0

    def count(layer: nn.Module, _: Any, out: Tensor) -> None:
        nonlocal total
        if isinstance(layer, nn.Conv2d):
            total += out[0].numel() * layer.weight[0].numel()
        elif isinstance(layer, nn.Linear):
            total += layer.weight.numel()

    hooks = [layer.register_forward_hook(count) for layer in network.modules()]
    with torch.no_grad():
        network.eval()(face)
    for hook in hooks:
        hook.remove()
    return total


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(("size", "channels"), [(48, 1), (32, 3)])
def test_multiply_adds_are_those_of_all_layers(name: str, size: int, channels: int) -> None:
    declared = spec(name, size, channels)
    network = build(declared)
    expected = counted(network, torch.zeros(1, channels, size, size))
    assert count_multiply_adds(network, declared) == expected


def test_counting_leaves_the_network_as_it_was() -> None:
    declared = spec("quick")
    network = build(declared)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    for training in (True, False):
        count_multiply_adds(network.train(training), declared)
        assert network.training is training
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())


def test_compact_is_small_and_cheap() -> None:
    network = build(spec("compact"))
    assert count_parameters(network) <= 2_500_000
    assert count_multiply_adds(network, spec("compact")) <= 40_000_000


def test_large_has_at_most_15_million_parameters() -> None:
    assert count_parameters(build(spec("large"))) <= 15_000_000


def test_quick_is_smaller_than_the_baseline() -> None:
    assert count_parameters(build(spec("quick", 24))) < 324_007


@pytest.mark.parametrize("name", RESIDUAL)
def test_weights_lie_channels_last(name: str) -> None:
    convolutions = [part for part in build(spec(name)).modules() if isinstance(part, nn.Conv2d)]
    assert len(convolutions) >= 4
    for layer in convolutions:
        assert layer.weight.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("name", "sides"),
    [("compact", [24, 12, 6, 3]), ("large", [48, 48, 24, 12, 6])],
)
def test_stem_and_stages_halve_the_resolution(name: str, sides: list[int]) -> None:
    network = build(spec(name)).eval()
    assert isinstance(network, ResidualNet)
    seen: list[int] = []
    for part in (network.stem, *network.stages):
        part.register_forward_hook(lambda _, __, out: seen.append(out.shape[-1]))
    network(torch.rand(1, 1, 48, 48))
    assert seen == sides


@pytest.mark.parametrize("size", [16, 17, 64])
def test_every_size_of_face_ends_in_one_mean(size: int) -> None:
    assert build(spec("compact", size)).eval()(torch.rand(2, 1, size, size)).shape == (2, 9)


def test_a_block_adds_what_it_learnt_to_what_came() -> None:
    network = build(spec("large")).eval()
    block = network.get_submodule("stages.0.1")
    for name in ("first", "second"):
        nn.init.zeros_(block.get_submodule(name)[0].weight)
    x = torch.rand(1, 64, 6, 6)
    torch.testing.assert_close(block(x), x)


def test_one_batch_can_be_learnt_by_heart() -> None:
    torch.manual_seed(0)
    network = build(spec("quick", 16))
    faces, labels = torch.rand(12, 1, 16, 16), torch.arange(12) % 8
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(40):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(network(faces)[:, :8], labels)
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.1


def test_a_batch_of_one_face_trains() -> None:
    network = build(spec("quick", 24)).train()
    network(torch.rand(1, 1, 24, 24)).sum().backward()
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    assert gradients
    assert all(bool(torch.isfinite(gradient).all()) for gradient in gradients)
