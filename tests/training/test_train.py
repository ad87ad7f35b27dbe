"""A whole training: what it writes, what it learns, what it refuses."""

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from emotion_detection import __version__, cli
from emotion_detection.config import TrainConfig
from emotion_detection.data import load
from emotion_detection.errors import InputError
from emotion_detection.training import Run, train
from emotion_detection.training.callbacks import KeepBest
from emotion_detection.training.checkpoint import load_trained, read_checkpoint

NAMES = ("froh", "très triste", "怒り")
Make = Callable[..., TrainConfig]


def weights(run: Run, name: str = "last.ckpt") -> dict[str, torch.Tensor]:
    return read_checkpoint(run.folder / name)["state_dict"]


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def rows(run: Run) -> list[dict[str, str]]:
    with (run.logs / "metrics.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def write_data(
    tiny_faces: Callable[..., np.ndarray], write_manifest: Callable[..., Path]
) -> Callable[..., Path]:
    def write(dest: Path, names: tuple[str, ...] = NAMES, drop: tuple[str, str] = ("", "")) -> Path:
        faces = tiny_faces(96, size=16)
        for row, face in enumerate(faces):
            stripe = face[5 * (row % 3) :][:5]  # gives its class away
            stripe[:] = stripe // 2 + 90
        splits = ["train"] * 60 + ["validation"] * 24 + ["test"] * 12
        kept = [row for row in range(96) if (splits[row], names[row % 3]) != drop]
        emotions = [names[row % 3] for row in kept]
        return write_manifest(dest, faces[kept], emotions, [splits[row] for row in kept])

    return write


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("train")


@pytest.fixture(scope="module")
def data(place: Path, write_data: Callable[..., Path]) -> Path:
    return write_data(place / "data")


def settings(folder: Path, data: Path, **options: Any) -> TrainConfig:
    usual: dict[str, Any] = {"data": str(data), "size": 16, "epochs": 2, "batch_size": 16}
    places = {name: str(folder / name) for name in ("models", "logs", "cache")}
    return TrainConfig(**{**usual, **places, **options})


@pytest.fixture
def make(tmp_path: Path, data: Path) -> Make:
    return lambda **options: settings(tmp_path, Path(options.pop("data", data)), **options)


@pytest.fixture
def no_export(monkeypatch: pytest.MonkeyPatch, skip_artifacts: Any) -> None:
    """Train without an ONNX file and curves."""
    skip_artifacts(monkeypatch)


@pytest.fixture(scope="module")
def done(place: Path, data: Path) -> Run:
    return train(settings(place, data, epochs=6, name="first", learning_rate=0.003))


def test_a_run_writes_its_files_and_no_others(done: Run) -> None:
    assert sorted(path.name for path in done.folder.iterdir()) == [
        *("best.ckpt", "config.yaml", "faces.npz", "last.ckpt", "metrics.json", "model.onnx"),
        *("provenance.json", "sample.npy"),
    ]
    assert any(path.name.startswith("events.out.tfevents") for path in done.logs.iterdir())
    with Image.open(done.logs / "curves.png") as curves:
        assert curves.format == "PNG"
        assert min(curves.size) >= 400
        assert np.asarray(curves.convert("L")).std() > 5


def test_provenance_says_where_a_run_comes_from(done: Run, place: Path, data: Path) -> None:
    record = json.loads((done.folder / "provenance.json").read_text())
    dataset = load(settings(place, data))
    assert record["seed"] == 0
    assert record["data"]["hash"] == dataset.hash
    assert record["data"]["labels"] == list(NAMES)
    assert record["code"]["version"] == __version__
    assert record["packages"]["torch"] == version("torch")
    assert {"numpy", "pytorch-lightning", "onnxruntime"} <= record["packages"].keys()
    assert record["command"]
    assert record["finished"] >= record["started"]


def test_metrics_hold_every_figure_of_the_best_checkpoint(done: Run) -> None:
    metrics = json.loads((done.folder / "metrics.json").read_text())
    assert metrics == done.metrics
    assert metrics.keys() >= {
        *("accuracy", "accuracy_ci95", "balanced_accuracy", "macro_f1", "ece", "nll", "brier"),
        *("n", "labels", "per_class", "confusion", "data", "split", "model", "parameters"),
    }
    assert (metrics["split"], metrics["n"], metrics["labels"]) == ("validation", 24, list(NAMES))
    assert metrics["accuracy"] == pytest.approx(
        max(float(row["val_accuracy"]) for row in rows(done))
    )


def test_the_loss_falls_and_a_plain_pattern_is_learned(done: Run) -> None:
    losses = [float(row["train_loss"]) for row in rows(done)]
    assert losses[-1] < 0.7 * losses[0]
    assert done.metrics["accuracy"] > 0.6


def test_best_is_the_epoch_of_highest_accuracy_then_lowest_loss(done: Run) -> None:
    best = max(rows(done), key=lambda r: (float(r["val_accuracy"]), -float(r["val_loss"])))
    assert read_checkpoint(done.folder / "best.ckpt")["epoch"] + 1 == int(best["epoch"])
    assert done.metrics["training"]["best_epoch"] == int(best["epoch"])


