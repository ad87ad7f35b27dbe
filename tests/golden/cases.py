"""The golden cases: a name, and a function that returns what users see as plain JSON or text."""

import contextlib
import csv
import hashlib
import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from PIL import Image

import emotion_detection
from emotion_detection import EmotionDetector, InputError
from emotion_detection.config import DataConfig
from emotion_detection.data import load
from tests.golden.compare import TOLERANCE
from tests.golden.workplace import OWN_CLASSES, Workplace

COMMANDS = (
    *("predict", "explain", "train", "test", "report", "export", "serve"),
    *("data", "data info", "data check", "data crop", "data audit", "data download"),
)
SERVE = ("fastapi", "uvicorn", "prometheus_client", "python_multipart", "httpx")
TRAIN = ("torch", "pytorch_lightning", "onnx", "pyarrow")


@dataclass(frozen=True)
class Case:
    """One golden file.

    Args:
        name: of the file, without its suffix.
        make: returns what the file holds.
        tolerance: of numbers with a fraction; 0: exact.
        needs: modules without which the case is skipped.
        is_text: whether it is a text file, compared exactly.
        is_slow: whether ``make test`` leaves it out.
    """

    name: str
    make: Callable[[Workplace], Any]
    tolerance: float = TOLERANCE
    needs: tuple[str, ...] = ()
    is_text: bool = False
    is_slow: bool = False


def _number(cell: str) -> Any:
    """Return a number where a cell of a table is one, None where it is empty, else its text."""
    if re.fullmatch(r"-?\d+", cell):
        return int(cell)
    return float(cell) if re.fullmatch(r"-?\d+\.\d+(e-?\d+)?", cell) else cell or None


