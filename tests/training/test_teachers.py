"""Learning from other networks' scores."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from emotion_detection.cli import main
from emotion_detection.config import TrainConfig
from emotion_detection.errors import InputError
from emotion_detection.training import read_resumed_config, train
from emotion_detection.training.batches import Batch
from emotion_detection.training.checkpoint import read_checkpoint
from emotion_detection.training.initial_weights import load_teachers
from emotion_detection.training.losses import Teachers
from emotion_detection.training.network import ModelSpec, build_seeded, scale_to_unit, take_apart
from emotion_detection.training.task import CHECKPOINT_KEY, EmotionTask

ALSO = {"fer2013": ("a", "b")}
PUPIL = ModelSpec("quick", ("a", "b", "c"), 1, 16, 0.0, "ferplus", ALSO, intensity=True)
PLAIN = ModelSpec("quick", ("a", "b"), 1, 16, 0.0, "fer2013")
FACES = torch.rand(5, 1, 16, 16, generator=torch.Generator().manual_seed(0))
Capture = pytest.CaptureFixture[str]


def network(spec: ModelSpec, seed: int) -> nn.Module:
    made = build_seeded(spec, seed).eval()
    with torch.no_grad():  # fresh weights alone score all faces nearly alike
        made.get_submodule("head").weight.mul_(20)
    return made


def write_run(folder: Path, spec: ModelSpec, seed: int = 0) -> Path:
    weights = {f"network.{key}": value for key, value in network(spec, seed).state_dict().items()}
    folder.mkdir(parents=True)
    own = {"spec": spec.as_dict(), "record": {}}
    torch.save({"state_dict": weights, CHECKPOINT_KEY: own}, folder / "best.ckpt")
    return folder


def losses(teachers: Teachers, raw: Tensor) -> Tensor:
    return sum(teachers.losses(PUPIL, take_apart(PUPIL, raw), FACES).values())


def test_a_student_that_equals_the_teacher_has_no_loss() -> None:
    teacher = network(PUPIL, 1)
    raw = teacher(FACES).detach().requires_grad_()
    losses(Teachers([teacher], [PUPIL]), raw).sum().backward()
    torch.testing.assert_close(raw.grad, torch.zeros_like(raw), atol=1e-6, rtol=0)
    other = (raw.detach() + torch.randn(raw.shape)).requires_grad_()
    losses(Teachers([teacher], [PUPIL]), other).sum().backward()
    assert (other.grad != 0).all()


def test_the_teachers_scores_are_averaged() -> None:
    one, other, raw = network(PUPIL, 1), network(PUPIL, 2), torch.randn(5, 6)
    with torch.no_grad():
        said = [each(FACES) for each in (one, other)]
    expected = torch.zeros(5)
    for columns in (slice(0, 3), slice(3, 5)):
        mean = (said[0][:, columns].softmax(1) + said[1][:, columns].softmax(1)) / 2
        expected -= (mean * raw[:, columns].log_softmax(1)).sum(1)
    strength = (said[0][:, 5].sigmoid() + said[1][:, 5].sigmoid()) / 2
    own = raw[:, 5].sigmoid()
    expected -= strength * own.log() + (1 - strength) * (1 - own).log()
    torch.testing.assert_close(losses(Teachers([one, other], [PUPIL, PUPIL]), raw), expected)


def test_only_what_both_know_is_learnt() -> None:
    raw = torch.randn(5, 6).requires_grad_()
    losses(Teachers([network(PLAIN, 1)], [PLAIN]), raw).sum().backward()
    assert (raw.grad[:, 3:5] != 0).all()
    assert (raw.grad[:, [0, 1, 2, 5]] == 0).all()


def test_only_the_student_learns() -> None:
    teacher, pupil = network(PUPIL, 1), network(PUPIL, 2)
    losses(Teachers([teacher], [PUPIL]), pupil(FACES)).sum().backward()
    assert all(parameter.grad is None for parameter in teacher.parameters())
    assert all(parameter.grad is not None for parameter in pupil.parameters())


def test_teachers_are_in_no_checkpoint_and_no_optimizer() -> None:
    teachers = Teachers([network(PUPIL, 1)], [PUPIL])
    task, alone = (
        EmotionTask(network(PUPIL, 2), PUPIL, TrainConfig(), teachers=each)
        for each in (teachers, None)
    )
    assert task.state_dict().keys() == alone.state_dict().keys()
    assert len(list(task.parameters())) == len(list(alone.parameters()))


def test_teachers_of_other_networks_and_sets_are_taken(tmp_path: Path) -> None:
    places = [write_run(tmp_path / "one", PUPIL), write_run(tmp_path / "two", PLAIN)]
    teachers = load_teachers([str(places[0]), str(places[1] / "best.ckpt")], PUPIL)
    assert teachers is not None
    assert teachers.specs == [PUPIL, PLAIN]
    assert not any(each.training for each in teachers.networks)
    assert load_teachers([], PUPIL) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 24}, r"takes faces of 1 x 24 x 24 px, this training 1 x 16 x 16 px"),
        ({"channels": 3}, r"takes faces of 3 x 16 x 16 px, this training 1 x 16 x 16 px"),
        ({"label_set": "own"}, r"has other labels \(own: a/b\) than this training"),
        ({"labels": ("a", "c")}, r"has other labels \(fer2013: a/c\) than this training"),
    ],
)
def test_a_teacher_that_does_not_fit_is_refused(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    place = write_run(tmp_path / "run", ModelSpec(**{**PLAIN.__dict__, **change}))
    with pytest.raises(InputError, match=message) as say:
        load_teachers([str(place)], PUPIL)
    assert str(say.value).startswith(f"--teacher {place}: ")
    assert "\n" not in str(say.value)


@pytest.mark.parametrize("place", ["nowhere", "https://example.org/best.ckpt"])
def test_a_teacher_that_is_not_there_is_refused_in_a_line(place: str) -> None:
    with pytest.raises(InputError) as say:
        load_teachers([place], PUPIL)
    assert place in str(say.value)
    assert "\n" not in str(say.value)


@pytest.fixture
def words(tmp_path: Path, striped: Callable[..., TrainConfig]) -> Callable[..., list[str]]:
    def make(name: str, *more: str) -> list[str]:
        made = striped(tmp_path, name=name, network="quick", epochs=1)
        fields = ("data", "cache", "models", "logs", "size", "network", "epochs", "name")
        options = [f"--{field}={getattr(made, field)}" for field in fields]
        return ["train", *options, "--trainer.accelerator=cpu", "--intensity_weight=0", *more]

    return make


def head(folder: Path) -> np.ndarray:
    return read_checkpoint(folder / "last.ckpt")["state_dict"]["network.head.weight"].numpy()


@pytest.mark.slow
@pytest.mark.usefixtures("without_export")
def test_the_command_takes_several_teachers(
    words: Callable[..., list[str]], tmp_path: Path, capsys: Capture
) -> None:
    spec = ModelSpec("compact", ("calm", "glad", "sad"), 1, 16, 0.0)
    one, other = (str(write_run(tmp_path / name, spec, len(name))) for name in ("a", "bb"))
    given = {
        "alone": [],
        "weightless": ["--teacher", one, other, "--teacher_weight", "0"],
        "both": ["--teacher", one, other, "--teacher_weight", "0.8"],
        "one": ["--teacher", one, "--teacher_weight", "0.8"],
        "twice": ["--teacher", one, one, "--teacher_weight", "0.8"],
    }
    weights = {}
    for name, options in given.items():
        assert main(words(name, *options)) == 0, capsys.readouterr().err
        weights[name] = head(tmp_path / "models" / name)
    np.testing.assert_array_equal(weights["alone"], weights["weightless"])
    np.testing.assert_allclose(weights["one"], weights["twice"], atol=1e-6)
    assert np.abs(weights["both"] - weights["one"]).max() > 1e-4
    assert np.abs(weights["one"] - weights["alone"]).max() > 1e-4
    assert read_resumed_config(tmp_path / "models" / "both").teacher == [one, other]
    again = ["train", f"--config={tmp_path}/models/both/config.yaml", "--name=again"]
    assert main(again) == 0, capsys.readouterr().err
    np.testing.assert_array_equal(head(tmp_path / "models" / "again"), weights["both"])


@pytest.mark.parametrize("size", [None, 24])
def test_the_command_refuses_a_teacher_with_exit_code_2_and_leaves_no_run(
    words: Callable[..., list[str]], tmp_path: Path, capsys: Capture, size: int | None
) -> None:
    place = tmp_path / "teacher"
    if size:
        write_run(place, ModelSpec("quick", ("calm", "glad", "sad"), 1, size, 0.0))
    assert main(words("x", "--teacher", str(place))) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert f"--teacher {place}: " in said[-1]
    assert "Traceback" not in "".join(said)
    assert not (tmp_path / "models" / "x").exists()


@pytest.mark.usefixtures("without_export")
def test_teachers_go_with_mixed_faces_and_averaged_weights(
    striped: Callable[..., TrainConfig], tmp_path: Path
) -> None:
    spec = ModelSpec("quick", ("calm", "glad", "sad"), 1, 16, 0.0, intensity=True)
    options = {"mixup": 0.3, "ema": 0.9, "network": "quick", "intensity_weight": 0.5, "epochs": 1}
    run = train(striped(tmp_path, teacher=[str(write_run(tmp_path / "t", spec))], **options))
    assert np.isfinite(head(run.folder)).all()


@pytest.mark.parametrize("mixup", [0.0, 0.4])
def test_teachers_see_the_faces_before_corruption(mixup: float) -> None:
    class Blacken(nn.Module):
        def forward(self, faces: Tensor) -> Tensor:
            return torch.zeros_like(faces)

    seen: dict[str, Tensor] = {}

    class Watching(Teachers):
        def losses(self, spec: ModelSpec, outputs: Any, faces: Tensor) -> Any:
            seen["teacher"] = faces
            return super().losses(spec, outputs, faces)

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(256, PUPIL.outputs)

        def forward(self, faces: Tensor) -> Tensor:
            seen["pupil"] = faces
            return self.head(faces.flatten(1))

    config = TrainConfig(
        network="quick", size=16, labels="ferplus", extra_labels="fer2013", mixup=mixup
    )
    teachers = Watching([network(PUPIL, 1)], [PUPIL])
    task = EmotionTask(Network(), PUPIL, config, teachers=teachers, corruption=Blacken())
    labels = torch.tensor([0, 1, 2, 0, 1])
    images = (FACES * 255).to(torch.uint8)
    batch = Batch(images, labels, None, None, {"fer2013": labels % 2}, torch.tensor(0.2))
    task.training_step(batch, 0)
    assert not seen["pupil"].any()
    assert seen["teacher"].any()
    if not mixup:
        torch.testing.assert_close(seen["teacher"], scale_to_unit(images))


def test_a_teacher_s_classes_may_have_another_order_and_spelling() -> None:
    student = ModelSpec("quick", ("anger", "happiness"), 1, 16, 0.0, "fer2013")
    other = ModelSpec("quick", ("happy", "angry"), 1, 16, 0.0, "fer2013")
    teacher = network(other, 3)
    raw = teacher(FACES).detach()[:, [1, 0]].requires_grad_()
    taught = Teachers([teacher], [other]).losses(student, take_apart(student, raw), FACES)
    taught["fer2013"].sum().backward()
    torch.testing.assert_close(raw.grad, torch.zeros_like(raw), atol=1e-6, rtol=0)
