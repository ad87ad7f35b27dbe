"""The face detector in 8 bits, as onnxruntime's own tools make it."""

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import version_converter

OPSET = 17
"""Scales a channel need at least 13; CenterFace's file is older."""


def floats() -> Path:
    """Return the network as it is shipped."""
    place = resources.files("emotion_detection.inference") / "centerface" / "centerface.onnx"
    return Path(str(place))


class _Pictures:
    """Inputs, as onnxruntime's CalibrationDataReader gives them."""

    def __init__(self, inputs: Sequence[npt.NDArray[np.float32]]) -> None:
        self._left = iter(inputs)

    def get_next(self) -> dict[str, npt.NDArray[np.float32]] | None:
        some = next(self._left, None)
        return None if some is None else {"input.1": some}


def quantised(folder: Path, inputs: Sequence[npt.NDArray[np.float32]]) -> dict[str, Path]:
    """Write the network in 8 bits in several ways.

    Args:
        folder: for the files.
        inputs: float32 (1, 3, H, W) each, of the network: what the ranges are measured on.

    Returns:
        The file of each way: static, with ranges from the least to the greatest value; static with
        the last convolutions left as they are; dynamic.
    """
    # after the package, which turns onnxruntime's telemetry off
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_dynamic, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    plain, ready = folder / "folded.onnx", folder / "ready.onnx"
    quant_pre_process(str(floats()), str(plain), skip_symbolic_shape=True)
    model = version_converter.convert_version(onnx.load(plain), OPSET)
    for node in model.graph.node:  # nodes are left out by their names, and these have none
        node.name = f"makes {node.output[0]}"
    onnx.save(model, ready)
    static: dict[str, dict[str, Any]] = {
        "int8 static": {},
        "int8 static, float heads": {"nodes_to_exclude": _last(model)},
    }
    files: dict[str, Path] = {}
    for name, more in static.items():
        files[name] = folder / f"{len(files)}.onnx"
        quantize_static(
            str(ready),
            str(files[name]),
            _Pictures(inputs),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            **more,
        )
    files["int8 dynamic"] = folder / "dynamic.onnx"
    quantize_dynamic(str(ready), str(files["int8 dynamic"]), weight_type=QuantType.QUInt8)
    return files


def _last(model: Any) -> list[str]:
    """Return the names of the nodes from the last map that all outputs share."""
    made_by = {name: node for node in model.graph.node for name in node.output}
    above: list[set[str]] = []
    for output in model.graph.output:
        seen, left = set[str](), [output.name]
        while left:
            node = made_by.get(left.pop())
            if node is not None and node.output[0] not in seen:
                seen.add(node.output[0])
                left += node.input
        above.append(seen)
    shared = set.intersection(*above)
    return [node.name for node in model.graph.node if node.output[0] in set.union(*above) - shared]
