"""The choice of what networks run on: by what onnxruntime has, told in one line where it lacks."""

import hashlib
import pickle
import threading
import warnings
from typing import Any, cast

import numpy as np
import onnxruntime
import pytest

from emotion_detection import EmotionDetector, InputError
from emotion_detection.batch.local_engine import WORKERS_PER_GPU, count_workers
from emotion_detection.batch.ray_engine import choose_task_resources, count_tasks
from emotion_detection.data.synthetic import make_synthetic_faces
from emotion_detection.inference import devices
from emotion_detection.inference.devices import CPU, PROVIDERS, Device, choose_device, open_session
from emotion_detection.inference.face_detector import MODEL_SHA256, FaceDetector
from emotion_detection.results import Result

CUDA, DIRECTML = PROVIDERS["cuda"], PROVIDERS["directml"]
OPENVINO, COREML = PROVIDERS["openvino"], PROVIDERS["coreml"]
HERE = onnxruntime.get_available_providers()


@pytest.fixture
def has(monkeypatch: pytest.MonkeyPatch) -> Any:
    """``has(*providers, broken=())``: let onnxruntime have these beside the CPU's."""

    def make(*providers: str, broken: tuple[str, ...] = ()) -> None:
        names = [*providers, PROVIDERS["cpu"]]
        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: names)
        monkeypatch.setattr(devices, "_works", lambda name, index=0: name not in broken)

    return make


@pytest.mark.parametrize(
    ("providers", "name"),
    [
        ([], "cpu"),
        ([CUDA], "cuda"),
        (["TensorrtExecutionProvider", CUDA], "cuda"),
        ([DIRECTML], "directml"),
        ([OPENVINO], "openvino"),
        ([OPENVINO, CUDA], "cuda"),
        (["MIGraphXExecutionProvider"], "MIGraphXExecutionProvider"),
        ([COREML], "cpu"),
        (["AzureExecutionProvider"], "cpu"),
    ],
)
def test_auto_takes_the_best_silently(has: Any, providers: list[str], name: str) -> None:
    has(*providers)
    device, line = choose_device("auto")
    assert (device.name, line) == (name, None)
    assert device.provider in [*providers, PROVIDERS["cpu"]]


def test_auto_passes_over_what_does_not_work(has: Any) -> None:
    has(CUDA, OPENVINO, broken=(CUDA,))
    assert choose_device("auto") == (Device("openvino", OPENVINO), None)


@pytest.mark.parametrize(
    ("asked", "name", "provider", "index"),
    [
        ("cuda", "cuda", CUDA, 0),
        ("CUDA", "cuda", CUDA, 0),
        ("cuda:1", "cuda:1", CUDA, 1),
        (CUDA, "cuda", CUDA, 0),
        ("cudaexecutionprovider", "cuda", CUDA, 0),
        ("coreml", "coreml", COREML, 0),
        ("directml:2", "directml:2", DIRECTML, 2),
        ("openvino", "openvino", OPENVINO, 0),
        ("TensorrtExecutionProvider", *["TensorrtExecutionProvider"] * 2, 0),
        ("cpu", "cpu", PROVIDERS["cpu"], 0),
        ("CPUExecutionProvider", "cpu", PROVIDERS["cpu"], 0),
    ],
)
def test_devices_go_by_short_names_and_by_onnxruntimes(
    has: Any, asked: str, name: str, provider: str, index: int
) -> None:
    has(CUDA, COREML, DIRECTML, OPENVINO, "TensorrtExecutionProvider")
    assert choose_device(asked) == (Device(name, provider, index), None)


