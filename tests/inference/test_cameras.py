"""Cameras: which there are, and the message where a number is none of them."""

from pathlib import Path

import pytest

pytest.importorskip("av", reason="needs the extra 'video'")

import av
import av.device

from emotion_detection.errors import ImageError
from emotion_detection.inference.cameras import Camera, list_cameras, open_camera

TIMEOUT = (1.0, 1.0)


class Device:
    """A device as PyAV lists it."""

    def __init__(self, name: str, description: str, *kinds: str) -> None:
        self.name, self.description, self.media_types = name, description, kinds


def place_devices(monkeypatch: pytest.MonkeyPatch, *devices: Device) -> None:
    monkeypatch.setattr(av.device, "enumerate_input_devices", lambda _: list(devices))


def test_cameras_are_named_as_each_system_names_them(monkeypatch: pytest.MonkeyPatch) -> None:
    place_devices(
        monkeypatch, Device("/dev/video12", "USB  Cam: UVC"), Device("/dev/video2", "Laptop")
    )
    assert list_cameras("v4l2") == [
        Camera(2, "/dev/video2", "Laptop"),
        Camera(12, "/dev/video12", "USB Cam: UVC"),
    ]
    place_devices(monkeypatch, Device("Mic", "Mic", "audio"), Device("Cam", "Cam", "video"))
    assert list_cameras("dshow") == [Camera(0, "video=Cam", "Cam")]
    place_devices(monkeypatch, Device("0", "FaceTime HD", "video"), Device("0", "Mic", "audio"))
    assert list_cameras("avfoundation") == [Camera(0, "0", "FaceTime HD")]


@pytest.mark.parametrize("format", ["v4l2", "dshow", "avfoundation"])
def test_a_wrong_number_lists_the_cameras(monkeypatch: pytest.MonkeyPatch, format: str) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(av, "open", refuse)
    address = "/dev/video987" if format == "v4l2" else "7"
    place_devices(monkeypatch)
    with pytest.raises(ImageError, match=r"^no such camera; none was found on this machine$"):
        open_camera(address, format, TIMEOUT)
    place_devices(
        monkeypatch, Device("/dev/video0", "One", "video"), Device("/dev/video1", "", "video")
    )
    with pytest.raises(ImageError, match=r"^no such camera; there are 0 \(One\), 1$"):
        open_camera(address, format, TIMEOUT)


def test_a_camera_that_may_not_be_used_names_the_group(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def deny(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(av, "open", deny)
    with pytest.raises(ImageError, match=r"denies access to this camera; .* group 'video'"):
        open_camera(str(tmp_path), "v4l2", TIMEOUT)


def test_a_system_that_lists_none_has_none() -> None:
    assert list_cameras("nosuch") == []
