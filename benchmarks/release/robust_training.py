"""Choose on validation: share of a fine-tuned run in the average, views of a face, adjustment.

Each candidate is a run whose weights are averaged with those of ``--before``, by default the
shipped model's. The best one has the highest mean of three accuracies: FER+ and FER-2013 with four
views, and the mean under corruption. Of each: accuracy and
balanced accuracy on all validation faces for one, two and four views and for several exponents of
the class frequencies, and accuracy under the fixed set of corruptions on some of the faces.
Temperatures are fitted on the same faces. The test split is not opened.

    python -m benchmarks.release.robust_training models/RUN --data FER2013 \
        --out docs/results/robust.json
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from benchmarks.common import (
    Parser,
    describe_machine,
    name_command,
    read_json,
    report_errors,
    write_json,
)
from benchmarks.release.average_runs import average_weights
from emotion_detection.config import DataConfig
from emotion_detection.data import Faces, load
from emotion_detection.evaluation.corruptions import CORRUPTIONS, STRENGTHS, corrupt
from emotion_detection.metrics.classification import compute_classification_metrics
from emotion_detection.postprocessing import Postprocessing
from emotion_detection.training.initial_weights import load_initial_weights
from emotion_detection.training.network import ModelSpec, build
from emotion_detection.training.network_scores import compute_outputs
from emotion_detection.training.temperature import fit_temperature
from emotion_detection.views import VIEWS, make_views

SETS: tuple[Literal["ferplus", "fer2013"], ...] = ("ferplus", "fer2013")
ADJUSTMENTS = (0.0, 0.1, 0.2, 0.3, 0.5, 1.0)
Scores = npt.NDArray[np.float32]


def measure(
    network: Any, spec: ModelSpec, faces: Mapping[Any, Faces], prior: list[float], count: int
) -> dict[str, Any]:
    """Return a candidate's figures on validation.

    Args:
        network: in evaluation mode.
        spec: what it declares.
        faces: the validation faces by label set.
        prior: frequency of each FER+ class among the training faces.
        count: faces that the corruptions are measured on.
    """
    result: dict[str, Any] = {}
    scores = {name: _scores(network, spec, name, np.asarray(faces[name].images)) for name in SETS}
    for name in SETS:
        result[name] = {
            str(views): _read(
                scores[name][:views], faces[name], spec.label_sets[name], Postprocessing()
            )
            for views in VIEWS
        }
    result["adjustment"] = {
        str(views): {
            str(one): _read(
                scores["ferplus"][:views],
                faces["ferplus"],
                spec.labels,
                Postprocessing(tuple(prior), one),
            )
            for one in ADJUSTMENTS
        }
        for views in (1, 4)
    }
    chosen = np.sort(np.random.default_rng(0).permutation(len(faces["ferplus"]))[:count])
    images, labels = faces["ferplus"].draw(chosen), faces["ferplus"].labels[chosen]
    found = {
        name: [
            float((one.argmax(1) == labels).mean())
            for one in (
                _scores(network, spec, "ferplus", corrupt(images, name, strength, chosen), 1)[0]
                for strength in STRENGTHS
            )
        ]
        for name in CORRUPTIONS
    }
    result["corruptions"] = found
    result["mean_corruption_accuracy"] = float(np.mean(list(found.values())))
    return result


def _scores(
    network: Any, spec: ModelSpec, label_set: str, images: npt.NDArray[np.uint8], views: int = 4
) -> list[Scores]:
    output = spec.output_name(label_set)
    return [compute_outputs(network, spec, view)[output] for view in make_views(images, views)]


def _read(
    views: list[Scores], faces: Faces, names: tuple[str, ...], readout: Postprocessing
) -> dict[str, float]:
    bias = np.array(readout.bias or [0.0] * len(names))
    logits = np.log(np.mean(views, axis=0, dtype=np.float64) + 1e-30)
    temperature = fit_temperature(np.exp(logits).astype(np.float32), faces.labels, bias.tolist())
    raised = np.exp(logits / temperature + bias)
    scores = (raised / raised.sum(axis=1, keepdims=True)).astype(np.float32)
    found = compute_classification_metrics(scores, faces.labels, names)
    kept = ("accuracy", "balanced_accuracy", "macro_f1", "ece", "nll", "n")
    return {name: found[name] for name in kept} | {"temperature": temperature}


def choose_best(candidates: Mapping[str, Any]) -> dict[str, Any]:
    """Return the candidate with the highest mean of three accuracies on validation.

    Returns:
        ``candidate``: name; ``share`` of the fine-tuned weights, 0 for those before; ``mean`` of
        the accuracies by FER+ and FER-2013 with four views, and under corruption.
    """

    def mean(name: str) -> float:
        one = candidates[name]
        clean = [one[label_set]["4"]["accuracy"] for label_set in SETS]
        return float(np.mean([*clean, one["mean_corruption_accuracy"]]))

    best = max(candidates, key=mean)
    share = best.partition(", share ")[2]
    return {"candidate": best, "share": float(share or 0), "mean": mean(best)}


@report_errors
def main(words: list[str] | None = None) -> int:
    """Measure every candidate, print and write."""
    parser = Parser(__doc__, __file__)
    parser.add_argument("runs", nargs="+", help="fine-tuned runs or checkpoints")
    parser.add_argument("--data", required=True, help="FER-2013 with FER+'s votes beside it")
    parser.add_argument(
        "--before", default="pretrained", help="run that the others are averaged with ('shipped')"
    )
    parser.add_argument("--shares", type=float, nargs="+", default=[1.0, 0.7, 0.5])
    parser.add_argument("--faces", type=int, default=400, help="faces under corruption")
    parser.add_argument("--join", type=Path, help="file of a former call, whose candidates stay")
    parser.add_argument("--chosen", default="robust, share 0.7", help="the candidate to ship")
    parser.add_out()
    options = parser.parse_args(words)
    before, spec = load_initial_weights(options.before, "robust_training")
    tuned = {run: load_initial_weights(run, "robust_training")[0] for run in options.runs}
    data = {name: load(DataConfig(data=options.data, labels=name)) for name in SETS}
    targets = data["ferplus"].split("train").targets
    assert targets is not None
    prior = (targets.mean(axis=0, dtype=np.float64) + 1e-6).tolist()
    faces = {name: one.split("validation") for name, one in data.items()}
    candidates = {"shipped": before} | {
        f"{Path(run).name}, share {share:g}": average_weights([before, weights], [1 - share, share])
        for run, weights in tuned.items()
        for share in options.shares
    }
    result: dict[str, Any] = {
        "command": name_command(__file__),
        "data": "FER-2013, validation",
        "data_hash": data["ferplus"].hash,
        "faces_under_corruption": options.faces,
        "prior": prior,
        "chosen": options.chosen,
        "machine": describe_machine(),
        "candidates": {},
    }
    if options.join:
        former = read_json(options.join)
        alike = ("data_hash", "faces_under_corruption")
        if any(former[name] != result[name] for name in alike):
            print(f"robust_training: {options.join}: of other faces", file=sys.stderr)
            return 2
        result["candidates"] = former["candidates"]
        candidates = {k: v for k, v in candidates.items() if k not in former["candidates"]}
    for name, weights in candidates.items():
        network = build(spec)
        network.load_state_dict(weights)
        found = measure(network.eval(), spec, faces, prior, options.faces)
        result["candidates"][name] = found
        accuracies = "  ".join(
            f"{label_set} {found[label_set]['1']['accuracy']:.4f} "
            f"{found[label_set]['4']['accuracy']:.4f}"
            for label_set in SETS
        )
        mean = found["mean_corruption_accuracy"]
        print(f"{name:24} 1 and 4 views: {accuracies}  corruptions {mean:.4f}", flush=True)
        if options.out:
            write_json(options.out.with_suffix(".part.json"), result)  # until all are measured
    result["best"] = choose_best(result["candidates"])
    print(f"best: {result['best']['candidate']}")
    if options.out:
        write_json(options.out, result)
        options.out.with_suffix(".part.json").unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
