"""What cannot be opened as a model is refused with one clear line."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from emotion_detection.cli import main
from emotion_detection.errors import InputError
from emotion_detection.evaluation.model_loading import open_model
from emotion_detection.labels import FER2013
from emotion_detection.training import Run


def _foreign(path: Path, metadata: dict[str, str]) -> Path:
    """Write an ONNX file of someone else: faces float32 (N, 4) -> scores (N, 2)."""
    weights = numpy_helper.from_array(np.ones((4, 2), np.float32), "weights")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["faces", "weights"], ["scores"])],
        "foreign",
        [helper.make_tensor_value_info("faces", TensorProto.FLOAT, ["N", 4])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 2])],
        [weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    helper.set_model_props(model, metadata)
    onnx.save(model, path)
    return path


def _refused(place: str | Path) -> str:
    with pytest.raises(InputError) as say:
        open_model(place)
    assert "\n" not in str(say.value)
    assert len(str(say.value)) < 400
    return str(say.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert f"{tmp_path}/none.onnx: no such run, checkpoint or ONNX file" in _refused(
        tmp_path / "none.onnx"
    )


def test_a_folder_without_a_model_says_what_is_missing(tmp_path: Path) -> None:
    assert "neither best.ckpt nor model.onnx" in _refused(tmp_path)


def test_a_url_is_not_fetched() -> None:
    assert "download it first" in _refused("https://example.org/model.onnx")


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x09\x12\x00" * 50])
@pytest.mark.parametrize("name", ["model.onnx", "best.ckpt"])
def test_a_file_of_anything_else_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    message = _refused(tmp_path / name)
    assert str(tmp_path / name) in message


def test_a_truncated_onnx_file_is_refused(fer_run: Run, tmp_path: Path) -> None:
    whole = (fer_run.folder / "model.onnx").read_bytes()
    (tmp_path / "half.onnx").write_bytes(whole[: len(whole) // 2])
    assert "cannot be read as an ONNX model" in _refused(tmp_path / "half.onnx")


def test_an_onnx_file_of_someone_else_is_refused(tmp_path: Path) -> None:
    message = _refused(_foreign(tmp_path / "foreign.onnx", {}))
    assert "its metadata lacks 'labels': not exported by this project" in message


def test_metadata_that_is_no_json_is_refused(tmp_path: Path) -> None:
    message = _refused(_foreign(tmp_path / "foreign.onnx", {"labels": "[]", "input": "48 x 48"}))
    assert "its metadata cannot be understood" in message


def test_weights_in_another_file_are_refused(fer_run: Run, tmp_path: Path) -> None:
    model = onnx.load(fer_run.folder / "model.onnx")
    path = tmp_path / "outside.onnx"
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    assert (tmp_path / "weights.bin").is_file()
    assert "its weights lie in another file" in _refused(path)


def test_a_constant_in_another_file_is_refused(fer_run: Run, tmp_path: Path) -> None:
    model = onnx.load(fer_run.folder / "model.onnx")
    outside = TensorProto(data_type=TensorProto.FLOAT, dims=[4])
    outside.data_location = TensorProto.EXTERNAL
    outside.external_data.add(key="location", value="secrets.bin")
    model.graph.node.append(helper.make_node("Constant", [], ["outside"], value=outside))
    (tmp_path / "outside.onnx").write_bytes(model.SerializeToString())
    assert "its weights lie in another file" in _refused(tmp_path / "outside.onnx")


def test_a_checkpoint_of_someone_else_is_refused(tmp_path: Path) -> None:
    torch.save({"state_dict": {}}, tmp_path / "other.ckpt")
    assert "not a checkpoint of this project" in _refused(tmp_path / "other.ckpt")


def test_a_run_folder_of_an_onnx_file_alone_is_enough(fer_run: Run, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes((fer_run.folder / "model.onnx").read_bytes())
    assert open_model(tmp_path).path == tmp_path / "model.onnx"


def test_checkpoint_and_onnx_file_declare_the_same(fer_run: Run, fer_data: Path) -> None:
    checkpoint, exported = (
        open_model(fer_run.folder / name) for name in ("best.ckpt", "model.onnx")
    )
    assert checkpoint.labels == exported.labels == FER2013
    assert (checkpoint.size, checkpoint.channels) == (exported.size, exported.channels) == (16, 1)
    assert checkpoint.parameters == exported.parameters > 0
    assert checkpoint.training_data == exported.training_data
    assert exported.training_data["options"]["data"] == str(fer_data)


def test_a_model_that_does_not_know_its_data_asks_for_it(
    tmp_path: Path, fer_run: Run, fer_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = onnx.load(fer_run.folder / "model.onnx")
    for entry in model.metadata_props:
        if entry.key == "training_data":
            entry.value = json.dumps({})
    onnx.save(model, tmp_path / "model.onnx")
    words = ["test", "--model", str(tmp_path / "model.onnx")]
    assert main(words) == 2
    assert "name it with --data" in capsys.readouterr().err
    assert main([*words, "--data", str(fer_data), "--cache", str(tmp_path / "cache")]) == 0
    assert "test accuracy: " in capsys.readouterr().out


def test_the_command_says_it_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "model.onnx").write_bytes(b"not a model")
    assert main(["test", "--model", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_faces_are_scored_in_batches_without_a_difference(
    fer_run: Run, images_of: Callable[..., np.ndarray], fer_data: Path
) -> None:
    images = np.tile(images_of(fer_data, 16), (10, 1, 1, 1))
    for name in ("best.ckpt", "model.onnx"):
        scores = open_model(fer_run.folder / name).outputs(images)["scores"]
        assert scores.shape == (560, 7)
        np.testing.assert_allclose(scores[:56], scores[504:], atol=1e-5)
