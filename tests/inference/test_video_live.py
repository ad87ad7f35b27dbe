"""Live sources: what they are called, and a file that is served as a stream on this machine."""

import http.server
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from emotion_detection.errors import InputError
from emotion_detection.images.opening import ImageError
from emotion_detection.inference import video_live
from emotion_detection.inference.video_live import (
    QUEUE,
    LiveSource,
    find_live_source,
    read_live_frames,
)

pytest.importorskip("av", reason="needs the extra 'video'")

Write = Callable[..., Path]
Squares = Callable[..., np.ndarray]


@pytest.mark.parametrize(
    ("source", "address"),
    [
        (0, "/dev/video0"),
        ("1", "/dev/video1"),
        (np.int64(2), "/dev/video2"),
        ("/dev/video3", "/dev/video3"),
        (Path("/dev/video3"), "/dev/video3"),
        ("rtsp://cam/live", "rtsp://cam/live"),
        ("HTTP://cam/live.m3u8", "HTTP://cam/live.m3u8"),
        ("https://cam/", "https://cam/"),
    ],
)
def test_cameras_and_addresses_are_live(
    monkeypatch: pytest.MonkeyPatch, source: object, address: str
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    found = find_live_source(source)
    assert found is not None
    assert found.address == address
    assert (found.format == "v4l2") is address.startswith("/dev/")


@pytest.mark.parametrize(
    "source",
    [
        *("clip.mp4", "1.mp4", Path("clip.mp4"), "C:/a.mp4", "/dev/video", "12345", "²", "", "-1"),
        *("http://host/photo.jpg", "https://host/a.PNG?x=1", "file:///etc/passwd", "ftp://a/b.mp4"),
        *("concat:a|b", "data:image/png;base64,AA", True, None, 1.0, b"0"),
    ],
)
def test_anything_else_is_not(source: object) -> None:
    assert find_live_source(source) is None


def test_a_file_that_is_called_0_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_live_source("0") is not None
    Path("0").write_bytes(b"")
    assert find_live_source("0") is None
    assert find_live_source(0) is not None


@pytest.mark.parametrize(("platform", "format"), [("darwin", "avfoundation"), ("win32", "dshow")])
def test_other_systems_have_cameras_too(
    monkeypatch: pytest.MonkeyPatch, platform: str, format: str
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    assert find_live_source(1) == LiveSource("1", "1", format)


def test_a_negative_camera_is_refused() -> None:
    with pytest.raises(InputError, match="cameras are numbered from 0"):
        find_live_source(-1)


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("/dev/video987", "no such camera; (none was found|there (is|are)) .*"),
        ("http://127.0.0.1:9/a.ts", "cannot be read: Connection refused"),
        ("rtsp://127.0.0.1:9/a", "cannot be read: Connection refused"),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="the systems name cameras and errors otherwise")
def test_what_cannot_be_opened_is_one_line(address: str, reason: str) -> None:
    source = find_live_source(address)
    assert source is not None
    with pytest.raises(ImageError, match=f"^{address}: {reason}$"):
        read_live_frames(source)


class Server(http.server.ThreadingHTTPServer):
    """Serves bytes without a length, as streams come; ``close_after`` of them, if not all."""

    content: bytes = b""
    kind = "video/mp2t"
    hangs = False


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, Server)
        self.send_response(200)
        self.send_header("Content-Type", server.kind)
        self.end_headers()
        try:
            self.wfile.write(server.content)
            if server.hangs:
                time.sleep(5)
        except OSError:  # nobody listens any more
            return

    def log_message(self, format: str, *_: object) -> None:
        return


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield running
        running.shutdown()


@pytest.fixture
def stream(server: Server, write_clip: Write, squares: Squares, tmp_path: Path) -> LiveSource:
    """Twenty frames at 20 frames a second, as MPEG-TS."""
    clip = write_clip(tmp_path / "clip.ts", squares(20), 20, codec="libx264")
    server.content = clip.read_bytes()
    address = f"http://127.0.0.1:{server.server_port}/live.ts"
    source = find_live_source(address)
    assert source is not None
    return source


def test_a_served_file_is_read_at_its_own_speed(stream: LiveSource, squares: Squares) -> None:
    start = time.monotonic()
    live = read_live_frames(stream)
    found = list(live)
    assert time.monotonic() - start > 0.8
    numbers = [frame.number for frame in found]
    assert numbers == sorted(set(numbers))
    assert len(found) + live.dropped == 20
    for frame in found:
        assert frame.time == pytest.approx(frame.number / 20, abs=0.01)
        wanted = squares(20)[frame.number].astype(int)
        assert np.abs(frame.rgb - wanted).mean() < 6


def test_who_is_slow_gets_the_newest_frames(stream: LiveSource) -> None:
    live = read_live_frames(stream)
    found, lags, start = [], [], time.monotonic()
    for frame in live:
        found.append(frame)
        lags.append(time.monotonic() - start - frame.time)
        time.sleep(0.3)
    assert len(found) < 10
    assert live.dropped == 20 - len(found)
    assert found[-1].number == 19
    # all but those that waited in the queue when the stream ended
    assert max(lags[:-QUEUE]) < min(lags) + 0.3
    assert live._queue.maxlen is None
    assert len(live._queue) <= QUEUE


def test_strides_and_intervals_choose_frames(stream: LiveSource) -> None:
    numbers = [frame.number for frame in read_live_frames(stream, 5)]
    assert set(numbers) <= {0, 5, 10, 15}
    numbers = [frame.number for frame in read_live_frames(stream, 1, 0.5)]
    assert set(numbers) <= {0, 10}


def test_the_thread_ends_with_the_iteration(stream: LiveSource) -> None:
    live = read_live_frames(stream)
    for _ in live:
        break
    live.close()
    assert not live._thread.is_alive()


def test_an_mjpeg_stream_is_read(
    server: Server, squares: Squares, monkeypatch: pytest.MonkeyPatch
) -> None:
    import io

    from PIL import Image

    body = b""
    for rgb in squares(4):
        out = io.BytesIO()
        Image.fromarray(rgb).save(out, "JPEG", quality=90)
        head = f"--b\r\nContent-Type: image/jpeg\r\nContent-Length: {len(out.getvalue())}\r\n\r\n"
        body += head.encode() + out.getvalue() + b"\r\n"
    server.content, server.kind = body, "multipart/x-mixed-replace; boundary=b"
    source = find_live_source(f"http://127.0.0.1:{server.server_port}/camera")
    assert source is not None
    live = read_live_frames(source)
    found = list(live)
    assert found
    assert len(found) + live.dropped == 4
    assert found[-1].rgb.shape == (64, 96, 3)


def test_a_stream_that_hangs_breaks_off(
    server: Server, stream: LiveSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video_live, "OPEN_TIMEOUT", 0.7)
    monkeypatch.setattr(video_live, "READ_TIMEOUT", 0.7)
    server.hangs = True
    found = []
    with pytest.raises(
        ImageError, match=r"broke off after \d\.\d s: .*no (data came|answer) in time"
    ):
        found.extend(read_live_frames(stream))
    assert found


def test_what_is_no_video_is_reported(server: Server) -> None:
    server.content, server.kind = b"<html>hello</html>" * 100, "text/html"
    source = find_live_source(f"http://127.0.0.1:{server.server_port}/page")
    assert source is not None
    with pytest.raises(ImageError, match="/page: cannot be read: "):
        list(read_live_frames(source))