def read_table(path: Path) -> dict[str, Any]:
    """Return the columns of a CSV, and its rows without their empty cells."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    columns = list(rows[0]) if rows else []
    kept = [{name: _number(cell) for name, cell in row.items() if cell} for row in rows]
    return {"columns": columns, "rows": kept}


def _with_records(told: dict[str, Any]) -> dict[str, Any]:
    return {**told, "out": [json.loads(line) for line in told["out"]]}


def predict_json(place: Workplace) -> Any:
    """``emotion predict`` of whole images, piped."""
    return _with_records(place.run("predict", place.images))


def predict_csv(place: Workplace) -> Any:
    """The table of some of the same images, and what annotated copies look like."""
    some = ("=1+1.bmp", "astronaut.jpg", "cut.png", "Gr\u00fc\u00dfe.tiff", "plain.png", "text.png")
    files = [f"{place.images}/{name}" for name in (*some, "animated.webp")]
    told = place.run("predict", *files, "--out", "images.csv", "--annotate", "drawn")
    drawn = place.folder / "drawn"
    copies = {name: _thumbnail(Image.open(drawn / name)) for name in place.names("drawn")}
    return {**told, "table": read_table(place.folder / "images.csv"), "drawn": copies}


def predict_crops(place: Workplace) -> Any:
    """Crops, with other labels, views and prior; some uncertain."""
    words = ["--crops", "--labels", "fer2013", "--views", "2", "--prior", "balanced"]
    told = place.run(
        "predict", place.crops, *words, "--min_score", "0.6", "--json", "--out", "crops.jsonl"
    )
    lines = (place.folder / "crops.jsonl").read_text(encoding="ascii").splitlines()
    assert told["out"] == lines
    return _with_records(told)


def predict_options(place: Workplace) -> Any:
    """What detection options change in an image of two faces."""
    image = f"{place.images}/pair.jpg"
    choices = [
        ["--min_face_size", "100"],
        ["--min_confidence", "0.9", "--certain", "0.95"],
        ["--detection_size", "320", "--views", "1"],
    ]
    return [_with_records(place.run("predict", image, *words)) for words in choices]


def detect(place: Workplace) -> Any:
    """``EmotionDetector``: each kind of input, and what a result offers."""
    detector, portrait = place.detector, place.portrait
    inputs = {
        "path": str(place.folder / place.images / "astronaut.jpg"),
        "bytes": (place.folder / place.images / "head.png").read_bytes(),
        "array": portrait,
        "grey array": np.asarray(Image.fromarray(portrait).convert("L")),
        "PIL image": Image.fromarray(place.group),
    }
    results = {name: detector.detect(given) for name, given in inputs.items()}
    results["BGR array"] = detector.detect(portrait[..., ::-1], color="bgr")
    result = results["array"]
    record = {name: found.as_dict() for name, found in results.items()}
    return {
        "results": record,
        "rows": result.rows(),
        "repr": [repr(found) for found in results.values()] + [repr(result[0])],
        "crops": [crop.size for crop in result.crops(margin=0.2)],
        "aligned crops": [[crop.size, crop.mode] for crop in result.crops(aligned=True)],
        "plot": _thumbnail(result.plot()),
        "classify": detector.classify([portrait[45:175, 175:275]]).round(4).tolist(),
        "labels": [detector.label_set, list(detector.labels)],
    }


def _thumbnail(image: Image.Image) -> dict[str, Any]:
    """Return the size of an image and the mean colours of 4 x 4 parts, 0 to 1."""
    small = np.asarray(image.convert("RGB").resize((4, 4), Image.Resampling.BOX)) / 255
    return {"size": image.size, "mode": image.mode, "colours": small.round(3).tolist()}


def python_errors(place: Workplace) -> Any:
    """What Python users are told where an input or an option is wrong."""
    detector = place.detector
    calls: dict[str, Callable[[], object]] = {
        "no such file": lambda: detector.detect("none.jpg"),
        "no image": lambda: detector.detect(b"no image"),
        "floats": lambda: detector.detect(np.zeros((20, 20, 3))),
        "other dimensions": lambda: detector.detect(np.zeros((2, 2, 2, 2), np.uint8)),
        "None": lambda: detector.detect(None),
        "number": lambda: detector.detect(7),
        "unknown model": lambda: EmotionDetector("none.onnx"),
        "unknown labels": lambda: EmotionDetector(labels="ekman"),
        "unknown views": lambda: EmotionDetector(views=3),
        "out of range": lambda: EmotionDetector(min_confidence=2),
        "empty batch": lambda: detector.classify([]),
    }
    return {name: _error_of(call) for name, call in calls.items()}


def _error_of(call: Callable[[], object]) -> str:
    try:
        return f"no error: {call()!r}"
    except (InputError, ValueError, TypeError) as error:
        return f"{type(error).__name__}: {error}"


def public_names(place: Workplace) -> Any:
    """Names of the package, and the signatures of what is public in them."""
    import inspect

    names = {}
    for name in sorted(emotion_detection.__all__):
        value = getattr(emotion_detection, name)
        if inspect.isclass(value):
            members = {"": value} | {k: v for k, v in vars(value).items() if not k.startswith("_")}
            names[name] = {own: _signature(member) for own, member in members.items()}
        else:
            names[name] = _signature(value)
    return names


def _signature(value: Any) -> str:
    import inspect

    if isinstance(value, classmethod | staticmethod):
        value = value.__func__
    try:
        return str(inspect.signature(value)) if callable(value) else type(value).__name__
    except ValueError:
        return "(...)"


def videos(place: Workplace) -> Any:
    """Frames and persons of two clips."""
    told = place.run("predict", *place.clips, "--out", "clips.csv", "--persons", "persons.csv")
    tables = {name: read_table(place.folder / f"{name}.csv") for name in ("clips", "persons")}
    few = ["--frame_stride", "3", "--smoothing", "0", "--min_track_time", "0"]
    return {**told, **tables, "few": _with_records(place.run("predict", place.clips[1], *few))}


def command_errors(place: Workplace) -> Any:
    """Commands that are refused: the line on standard error and the exit code."""
    (place.folder / "file").write_text("in the way")
    images = f"{place.images}/plain.png"
    lines = [
        "",
        "predct x",
        "predict",
        "predict none.jpg",
        f"predict {images} --conf 0.5",
        f"predict {images} --min-confidence 2",
        f"predict {images} --out table.txt",
        f"predict {images} --shard 3/2 --out t.csv",
        f"predict {images} --device tpu",
        f"predict {images} --model none",
        f"explain {images} --method magic",
        "train --data none",
        "train --epochs 0",
        "train --lr x",
        "train --preset huge",
        "test --model none",
        "test --split rest",
        "report none --accuracy 2",
        "report none --out file",
        "export none",
        "data",
        "data inf x",
        "data info none",
        "data crop none",
        "serve --port 99999",
        "serve --queue 0",
    ]
    told = [place.run(*line.split()) for line in lines]
    return [[one["command"], one["exit_code"], *one["out"], *one["err"]] for one in told]


def explain(place: Workplace) -> Any:
    """``emotion explain``: what is printed, and the size of the image."""
    told = place.run(
        "explain",
        f"{place.crops}/astronaut.png",
        "--crops",
        "--method",
        "occlusion",
        "--out",
        "why.png",
    )
    with Image.open(place.folder / "why.png") as image:
        return {**told, "size": image.size}


def server(place: Workplace) -> Any:
    """Answers of ``emotion serve``, errors included."""
    import httpx

    def png(pixels: np.ndarray, kind: str = "PNG") -> bytes:
        out = io.BytesIO()
        Image.fromarray(pixels).save(out, kind)
        return out.getvalue()

    group, head = png(place.group), png(place.portrait[45:175, 175:275])
    kind = {"content-type": "image/png"}
    bad = {"content-type": "application/json"}
    two = [("a", ("one.png", group, "image/png")), ("b", ("bad.png", b"none", "image/png"))]
    three = [("a", (f"{number}.png", head, "image/png")) for number in range(3)]
    noise = np.random.default_rng(0).integers(0, 256, (600, 600, 3)).astype(np.uint8)
    large = np.zeros((800, 700), np.uint8)
    requests: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", "/v1/predict", {"content": group, "headers": kind}),
        ("POST", "/v1/predict", {"files": two}),
        ("POST", "/v1/classify", {"content": head, "headers": kind}),
        ("POST", "/v1/predict?annotate=true", {"content": group, "headers": kind}),
        ("GET", "/v1/model", {}),
        ("GET", "/health/live", {}),
        ("GET", "/health/ready", {}),
        ("GET", "/v1/predict", {}),
        ("GET", "/nothing", {}),
        ("POST", "/v1/predict", {"content": b"", "headers": kind}),
        ("POST", "/v1/predict", {"content": b"no image", "headers": kind}),
        ("POST", "/v1/predict", {"content": b"{}", "headers": bad}),
        ("POST", "/v1/predict", {"content": group[:900], "headers": kind}),
        ("POST", "/v1/predict", {"content": png(large), "headers": kind}),
        ("POST", "/v1/predict", {"content": png(noise), "headers": kind}),
        ("POST", "/v1/classify", {"files": three}),
        ("POST", "/v1/predict?annotate=2", {"content": group, "headers": kind}),
        ("POST", "/v1/predict?conf=0.2", {"content": group, "headers": kind}),
    ]
    with place.server() as address, httpx.Client(base_url=address, timeout=60) as client:
        _wait_until_ready(client)
        answers = [
            {"request": f"{method} {path}", **_answer(place, client.request(method, path, **more))}
            for method, path, more in requests
        ]
        counted = client.get("/metrics").text
        document = client.get("/openapi.json").json()
    about = next(one["body"] for one in answers if one["request"] == "GET /v1/model")
    # these change with each shipped model
    about |= {name: _kinds(about[name]) for name in ("figures", "limits", "card")}
    return {
        "answers": answers,
        "metrics": re.findall(r"^# TYPE (emotion_.+)$", counted, re.MULTILINE),
        "counted": re.findall(r"^(emotion_(?:faces|pictures|errors)_total.+)$", counted, re.M),
        "routes": {
            path: {method: [*about["responses"]] for method, about in methods.items()}
            for path, methods in document["paths"].items()
        },
        "schemas": {
            name: [*schema.get("properties", {})]
            for name, schema in document["components"]["schemas"].items()
        },
    }


def _wait_until_ready(client: Any) -> None:
    import time

    end = time.monotonic() + 60
    while client.get("/health/ready").status_code != 200:
        assert time.monotonic() < end, "the server did not become ready"
        time.sleep(0.05)


def _answer(place: Workplace, answer: Any) -> dict[str, Any]:
    about = {"status": answer.status_code, "content-type": answer.headers.get("content-type")}
    about |= {
        name: answer.headers[name] for name in ("allow", "retry-after") if name in answer.headers
    }
    if "json" in str(about["content-type"]):
        return {**about, "body": answer.json()}
    if "image/" in str(about["content-type"]):
        return {**about, "image": _thumbnail(Image.open(io.BytesIO(answer.content)))}
    return {**about, "text": answer.text}


def help_texts(place: Workplace) -> str:
    """``--help`` of each command, at 80 columns."""
    told = [place.run("--help")] + [place.run(*name.split(), "--help") for name in COMMANDS]
    parts = [f"$ {one['command']}\n" + "\n".join(one["out"] + one["err"]) for one in told]
    return "\n\n".join(parts) + "\n"


def datasets(place: Workplace) -> Any:
    """Hash, classes, splits and names of each kind of dataset."""
    tiny, write, root = place.tiny, place.write, place.folder / "datasets"
    own = [OWN_CLASSES[row % 3] for row in range(42)]
    splits = ["train"] * 28 + ["validation"] * 7 + ["test"] * 7
    strengths = [round(row / 41, 2) if row % 5 else "" for row in range(42)]
    for row, (face, name) in enumerate(zip(tiny.faces, own, strict=True)):
        (root / "own" / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(face).save(root / "own" / name / f"p{row // 6}_{row:02d}.png")
    (root / "own" / "keen" / "p9_99.png").write_text("no image")
    manifest = write["write_manifest"](root / "manifest", tiny.faces, own, splits, strengths)
    sources: dict[str, dict[str, Any]] = {
        "FER-2013 CSV": {"data": write["write_csv"](root / "csv", *tiny).parent},
        "ICML CSV": {"data": write["write_icml_csv"](root / "icml", *tiny)},
        "Parquet": {"data": write["write_parquet"](root / "parquet", *tiny)},
        "Parquet without names": {"data": write["write_parquet"](root / "bare", *tiny, names=None)},
        "folders": {"data": write["write_folders"](root / "folders", *tiny)},
        "manifest": {"data": manifest},
        "manifest without splits": {
            "data": write["write_manifest"](root / "bare-manifest", tiny.faces, own)
        },
        "own folders": {"data": root / "own", "max_corrupt": 0.1},
        "persons": {"data": root / "own", "max_corrupt": 0.1, "person": r"p\d", "split_seed": 3},
        "a fold": {"data": root / "own", "max_corrupt": 0.1, "folds": 3, "fold": 2},
        "RGB of 32 pixels": {"data": root / "csv", "size": 32, "channels": 3},
        "some classes": {
            "data": root / "csv",
            "classes": ["happiness", "low", "neutral"],
            "rename": ["sadness=low"],
        },
        "two datasets": {"data": f"{root / 'csv'} {root / 'folders'}"},
        "names of files (KDEF)": {"data": _write_kdef(root / "kdef", tiny.faces)},
        "list (RAF-DB)": {"data": _write_rafdb(root / "rafdb", tiny.faces)},
    }
    cache = str(place.folder / "datasets-cache")
    facts = {
        name: _dataset_facts(
            place, DataConfig(**{**about, "data": str(about["data"])}, cache=cache)
        )
        for name, about in sources.items()
    }
    return facts | {"FER+ votes": _voted(place, root / "votes", cache)}


def _dataset_facts(place: Workplace, config: DataConfig) -> dict[str, Any]:
    told = io.StringIO()
    with contextlib.redirect_stderr(told):
        dataset = load(config)
    facts: dict[str, Any] = {
        "notes": [line for line in told.getvalue().splitlines() if line.startswith("note")],
        "hash": dataset.hash,
        "source": dataset.source,
        "kind": dataset.kind,
        "label_set": dataset.label_set,
        "labels": list(dataset.labels),
        "unreadable": [[bad.name, bad.reason] for bad in dataset.corrupt],
    }
    for name, size in dataset.sizes.items():
        if size:  # an empty split cannot be opened
            faces = dataset.split(name)
            facts[name] = {
                "counts": faces.counts(len(dataset.labels)).tolist(),
                "shape": list(faces.images.shape),
                "pixels": hashlib.sha256(np.ascontiguousarray(faces.images)).hexdigest()[:16],
                "first names": list(faces.names[:2]),
            }
    return facts


def _write_kdef(folder: Path, faces: np.ndarray) -> Path:
    # PNG under whatever name: other builds of libjpeg may give other pixels
    folder.mkdir(parents=True)
    codes = ("AF", "AN", "DI", "HA", "NE", "SA", "SU")
    for row, face in enumerate(faces):
        name = f"A{'FM'[row // 7 % 2]}{row // 7 + 1:02d}{codes[row % 7]}S.JPG"
        Image.fromarray(face).save(folder / name, "PNG")
    return folder


def _write_rafdb(folder: Path, faces: np.ndarray) -> Path:
    (folder / "Image" / "aligned").mkdir(parents=True)
    lines = []
    for row, face in enumerate(faces):
        name = f"{'train' if row < 28 else 'test'}_{row:05d}"
        Image.fromarray(face).save(folder / "Image" / "aligned" / f"{name}_aligned.jpg", "PNG")
        lines.append(f"{name}.jpg {row % 7 + 1}\n")
    (folder / "list_patition_label.txt").write_text("".join(lines))
    return folder


def _voted(place: Workplace, folder: Path, cache: str) -> Any:
    """Let the tiny faces be all of FER-2013, so that its voters' table can be read."""
    from emotion_detection.data import fer2013_faces

    chances = np.full((42, 10), 0.05)
    chances[np.arange(42), np.arange(42) % 9] += 0.5
    votes = np.random.default_rng(2).multinomial(10, chances)
    place.write["write_csv"](folder, *place.tiny)
    place.write["write_votes"](folder, votes, place.tiny.usages)
    digests = {
        fer2013_faces.shorten_digest(face): (row,) for row, face in enumerate(place.tiny.faces)
    }
    ends = {"Training": 28, "PublicTest": 35, "PrivateTest": 42}
    with (
        patch.object(fer2013_faces, "_numbers", lambda: digests),
        patch.object(fer2013_faces, "_ENDS", ends),
    ):
        config = DataConfig(data=str(folder), labels="ferplus", cache=cache)
        targets = load(config).split("train").targets
        assert targets is not None
        return _dataset_facts(place, config) | {"targets": targets[:4].round(4).tolist()}


