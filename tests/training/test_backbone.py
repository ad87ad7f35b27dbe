"""Backbones of timm: names, inputs, published weights, and a whole training."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
import torchvision
from safetensors.torch import save_file

from emotion_detection.cli import main
from emotion_detection.config import TrainConfig
from emotion_detection.data import load
from emotion_detection.data.synthetic import make_synthetic_source
from emotion_detection.errors import InputError
from emotion_detection.evaluation.model_loading import open_model
from emotion_detection.training import read_resumed_config, train
from emotion_detection.training.backbone import Backbone, check_backbone
from emotion_detection.training.checkpoint import load_trained
from emotion_detection.training.network import ModelSpec, build, check_network

SMALL = "mobilenetv3_small_050"
Make = Callable[..., TrainConfig]


def spec(network: str = SMALL, size: int = 32, channels: int = 1) -> ModelSpec:
    return ModelSpec(network, tuple("abcde"), channels, size, 0.5)


@pytest.mark.parametrize("size", [32, 48, 64])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", ["resnet10t", SMALL])
def test_a_backbone_takes_grey_and_colour_of_any_size(name: str, size: int, channels: int) -> None:
    network = build(spec(name, size, channels)).eval()
    logits = network(torch.rand(2, channels, size, size))
    assert (logits.shape, logits.dtype) == ((2, 5), torch.float32)


def test_a_backbone_that_must_know_the_size_is_reported() -> None:
    network = build(spec("vit_tiny_patch16_224", 48)).eval()
    assert network(torch.rand(2, 1, 48, 48)).shape == (2, 5)


def test_it_begins_in_training_mode_and_its_dropout_is_before_the_last_layer() -> None:
    network = build(spec())
    assert all(part.training for part in network.modules())
    assert network.dropout.p == 0.5
    assert network.head.out_features == 5


@pytest.mark.parametrize(
    ("channels", "mean", "std"),
    [
        (3, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        (1, ((0.485 + 0.456 + 0.406) / 3,), ((0.229 + 0.224 + 0.225) / 3,)),
    ],
)
def test_faces_are_scaled_as_the_published_weights_want_them(
    channels: int, mean: tuple[float, ...], std: tuple[float, ...]
) -> None:
    network = build(spec("resnet10t", 32, channels)).eval()
    assert isinstance(network, Backbone)
    seen: list[torch.Tensor] = []
    network.body.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    faces = torch.rand(2, channels, 32, 32)
    network(faces)
    for channel in range(channels):
        expected = (faces[:, channel] - mean[channel]) / std[channel]
        torch.testing.assert_close(seen[0][:, channel], expected)


@pytest.mark.parametrize(
    ("name", "hint"), [("resnet81", "resnet18"), ("mobilnetv3_small_050", SMALL)]
)
def test_an_unknown_name_is_refused_with_one_that_is_near(name: str, hint: str) -> None:
    with pytest.raises(InputError, match=f"--network {name}: neither .*; did you mean .*{hint}"):
        check_network(name)


def test_a_name_like_no_other_gets_no_hint() -> None:
    with pytest.raises(InputError) as say:
        check_backbone("qqqqqqqq")
    assert "did you mean" not in str(say.value)


def test_the_command_refuses_an_unknown_network_before_it_reads_faces(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["train", "--network", "resnet81", "--data", str(tmp_path / "none")]) == 2
    said = capsys.readouterr().err.strip()
    assert "--network resnet81" in said
    assert "\n" not in said


def test_a_network_without_timm_is_refused_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(InputError, match=r"timm is not installed: pip install"):
        check_network("resnet18")


def test_a_face_too_small_for_a_network_is_an_input_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: Any, **__: Any) -> None:
        raise AssertionError("Input height (17) should be divisible by\npatch size (16).")

    monkeypatch.setattr(timm, "create_model", refuses)
    with pytest.raises(InputError, match="timm cannot make it for 1 x 17 px: Input height") as say:
        build(spec(size=17))
    assert "\n" not in str(say.value)


def test_this_projects_own_networks_have_no_published_weights() -> None:
    with pytest.raises(InputError, match=r"--pretrained true: .* say --init pretrained"):
        build(spec("compact"), pretrained=True)


def test_weights_that_cannot_be_fetched_are_reported_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unreachable(*_: Any, **options: Any) -> None:
        assert options["pretrained"]
        raise OSError("We couldn't connect to\n'https://huggingface.co' " + "to load " * 50)

    monkeypatch.setattr(timm, "create_model", unreachable)
    with pytest.raises(
        InputError, match=r"^--pretrained true: .*couldn't connect to 'https"
    ) as say:
        build(spec(), pretrained=True)
    assert "\n" not in str(say.value)
    assert len(str(say.value)) < 350
    assert "--pretrained false" in str(say.value)


@pytest.mark.slow
def test_offline_the_real_call_is_refused_quickly_with_exit_code_2(tmp_path: Path) -> None:
    options = [f"--{name}={tmp_path / name}" for name in ("models", "logs", "cache")]
    code = "import sys; from emotion_detection.cli import main; sys.exit(main(sys.argv[1:]))"
    words = ["train", "--data=demo", "--network=resnet18", "--pretrained=true", *options]
    # faces are not what is waited for here
    code = (
        "import emotion_detection.data.locate as find; "
        "from emotion_detection.data.synthetic import make_synthetic_source; "
        "find.make_synthetic_source = lambda size: make_synthetic_source(size, count=70); "
        f"{code}"
    )
    offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "empty")}
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        capture_output=True,
        text=True,
        env={**os.environ, **offline},
        timeout=120,
    )
    assert done.returncode == 2, done.stderr
    assert "--pretrained true" in done.stderr.strip().splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "models").glob("*"))
    assert time.monotonic() - started < 90


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Timm's weights are all 0.01; whether they were asked for, call by call."""
    asked: list[bool] = []
    original = timm.create_model

    def create(name: str, pretrained: bool = False, **options: Any) -> Any:
        made = original(name, pretrained=False, **options)
        asked.append(pretrained)
        if pretrained:
            with torch.no_grad():
                for parameter in made.parameters():
                    parameter.fill_(0.01)
        return made

    monkeypatch.setattr(timm, "create_model", create)
    return asked


