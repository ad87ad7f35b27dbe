"""Files of a stranger: each is refused in one line with exit code 2, and nothing in it runs."""

import json
import pickle
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import yaml

from emotion_detection.cli import main
from emotion_detection.config import DataConfig, TrainConfig
from emotion_detection.data import load
from emotion_detection.errors import InputError
from emotion_detection.evaluation.card_facts import run_facts
from emotion_detection.io.plain_values import parse_json, read_yaml, refuse_class_paths
from emotion_detection.training import train
from emotion_detection.training.task import CHECKPOINT_KEY

CLASSES = ("calm", "glad")
DEEP = "[" * 100_000
"""JSON whose depth is no reader's."""


class Payload:
    """Unpickled without care, it writes a file."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.write_text, (self.place, "x")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, tiny_faces: Any, write_manifest: Any) -> Path:
    """A folder with data/, a trained and tested run in models/run, and an audit's fold."""
    place = tmp_path_factory.mktemp("whole")
    labels = [row % 2 for row in range(60)]
    faces = tiny_faces(60, size=16)
    for face, label in zip(faces, labels, strict=True):
        face[:, :8] = 40 + 150 * label
    splits = ["train"] * 40 + ["validation"] * 12 + ["test"] * 8
    write_manifest(place / "data", faces, [CLASSES[label] for label in labels], splits)
    folders = {name: name for name in ("models", "logs", "cache")}
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(place)
        trainer = {"accelerator": "cpu", "enable_progress_bar": False}
        train(
            TrainConfig(
                data="data/manifest.csv", name="run", size=16, epochs=1, trainer=trainer, **folders
            )
        )
        assert main(["test", "--model", "models/run"]) == 0
    return place


