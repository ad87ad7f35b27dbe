"""Choose onnxruntime's execution provider, and open sessions on it."""

import contextlib
import difflib
import io
import re
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import onnxruntime

from emotion_detection.errors import InputError

AUTO, CPU_NAME = "auto", "cpu"

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
}
"""Short names of onnxruntime's providers; onnxruntime's own names are accepted too."""

DEVICES = (AUTO, *PROVIDERS)

_NVIDIA, _AMD = "'cuda' (NVIDIA)", "'ROCMExecutionProvider' or 'MIGraphXExecutionProvider' (AMD)"
_WINDOWS, _MACOS, _INTEL = "'directml' (Windows)", "'coreml' (macOS)", "'openvino' (Intel)"
_OTHER_NAMES = {
    **dict.fromkeys(("gpu", "gpus"), f"{_NVIDIA}, {_WINDOWS} or {_MACOS}"),
    **dict.fromkeys(("nvidia", "cudnn"), _NVIDIA),
    **dict.fromkeys(("mps", "metal", "ane", "apple"), _MACOS),
    **dict.fromkeys(("dml", "directx", "dx12", "privateuseone"), _WINDOWS),
    **dict.fromkeys(("xpu", "intel", "npu", "ov"), _INTEL),
    **dict.fromkeys(("rocm", "hip", "amd", "migraphx"), _AMD),
    **dict.fromkeys(("trt", "tensorrt"), "'TensorrtExecutionProvider' (NVIDIA)"),
}
"""Names of devices in other tools, and the names here."""

_PACKAGES = {
    "CUDAExecutionProvider": "the package onnxruntime-gpu",
    "CoreMLExecutionProvider": "onnxruntime on macOS",
    "DmlExecutionProvider": "the package onnxruntime-directml (Windows)",
    "OpenVINOExecutionProvider": "the package onnxruntime-openvino",
}
_BEST_FIRST = (
    "CUDAExecutionProvider",
    "MIGraphXExecutionProvider",
    "ROCMExecutionProvider",
    "DmlExecutionProvider",
    "OpenVINOExecutionProvider",
)
"""Providers that 'auto' may choose. Each comes with a package of its own, which you installed on
purpose. CoreML is not among them: every macOS package has it, and onnxruntime's manual warns that
networks with varying input sizes are slow on it."""
_ON_GPU = frozenset(
    [*_BEST_FIRST[:4], "TensorrtExecutionProvider", "NvTensorRTRTXExecutionProvider"]
)

_OPTIONS = {
    # images differ in size: the search for the fastest algorithm would run again for each size;
    # TF32 would round scores to three digits
    "CUDAExecutionProvider": {"cudnn_conv_algo_search": "HEURISTIC", "use_tf32": "0"},
}

_PROBE = (
    b'\x08\x08:3\n\x0c\n\x01x\x12\x01y"\x04Relu\x12\x01gZ\x0f\n\x01x\x12\n\n\x08\x08\x01\x12\x04\n'
    b"\x02\x08\x01b\x0f\n\x01y\x12\n\n\x08\x08\x01\x12\x04\n\x02\x08\x01B\x04\n\x00\x10\r"
)
"""A tiny ONNX file, y = max(x, 0), to test a provider with. A provider may be built in while its
libraries or the GPU are missing, which only opening a network reveals."""


@dataclass(frozen=True)
class Device:
    """A device that networks run on.

    Args:
        name: 'cpu', 'cuda', 'cuda:1' and so on; or the name of a provider without a short one.
        provider: onnxruntime's name.
        index: number of the GPU, from 0.
    """

    name: str
    provider: str
    index: int = 0

    @property
    def is_cpu(self) -> bool:
        """Whether this is the CPU."""
        return self.provider == PROVIDERS[CPU_NAME]

    @property
    def is_gpu(self) -> bool:
        """Whether this is a GPU, which several processes share."""
        return self.provider in _ON_GPU


CPU = Device(CPU_NAME, PROVIDERS[CPU_NAME])


def parse_device(device: object) -> Device | None:
    """Parse a device name; the device may be missing. Return None for 'auto'.

    Args:
        device: one of :data:`DEVICES`, 'cuda:N' or N for the GPU of that number, or a provider's
            name.

    Raises:
        InputError: another name.

    >>> parse_device("cuda:1")
    Device(name='cuda:1', provider='CUDAExecutionProvider', index=1)
    """
    given = device
    if isinstance(device, int) and not isinstance(device, bool):
        device = str(device)
    if isinstance(device, str):
        if re.fullmatch(r"\d{1,2}", device):
            device = "cuda" if int(device) == 0 else f"cuda:{int(device)}"
        if device.lower() == AUTO:
            return None
        short, index = device.lower(), 0
        if numbered := re.fullmatch(r"(cuda|directml):(\d{1,2})", short):
            short, index = numbered[1], int(numbered[2])
        if short in PROVIDERS:
            return Device(device.lower(), PROVIDERS[short], index)
        known = [*onnxruntime.get_all_providers(), *onnxruntime.get_available_providers()]
        for provider in known:
            if device.lower() == provider.lower():
                names = (name for name, own in PROVIDERS.items() if own == provider)
                return Device(next(names, provider), provider)
    allowed = f"{', '.join(DEVICES)}, cuda:1 (the second GPU), or an onnxruntime provider"
    raise InputError(f"device {given!r}: {_suggest_device(given)}must be one of {allowed}")


