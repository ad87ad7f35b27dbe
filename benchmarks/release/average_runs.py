"""Average the weights of runs into a new run: model soup, and fine-tuning without forgetting.

Weights of trainings that began at the same weights can be averaged (Wortsman et al. 2022); a
fine-tuned model averaged with the one that it began at keeps more of the latter's accuracy. The
new run has everything that a trained one has: it is calibrated and measured on validation, and
exported.

    python -m benchmarks.release.average_runs models/a models/b --shares 0.7 0.3 --name average
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import torch
import yaml

from benchmarks.common import Parser, read_json, report_errors, write_json
from emotion_detection.config import TrainConfig, data_config_fields
from emotion_detection.errors import InputError
from emotion_detection.io.files import write_atomic
from emotion_detection.training.checkpoint import (
    DurableCheckpointIO,
    read_checkpoint,
)
from emotion_detection.training.final_steps import TimeTaken, finish_training
from emotion_detection.training.initial_weights import load_initial_weights
from emotion_detection.training.losses import compute_class_frequencies
from emotion_detection.training.network import ModelSpec
from emotion_detection.training.provenance import describe_code
from emotion_detection.training.setup import prepare
from emotion_detection.training.task import CHECKPOINT_KEY

UNFINISHED = ".averaging"
"""File in the new run's folder while it is made; with it, the folder is made anew."""


def average_weights(
    weights: list[dict[str, torch.Tensor]], shares: list[float]
) -> dict[str, torch.Tensor]:
    """Return the weighted mean of networks' weights; counters are the first network's.

    Raises:
        InputError: the networks differ.
    """
    first = weights[0]
    shapes = [{name: value.shape for name, value in one.items()} for one in weights]
    if any(one != shapes[0] for one in shapes):
        raise InputError("the runs have different networks; only weights of one can be averaged")
    return {
        name: sum((part * one[name] for part, one in zip(shares, weights, strict=True)), 0 * value)
        if value.is_floating_point()
        else value
        for name, value in first.items()
    }


def average_runs(
    places: list[str],
    shares: list[float],
    folder: Path,
    logs: Path,
    adjustment: float | None = None,
) -> dict[str, Any]:
    """Write the averaged run and return its figures on validation.

    Args:
        places: runs, or 'pretrained'; the first must be a run, whose config and data the new one
            takes over.
        shares: of each in the average; they sum to 1.
        folder: of the new run.
        logs: where its curves go.
        adjustment: exponent of the class frequencies that the scores are divided by; None: the
            first run's.

    Raises:
        InputError: no such run, shares that do not sum to 1, or a folder that exists.
        TrainingError: something cannot be written.
    """
    if len(shares) != len(places) or abs(sum(shares) - 1) > 1e-6:
        raise InputError(f"--shares {shares}: must be one a run, and sum to 1")
    if (folder / UNFINISHED).exists():  # an earlier call was cut off
        shutil.rmtree(folder)
    if folder.exists() and any(folder.iterdir()):
        raise InputError(f"{folder}: exists; choose another --name")
    run = Path(places[0])
    weights = [load_initial_weights(place, "average_runs")[0] for place in places]
    checkpoint = read_checkpoint(run / "best.ckpt")
    averaged = average_weights(weights, shares)
    checkpoint["state_dict"] |= {f"network.{name}": value for name, value in averaged.items()}
    own = checkpoint[CHECKPOINT_KEY]
    values = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
    recipe = {**own["record"]["config"], **data_config_fields(values), "init": None}
    if adjustment is not None:
        recipe["logit_adjustment"] = values["logit_adjustment"] = adjustment
    config = TrainConfig(**recipe)
    prepared = prepare(config)
    spec = ModelSpec.from_dict(own["spec"])
    # runs of older versions do not keep the frequencies
    own["record"] |= {
        "config": own["record"]["config"] | {"logit_adjustment": config.logit_adjustment},
        "class_frequencies": compute_class_frequencies(prepared.faces["train"], spec),
    }
    for key in ("temperatures", "readouts"):
        own.pop(key, None)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / UNFINISHED).touch()
    logs.mkdir(parents=True, exist_ok=True)
    DurableCheckpointIO().save_checkpoint(checkpoint, folder / "best.ckpt")
    made = read_json(run / "provenance.json")
    made["averaged"] = [
        {"run": place, "share": share} for place, share in zip(places, shares, strict=True)
    ]
    made["code"] = describe_code()
    write_json(folder / "provenance.json", made)
    write_atomic(folder / "config.yaml", yaml.safe_dump(values, sort_keys=False))
    figures = finish_training(
        config,
        prepared.dataset,
        prepared.faces["validation"],
        folder,
        logs,
        [],
        TimeTaken(0.0, 0.0),
    )
    _keep_training(run, folder)
    write_atomic(folder / "averaged.json", json.dumps(made["averaged"], indent=2))
    (folder / UNFINISHED).unlink()
    return figures


def _keep_training(run: Path, folder: Path) -> None:
    """Take over what the first run's records tell of its training: how long, how many epochs."""
    for name, keys in (
        ("metrics.json", ("training",)),
        ("provenance.json", ("fit_seconds", "fit_cpu_seconds", "started")),
    ):
        values = read_json(folder / name)
        first = read_json(run / name)
        values |= {key: first[key] for key in keys if key in first}
        write_json(folder / name, values)


@report_errors
def main(words: list[str] | None = None) -> int:
    """Average, and print the validation accuracy."""
    parser = Parser(__doc__, __file__)
    parser.add_argument("runs", nargs="+", help="run folders; 'pretrained' too, but not first")
    parser.add_argument("--shares", type=float, nargs="+", required=True, help="of each run")
    parser.add_argument("--logit_adjustment", type=float, help="instead of the first run's")
    parser.add_argument("--name", default="average", help="of the new run below --models")
    parser.add_argument("--models", type=Path, default=Path("models"), help="folder of the run")
    parser.add_argument("--logs", type=Path, default=Path("logs"), help="folder of its curves")
    options = parser.parse_args(words)
    figures = average_runs(
        options.runs,
        options.shares,
        options.models / options.name,
        options.logs / options.name,
        options.logit_adjustment,
    )
    print(f"validation accuracy: {figures['accuracy']:.4f} (n={figures['n']})")
    print(f"run: {options.models / options.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