def data_commands(place: Workplace) -> Any:
    """``emotion data info`` and ``check``: tables, report and exit code."""
    # a folder and a cache of their own: some notes are printed once
    faces = place.write_faces("checked")
    info = place.run("data", "info", faces, "--cache", "cache", "--out", "sheet.png")
    check = place.run("data", "check", faces, "--cache", "cache", "--out", "check.json")
    with Image.open(place.folder / "sheet.png") as sheet:
        size = sheet.size
    return {"info": info, "sheet": size, "check": check, "report": place.read_json("check.json")}


def training(place: Workplace) -> Any:
    """An interrupted and resumed run: what is printed, its files and its curves."""
    told, model = place.training, place.model
    provenance = place.read_json(f"{model}/provenance.json")
    return {
        "interrupted": _without_progress(told["interrupted"]),
        "resumed": _without_progress(told["resumed"]),
        "files": place.names(model),
        "logs": [name for name in place.names("logs/golden") if "tfevents" not in name],
        "metrics.json": place.read_json(f"{model}/metrics.json"),
        "curves": read_table(place.folder / "logs/golden/metrics.csv"),
        "provenance.json": {name: _kinds(value) for name, value in provenance.items()},
    }


def _without_progress(told: dict[str, Any]) -> dict[str, Any]:
    """Leave out what Lightning and PyTorch tell on standard error."""
    kept = [line for line in told["err"] if line.startswith(("emotion", "note", "warning"))]
    return {**told, "err": kept}


