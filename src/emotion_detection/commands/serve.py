"""``emotion serve``: answers over HTTP, and the page that reads expressions in the browser."""

import importlib.util
import logging
import sys
from dataclasses import fields

import numpy as np

from emotion_detection.commands.parsing import PRIOR_HELP, VIEWS_HELP, new_parser, parse
from emotion_detection.errors import InputError, missing
from emotion_detection.inference import EmotionDetector
from emotion_detection.inference.face_detector import (
    CERTAIN,
    SMALLEST,
    THRESHOLD,
    WORKING_SIZE,
)
from emotion_detection.readout import check_prior
from emotion_detection.training_record import SYNTHETIC_NOTE

_NEEDED = {
    "fastapi": "FastAPI",
    "uvicorn": "uvicorn",
    "prometheus_client": "prometheus-client",
    "python_multipart": "python-multipart",
}
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def run(words: list[str]) -> int:
    """Serve as the words say until told to stop; return 0, or 1 where it failed."""
    for module, name in _NEEDED.items():
        if importlib.util.find_spec(module) is None:
            raise missing("'serve'", name, "serve")
    from emotion_detection.serving.memory import keep_memory
    from emotion_detection.serving.server import bound, make_server, quiet_pillow
    from emotion_detection.serving.settings import Settings

    parser = new_parser("serve", "Read expressions over HTTP, and in the browser.")
    add = parser.add_argument
    default = Settings()
    add("--host", type=str, default="127.0.0.1", help="address to listen at; 0.0.0.0: all")
    add("--port", type=int, default=8000, help="port to listen at; 0: any that is free")
    add("--model", type=str, help="run folder or ONNX file; default: the shipped model")
    add("--labels", type=str, help="set of labels, as ferplus or fer2013; default: the model's own")
    add("--smallest", type=float, default=SMALLEST, help="smallest face, in pixels")
    add("--threshold", type=float, default=THRESHOLD, help="least confidence of a face, 0 to 1")
    add("--certain", type=float, default=CERTAIN, help="faces with less are flagged as uncertain")
    add("--least_score", type=float, default=0.0, help="faces with less are called unsure, 0 to 1")
    add("--views", type=int, help=VIEWS_HELP)
    add("--prior", type=str, default="natural", help=PRIOR_HELP)
    add("--working_size", type=int, default=WORKING_SIZE, help="longer side of the first look")
    for name, text in _LIMITS.items():
        value = getattr(default, name)
        add(f"--{name}", type=type(value), default=value, help=text)
    add("--allow_origin", type=str, nargs="+", default=[], help="origins that may ask from pages")
    add("--access_log", action="store_true", help="print a line a request: never what it holds")
    parsed = parse(parser, words)
    names = [field.name for field in fields(Settings)]
    settings = Settings(
        **{name: getattr(parsed, name) for name in names if name != "allow_origin"},
        allow_origin=tuple(parsed.allow_origin),
    )
    if not 0 <= parsed.port <= 65535:
        raise InputError(f"--port {parsed.port}: must be 0 to 65535")
    keep_memory()
    detector = EmotionDetector(
        parsed.model,
        threads=1,
        labels=parsed.labels,
        smallest=parsed.smallest,
        threshold=parsed.threshold,
        least_score=parsed.least_score,
        certain=parsed.certain,
        working_size=parsed.working_size,
        views=parsed.views,
        prior=check_prior(parsed.prior),
    )
    if detector.is_synthetic:
        print(f"note: {SYNTHETIC_NOTE}", file=sys.stderr)
    # opens the network that finds faces: what is wrong with it, or with the settings, is said now
    detector.look(np.zeros((32, 32, 3), np.uint8))
    _set_up_logging(parsed.access_log)
    quiet_pillow()
    listener = bound(parsed.host, parsed.port)
    server = make_server(detector, settings, parsed.model)
    host, port = listener.getsockname()[:2]
    _say_where(f"[{host}]" if ":" in host else host, port)
    if parsed.host not in _LOOPBACK:
        print(
            f"emotion: {parsed.host} can be reached from other machines, without a login",
            file=sys.stderr,
        )
    server.run([listener])
    print(f"stopped: {server.accepted:,} requests taken, {server.answered:,} answered", flush=True)
    return 1 if server.failed else 0


_LIMITS = {
    "workers": "threads that read pictures; default: one a core",
    "queue": "requests that may wait; those beyond are turned away at once",
    "together": "crops of waiting requests that are read in one go, at most",
    "max_bytes": "of a request's body",
    "max_pixels": "of a picture",
    "max_pictures": "in one request",
    "max_held": "bytes of all bodies that are in memory at once",
    "max_connections": "open at once",
    "timeout": "seconds to an answer",
    "body_timeout": "seconds for a client to send its headers, its body, to take its answer",
    "drain": "seconds to go on, not ready, once told to stop; for balancers",
    "grace": "seconds for what was accepted to be answered at the end",
}


def _say_where(host: str, port: int) -> None:
    from emotion_detection.serving.built_page import MISSING, page_folder, page_is_built

    where = f"http://{host}:{port}"
    if page_is_built(page_folder()):
        print(f"page: {where}/")
    else:
        print(f"page: {MISSING}")
    print(f"API:  {where}/v1/predict, described at {where}/docs", flush=True)


def _set_up_logging(access: bool) -> None:
    """Let warnings and errors go to standard error, and requests to standard output if asked."""
    logging.basicConfig(format="emotion: %(message)s", level=logging.WARNING)
    if access:
        from emotion_detection.serving.app import ACCESS

        log = logging.getLogger(ACCESS)
        log.addHandler(logging.StreamHandler(sys.stdout))
        log.setLevel(logging.INFO)
        log.propagate = False