def test_ties_go_to_the_lower_loss_and_a_full_tie_to_the_earlier(tmp_path: Path) -> None:
    keep, best = KeepBest(tmp_path), []
    nothing = float("nan")
    figures = [(0.4, 1.0), (0.5, 0.9), (0.5, 0.9), (0.5, 0.8), (0.4, 0.1), (nothing, nothing)]
    for epoch, (accuracy, loss) in enumerate(figures):
        saved: list[str] = []
        trainer = SimpleNamespace(
            callback_metrics={"val_accuracy": accuracy, "val_loss": loss},
            current_epoch=epoch,
            save_checkpoint=lambda path, saved=saved: saved.append(path.name),
        )
        keep.on_train_epoch_end(trainer, None)
        # the first time the other way round: best.ckpt never stands without last.ckpt
        assert saved[0 if epoch == 0 else -1] == "last.ckpt"
        assert saved.count("last.ckpt") == 1
        best += [epoch] * ("best.ckpt" in saved)
    assert best == [0, 1, 3]
    assert keep.best_epoch == 3


def test_config_runs_again_as_it_stands_to_the_same_weights(
    done: Run, tmp_path: Path, no_export: None
) -> None:
    again = shutil.copy(done.folder / "config.yaml", tmp_path)
    assert cli.main(["train", "--config", again]) == 0
    stored = yaml.safe_load(Path(again).read_text())
    (folder,) = (path for path in Path(stored["models"]).iterdir() if path != done.folder)
    assert folder.name.startswith("baseline-2")
    assert same(weights(replace(done, folder=folder)), weights(done))


def test_another_seed_gives_other_weights_from_the_same_cache(
    make: Make, no_export: None, tmp_path: Path
) -> None:
    runs = [train(make(seed=seed, epochs=1)) for seed in (1, 1, 2)]
    assert same(weights(runs[0]), weights(runs[1]))
    assert not same(weights(runs[0]), weights(runs[2]))
    assert len(list((tmp_path / "cache").glob("*/meta.json"))) == 1
    assert len({run.folder for run in runs}) == 3


def test_early_stopping_waits_as_many_epochs_as_asked(make: Make, no_export: None) -> None:
    run = train(make(epochs=9, patience=2, learning_rate=1e-9))
    assert [row["epoch"] for row in rows(run)] == ["1", "2", "3"]


def test_a_name_that_exists_is_refused(done: Run, place: Path, data: Path) -> None:
    with pytest.raises(InputError, match=r"--name first.*exists.*--resume"):
        train(settings(place, data, name="first"))


@pytest.mark.parametrize("option", ["models", "logs"])
def test_a_file_in_the_way_of_a_folder_is_named(make: Make, tmp_path: Path, option: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"file is a file"):
        train(make(**{option: str(tmp_path / "file" / "below")}))


def test_a_class_without_training_faces_is_an_error(make: Make, tmp_path: Path) -> None:
    (tmp_path / "list").write_text("\n".join(f"{row:04d}.png" for row in range(1, 60, 3)))
    with pytest.raises(InputError, match=f"no training faces of {NAMES[1]};"):
        train(make(exclude=str(tmp_path / "list")))


def test_a_class_without_validation_faces_is_a_warning(
    make: Make, tmp_path: Path, write_data: Callable[..., Path], capsys: Any, no_export: None
) -> None:
    train(make(data=write_data(tmp_path / "data", drop=("validation", NAMES[2])), epochs=1))
    assert f"warning: no validation faces of {NAMES[2]}" in capsys.readouterr().err


def test_the_test_split_is_not_needed(make: Make, no_export: None) -> None:
    config = make(epochs=1)
    shutil.rmtree(load(config).folder / "test")
    assert train(config).metrics["n"] == 24


def test_excluded_faces_are_left_out(
    make: Make, tmp_path: Path, capsys: Any, no_export: None
) -> None:
    listed = tmp_path / "out.csv"
    listed.write_text("file,why\n# seen\nimages/0000.png,blurred\n0001.png,\n0060.png,\nno.png,\n")
    run = train(make(exclude=str(listed), epochs=1))
    said = capsys.readouterr().err
    assert "excluded: 3 faces of train and validation; 1 names are in neither" in said
    assert "58 training and 23 validation faces" in said
    assert run.metrics["n"] == 23


@pytest.mark.parametrize(
    ("text", "reason"),
    [(None, "cannot be read"), ("", "names no faces"), ("x.png\n", "none of its 1 names")],
)
def test_an_exclude_file_that_excludes_nothing_is_an_error(
    make: Make, tmp_path: Path, text: str | None, reason: str
) -> None:
    if text is not None:
        (tmp_path / "list").write_text(text)
    with pytest.raises(InputError, match=f"--exclude .*list.*{reason}"):
        train(make(exclude=str(tmp_path / "list")))