def _kinds(value: Any) -> Any:
    """Return the keys of a record and the types of its values."""
    if isinstance(value, dict):
        return {name: _kinds(own) for name, own in value.items()}
    return [_kinds(own) for own in value[:1]] if isinstance(value, list) else type(value).__name__


def run_config(place: Workplace) -> str:
    """config.yaml of the run."""
    return (place.folder / place.model / "config.yaml").read_text(encoding="utf-8")


def resumed_weights(place: Workplace) -> Any:
    """Shape, type and a digest of the weights after the resumed training."""
    import torch

    found = {}
    for name in ("best.ckpt", "last.ckpt"):
        state = torch.load(place.folder / place.model / name, map_location="cpu", weights_only=True)
        found[name] = {
            key: [str(value.dtype), list(value.shape), *_digest(value.numpy())]
            for key, value in state["state_dict"].items()
        }
    return found


def _digest(weights: np.ndarray) -> list[float]:
    """Return root mean square, and projections on three random signs of the same size.

    Other weights have other projections, and rounding errors of another CPU vanish in them.
    """
    signs = np.random.default_rng(weights.size).choice([-1.0, 1.0], (3, weights.size))
    flat = weights.astype(np.float64).ravel()
    numbers = [np.sqrt((flat**2).mean()), *(signs @ flat / np.sqrt(weights.size))]
    return [round(float(number), 5) for number in numbers]