@pytest.fixture
def here(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, as the working folder, which is also where Python looks for modules."""
    place = tmp_path / "here"
    shutil.copytree(whole, place)
    monkeypatch.chdir(place)
    monkeypatch.syspath_prepend(str(place))
    (place / "payload.py").write_text("open('SPRUNG', 'w').close()\nclass Class:\n    pass\n")
    monkeypatch.delitem(sys.modules, "payload", raising=False)
    return place


@pytest.fixture
def refusal(here: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """``refusal(*words)``: the one line with which a command refuses; nothing was run."""

    def run(*words: str) -> str:
        capsys.readouterr()
        assert main(list(words)) == 2
        said = capsys.readouterr().err.strip().splitlines()
        assert said[-1].startswith("emotion: ")
        assert sum(line.startswith("emotion: ") for line in said) == 1
        assert not list(here.rglob("SPRUNG"))
        assert "payload" not in sys.modules
        return said[-1]

    return run


def _change(path: Path, **values: Any) -> None:
    """Change values of a YAML or JSON file."""
    is_yaml = path.suffix == ".yaml"
    found = yaml.safe_load(path.read_text()) if is_yaml else json.loads(path.read_text())
    found.update(values)
    path.write_text(yaml.safe_dump(found) if is_yaml else json.dumps(found))


# --- a run's config, and any config file

CLASS_PATHS = (
    {"profiler": {"class_path": "payload.Class"}},
    {"profiler": {"class_path": "payload.Class", "init_args": {"a": 1}}},
    {"profiler": "payload.Class"},
    {"strategy": {"class_path": "payload.Class"}},
    {"accelerator": "payload.Class"},
    {"devices": [{"class_path": "payload.Class"}]},
    {"max_time": {"class_path": "payload.Class"}},
    {"callbacks": [{"class_path": "payload.Class"}]},
    {"logger": {"class_path": "payload.Class"}},
    {"plugins": "payload.Class"},
)


@pytest.mark.parametrize("trainer", CLASS_PATHS, ids=str)
@pytest.mark.parametrize("option", ["--resume", "--config"])
def test_a_class_path_in_a_config_is_refused(
    here: Path, refusal: Callable[..., str], option: str, trainer: dict[str, Any]
) -> None:
    _change(here / "models/run/config.yaml", trainer=trainer)
    place = "models/run" if option == "--resume" else "models/run/config.yaml"
    said = refusal("train", option, place)
    assert f"trainer.{next(iter(trainer))}" in said


@pytest.mark.parametrize(
    "word", ["--trainer.profiler=payload.Class", "--trainer.strategy.class_path=payload.Class"]
)
@pytest.mark.parametrize("command", [("train",), ("data", "audit", "data/manifest.csv")])
def test_a_class_path_on_the_command_line_is_refused(
    refusal: Callable[..., str], command: tuple[str, ...], word: str
) -> None:
    assert "--trainer." in refusal(*command, word)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("!!python/object/apply:os.system ['touch SPRUNG']", "cannot be read as YAML"),
        ("seed: !!python/object/apply:payload.Class []", "cannot be read as YAML"),
        ("a: &a [1]\nb: *a\n", "anchors"),
        ("[1, 2]", "must hold lines of 'option: value'"),
        ("1: 2", "must hold lines of 'option: value'"),
        ("a: " + "[" * 20_000, "brackets"),
        ("- " * 10_000, "cannot be read as YAML"),
        ("a: " + "x" * 1_100_000, "too large"),
        ("\x00", "cannot be read as YAML"),
    ],
    ids=range(9),
)
@pytest.mark.parametrize("option", ["--resume", "--config"])
def test_a_config_that_is_no_plain_yaml_is_refused(
    here: Path, refusal: Callable[..., str], option: str, text: str, said: str
) -> None:
    path = here / "models/run/config.yaml"
    path.write_text(text)
    assert said in refusal("train", option, str(path.parent if option == "--resume" else path))


def test_a_network_of_the_hub_is_not_asked_for(here: Path, refusal: Callable[..., str]) -> None:
    _change(here / "models/run/config.yaml", network="hf_hub:someone/network", pretrained=True)
    assert "neither this project's nor timm's" in refusal("train", "--resume", "models/run")


def test_plain_options_of_lightning_are_taken(tmp_path: Path) -> None:
    plain = {
        "devices": [0, 1],
        "max_time": {"hours": 1},
        "precision": "bf16-mixed",
        "gradient_clip_val": 0.5,
        "deterministic": None,
        "strategy": "ddp_find_unused_parameters_true",
    }
    refuse_class_paths(plain, "--trainer")
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump({"epochs": 3, "trainer": plain}))
    assert read_yaml(path, "--config")["trainer"] == plain


# --- its records


@pytest.mark.parametrize("name", ["metrics.json", "provenance.json"])
@pytest.mark.parametrize("text", [DEEP, "[]", "{}", '{"data": 3, "training": []}', "NaN", ""])
def test_a_damaged_record_of_a_run_is_refused(
    here: Path, refusal: Callable[..., str], name: str, text: str
) -> None:
    (here / "models/run" / name).write_text(text)
    assert name in refusal("train", "--resume", "models/run", "--epochs", "1")


# --- checkpoints


def _checkpoint(here: Path, change: Callable[[dict[str, Any]], None]) -> None:
    for name in ("best.ckpt", "last.ckpt"):
        path = here / "models/run" / name
        content = torch.load(path, weights_only=True)
        change(content)
        torch.save(content, path)


COMMANDS = (("test", "--model", "models/run"), ("export", "models/run"))


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words[0])
@pytest.mark.parametrize("whole_file", [True, False])
def test_a_pickle_in_a_checkpoint_is_not_run(
    here: Path, refusal: Callable[..., str], command: tuple[str, ...], whole_file: bool
) -> None:
    trap = Payload(here / "SPRUNG")
    if whole_file:
        (here / "models/run/best.ckpt").write_bytes(pickle.dumps(trap))
    else:
        _checkpoint(here, lambda content: content.update(planted=trap))
    assert "best.ckpt: cannot be read as a checkpoint" in refusal(*command)


@pytest.mark.parametrize("place", ["models/run", "models/run/last.ckpt"])
def test_a_pickle_is_not_run_by_those_who_start_from_it(
    here: Path, refusal: Callable[..., str], place: str
) -> None:
    _checkpoint(here, lambda content: content.update(planted=Payload(here / "SPRUNG")))
    data = ("--data", "data/manifest.csv", "--size", "16", "--cache", "cache")
    for option in ("--init", "--teacher"):
        assert "cannot be read as a checkpoint" in refusal("train", *data, option, place)
    resumed = refusal("train", "--resume", "models/run", "--epochs", "2")
    assert "cannot be read as a checkpoint" in resumed


LIES: dict[str, Any] = {
    "size": 1_000_000,
    "channels": 10**9,
    "labels": ["calm"] * 2,
    "network": "hf_hub:someone/network",
    "also": {"other": ["calm", "calm"]},
    "label_set": 3,
}


@pytest.mark.parametrize("field", LIES)
def test_a_checkpoint_that_declares_what_no_training_writes_is_refused(
    here: Path, refusal: Callable[..., str], field: str
) -> None:
    def lie(content: dict[str, Any]) -> None:
        content[CHECKPOINT_KEY]["spec"][field] = LIES[field]

    _checkpoint(here, lie)
    assert "this version cannot build its network" in refusal("export", "models/run")


@pytest.mark.parametrize(
    "change",
    [
        {"record": 3},
        {"record": {"data": []}},
        {"record": {"data": {"options": [1]}}},
        {"record": {"data": {"options": {"data": "x", "split_seed": {}, "nonsense": 1}}}},
        {"temperatures": {"own": "hot"}},
        {"temperatures": {"own": 0.0}},
    ],
    ids=str,
)
def test_a_checkpoint_whose_record_lies_is_refused(
    here: Path, refusal: Callable[..., str], change: dict[str, Any]
) -> None:
    _checkpoint(here, lambda content: content[CHECKPOINT_KEY].update(change))
    assert "best.ckpt" in refusal("export", "models/run")


# --- ONNX files


@pytest.fixture
def write_metadata(here: Path) -> Callable[..., str]:
    """``write_metadata(labels=...)``: the run's ONNX file with other metadata; its name."""

    def write(**values: str) -> str:
        model = onnx.load(here / "models/run/model.onnx")
        metadata = {one.key: one.value for one in model.metadata_props} | values
        del model.metadata_props[:]
        onnx.helper.set_model_props(model, metadata)
        onnx.save(model, here / "other.onnx")
        return "other.onnx"

    return write


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("labels", '["calm", "calm"]'),
        ("labels", '["caf\\u00e9", "cafe\\u0301"]'),
        ("labels", '["calm", "glad", "more"]'),
        ("labels", DEEP),
        ("input", '{"height": 16, "width": 16, "channels": 1e99}'),
        ("input", '{"height": true, "width": true, "channels": 1}'),
        ("also", '{"other": ["a", "b"]}'),
        ("also", DEEP),
        ("label_set", "[]"),
        ("parameters", '"many"'),
        ("parameters", DEEP),
        ("training_data", "[]"),
        ("training_data", '{"options": [1]}'),
        ("training_data", '{"also": {"x": 3}}'),
        ("training_data", '{"options": {"data": ["x"], "labels": {}}}'),
        ("temperatures", '{"own": "hot"}'),
        ("temperatures", DEEP),
    ],
)
def test_metadata_that_lies_is_refused(
    refusal: Callable[..., str], write_metadata: Callable[..., str], name: str, value: str
) -> None:
    said = refusal("test", "--model", write_metadata(**{name: value}))
    assert "other.onnx" in said or "--data" in said


