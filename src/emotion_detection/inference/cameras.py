"""List the cameras of this machine, and open one by number."""

import os
import re
from typing import TYPE_CHECKING, NamedTuple

from emotion_detection.errors import ImageError

if TYPE_CHECKING:
    from av.container import InputContainer

_LAST_NUMBER = re.compile(r"\d+$")


class Camera(NamedTuple):
    """A camera.

    Args:
        number: number of the camera, from 0.
        address: FFmpeg's name of the device.
        description: the system's name of the camera, or "".
    """

    number: int
    address: str
    description: str


def list_cameras(format: str) -> list[Camera]:
    """Return the cameras that FFmpeg finds, by number; none where it cannot list them.

    Args:
        format: FFmpeg's name of the system's camera interface: "v4l2", "avfoundation" or "dshow".
    """
    import av
    from av.device import enumerate_input_devices

    try:
        devices = enumerate_input_devices(format)
    except (av.FFmpegError, OSError, ValueError):
        return []
    # drivers of Linux do not list media types
    videos = [one for one in devices if "video" in one.media_types or format == "v4l2"]
    cameras = []
    for place, device in enumerate(videos):
        if format == "dshow":  # names alone
            number, address = place, f"video={device.name}"
        else:
            found = _LAST_NUMBER.search(device.name)
            number, address = int(found[0]) if found else place, device.name
        cameras.append(Camera(number, address, " ".join(device.description.split())))
    return sorted(cameras)


def open_camera(address: str, format: str, timeout: tuple[float, float]) -> "InputContainer":
    """Open a camera.

    Args:
        address: a device as ``/dev/video0`` ("v4l2"), or the camera's number.
        format: as for :func:`list_cameras`.
        timeout: seconds to wait for the camera to open, and for each frame.

    Raises:
        ImageError: there is no such camera; the message lists the available ones.
        FFmpegError: the camera cannot be opened; most of these are an ``OSError`` too.
    """
    import av

    if format == "v4l2" and not os.path.exists(address):
        raise ImageError(explain_missing(list_cameras(format)))
    place = address
    if format == "dshow":
        cameras = list_cameras(format)
        if int(address) >= len(cameras):
            raise ImageError(explain_missing(cameras))
        place = cameras[int(address)].address
    options = {"framerate": "30"} if format == "avfoundation" else {}
    try:
        return av.open(place, format=format, options=options, timeout=timeout)
    except PermissionError:
        reason = "the system denies access to this camera"
        remedy = "; add yourself to the group 'video'" if format == "v4l2" else ""
        raise ImageError(f"{reason}{remedy}") from None
    except (av.FFmpegError, OSError):
        if format == "avfoundation":  # its errors do not tell
            cameras = list_cameras(format)
            if address not in [camera.address for camera in cameras]:
                raise ImageError(explain_missing(cameras)) from None
        raise


def explain_missing(cameras: list[Camera]) -> str:
    """Return the message for a camera that is not among the available ones.

    >>> explain_missing([Camera(1, "/dev/video1", "HD Webcam")])
    'no such camera; there is 1 (HD Webcam)'
    >>> explain_missing([])
    'no such camera; none was found on this machine'
    """
    if not cameras:
        return "no such camera; none was found on this machine"
    named = [
        f"{camera.number} ({camera.description})" if camera.description else str(camera.number)
        for camera in cameras
    ]
    return f"no such camera; there {'is' if len(named) == 1 else 'are'} {', '.join(named)}"
