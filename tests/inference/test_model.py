"""What cannot be opened as a model is refused with one clear line, and nothing else is read."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from emotion_detection import EmotionDetector
from emotion_detection.errors import InputError
from emotion_detection.inference import external_data as external
from emotion_detection.inference.external_data import has_external_data


def _refused(place: str | Path) -> str:
    with pytest.raises(InputError) as say:
        EmotionDetector(place, threads=1)
    assert "\n" not in str(say.value)
    assert len(str(say.value)) < 400
    return str(say.value)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    assert f"{tmp_path}/none.onnx: no such run folder or ONNX file" in _refused(
        tmp_path / "none.onnx"
    )
    assert "there is no model.onnx in this folder: 'emotion export" in _refused(tmp_path)


def test_a_checkpoint_is_no_onnx_file(tmp_path: Path) -> None:
    assert "'emotion export" in _refused(tmp_path / "best.ckpt")


@pytest.mark.parametrize("url", ["https://example.org/model.onnx", "file:///model.onnx"])
def test_a_url_is_not_fetched(url: str) -> None:
    assert "download it first" in _refused(url)


@pytest.mark.parametrize(
    "content", [b"", b"not a model", b"\x08\x09\x12\x00" * 50, b"\xff" * 100, b"\x00" * 100]
)
def test_a_file_of_anything_else_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.onnx").write_bytes(content)
    assert f"{tmp_path}/model.onnx: cannot be read as an ONNX model" in _refused(tmp_path)


def test_a_truncated_file_is_refused(tmp_path: Path, grey: Any) -> None:
    whole = grey.path.read_bytes()
    for share in (0.1, 0.5, 0.99):
        (tmp_path / "half.onnx").write_bytes(whole[: int(share * len(whole))])
        assert "cannot be read as an ONNX model" in _refused(tmp_path / "half.onnx")


@pytest.mark.parametrize("name", ["labels", "input"])
def test_a_file_without_this_projects_metadata_is_refused(
    tmp_path: Path, write_onnx: Callable[..., Any], name: str
) -> None:
    made = write_onnx(tmp_path / "foreign.onnx", metadata={name: None})
    assert f"its metadata lacks '{name}': not exported by this project" in _refused(made.path)


def _input(**values: object) -> str:
    return json.dumps({"channels": 1, "height": 48, "width": 48} | values)


@pytest.mark.parametrize(
    "metadata",
    [
        {"labels": "anger, joy"},
        {"labels": "[]"},
        {"labels": "[1, 2]"},
        {"labels": "8"},
        {"input": "48 x 48"},
        {"input": "[48, 48]"},
        {"input": _input(width=40)},
        {"input": _input(height=-1, width=-1)},
        {"input": _input(height=10**9, width=10**9)},
        {"input": _input(height="48", width="48")},
        {"input": _input(channels=2)},
        {"also": "[]"},
        {"also": '{"ferplus": ["a"]}'},
        {"also": '{"fer2013": "anger"}'},
        {"label_set": "7"},
    ],
)
def test_metadata_that_cannot_be_understood_is_refused(
    tmp_path: Path, write_onnx: Callable[..., Any], metadata: dict[str, str]
) -> None:
    made = write_onnx(tmp_path / "odd.onnx", metadata=metadata)
    assert "its metadata cannot be understood" in _refused(made.path)


@pytest.mark.parametrize(
    ("metadata", "named"),
    [
        ({"labels": '["one", "two"]'}, "'scores'"),
        ({"input": _input(height=47, width=47)}, "'faces'"),
        ({"input": _input(channels=3)}, "'faces'"),
        ({"also": '{"own": ["a", "b"]}'}, "'scores_own'"),
        ({"also": '{"fer2013": ["a", "b"]}'}, "'scores_fer2013'"),
    ],
)
def test_a_graph_that_is_not_as_declared_is_refused(
    tmp_path: Path, write_onnx: Callable[..., Any], metadata: dict[str, str], named: str
) -> None:
    made = write_onnx(tmp_path / "odd.onnx", metadata=metadata)
    message = _refused(made.path)
    assert f"{named} of its graph: not there" in message
    assert "not exported by this project" in message


def test_a_graph_for_one_number_of_faces_is_refused(
    tmp_path: Path, write_onnx: Callable[..., Any]
) -> None:
    def fix(model: onnx.ModelProto) -> None:
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 4

    made = write_onnx(tmp_path / "fixed.onnx", change=fix)
    assert "not exported by this project" in _refused(made.path)


def test_files_of_version_0_1_are_opened(tmp_path: Path, write_onnx: Callable[..., Any]) -> None:
    old: dict[str, None] = {"label_set": None, "also": None}
    made = write_onnx(tmp_path / "old.onnx", also=False, intensity=False, metadata=old)
    detector = EmotionDetector(made.path, threads=1)
    assert list(detector.label_sets) == ["own"]


def _outside(name: str, location: str) -> TensorProto:
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[2])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    return tensor


def _as_initializer(model: onnx.ModelProto, tensor: TensorProto) -> None:
    model.graph.initializer.append(tensor)


def _as_constant(model: onnx.ModelProto, tensor: TensorProto) -> None:
    model.graph.node.append(helper.make_node("Constant", [], ["outside"], value=tensor))


def _inner(tensor: TensorProto) -> onnx.GraphProto:
    value = helper.make_tensor_value_info("inner", TensorProto.FLOAT, [2])
    node = helper.make_node("Constant", [], ["inner"], value=tensor)
    return helper.make_graph([node], "branch", [], [value])


def _in_a_branch(model: onnx.ModelProto, tensor: TensorProto) -> None:
    graph = _inner(tensor)
    node = helper.make_node("If", ["yes"], ["out"], then_branch=graph, else_branch=graph)
    model.graph.initializer.append(numpy_helper.from_array(np.array(True), "yes"))
    model.graph.node.append(node)


def _in_a_function(model: onnx.ModelProto, tensor: TensorProto) -> None:
    node = helper.make_node("Constant", [], ["out"], value=tensor)
    opsets = [helper.make_opsetid("", 18)]
    model.functions.append(helper.make_function("own", "F", [], ["out"], [node], opsets))


def _as_sparse(model: onnx.ModelProto, tensor: TensorProto) -> None:
    indices = numpy_helper.from_array(np.array([0, 1]), "indices")
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(tensor, indices, [2]))


PLACES = (_as_initializer, _as_constant, _in_a_branch, _in_a_function, _as_sparse)


@pytest.mark.parametrize("put", PLACES)
@pytest.mark.parametrize("where", ["beside", "absolute", "missing", "memory"])
def test_data_in_another_file_is_refused_and_not_read(
    tmp_path: Path,
    write_onnx: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    put: Callable[[onnx.ModelProto, TensorProto], None],
    where: str,
) -> None:
    monkeypatch.chdir(tmp_path)  # where onnxruntime would look for a model given as bytes
    (tmp_path / "secret.bin").write_bytes(bytes(8))
    location = {
        "beside": "secret.bin",
        "absolute": str(tmp_path / "secret.bin"),
        "missing": "none.bin",
        "memory": "*/_ORT_MEM_ADDR_/*",
    }[where]
    made = write_onnx(
        tmp_path / "outside.onnx", change=lambda model: put(model, _outside("outside", location))
    )
    monkeypatch.setattr("onnxruntime.InferenceSession", _never)
    assert "its weights lie in another file" in _refused(made.path)


def _never(*_: object, **__: object) -> None:
    raise AssertionError("onnxruntime must not see this file")


def test_either_mark_is_enough(grey: Any) -> None:
    for mark in ("data_location", "external_data"):
        model = onnx.load(grey.path)
        tensor = _outside("outside", "secret.bin")
        tensor.ClearField(mark)
        model.graph.initializer.append(tensor)
        assert has_external_data(model.SerializeToString())
    assert not has_external_data(grey.path.read_bytes())


def test_every_place_of_a_tensor_in_onnx_is_checked() -> None:
    messages: dict[str, dict[int, str]] = {}

    def collect(kind: Any) -> bool:
        """Note which fields lead to a tensor; say whether any does."""
        if kind.name == "TensorProto":
            messages[kind.name] = {}
            return True
        if kind.name not in messages:
            messages[kind.name] = {}
            inner = [field for field in kind.fields if field.message_type is not None]
            for _ in range(2):  # graphs lie in attributes, which lie in graphs
                messages[kind.name] = {
                    field.number: field.message_type.name
                    for field in inner
                    if collect(field.message_type)
                }
        return bool(messages[kind.name]) or kind.name == "GraphProto"

    collect(onnx.ModelProto.DESCRIPTOR)
    leading = {name: fields for name, fields in messages.items() if fields}
    assert leading | {"TensorProto": {}} == external._INSIDE


@pytest.mark.parametrize("seed", range(5))
def test_damaged_bytes_never_raise_anything_else(grey: Any, seed: int) -> None:
    generator = np.random.default_rng(seed)
    content = bytearray(grey.path.read_bytes()[:2000])
    for _ in range(200):
        content[generator.integers(len(content))] = generator.integers(256)
        try:
            found = has_external_data(bytes(content))
        except ValueError:
            continue
        assert found in (True, False)