@pytest.mark.parametrize("factor", [float("nan"), float("inf"), -1.0, 2.0, 0.5])
@pytest.mark.parametrize("command", ["predict", "test"])
def test_scores_that_are_no_probabilities_are_named(
    here: Path, refusal: Callable[..., str], factor: float, command: str
) -> None:
    model = onnx.load(here / "models/run/model.onnx")
    for node in model.graph.node:
        node.output[:] = ["honest" if name == "scores" else name for name in node.output]
    constant = onnx.numpy_helper.from_array(np.array(factor, np.float32), "factor")
    model.graph.initializer.append(constant)
    model.graph.node.append(onnx.helper.make_node("Mul", ["honest", "factor"], ["scores"]))
    onnx.save(model, here / "lying.onnx")
    words = {
        "predict": ("predict", "data/images", "--crops", "--model", "lying.onnx"),
        "test": ("test", "--model", "lying.onnx"),
    }
    assert "lying.onnx: this model's scores are no probabilities" in refusal(*words[command])


# --- tables, manifests, exports


def test_a_table_of_predictions_with_a_payload_is_refused(
    here: Path, refusal: Callable[..., str]
) -> None:
    (path,) = here.glob("models/run/test/*/predictions.parquet")
    table = pq.read_table(path)
    report = ("report", str(path.parent), "--data", "data/manifest.csv", "--out", "report")
    for labels in (DEEP, '"calm"', "{}", '["calm", ["glad"]]', '["calm"]'):
        pq.write_table(table.replace_schema_metadata({"labels": labels}), path)
        assert "predictions.parquet" in refusal(*report)
    trap = pa.array([pickle.dumps(Payload(here / "SPRUNG"))] * len(table))
    planted = table.set_column(table.column_names.index("label"), "label", trap)
    pq.write_table(planted.replace_schema_metadata(table.schema.metadata), path)
    assert "predictions.parquet" in refusal(*report)


@pytest.mark.parametrize(
    "values",
    [
        {"data": []},
        {"data": {"source": 3, "label_set": "own"}},
        {"confusion": [["=1+1", 2], [3, 4]]},
        {"confusion": [[1]]},
        {"accuracy_ci95": "<script>"},
        {"per_class": []},
        {"model": {"a": 1}},
        {"n": "8"},
        {"split": None},
    ],
    ids=str,
)
def test_metrics_of_a_test_that_lie_are_refused(
    here: Path, refusal: Callable[..., str], values: dict[str, Any]
) -> None:
    (path,) = here.glob("models/run/test/*/metrics.json")
    _change(path, **values)
    said = refusal("report", str(path.parent), "--data", "data/manifest.csv", "--out", "report")
    assert str(path.parent.relative_to(here)) in said