def tested(place: Workplace) -> Any:
    """``emotion test``: what is printed, metrics.json and the predictions' columns."""
    import pyarrow.parquet as pq

    told = place.run("test", "--model", place.model, "--views", "2", "--out", "tested")
    table = pq.read_table(place.folder / "tested" / "predictions.parquet")
    return {
        "told": told,
        "files": place.names("tested"),
        "metrics.json": place.read_json("tested/metrics.json"),
        "columns": [f"{field.name}: {field.type}" for field in table.schema],
        "first": table.slice(0, 3).to_pylist(),
    }


def reported(place: Workplace) -> Any:
    """``emotion report`` of two models: report.json, the page's headings, the card."""
    told = place.run(
        "report", place.model, "pretrained", "--data", "faces", "--cache", "training-cache",
        "--out", "report", "--card",
    )  # fmt: skip
    page = (place.folder / "report" / "report.html").read_text(encoding="utf-8")
    card = (place.folder / "report" / "model-card.md").read_text(encoding="utf-8")
    columns = re.findall(r"<th(?: [^>]*)?>([^<]*)</th>", page)
    return {
        "told": told,
        "files": place.names("report"),
        "report.json": _without_long_lists(place.read_json("report/report.json")),
        "headings": re.findall(r"<h[1-4][^>]*>(.*?)</h[1-4]>", page, re.DOTALL),
        "columns": list(dict.fromkeys(columns)),
        # what follows names commit, machine and packages
        "card": card.partition("; seed ")[0].splitlines(),
    }


