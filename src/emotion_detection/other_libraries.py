"""Names that people from other libraries try first on a detector and its results."""

import difflib
import functools
import inspect
from collections.abc import Callable, Iterable
from typing import NoReturn, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

DETECTOR_NAMES = {
    "analyze": "detect(image)",
    "detect_faces": "detect(image)",
    "detect_image": "detect(image)",
    "infer": "detect(image)",
    "names": "labels",
    "predict": "detect(image)",
    "track": "detect_video(file)",
}
RESULT_NAMES = {
    "boxes": "face.box (x, y, width, height) of each face: for face in result",
    "emotions": "face.emotion of each face: for face in result",
    "names": "EmotionDetector.labels",
    "orig_img": "the image that was given; crops() and plot() return images",
    "pandas": "to_frame()",
    "show": "plot(), a PIL image",
    "to_df": "to_frame()",
    "to_dict": "as_dict()",
    "to_json": "json.dumps(result.as_dict())",
    "verbose": "repr(result)",
}
FACE_NAMES = {
    "bbox": "box (x, y, width, height)",
    "conf": "confidence of the detection, score of the emotion",
    "crop": "result.crops()",
    "dominant_emotion": "emotion",
    "emotions": "scores",
    "keypoints": "landmarks",
    "probs": "scores",
    "region": "box (x, y, width, height)",
    "xyxy": "box (x, y, width, height)",
}
"""Name in other libraries -> name in this package."""

PACKAGE_NAMES = {
    **dict.fromkeys(("DeepFace", "Detector", "FER", "Model", "YOLO"), "EmotionDetector"),
    **dict.fromkeys(("analyze", "detect", "infer", "predict"), "EmotionDetector().detect(image)"),
    **dict.fromkeys(("load", "load_model", "pipeline"), "EmotionDetector(model)"),
}
"""Name at the root of other packages -> name in this package."""

SETTINGS = {
    "checkpoint": "model",
    "conf": "min_confidence",
    "conf_thres": "min_confidence",
    "conf_threshold": "min_confidence",
    "confidence": "min_confidence",
    "confidence_threshold": "min_confidence",
    "ctx_id": "device",
    "det_size": "detection_size",
    "emotion_model": "model",
    "face_detection_threshold": "min_confidence",
    "gpu": "device",
    "img_size": "detection_size",
    "imgsz": "detection_size",
    "min_detection_confidence": "min_confidence",
    "min_size": "min_face_size",
    "model_name": "model",
    "model_path": "model",
    "num_threads": "threads",
    "num_workers": "threads",
    "providers": "device",
    "repo_id": "model",
    "score_threshold": "min_score",
    "target_size": "detection_size",
    "tta": "views",
    "use_gpu": "device",
    "vid_stride": "frame_stride",
    "weights": "model",
}
"""Argument in other libraries -> equivalent setting or method argument."""

DETECTOR_SETTINGS = (
    *("model", "threads", "labels", "detection_size", "min_confidence", "min_face_size"),
    *("min_score", "certain", "max_pixels", "views", "prior", "device"),
)
"""Arguments of ``EmotionDetector``."""
_ONE_DETECTOR = "there is one face detector; classify(crops) takes faces that you cut out yourself"
_FIRST = "pass the image, or the video, as the first argument, without a name"
_ALL_SCORES = "all emotions are scored; choose among face.scores"
_BATCHES = "pass a list of images; its faces are classified in batches"

ANSWERS = {
    "actions": _ALL_SCORES,
    "align": "faces are always aligned; result.crops(aligned=True) returns them",
    "anti_spoofing": "this package has no such check",
    "augment": "EmotionDetector(views=4) averages the scores of four views",
    "backend": _ONE_DETECTOR,
    "batch": _BATCHES,
    "batch_size": _BATCHES,
    "classes": _ALL_SCORES,
    "detector": _ONE_DETECTOR,
    "detector_backend": _ONE_DETECTOR,
    "enforce_detection": "an image without faces gives a result without faces, and no error",
    "expand_percentage": "result.crops(margin=0.2) returns faces with what is around them",
    "face_model": _ONE_DETECTOR,
    "half": "the networks run in 32 bits",
    "iou": "overlapping boxes of one face are merged without a setting",
    "max_det": "all faces are returned, from left to right",
    "max_faces": "all faces are returned, from left to right",
    "min_neighbors": _ONE_DETECTOR,
    "mtcnn": _ONE_DETECTOR,
    "persist": "detect_video always follows persons: face.track",
    "save": "result.save(path) writes the annotated image",
    "save_crop": "result.crops() returns the faces",
    "save_txt": "result.rows() and result.to_frame() return tables",
    "show": "result.plot().show() opens a window",
    "silent": "nothing is printed",
    "stream": "detect_video yields results one by one",
    "top_k": _ALL_SCORES,
    "tracker": "detect_video always follows persons: face.track",
    "verbose": "nothing is printed",
    **dict.fromkeys(
        ("filename", "fp", "output", "out", "save_dir"), "pass the path as the first argument"
    ),
    **dict.fromkeys(
        (
            *("file", "frame", "image", "images", "img", "img_path", "inputs", "path"),
            *("picture", "pictures", "source"),  # the first two are names of earlier versions
        ),
        _FIRST,
    ),
}
"""Argument in other libraries without an equivalent -> advice."""


def raise_unknown_argument(function: str, name: str, parameters: Iterable[str]) -> NoReturn:
    """Raise an error for an unknown argument that names the right one.

    Args:
        function: name of the function that was called.
        name: name of the argument.
        parameters: parameters of the function.

    Raises:
        TypeError: always.

    >>> raise_unknown_argument("EmotionDetector", "conf", ["min_confidence"])
    Traceback (most recent call last):
        ...
    TypeError: EmotionDetector() got an unexpected keyword argument 'conf'; use min_confidence
    """
    known = list(parameters)
    meant = SETTINGS.get(name, name)
    hint = ANSWERS.get(name, "")
    if meant in known:
        hint = f"use {meant}"
    elif meant in DETECTOR_SETTINGS:
        hint = f"set it when you make the detector: EmotionDetector({meant}=...)"
    elif not hint and (close := difflib.get_close_matches(name, known, 1, 0.75)):
        hint = f"did you mean {close[0]}?"
    message = f"{function}() got an unexpected keyword argument {name!r}"
    raise TypeError(f"{message}; {hint}" if hint else message)


def answer_unknown_arguments(function: Callable[P, R]) -> Callable[P, R]:
    """Return a function whose error for an unknown argument names the right one."""
    parameters = inspect.signature(function).parameters

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        for name in kwargs:
            if name not in parameters:
                raise_unknown_argument(function.__name__, name, list(parameters)[1:])
        return function(*args, **kwargs)

    return call


def raise_unknown(owner: object, name: str, known: dict[str, str]) -> NoReturn:
    """Raise an error for an unknown attribute that names the right one.

    Raises:
        AttributeError: always.
    """
    hint = f"; use {known[name]}" if name in known else ""
    kind = type(owner).__name__
    raise AttributeError(f"{kind!r} object has no attribute {name!r}{hint}", name=name, obj=owner)
