"""Model folders of the hub: written, read again by all commands, and refused where damaged."""

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import pytest
import yaml
from huggingface_hub import ModelCard
from safetensors.torch import load_file, save_file

from emotion_detection import EmotionDetector, pretrained
from emotion_detection.cli import main
from emotion_detection.config import TrainConfig
from emotion_detection.errors import InputError
from emotion_detection.evaluation import evaluate
from emotion_detection.evaluation.hub_export import export_hub
from emotion_detection.evaluation.model_loading import open_model
from emotion_detection.inference.model import find_model_file
from emotion_detection.io import hub_download
from emotion_detection.io.hub_folder import read_hub_config
from emotion_detection.training import Run, train
from emotion_detection.training.checkpoint import load_trained
from emotion_detection.training.initial_weights import load_hub_weights

FILES = {"config.json", "model.onnx", "model.safetensors", "README.md"}


def front_matter(folder: Path) -> dict[str, Any]:
    """Return the front matter of a card."""
    text = (folder / "README.md").read_text(encoding="utf-8")
    values: dict[str, Any] = yaml.safe_load(text.split("---\n")[1])
    return values


@pytest.fixture(scope="module")
def tested(own_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a test."""
    run = tmp_path_factory.mktemp("hub") / "tested"
    shutil.copytree(own_run.folder, run)
    evaluate([run])
    return run


@pytest.fixture(scope="module")
def exported(tested: Path) -> Path:
    """The model folder of a tested run."""
    folder = tested.parent / "exported"
    export_hub(str(tested), folder)
    return folder


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exports that take the run's own ONNX file: making it anew takes longest."""
    monkeypatch.setattr(
        "emotion_detection.evaluation.hub_export._onnx",
        lambda trained: (trained.path.parent / "model.onnx").read_bytes(),
    )


@pytest.fixture
def copy(exported: Path, tmp_path: Path) -> Path:
    """A model folder to damage."""
    return Path(shutil.copytree(exported, tmp_path / "copy"))


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model folder of the shipped model."""
    folder = tmp_path_factory.mktemp("shipped") / "hub"
    export_hub("pretrained", folder)
    return folder


def change(folder: Path, **values: Any) -> None:
    """Change values of a config.json; None removes one."""
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8")) | values
    kept = {name: value for name, value in config.items() if value is not None}
    path.write_text(json.dumps(kept), encoding="utf-8")


def test_an_exported_run_answers_as_the_run_does(tested: Path, exported: Path) -> None:
    assert {path.name for path in exported.iterdir()} == FILES
    crops = np.random.default_rng(0).integers(0, 256, (20, 24, 24), np.uint8)
    ours, theirs = EmotionDetector(tested), EmotionDetector(exported)
    assert ours.labels == theirs.labels
    np.testing.assert_allclose(theirs.classify(crops), ours.classify(crops), atol=1e-6)
    of_checkpoint = open_model(tested).outputs(crops[:, None])["scores"]
    np.testing.assert_allclose(
        open_model(exported).outputs(crops[:, None])["scores"], of_checkpoint, atol=1e-4
    )


def test_the_config_has_the_names_of_the_hub(exported: Path) -> None:
    config = json.loads((exported / "config.json").read_text(encoding="utf-8"))
    assert config["id2label"] == {"0": "bored", "1": "keen", "2": "tired"}
    assert config["label2id"] == {"bored": 0, "keen": 1, "tired": 2}
    assert (config["image_size"], config["num_channels"]) == (24, 1)
    assert config["architectures"] == ["baseline"]


def test_the_weights_are_the_checkpoints(tested: Path, exported: Path) -> None:
    own = load_trained(tested).network.state_dict()
    stored = load_file(exported / "model.safetensors")
    assert own.keys() == stored.keys()
    assert all(own[name].equal(stored[name]) for name in own)
    weights, spec = load_hub_weights(exported)
    assert spec == load_trained(tested).spec
    assert all(own[name].equal(weights[name]) for name in own)


def test_the_card_has_the_metrics_of_the_runs_test(tested: Path, exported: Path) -> None:
    front = front_matter(exported)
    (path,) = tested.glob("test/*/metrics.json")
    metrics = json.loads(path.read_text(encoding="utf-8"))
    data = ModelCard.load(exported / "README.md").data
    assert (front["pipeline_tag"], front["library_name"]) == (
        "image-classification",
        "emotion-detection",
    )
    assert front["license"] == "unknown"
    assert front["metrics"] == ["accuracy", "f1"]
    assert "datasets" not in front
    assert data.model_name == "tested"
    found = {one.metric_type: one.metric_value for one in data.eval_results or []}
    assert found["accuracy"] == round(metrics["accuracy"], 4)
    assert found["f1"] == round(metrics["macro_f1"], 4)
    assert {one.dataset_split for one in data.eval_results or []} == {"test"}
    assert 'EmotionDetector("hf://' in (exported / "README.md").read_text(encoding="utf-8")


@pytest.mark.usefixtures("quick")
def test_a_run_without_a_test_has_no_results_in_its_card(own_run: Run, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(own_run.folder, run, ignore=shutil.ignore_patterns("test"))
    export_hub(str(run / "best.ckpt"), tmp_path / "out")
    assert "model-index" not in front_matter(tmp_path / "out")
    text = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "not tested" in text
    assert f"{own_run.metrics['accuracy']:.4f}" in text
    assert not ModelCard(text).data.eval_results


def test_the_shipped_model_is_exported_as_it_is(shipped: Path) -> None:
    assert (shipped / "model.onnx").read_bytes() == pretrained.find_model().read_bytes()
    assert (shipped / "model.safetensors").read_bytes() == pretrained.find_weights().read_bytes()
    front = front_matter(shipped)
    assert front["license"] == "mit"
    assert front["datasets"] == ["fer2013", "ferplus"]
    card = ModelCard.load(shipped / "README.md").data
    record = pretrained.read_record()
    assert card.model_name == record["name"]
    accuracies = [one.metric_value for one in card.eval_results if one.metric_type == "accuracy"]
    assert round(record["figures"][0]["accuracy"], 4) in accuracies
    assert EmotionDetector(shipped).label_sets == EmotionDetector().label_sets
    _, spec = load_hub_weights(shipped)
    assert spec.label_sets == EmotionDetector().label_sets


def test_training_starts_and_learns_from_a_folder(
    exported: Path,
    own_run: Run,
    own_data: Path,
    config: Callable[..., TrainConfig],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("emotion_detection.training.final_steps.export_onnx", lambda *_: 0.0)
    place = str(exported)
    recipe = config(
        own_data, "started", models=str(tmp_path), epochs=1, init=place, teacher=[place]
    )
    started = train(recipe)
    first = started.metrics["training"]["first_train_loss"]
    assert first < own_run.metrics["training"]["first_train_loss"]


def test_a_test_of_a_folder_is_that_of_its_run(tested: Path, copy: Path) -> None:
    done = evaluate([copy])
    (path,) = tested.glob("test/*/metrics.json")
    before = json.loads(path.read_text(encoding="utf-8"))
    assert done.metrics["accuracy"] == before["accuracy"]
    assert done.metrics["nll"] == pytest.approx(before["nll"], abs=1e-4)
    assert copy in done.folder.parents


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"image_size": 48}, "image_size is not that of model.onnx"),
        ({"image_size": "24"}, "image_size '24': must be a whole number from 16 to 1024"),
        ({"image_size": 10**9}, "image_size 1000000000: must be a whole number"),
        ({"num_channels": 3}, "num_channels is not that of model.onnx"),
        ({"intensity": True}, "intensity is not that of model.onnx"),
        ({"num_channels": True}, "num_channels True: must be 1 or 3"),
        ({"classifier_dropout": float("nan")}, "classifier_dropout nan: must be from 0"),
        ({"label_sets": {"own": ["a", "a"]}}, "must be a list of class names, each of them once"),
        ({"label_sets": {}}, "label_sets: must map names"),
        ({"id2label": {"0": "keen"}}, "id2label: must be the labels of the first"),
        ({"architectures": [1]}, "architectures [1]: must be the name of one network"),
        ({"training_data": {"options": 3}}, "training_data: is not what a training records"),
        ({"files": {"model.onnx": 3}}, "files 'model.onnx': must hold sha256"),
        ({"files": {}}, "its files lack model.onnx"),
        ({"files": None}, "lacks 'files'"),
        ({"format": 2}, "format 2: this version reads 1"),
    ],
)
def test_a_config_of_other_values_is_refused(
    copy: Path, capfd: pytest.CaptureFixture[str], values: dict[str, Any], said: str
) -> None:
    change(copy, **values)
    assert main(["explain", "missing.jpg", "--model", str(copy)]) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"emotion: {copy}")
    assert said in line


def damage(folder: Path, name: str, how: str) -> None:
    path = folder / name
    content = path.read_bytes()
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize {len(content)}\n"
    changed = {
        "missing": b"",
        "short": content[:-9],
        "other": content[:-1] + bytes([content[-1] ^ 1]),
        "pointer": pointer.encode(),
    }
    path.write_bytes(changed[how])
    if how == "missing":
        path.unlink()


@pytest.mark.parametrize(
    ("name", "how", "said"),
    [
        ("model.onnx", "missing", "model.onnx is missing: this model folder is incomplete"),
        ("model.onnx", "short", "incomplete, or of another model"),
        ("model.onnx", "other", "its SHA-256 is not the one in config.json"),
        ("model.onnx", "pointer", "a pointer of Git LFS, not the file"),
        ("config.json", "pointer", "a pointer of Git LFS, not the file"),
        ("config.json", "short", "cannot be read as JSON"),
    ],
)
@pytest.mark.parametrize("command", ["predict", "serve", "test"])
def test_damaged_files_are_refused_in_one_line(
    copy: Path, capfd: pytest.CaptureFixture[str], name: str, how: str, said: str, command: str
) -> None:
    damage(copy, name, how)
    first = {"predict": ["predict", "a.jpg"], "serve": ["serve"], "test": ["test"]}[command]
    assert main([*first, "--model", str(copy)]) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert said in line


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("missing", "model.safetensors is missing"),
        ("short", "incomplete, or of another model"),
        ("other", "its SHA-256 is not the one in config.json"),
        ("pointer", "a pointer of Git LFS"),
    ],
)
def test_damaged_weights_are_refused(copy: Path, how: str, said: str) -> None:
    damage(copy, "model.safetensors", how)
    with pytest.raises(InputError, match=said):
        load_hub_weights(copy)


def test_weights_of_another_network_are_refused(copy: Path) -> None:
    path = copy / "model.safetensors"
    weights = load_file(path)
    weights["head.weight"] = weights["head.weight"][:2].clone()
    save_file(weights, path)
    config = json.loads((copy / "config.json").read_text(encoding="utf-8"))
    content = path.read_bytes()
    config["files"][path.name] = {
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
    }
    change(copy, files=config["files"])
    with pytest.raises(InputError, match="not the weights of the network baseline"):
        load_hub_weights(copy)
    change(copy, architectures=["../../evil"])
    with pytest.raises(InputError, match="neither this project's nor timm's"):
        load_hub_weights(copy)


@pytest.mark.usefixtures("quick")
def test_files_of_others_stay(tested: Path, exported: Path, tmp_path: Path) -> None:
    folder = tmp_path / "clone"
    (folder / ".git").mkdir(parents=True)
    (folder / ".gitattributes").write_text("*.onnx filter=lfs\n")
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\nMine.\n")
    written = export_hub(str(tested), folder)
    assert "README.new.md" in {path.name for path in written}
    assert (folder / "README.md").read_text().endswith("Mine.\n")
    assert (folder / ".gitattributes").read_text() == "*.onnx filter=lfs\n"
    # once it is taken over, it is replaced as the other files are
    (folder / "README.new.md").replace(folder / "README.md")
    assert "README.md" in {path.name for path in export_hub(str(tested), folder)}
    (folder / "README.md").write_text("Edited.\n")
    assert "README.new.md" in {path.name for path in export_hub(str(tested), folder)}
    assert (folder / "README.md").read_text() == "Edited.\n"
    EmotionDetector(folder)


@pytest.mark.parametrize("name", ["model.onnx", "model.safetensors", "config.json"])
def test_a_folder_with_another_model_is_left_alone(tested: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text('{"model_type": "vit"}')
    with pytest.raises(InputError, match=f"{name} is there already"):
        export_hub(str(tested), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.usefixtures("quick")
def test_an_interrupted_export_is_noticed_and_repeated(
    tested: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from emotion_detection.evaluation import hub_export

    whole = hub_export.write_atomic

    def full(path: Path, content: bytes | str) -> None:
        if path.name == "model.safetensors":
            raise OSError(28, "No space left on device")
        whole(path, content)

    monkeypatch.setattr(hub_export, "write_atomic", full)
    with pytest.raises(InputError, match="cannot be written: No space left on device"):
        export_hub(str(tested), tmp_path / "out")
    with pytest.raises(InputError, match="incomplete"):
        load_hub_weights(tmp_path / "out")
    monkeypatch.setattr(hub_export, "write_atomic", whole)
    export_hub(str(tested), tmp_path / "out")
    load_hub_weights(tmp_path / "out")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--hub", "out"], "--hub: name the run to export"),
        (["nosuch", "--hub", "out"], "--hub: nosuch is no run's folder"),
        (["pretrained", "--hub", "out", "--labels", "fer2013"], "--labels: cannot be combined"),
        (["pretrained", "--hub", __file__], "is a file; a folder is needed"),
    ],
)
def test_wrong_words_are_refused(
    words: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["export", *words]) == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_command_says_what_it_wrote(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["export", "pretrained", "--hub", str(tmp_path / "out")]) == 0
    told = capsys.readouterr().out
    assert all(name in told for name in FILES)
    assert "hf upload" in told


@pytest.fixture
def cache(exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub's cache with one model, user/name, without a connection."""
    commit = "0" * 40
    repository = tmp_path / "cache" / "models--user--name"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    shutil.copytree(exported, repository / "snapshots" / commit)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    hub_download._download.cache_clear()
    return repository / "snapshots" / commit


def test_a_cached_model_is_used_offline(
    cache: Path, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crops = np.random.default_rng(1).integers(0, 256, (4, 24, 24), np.uint8)
    scores = EmotionDetector("hf://user/name").classify(crops)
    np.testing.assert_array_equal(scores, EmotionDetector(exported).classify(crops))
    assert find_model_file(f"hf://user/name@{cache.name}") == cache / "model.onnx"
    # results do not go into the hub's cache
    monkeypatch.chdir(tmp_path)
    done = evaluate(["hf://user/name"])
    assert done.folder.parts[:3] == ("models", "user--name", "test")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("hf://user/other", "not in the cache, and the hub cannot be reached"),
        ("hf://name", "must be hf://USER/NAME"),
        ("hf://user/name/model.onnx", "must be hf://USER/NAME"),
        ("hf://user/na me", "must be hf://USER/NAME"),
    ],
)
@pytest.mark.usefixtures("cache")
def test_what_cannot_be_downloaded_is_reported_in_one_line(
    address: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", "a.jpg", "--model", address]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_a_foreign_model_of_the_hub_is_refused(cache: Path) -> None:
    (cache / "config.json").write_text('{"model_type": "vit"}')
    with pytest.raises(InputError, match="is not of a model of this project"):
        EmotionDetector("hf://user/name")


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    hub_download._download.cache_clear()
    with pytest.raises(InputError, match=r"hf://a/b needs huggingface_hub.*\[hub\]"):
        find_model_file("hf://a/b")


def test_a_local_folder_needs_no_package_of_the_hub(exported: Path) -> None:
    code = (
        "import sys; sys.modules['huggingface_hub'] = None\n"
        "from emotion_detection import EmotionDetector\n"
        f"print(*EmotionDetector({str(exported)!r}).labels)\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["bored", "keen", "tired"]


def test_a_config_of_another_program_is_none_of_ours(tested: Path, tmp_path: Path) -> None:
    """A web app's config.json beside an ONNX file says nothing of it."""
    shutil.copy(tested / "model.onnx", tmp_path)
    (tmp_path / "config.json").write_text('{"title": "my app"}')
    assert read_hub_config(tmp_path) is None
    EmotionDetector(tmp_path)
