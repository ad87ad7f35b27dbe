"""How fast the page in the browser is: first answer, a picture, and frames a second of a camera.

    python -m benchmarks.serving.browser_page [--rounds 3] [--seconds 10] \
        [--out docs/results/page.json]

It needs the built page (``make web``), ``pip install -e '.[dev]'`` and Chromium, which is run
headless by Playwright; the page is served as ``emotion export --web`` writes it. Each round is a
browser of its own:

- **first answer**: from the click on a drawn face until it is read, the networks loaded from this
  machine and compiled meanwhile;
- **picture**: from choosing a JPEG of 1920 x 1080 with three drawn faces until they are shown, once
  the networks are loaded: decoding, faces looked for at 640 pixels, reading, drawing;
- **camera**: frames a second with one drawn face that moves, at 640 x 480 and 30 frames/s, faces
  looked for at 320 pixels; and milliseconds of processor time a frame, of all of the browser's
  processes together, which other work on the machine changes less.

Figures are medians over the rounds with the least and the greatest.
"""

import functools
import http.server
import os
import platform
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from benchmarks.common import (
    Parser,
    check_least,
    describe_hardware,
    name_command,
    report_errors,
    write_json,
)
from emotion_detection.commands.export_web import export_page
from emotion_detection.data.synthetic import make_synthetic_faces

CHROMIUM = "/usr/bin/chromium"
WAIT = 120_000


def moving_face(path: Path, steps: int = 40) -> None:
    """Write a raw video for a fake camera, 640 x 480: a drawn face that moves to and fro."""
    face = make_synthetic_faces(25, size=240).faces[24]
    colourless = np.full(2 * 320 * 240, 128, np.uint8).tobytes()
    with path.open("wb") as file:
        file.write(b"YUV4MPEG2 W640 H480 F30:1 Ip A1:1 C420mpeg2\n")
        for step in range(steps):
            left = 120 + 8 * min(step, steps - step)
            frame = np.full((480, 640), 120, np.uint8)
            frame[110:350, left : left + 240] = face
            file.write(b"FRAME\n" + (16 + frame * (219 / 255)).astype(np.uint8).tobytes())
            file.write(colourless)


class _Quiet(http.server.SimpleHTTPRequestHandler):
    more: ClassVar[Mapping[str, str]] = {}

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def end_headers(self) -> None:
        for name, value in self.more.items():
            self.send_header(name, value)
        super().end_headers()


@contextmanager
def served(folder: Path, headers: Mapping[str, str] | None = None) -> Iterator[str]:
    """Serve a folder by Python's own web server on this machine; yields its address."""
    kind = type("Handler", (_Quiet,), {"more": headers or {}})
    handler = functools.partial(kind, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def picture(path: Path) -> None:
    """Write a JPEG of 1920 x 1080 with three drawn faces."""
    sheet = np.full((1080, 1920), 140, np.uint8)
    for face, left in zip(
        make_synthetic_faces(55, size=320).faces[[24, 32, 12]], (150, 800, 1400), strict=True
    ):
        sheet[380:700, left : left + 320] = face
    Image.fromarray(sheet).convert("RGB").save(path, quality=95)


def processor_seconds(session: Any) -> float:
    """Return what all processes of a browser have used so far."""
    processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
    return float(sum(process["cpuTime"] for process in processes))


def one_round(browser: Any, address: str, photo: Path, seconds: float) -> dict[str, float]:
    """Measure everything once, in a browser that was just started."""
    from playwright.sync_api import expect

    context = browser.new_context(permissions=["camera"])
    page = context.new_page()
    page.goto(address)
    status = page.locator("#status")
    found = {}
    start = time.perf_counter()
    page.get_by_role("button", name="drawn face: happiness").click()
    expect(status).to_contain_text("1 face", timeout=WAIT)
    found["first_answer_s"] = time.perf_counter() - start
    start = time.perf_counter()
    page.set_input_files("#files", str(photo))
    expect(status).to_contain_text("3 faces", timeout=WAIT)
    found["picture_s"] = time.perf_counter() - start
    page.get_by_role("button", name="Use the camera").click()
    page.get_by_role("button", name="Start the camera").click()
    expect(page.locator("#stage-title")).to_have_text("Camera", timeout=WAIT)
    page.wait_for_timeout(2000)
    session = browser.new_browser_cdp_session()
    count = "Number(document.getElementById('rate').dataset.frames)"
    first, used, start = page.evaluate(count), processor_seconds(session), time.perf_counter()
    page.wait_for_timeout(1000 * seconds)
    last, passed = page.evaluate(count), time.perf_counter() - start
    found["frames_per_s"] = (last - first) / passed
    found["processor_ms_per_frame"] = 1000 * (processor_seconds(session) - used) / (last - first)
    faces = page.locator("#faces .face").count()
    if faces != 1:
        raise RuntimeError(f"{faces} faces before the camera, not 1")
    context.close()
    return found


def measure(rounds: int, seconds: float) -> dict[str, Any]:
    """Return all figures."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        folder = Path(place)
        export_page(folder / "site")
        moving_face(folder / "moving.y4m")
        picture(folder / "photo.jpg")
        camera = f"--use-file-for-fake-video-capture={folder / 'moving.y4m'}"
        runs = []
        with served(folder / "site") as address:
            for turn in range(rounds):
                browser = playwright.chromium.launch(
                    executable_path=CHROMIUM,
                    args=["--no-sandbox", "--use-fake-device-for-media-stream", camera],
                )
                version = browser.version
                runs.append(one_round(browser, address, folder / "photo.jpg", seconds))
                print(turn, {name: round(value, 2) for name, value in runs[-1].items()})
                browser.close()
        figures = {
            name: {
                "median": float(np.median([run[name] for run in runs])),
                "least": min(run[name] for run in runs),
                "greatest": max(run[name] for run in runs),
            }
            for name in runs[0]
        }
        files = sorted(path for path in (folder / "site").rglob("*") if path.is_file())
        sizes = {
            path.relative_to(folder / "site").as_posix(): path.stat().st_size for path in files
        }
        return {"figures": figures, "browser": f"Chromium {version}, headless", "bytes": sizes}


@report_errors
def main(words: list[str] | None = None) -> int:
    """Measure and write."""
    parser = Parser(__doc__, __file__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10, help="that frames are counted for")
    parser.add_out()
    options = parser.parse_args(words)
    check_least(options, rounds=1)
    load = os.getloadavg()
    found = measure(options.rounds, options.seconds)
    for name, value in found["figures"].items():
        print(f"{name:24} {value['median']:9.2f} ({value['least']:.2f} to {value['greatest']:.2f})")
    if options.out:
        record = {
            "command": f"{name_command(__file__)} --rounds {options.rounds} "
            f"--seconds {options.seconds:g}",
            **found,
            "faces": "drawn: camera 640 x 480 with one face, looked for at 320 pixels; picture "
            "1920 x 1080 with three, at 640",
            "rounds": options.rounds,
            "threads": "WebAssembly: 1, since the page is not cross-origin isolated",
            "load_before": load,
            "load_after": os.getloadavg(),
            "hardware": f"{describe_hardware()}, no GPU",
            "python": platform.python_version(),
        }
        write_json(options.out, record)
    return 0


if __name__ == "__main__":
    sys.exit(main())