@pytest.mark.slow
@pytest.mark.usefixtures("without_export")
def test_published_weights_are_fetched_once_and_kept_by_a_frozen_training(
    striped: Make, tmp_path: Path, published: list[bool]
) -> None:
    config = striped(tmp_path, name="x", network="resnet10t", pretrained=True, frozen=True)
    run = train(config)
    assert published.count(True) == 1
    network = load_trained(run.folder).network
    assert all((p == 0.01).all() for p in network.get_submodule("body").parameters())
    assert not (network.get_submodule("head").weight == 0.01).any()
    train(read_resumed_config(run.folder, {"epochs": 3}), resume=run.folder)
    assert published.count(True) == 1


@pytest.mark.slow
def test_a_trained_backbone_comes_back_from_checkpoint_and_onnx_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "emotion_detection.data.locate.make_synthetic_source",
        lambda size: make_synthetic_source(size, count=70),
    )
    places = {name: str(tmp_path / name) for name in ("models", "logs", "cache")}
    few = {"limit_train_batches": 1, "accelerator": "cpu", "enable_progress_bar": False}
    config = TrainConfig(data="demo", network="resnet10t", size=32, epochs=1, trainer=few, **places)
    run = train(config)
    images = load(config).split("validation").images
    best = load_trained(run.folder)
    assert best.spec.network == "resnet10t"
    one, other = (open_model(run.folder / name) for name in ("best.ckpt", "model.onnx"))
    said, again = one.outputs(images), other.outputs(images)
    assert set(said) == set(again) == {"scores", "intensity"}
    for name, values in said.items():
        np.testing.assert_allclose(values, again[name], atol=1e-4)
    assert one.parameters == other.parameters == run.metrics["parameters"]


def _backbone_of(path: Path, network: str = "resnet18", channels: int = 3) -> Backbone:
    return Backbone(network, channels, 64, 7, 0.0, str(path))


# mobilenetv2_100's tensors have other names in torchvision; safetensors does not keep their order
@pytest.mark.parametrize(
    ("network", "theirs", "suffix"),
    [
        ("resnet18", "resnet18", ".pth"),
        ("resnet18", "resnet18", ".safetensors"),
        ("mobilenetv2_100", "mobilenet_v2", ".pth"),
    ],
)
def test_a_file_of_torchvision_s_weights_gives_torchvision_s_features(
    network: str, theirs: str, suffix: str, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    published = getattr(torchvision.models, theirs)(weights=None).eval()
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pth":
        torch.save({"state_dict": published.state_dict()}, path)
    else:
        save_file(published.state_dict(), path)
    backbone = _backbone_of(path, network).eval()
    faces = torch.rand(2, 3, 64, 64)
    last = "fc" if theirs == "resnet18" else "classifier"
    setattr(published, last, torch.nn.Identity())
    with torch.no_grad():
        expected = published((faces - backbone.mean) / backbone.std)
        features = backbone.body((faces - backbone.mean) / backbone.std)
    torch.testing.assert_close(features, expected, atol=1e-4, rtol=1e-3)


def test_for_grey_faces_the_first_layer_is_summed_over_the_colours(tmp_path: Path) -> None:
    torch.manual_seed(1)
    torch.save(timm.create_model("resnet10t").state_dict(), tmp_path / "weights.pth")
    colour, grey = (_backbone_of(tmp_path / "weights.pth", "resnet10t", n).eval() for n in (3, 1))
    face = torch.randn(2, 1, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(grey.body(face), colour.body(face.expand(-1, 3, -1, -1)))


def test_files_that_are_no_weights_of_the_network_are_refused(tmp_path: Path) -> None:
    cases: dict[str, tuple[object, str]] = {
        "other.pth": (timm.create_model("resnet10t").state_dict(), "not those of timm's resnet18"),
        "list.pth": ([1, 2], "holds no weights by name"),
        "mixed.pth": ({"a": torch.zeros(2), "b": 1}, "more than tensors"),
        "object.pth": ({"a": Path("x")}, "more than tensors"),
    }
    for name, (content, message) in cases.items():
        torch.save(content, tmp_path / name)
        with pytest.raises(InputError, match=message):
            _backbone_of(tmp_path / name)
    (tmp_path / "cut.pth").write_bytes((tmp_path / "other.pth").read_bytes()[:1000])
    for name, message in (
        ("cut.pth", "cannot be read as weights"),
        ("missing.pth", "no such file; it takes true, false or a file"),
        ("https://example.org/w.pth", "read from disk alone"),
    ):
        path = name if "://" in name else str(tmp_path / name)
        with pytest.raises(InputError, match=message) as say:
            Backbone("resnet18", 3, 64, 7, 0.0, path)
        assert "\n" not in str(say.value)


def test_a_training_starts_from_a_file_of_weights(tmp_path: Path) -> None:
    torch.manual_seed(2)
    body = timm.create_model("resnet10t", in_chans=3)
    torch.save(body.state_dict(), tmp_path / "weights.pth")
    started = build(spec("resnet10t"), pretrained=str(tmp_path / "weights.pth"))
    own = dict(started.named_parameters())
    torch.testing.assert_close(
        own["body.layer1.0.conv1.weight"], body.get_parameter("layer1.0.conv1.weight")
    )