@pytest.mark.parametrize(
    "name", ["/dev/zero", "http://example.org/a.png", "data:image/png;base64", "payload.py"]
)
def test_a_manifest_opens_nothing_but_images(
    here: Path, refusal: Callable[..., str], name: str
) -> None:
    rows = [f"{name},{CLASSES[row % 2]},train" for row in range(8)]
    (here / "evil.csv").write_text("\n".join(["file,emotion,split", *rows]))
    said = refusal("data", "info", "--data", "evil.csv", "--cache", "other")
    assert "cannot be read" in said


@pytest.mark.parametrize("text", [DEEP, "[]", '{"faces": "=1+1"}', '{"reasons": []}'])
def test_an_audit_that_no_audit_wrote_is_refused(
    here: Path, refusal: Callable[..., str], text: str
) -> None:
    (here / "audit.json").write_text(text)
    (folder,) = here.glob("models/run/test/*")
    said = refusal("report", str(folder), "--audit", "audit.json", "--out", "report")
    assert "--audit audit.json: is no audit.json" in said


@pytest.mark.parametrize("name", ["metrics.json", "provenance.json"])
@pytest.mark.parametrize("text", [DEEP, "[]", '{"data": 3}'])
def test_a_card_of_damaged_files_is_refused(here: Path, name: str, text: str) -> None:
    (here / "models/run" / name).write_text(text)
    with pytest.raises(InputError, match="models/run"):
        run_facts(Path("models/run"))


# --- caches


def _cached(here: Path, file: str) -> Path:
    """Return a file of the cache: of the pixels, or in a folder of the labels."""
    # the cache goes by the files' places, which are others here than where the run was made
    dataset = load(DataConfig(data="data/manifest.csv", size=16, cache="cache"))
    files = [here / dataset.folder / file, here / dataset.pixels / file]
    return next(path for path in files if path.exists())


INFO = ("data", "info", "--data", "data/manifest.csv", "--size", "16", "--cache", "cache")


@pytest.mark.parametrize("array", ["images", "train/labels", "train/rows", "digests", "thumbnails"])
def test_a_pickle_in_the_cache_is_not_run(
    here: Path, refusal: Callable[..., str], array: str
) -> None:
    trap = np.array([Payload(here / "SPRUNG")], dtype=object)
    np.save(_cached(here, f"{array}.npy"), trap, allow_pickle=True)
    assert f"{array}.npy: is damaged" in refusal(*INFO)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("meta.json", DEEP.encode()),
        ("meta.json", b'{"corrupt": 3}'),
        ("meta.json", b'{"corrupt": [], "sizes": [], "hash": 1}'),
        ("names.json", DEEP.encode()),
        ("names.json", b'{"a": 1}'),
        ("names.json", b'["a"]'),
        ("train/labels.npy", b""),
        ("train/labels.npy", b"\x93NUMPY\x01\x00\x10\x00{'descr': '<i8'}"),
        ("images.npy", b"x" * 300),
    ],
    ids=range(9),
)
def test_a_damaged_cache_is_refused(
    here: Path, refusal: Callable[..., str], file: str, content: bytes
) -> None:
    _cached(here, file).write_bytes(content)
    test = ("test", "--model", "models/run", "--split", "train")
    assert "is damaged" in refusal(*test)


def test_a_label_beyond_the_classes_is_refused(here: Path, refusal: Callable[..., str]) -> None:
    path = _cached(here, "test/labels.npy")
    np.save(path, np.full(8, 7, np.int64))
    assert "a label beyond the classes" in refusal("test", "--model", "models/run")


def test_deep_json_is_no_json() -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        parse_json(DEEP)


def test_values_of_a_config_from_python_are_checked() -> None:
    with pytest.raises(InputError, match="a class path"):
        TrainConfig(trainer={"profiler": "payload.Class"})
    with pytest.raises(InputError, match="class paths are not taken"):
        TrainConfig(trainer={"profiler": {"class_path": "payload.Class"}})


@pytest.mark.parametrize(
    "trainer", ["payload.Class", "{class_path: x}", ["payload.Class"], 3, True]
)
@pytest.mark.parametrize("option", ["--resume", "--config"])
def test_trainer_options_that_are_no_options_are_refused(
    here: Path, refusal: Callable[..., str], option: str, trainer: Any
) -> None:
    _change(here / "models/run/config.yaml", trainer=trainer)
    place = "models/run" if option == "--resume" else "models/run/config.yaml"
    assert "trainer: must hold lines" in refusal("train", option, place)


def test_no_trainer_options_and_a_folder_with_a_dot_are_plain_values(here: Path) -> None:
    config = here / "models/run/config.yaml"
    _change(config, trainer=None)
    assert read_yaml(config, "--config")["trainer"] == {}
    _change(config, trainer={"default_root_dir": "runs.v2"})
    assert read_yaml(config, "--config")["trainer"] == {"default_root_dir": "runs.v2"}
