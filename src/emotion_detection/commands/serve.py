"""``emotion serve``: serve predictions over HTTP, and the web page."""

import importlib.util
import logging
import sys
from argparse import ArgumentParser
from dataclasses import fields

from emotion_detection.commands.parsing import add_fields, new_parser, parse
from emotion_detection.commands.shared_options import (
    DEVICE_HELP,
    MODEL_HELP,
    PRIOR_HELP,
    VIEWS_HELP,
    add_detection_options,
    add_score_options,
)
from emotion_detection.errors import InputError, missing_package
from emotion_detection.serving.server_settings import Settings

_NEEDED = {
    "fastapi": "FastAPI",
    "uvicorn": "uvicorn",
    "prometheus_client": "prometheus-client",
    "python_multipart": "python-multipart",
}
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def run(words: list[str]) -> int:
    """Run ``emotion serve`` until shutdown; return 0, or 1 after a failure."""
    parsed = parse(_parser(), words)
    names = [field.name for field in fields(Settings)]
    settings = Settings(
        **{name: getattr(parsed, name) for name in names if name != "allow_origin"},
        allow_origin=tuple(parsed.allow_origin),
    )
    if not 0 <= parsed.port <= 65535:
        raise InputError(f"--port {parsed.port}: must be 0 to 65535")
    for module, name in _NEEDED.items():
        if importlib.util.find_spec(module) is None:
            raise missing_package("'serve'", name, "serve")
    import numpy as np

    from emotion_detection.commands.device_option import report_device, settle_device
    from emotion_detection.inference import EmotionDetector
    from emotion_detection.postprocessing import check_prior
    from emotion_detection.serving.server import bound, make_server, quiet_pillow
    from emotion_detection.serving.server_settings import keep_memory
    from emotion_detection.training_record import SYNTHETIC_NOTE

    keep_memory()
    detector = EmotionDetector(
        parsed.model,
        threads=1,
        labels=parsed.labels,
        min_face_size=parsed.min_face_size,
        min_confidence=parsed.min_confidence,
        min_score=parsed.min_score,
        certain=parsed.certain,
        detection_size=parsed.detection_size,
        views=parsed.views,
        prior=check_prior(parsed.prior),
        device=settle_device(parsed.device),
    )
    report_device(detector.device, parsed.device)
    if detector.is_synthetic:
        print(f"note: {SYNTHETIC_NOTE}", file=sys.stderr)
    # opens the face detection network, so that errors in it or in the settings show now
    detector.look(np.zeros((32, 32, 3), np.uint8))
    _set_up_logging(parsed.access_log)
    quiet_pillow()
    listener = bound(parsed.host, parsed.port)
    server = make_server(detector, settings)
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


def _parser() -> ArgumentParser:
    parser = new_parser("serve", "Predict expressions over HTTP, and serve the web page.")
    add = parser.add_argument
    add("--host", type=str, default="127.0.0.1", help="address to listen on; 0.0.0.0: all")
    add("--port", type=int, default=8000, metavar="N", help="port to listen on; 0: any free port")
    add("--access_log", action="store_true", help="log method, route, status and time of requests")
    model = parser.add_argument_group("model")
    add = model.add_argument
    add("--model", type=str, metavar="RUN", help=MODEL_HELP)
    add("--labels", type=str, help="label set, as ferplus or fer2013; default: the model's first")
    add("--views", type=int, metavar="N", help=VIEWS_HELP)
    add("--prior", type=str, default="natural", help=PRIOR_HELP)
    add("--device", type=str, default="auto", help=DEVICE_HELP)
    detection = parser.add_argument_group("detection")
    add_detection_options(detection)
    add_score_options(detection)
    limits = parser.add_argument_group("limits")
    add_fields(limits, Settings, skip={"workers", "allow_origin"})
    limits.add_argument(
        "--workers",
        type=int,
        default=Settings().workers,
        metavar="N",
        help="threads that process images; default: one per core",
    )
    limits.add_argument(
        "--allow_origin",
        type=str,
        nargs="+",
        default=[],
        metavar="ORIGIN",
        help="origins whose pages may read answers in a browser (CORS), or *",
    )
    return parser


def _say_where(host: str, port: int) -> None:
    from emotion_detection.serving.built_page import MISSING, find_page_folder, is_page_built

    where = f"http://{host}:{port}"
    if is_page_built(find_page_folder()):
        print(f"page: {where}/")
    else:
        print(f"page: {MISSING}")
    print(f"API:  {where}/v1/predict, described at {where}/docs", flush=True)


def _set_up_logging(access: bool) -> None:
    """Log warnings and errors to standard error, and optionally requests to standard output."""
    logging.basicConfig(format="emotion: %(message)s", level=logging.WARNING)
    if access:
        from emotion_detection.serving.app import ACCESS

        log = logging.getLogger(ACCESS)
        log.addHandler(logging.StreamHandler(sys.stdout))
        log.setLevel(logging.INFO)
        log.propagate = False