def _without_long_lists(value: Any) -> Any:
    """Keep the length and the first item of long lists, and the keys of faces in galleries.

    Which faces stand there, and in which order, depends on tiny differences between scores.
    """
    if isinstance(value, dict):
        return {name: _without_long_lists(own) for name, own in value.items()}
    if not isinstance(value, list):
        return value
    if value and isinstance(value[0], dict) and "row" in value[0]:
        return {"item": _kinds(value[0])}
    if len(value) > 10:
        return {"first": _without_long_lists(value[0])}
    return [_without_long_lists(own) for own in value]


def onnx_file(place: Workplace) -> Any:
    """``emotion export``: inputs, outputs and metadata of the ONNX file."""
    import onnx

    told = place.run("export", place.model, "--out", "exported.onnx")
    model = onnx.load(place.folder / "exported.onnx")
    values = {entry.key: json.loads(entry.value) if entry.value[:1] in "[{" else entry.value
              for entry in model.metadata_props}  # fmt: skip
    return {
        "told": told,
        "opset": [[one.domain, one.version] for one in model.opset_import],
        "inputs": [_value_info(one) for one in model.graph.input],
        "outputs": [_value_info(one) for one in model.graph.output],
        "metadata": {name: _kinds(value) for name, value in values.items()},
        "labels": values["labels"],
        "input": values["input"],
    }


def _value_info(value: Any) -> list[Any]:
    kind = value.type.tensor_type
    return [value.name, kind.elem_type, [d.dim_param or d.dim_value for d in kind.shape.dim]]


CASES = (
    Case("help", help_texts, is_text=True),
    Case("public-names", public_names, tolerance=0),
    Case("command-errors", command_errors),
    Case("python-errors", python_errors),
    Case("predict-json", predict_json),
    Case("predict-csv", predict_csv),
    Case("predict-crops", predict_crops),
    Case("predict-options", predict_options),
    Case("detect", detect),
    Case("videos", videos, needs=("av",)),
    Case("explain", explain),
    Case("server", server, needs=SERVE),
    Case("datasets", datasets, tolerance=0, needs=("pyarrow",)),
    Case("data-commands", data_commands),
    Case("training", training, needs=TRAIN),
    Case("run-config", run_config, needs=TRAIN, is_text=True),
    Case("resumed-weights", resumed_weights, tolerance=1e-3, needs=TRAIN),
    Case("tested", tested, needs=TRAIN),
    Case("reported", reported, needs=TRAIN),
    Case("onnx-file", onnx_file, needs=TRAIN, is_slow=True),
)