def _suggest_device(given: object) -> str:
    """Return the question for the device that is meant by an unknown name, or nothing."""
    if not isinstance(given, str):
        return ""
    name, _, number = given.lower().partition(":")
    meant = _OTHER_NAMES.get(name)
    if name == "gpu" and number.isdecimal():
        meant = f"'cuda:{int(number)}' (NVIDIA)"
    if meant is None:
        close = difflib.get_close_matches(name, DEVICES, 1)
        meant = repr(close[0]) if close else None
    return "" if meant is None else f"did you mean {meant}? It "


def choose_device(device: object = AUTO) -> tuple[Device, str | None]:
    """Choose the device that networks run on.

    Args:
        device: as for :func:`parse_device`.

    Returns:
        The device, and a message if it is not the requested one. 'auto' chooses the best device
        that works, without a message.

    Raises:
        InputError: no such name.

    >>> choose_device("cpu")
    (Device(name='cpu', provider='CPUExecutionProvider', index=0), None)
    """
    requested = parse_device(device)
    available = onnxruntime.get_available_providers()
    if requested is None:
        for provider in _BEST_FIRST:
            if provider in available and _works(provider):
                names = (name for name, own in PROVIDERS.items() if own == provider)
                return Device(next(names, provider), provider), None
        return CPU, None
    if requested.is_cpu:
        return CPU, None
    if requested.provider not in available:
        return CPU, _fallback_line(requested, "is not available", available)
    if not _works(requested.provider, requested.index):
        return CPU, _fallback_line(
            requested, "does not work (no such GPU, or no driver)", available
        )
    return requested, None


def _fallback_line(requested: Device, reason: str, available: list[str]) -> str:
    line = f"device {requested.name!r} {reason}: running on the CPU. onnxruntime has "
    line += f"{', '.join(available)} here"
    if requested.provider not in available and requested.provider in _PACKAGES:
        line += f"; {requested.provider} comes with {_PACKAGES[requested.provider]}"
    return line


@lru_cache(maxsize=32)
def _works(provider: str, index: int = 0) -> bool:
    """Return True if a tiny network runs on a provider."""
    device = Device(provider, provider, index)
    with _quiet():
        if provider == PROVIDERS["cuda"] and hasattr(onnxruntime, "preload_dlls"):
            onnxruntime.preload_dlls()  # CUDA's libraries that pip installed
        try:
            session = _open_on(_PROBE, device, onnxruntime.SessionOptions())
            session.run(None, {"x": np.zeros(1, np.float32)})
        except Exception:  # onnxruntime raises exceptions of its own
            return False
        return provider in session.get_providers()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Suppress onnxruntime's output and warnings about a missing library."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        onnxruntime.set_default_logger_severity(4)
        try:
            yield
        finally:
            onnxruntime.set_default_logger_severity(2)


def open_session(content: bytes, device: Device = CPU, threads: int | None = None) -> Any:
    """Open an ONNX model on a device, or on the CPU with a warning.

    Args:
        content: the bytes of the file.
        device: a device from :func:`choose_device`.
        threads: threads per run; None: onnxruntime's default.

    Returns:
        onnxruntime's session; any number of threads may run it.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(threads or 0)
    options.use_deterministic_compute = True
    options.log_severity_level = 4  # errors are raised, so they need not be printed
    # otherwise onnxruntime would also accept its own ORT format, which is not checked here
    options.add_session_config_entry("session.load_model_format", "ONNX")
    if device.is_cpu:
        return _open_on(content, CPU, options)
    if device.provider == PROVIDERS["directml"]:
        options.enable_mem_pattern = False  # required by onnxruntime's manual
    try:
        session = _open_on(content, device, options)
        failure = None if device.provider in session.get_providers() else "it was not taken"
    except Exception as error:
        failure = next(iter(str(error).splitlines()), type(error).__name__)[:160]
    if failure is not None:
        session = _open_on(content, CPU, options)  # raises for a damaged file too
        line = f"device {device.name!r} cannot run this network ({failure}): running on the CPU"
        warnings.warn(line, stacklevel=2)
        return session
    return _OneAtATime(session) if device.provider == PROVIDERS["directml"] else session


def _open_on(content: bytes, device: Device, options: Any) -> Any:
    providers: list[Any] = [PROVIDERS[CPU_NAME]]
    if not device.is_cpu:
        settings = dict(_OPTIONS.get(device.provider, {}))
        if device.index:
            settings["device_id"] = str(device.index)
        providers.insert(0, (device.provider, settings))
    if device.provider == "TensorrtExecutionProvider":  # for operators that the provider cannot run
        providers.insert(1, PROVIDERS["cuda"])
    # otherwise onnxruntime prints the failure and continues without the device
    return onnxruntime.InferenceSession(content, options, providers=providers, enable_fallback=0)


class _OneAtATime:
    """A session that one thread runs at a time, as DirectML requires."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._lock = threading.Lock()

    def run(self, outputs: list[str] | None, inputs: dict[str, Any]) -> Any:
        """Run the network."""
        with self._lock:
            return self._session.run(outputs, inputs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)
