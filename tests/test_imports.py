"""Who may import whom: every import in ``src/``, also those inside functions, is looked at."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import emotion_detection

PACKAGE = "emotion_detection"
ROOT = Path(emotion_detection.__file__).parent
BASE = {
    "",
    "audit_options",
    "config",
    "defaults",
    "errors",
    "images",
    "io",
    "labels",
    "other_libraries",
    "palette",
    "postprocessing",
    "privacy",
    "results",
    "training_record",
    "views",
}
LAYERS = {
    "base": set(),
    "metrics": set(),
    "pretrained": {"base"},
    "data": {"base", "inference"},  # training faces are cut out by the code of use
    "training": {"base", "data", "metrics", "pretrained"},
    "inference": {"base", "pretrained"},
    "serving": {"base", "inference", "pretrained"},
    "batch": {"base", "inference"},
    "evaluation": {"base", "data", "inference", "metrics", "pretrained", "training"},
    "commands": {
        "base",
        "data",
        "training",
        "inference",
        "serving",
        "batch",
        "evaluation",
        "pretrained",
    },
}
"""What each part may import beside itself. A new part must be placed here."""

TOP = {"cli": {"commands"}, "__main__": {"cli"}, "__init__": {"inference"}}
"""The modules above all parts: they may import these and base, and nothing imports them.

``__init__`` hands on what it imports only when it is asked for: see the tests at the end.
"""

WITHIN_FUNCTIONS = {"results": {"inference"}}
"""Modules whose functions may import these as well: a ``Result`` draws itself when asked to."""

TORCH = {
    "torch",
    "pytorch_lightning",
    "lightning",
    "lightning_fabric",
    "torchmetrics",
    "torchvision",
    "kornia",
    "timm",
}
WITHOUT_TORCH = {"base", "metrics", "pretrained", "data", "inference", "serving", "batch", *TOP}


def _part(module: str) -> str:
    """Return the part that a module of the package stands in."""
    name = module.removeprefix(PACKAGE).removeprefix(".").partition(".")[0]
    return "base" if name in BASE else name


def _imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            yield node.lineno, "."
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if module == PACKAGE:  # what is imported may itself be a part
                names = (alias.name for alias in node.names)
                parts = {*LAYERS, *TOP, *BASE}
                yield from ((node.lineno, f"{module}.{n}" if n in parts else module) for n in names)
            else:
                yield node.lineno, module
        elif isinstance(node, ast.Constant) and str(node.value).startswith(f"{PACKAGE}."):
            yield node.lineno, str(node.value)  # what importlib is given


def _lines_of_functions(tree: ast.AST) -> set[int]:
    """Return the numbers of all lines that lie in functions."""
    functions = (
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    return {line for node in functions for line in range(node.lineno, (node.end_lineno or 0) + 1)}


def _allowed(part: str) -> set[str]:
    return LAYERS[part] | {part} if part in LAYERS else TOP[part] | {"base", part}


def violations(root: Path) -> list[str]:
    """Return every import below ``root``, a package's folder, that goes against the direction."""
    found = []
    for path in sorted(root.rglob("*.py")):
        place = path.relative_to(root)
        name = place.parts[0].removesuffix(".py")
        part = "base" if name in BASE else name
        if part not in {*LAYERS, *TOP}:
            found.append(f"{place}: {name} is not placed in the import direction")
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        within = _lines_of_functions(tree)
        for line, module in _imports(tree):
            where = f"{place}:{line}"
            allowed = _allowed(part) | (
                WITHIN_FUNCTIONS.get(name, set()) if line in within else set()
            )
            if module == ".":
                found.append(f"{where}: relative import")
            elif module == PACKAGE or module.startswith(f"{PACKAGE}."):
                if _part(module) not in allowed:
                    found.append(f"{where}: {part} imports {module}")
            elif module.partition(".")[0] in TORCH and part in WITHOUT_TORCH:
                found.append(f"{where}: {part} imports {module}")
    return found


def test_every_import_goes_in_the_one_direction() -> None:
    assert violations(ROOT) == []