def test_init_of_the_same_classes_takes_every_weight(
    done: Run, make: Make, no_export: None
) -> None:
    run = train(make(init=str(done.folder), epochs=1, learning_rate=1e-30))
    assert same(weights(run), weights(done, "best.ckpt"))


def test_init_of_other_classes_gets_a_new_last_layer_and_reports_it(
    done: Run, make: Make, tmp_path: Path, write_data: Any, capsys: Any, no_export: None
) -> None:
    data = write_data(tmp_path / "data", names=("a", "b", "c"))
    run = train(make(data=data, init=str(done.folder), epochs=1, learning_rate=1e-30))
    assert "does not know a, b, c: new rows" in capsys.readouterr().err
    ours, theirs = (load_trained(r.folder).network.state_dict() for r in (run, done))
    assert {name for name in ours if not torch.equal(ours[name], theirs[name])} == {
        *("head.weight", "head.bias")
    }


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"size": 24}, "1 x 16 px"),
        ({"channels": 3}, "1 x 16 px"),
        ({"init": "nowhere"}, "no such run"),
    ],
)
def test_init_that_does_not_fit_is_refused(
    done: Run, make: Make, options: dict[str, Any], reason: str
) -> None:
    with pytest.raises(InputError, match=f"--init .*{reason}"):
        train(make(**{"init": str(done.folder), **options}))


def test_votes_are_trained_on_as_fractions(
    make: Make, tmp_path: Path, tiny_faces: Any, write_csv: Any, write_votes: Any, no_export: None
) -> None:
    usages = ["Training"] * 24 + ["PublicTest"] * 8 + ["PrivateTest"] * 8
    votes = np.zeros((40, 10), int)
    votes[np.arange(40), np.arange(40) % 8] = 6
    votes[np.arange(40), (np.arange(40) + 1) % 8] = 4
    write_csv(tmp_path / "fer", tiny_faces(40), [row % 7 for row in range(40)], usages)
    write_votes(tmp_path / "fer", votes, usages)
    options = {"data": tmp_path / "fer", "labels": "ferplus", "epochs": 1}
    shares, majority = (train(make(**options, votes=v)) for v in ("probability", "majority"))
    assert len(shares.metrics["labels"]) == 8
    assert not same(weights(shares), weights(majority))


def test_colour_and_every_augmentation_change_the_weights(make: Make, no_export: None) -> None:
    strengths = {
        "flip": 0.5,
        "rotate": 10.0,
        "shift": 0.1,
        "scale": 0.1,
        "brightness": 0.2,
        "contrast": 0.2,
        "erase": 0.5,
    }
    plain, augmented = (train(make(channels=3, epochs=1, **s)) for s in ({}, strengths))
    assert weights(plain)["network.features.0.weight"].shape[1] == 3
    assert not same(weights(plain), weights(augmented))
    assert all(torch.isfinite(value).all() for value in weights(augmented).values())


def test_without_validation_the_last_epoch_is_the_best(make: Make, no_export: None) -> None:
    run = train(make(trainer={"limit_val_batches": 0}))
    assert [row["val_accuracy"] for row in rows(run)] == ["", ""]
    assert same(weights(run, "best.ckpt"), weights(run))
    assert run.metrics["n"] == 24


def test_patience_without_validation_is_refused(make: Make) -> None:
    with pytest.raises(InputError, match="--patience"):
        train(make(patience=1, trainer={"limit_val_batches": 0}))


def test_steps_can_be_limited_and_only_measured_epochs_have_figures(
    make: Make, no_export: None
) -> None:
    run = train(make(epochs=9, trainer={"max_steps": 6}))
    assert [(row["step"], row["val_accuracy"] != "") for row in rows(run)] == [
        *(("4", True), ("6", False))
    ]
    assert read_checkpoint(run.folder / "last.ckpt")["global_step"] == 6


def test_half_precision_trains_and_its_checkpoint_loads(make: Make, no_export: None) -> None:
    run = train(make(epochs=1, trainer={"precision": "bf16-true"}))
    network = load_trained(run.folder).network
    assert {weight.dtype for weight in weights(run).values()} == {torch.bfloat16}
    assert all(torch.isfinite(weight).all() for weight in network.parameters())


def test_accumulated_batches_are_one_step(make: Make, no_export: None) -> None:
    run = train(make(epochs=1, trainer={"accumulate_grad_batches": 2}))
    assert [row["step"] for row in rows(run)] == ["2"]


@pytest.mark.parametrize(
    "trainer",
    [
        {"devices": 999},
        {"precision": "13"},
        {"logger": False},
        {"fast_dev_run": True},
        {"overfit_batches": 1},
        {"val_check_interval": 99},
    ],
    ids=str,
)
def test_trainer_fields_that_cannot_be_met_are_reported_in_one_line(
    make: Make, trainer: dict[str, Any]
) -> None:
    with pytest.raises(InputError, match=r"--trainer\.") as caught:
        train(make(trainer=trainer))
    assert "\n" not in str(caught.value)