@pytest.mark.parametrize("asked", ["gpu", "cuda:x", "cuda:-1", "cpu:1", "", -1, None, ["cuda"]])
def test_unknown_devices_are_refused_with_the_known_ones(asked: object) -> None:
    allowed = "must be one of auto, cpu, cuda, coreml, directml, openvino, cuda:1"
    with pytest.raises(InputError, match=allowed) as caught:
        choose_device(asked)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("gpu", "'cuda' (NVIDIA), 'directml' (Windows) or 'coreml' (macOS)"),
        ("GPU", "'cuda' (NVIDIA), 'directml' (Windows) or 'coreml' (macOS)"),
        ("gpu:1", "'cuda:1' (NVIDIA)"),
        ("mps", "'coreml' (macOS)"),
        ("mps:0", "'coreml' (macOS)"),
        ("metal", "'coreml' (macOS)"),
        ("nvidia", "'cuda' (NVIDIA)"),
        ("tensorrt", "'TensorrtExecutionProvider' (NVIDIA)"),
        ("xpu", "'openvino' (Intel)"),
        ("rocm", "'ROCMExecutionProvider' or 'MIGraphXExecutionProvider' (AMD)"),
        ("cudda", "'cuda'"),
        ("opnvino", "'openvino'"),
    ],
)
def test_names_of_other_tools_are_answered_with_the_device_that_is_meant(
    asked: str, meant: str
) -> None:
    with pytest.raises(InputError, match="It must be one of auto, cpu, cuda, coreml") as caught:
        choose_device(asked)
    assert f"device {asked!r}: did you mean {meant}? It must" in str(caught.value)


def test_no_device_is_suggested_where_none_is_meant() -> None:
    with pytest.raises(InputError, match="device 'quantum': must be one of auto"):
        choose_device("quantum")


def test_a_missing_device_falls_back_with_one_line_that_names_what_is_there(has: Any) -> None:
    has(OPENVINO)
    assert choose_device("cuda:1") == (
        CPU,
        "device 'cuda:1' is not available: running on the CPU. onnxruntime has "
        "OpenVINOExecutionProvider, CPUExecutionProvider here; CUDAExecutionProvider comes with "
        "the package onnxruntime-gpu",
    )
    has(CUDA, broken=(CUDA,))
    device, line = choose_device("cuda")
    assert device == CPU
    assert line is not None
    assert "does not work (no such GPU, or no driver): running on the CPU" in line


