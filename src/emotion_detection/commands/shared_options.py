"""Options that several commands share."""

from argparse import (
    Namespace,
)
from typing import Any

from emotion_detection.commands.parsing import check_choice
from emotion_detection.config import LABELS, TESTED_SPLITS
from emotion_detection.defaults import CERTAIN, DETECTION_SIZE, MIN_CONFIDENCE, MIN_FACE_SIZE

VIEWS_HELP = (
    "views of each face whose scores are averaged: 1, 2 (with horizontal flip) or 4 (also "
    "enlarged); default: 4 in images and videos, 1 for crops"
)

MODEL_HELP = "run folder, ONNX file or hf://USER/NAME; default: the shipped model"

DEVICE_HELP = "auto (default), cpu, cuda, coreml, directml, openvino, or a provider of onnxruntime"

PRIOR_HELP = (
    "natural: class frequencies as in training; balanced: equal frequencies, which predicts rare "
    "classes more often"
)


def add_detection_options(parser: Any) -> None:
    """Add the options of face detection that predict, explain and serve share."""
    for name, kind, metavar, default, text in (
        ("min_face_size", float, "PIXELS", MIN_FACE_SIZE, "longer side of the smallest face"),
        ("min_confidence", float, "X", MIN_CONFIDENCE, "lowest confidence of a detection, 0 to 1"),
        (
            *("detection_size", int, "PIXELS", DETECTION_SIZE),
            "longer side that images are resized to for detection",
        ),
    ):
        parser.add_argument(f"--{name}", type=kind, metavar=metavar, default=default, help=text)


def add_score_options(parser: Any) -> None:
    """Add the options that flag doubtful faces, which predict and serve share."""
    parser.add_argument(
        "--certain",
        type=float,
        metavar="X",
        default=CERTAIN,
        help="faces detected with a lower confidence are flagged 'uncertain_face', and not counted",
    )
    parser.add_argument(
        "--min_score",
        type=float,
        metavar="X",
        default=0.0,
        help="faces whose highest score is lower are flagged 'unsure', 0 to 1; 0: none",
    )


def add_tested_faces(parser: Any) -> None:
    """Add the options that choose labels and split, which test and report share."""
    parser.add_argument(
        "--labels",
        type=str,
        help="'original' for the labels that the data brings, 'fer2013' for FER-2013's own, or "
        "'ferplus'; default: those of the training",
    )
    parser.add_argument(
        "--split",
        type=str,
        default="test",
        help="test, validation, train, or all for every face of the data; faces that the model was "
        "trained on are left out of test and validation, and counted in train and all",
    )


def check_tested_faces(options: Namespace) -> None:
    """Reject labels and splits that do not exist.

    Raises:
        InputError: there are no such labels, or no such split.
    """
    check_choice("labels", options.labels, LABELS)
    check_choice("split", options.split, TESTED_SPLITS)