def test_all_modules_are_checked() -> None:
    looked_at = {path.relative_to(ROOT).parts[0] for path in ROOT.rglob("*.py")}
    assert {"data", "training", "evaluation", "commands", "cli.py"} <= looked_at


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("config.py", "import torch"),
        ("config.py", "from emotion_detection.data import load"),
        ("results.py", "from emotion_detection.inference.annotate import annotate_image"),
        ("results.py", "def f():\n    from emotion_detection.data import load"),
        ("images/opening.py", "def f():\n    from emotion_detection.inference import annotate"),
        ("labels.py", "from emotion_detection.cli import main"),
        ("images/opening.py", "from emotion_detection import training"),
        ("data/cache.py", "def f():\n    import torch.nn"),
        ("data/cache.py", "def f():\n    from pytorch_lightning import Trainer"),
        ("data/cache.py", "from emotion_detection.training.batches import Batch"),
        ("training/training_run.py", "from emotion_detection.evaluation import evaluate"),
        ("training/training_run.py", "from emotion_detection.commands.parsing import parse"),
        ("training/training_run.py", "from .task import EmotionTask"),
        ("training/training_run.py", "from emotion_detection import serving"),
        ("inference/model.py", "from emotion_detection.training.network import build"),
        ("inference/model.py", "from emotion_detection.data import load"),
        ("inference/model.py", "if True:\n    import torch"),
        ("pretrained/__init__.py", "from emotion_detection.inference import EmotionDetector"),
        ("pretrained/__init__.py", "import torch"),
        ("data/cache.py", "from emotion_detection import pretrained"),
        ("__init__.py", "from emotion_detection.training import train"),
        ("__init__.py", "import torch"),
        ("serving/server.py", "import lightning"),
        ("batch/local_engine.py", "import torch"),
        ("batch/job.py", "from emotion_detection.commands.predict import run"),
        ("inference/emotion_detector.py", "from emotion_detection.batch.job import run"),
        ("serving/server.py", "from emotion_detection.evaluation import evaluate"),
        ("evaluation/model_loading.py", "from emotion_detection.serving import server"),
        ("evaluation/model_loading.py", "from emotion_detection.cli import main"),
        ("commands/test.py", "from emotion_detection import cli"),
        ("cli.py", "from emotion_detection.training import train"),
        ("cli.py", "VERB = 'emotion_detection.training.training_run'"),
        ("extras/new.py", "import json"),
        ("helpers.py", "import json"),
    ],
)
def test_an_import_in_another_direction_is_found(tmp_path: Path, file: str, line: str) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'"""A module."""\n\n{line}\n')
    assert len(violations(tmp_path)) == 1
    assert violations(tmp_path)[0].startswith(file.split("/")[0])


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("config.py", "from emotion_detection.errors import InputError"),
        (
            "results.py",
            "def f():\n    from emotion_detection.inference.annotate import annotate_image",
        ),
        ("data/cache.py", "from emotion_detection import __version__, images"),
        ("data/cache.py", "from emotion_detection.data.dataset import Faces\nimport numpy"),
        ("training/training_run.py", "import torch\nfrom emotion_detection.data import load"),
        ("evaluation/model_loading.py", "from emotion_detection.inference.model import Model"),
        ("inference/emotion_detector.py", "from emotion_detection import pretrained"),
        ("training/start.py", "from emotion_detection.pretrained import find_weights"),
        ("__init__.py", "def f():\n    from emotion_detection.inference import EmotionDetector"),
        ("serving/server.py", "from emotion_detection.inference import detect"),
        ("commands/serve.py", "from emotion_detection.serving import server"),
        ("batch/classify.py", "from emotion_detection.inference import EmotionDetector"),
        ("commands/predict.py", "from emotion_detection.batch.job_folder import Work"),
        ("cli.py", "VERB = 'emotion_detection.commands.train'"),
    ],
)
def test_an_import_in_the_direction_is_let_pass(tmp_path: Path, file: str, line: str) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'"""A module."""\n\n{line}\n')
    assert violations(tmp_path) == []


def test_importing_the_package_and_the_command_loads_nothing_heavy() -> None:
    code = (
        "import sys, emotion_detection, emotion_detection.cli\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {*TORCH, "numpy", "PIL", "matplotlib", "onnxruntime", "jsonargparse", "rich", "pyarrow"}
    assert PACKAGE in done.stdout.split()
    assert not heavy & set(done.stdout.split())