@pytest.mark.skipif(CUDA in HERE, reason="onnxruntime has CUDA here")
def test_a_detector_on_a_missing_device_warns_once_and_gives_the_same(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with pytest.warns(UserWarning, match="'cuda' is not available: running on the CPU") as caught:
        detector = EmotionDetector(threads=1, device="cuda")
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert all(name in str(caught[0].message) for name in HERE)
    plain = EmotionDetector(threads=1, device="cpu")
    crops = make_synthetic_faces(3).faces
    np.testing.assert_array_equal(detector.classify(crops), plain.classify(crops))
    assert detector.device == plain.device == "cpu"
    assert "device='cpu'" in repr(detector)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("provider", [name for name in HERE if name != PROVIDERS["cpu"]])
def test_every_provider_that_is_there_is_taken_or_reported_as_not_working(provider: str) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        detector = EmotionDetector(threads=1, device=provider)
    crops = make_synthetic_faces(3).faces
    expected = EmotionDetector(threads=1, device="cpu").classify(crops)
    np.testing.assert_allclose(detector.classify(crops), expected, atol=1e-3)
    assert (detector.device == "cpu") == bool(caught)
    assert len(detector.detect(np.zeros((64, 64, 3), np.uint8))) == 0
    again = pickle.loads(pickle.dumps(detector))
    assert again.device == detector.device


def test_a_provider_that_is_not_there_does_not_work(capfd: pytest.CaptureFixture[str]) -> None:
    assert devices._works(PROVIDERS["cpu"])
    assert not devices._works("QNNExecutionProvider")
    assert capfd.readouterr() == ("", "")


def test_a_network_that_a_device_cannot_run_is_run_on_the_cpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = devices._open_on

    def open_on(content: bytes, device: Device, options: Any) -> Any:
        if device.is_cpu:
            return real(content, device, options)
        raise RuntimeError("out of memory\nat some line")

    monkeypatch.setattr(devices, "_open_on", open_on)
    with pytest.warns(UserWarning, match=r"'cuda' cannot run this network \(out of memory\)"):
        session = open_session(devices._PROBE, Device("cuda", CUDA))
    assert session.get_providers() == [PROVIDERS["cpu"]]


def test_both_networks_run_on_the_device(monkeypatch: pytest.MonkeyPatch, has: Any) -> None:
    has(CUDA)
    opened = []
    real = devices._open_on

    def open_on(content: bytes, device: Device, options: Any) -> Any:
        opened.append((device.name, hashlib.sha256(content).hexdigest() == MODEL_SHA256))
        session = real(content, CPU, options)
        monkeypatch.setattr(session, "get_providers", lambda: [device.provider])
        return session

    monkeypatch.setattr(devices, "_open_on", open_on)
    detector = EmotionDetector(threads=1, device="cuda:1")
    assert detector.device == "cuda:1"
    images = [np.full((60 + k, 64, 3), 20 * k, np.uint8) for k in range(12)]
    found = detector.detect_many(image for image in images)
    assert sorted(opened) == [("cuda:1", False), ("cuda:1", True)]  # the classifier, the finder
    assert [cast(Result, one).height for one in found] == [len(image) for image in images]
    finder = pickle.loads(pickle.dumps(FaceDetector(device=Device("cuda", CUDA))))
    assert finder._device.name == "cuda"


def test_images_are_decoded_in_threads_on_another_device(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    detector = EmotionDetector(threads=1, device="cpu")
    images: list[Any] = [make_synthetic_faces(1, seed=seed).faces[0] for seed in range(5)] + [
        "nosuch.jpg"
    ]
    alone = detector.detect_many(images)
    monkeypatch.setattr(detector, "_device", Device("cuda", CUDA))
    names = set()
    look = detector.look

    def noted(*args: Any, **options: Any) -> Any:
        names.add(threading.current_thread().name)
        return look(*args, **options)

    monkeypatch.setattr(detector, "look", noted)
    together = detector.detect_many(images)
    assert together[:-1] == alone[:-1]
    assert str(together[-1]) == str(alone[-1]) == "nosuch.jpg: no such file"
    assert threading.main_thread().name not in names


def test_directml_runs_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    real = devices._open_on

    def open_on(content: bytes, device: Device, options: Any) -> Any:
        assert not options.enable_mem_pattern
        session = real(content, CPU, options)
        monkeypatch.setattr(session, "get_providers", lambda: [device.provider])
        return session

    monkeypatch.setattr(devices, "_open_on", open_on)
    session = open_session(devices._PROBE, Device("directml", DIRECTML))
    assert isinstance(session, devices._OneAtATime)
    (values,) = session.run(None, {"x": np.array([-1], np.float32)})
    assert values.tolist() == [0]
    assert session.get_inputs()[0].name == "x"


def test_gpu_workers_are_few_and_tasks_ask_for_a_fraction_of_a_gpu(
    has: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    has(CUDA)
    monkeypatch.setattr("emotion_detection.batch.local_engine.count_cpus", lambda: 64)
    assert count_workers("cpu") == 64
    assert count_workers("cuda") == count_workers("auto") == WORKERS_PER_GPU
    assert choose_task_resources("cpu") == choose_task_resources("auto") == {"num_cpus": 1}
    needs = choose_task_resources("cuda")
    assert needs == {"num_cpus": 1, "num_gpus": 1 / WORKERS_PER_GPU}
    assert count_tasks({"CPU": 64, "GPU": 2}, needs) == 2 * WORKERS_PER_GPU
    assert count_tasks({"CPU": 3, "GPU": 2}, needs) == 3
    assert count_tasks({"CPU": 3}, {"num_cpus": 1}) == 3
