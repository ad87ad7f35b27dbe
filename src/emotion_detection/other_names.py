"""Names that people from other libraries try first on a detector and its results."""

from typing import NoReturn

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
"""Name in other libraries -> what is used here."""


def raise_unknown(owner: object, name: str, known: dict[str, str]) -> NoReturn:
    """Say that an attribute does not exist, and what is used here instead.

    Raises:
        AttributeError: always.
    """
    hint = f"; use {known[name]}" if name in known else ""
    kind = type(owner).__name__
    raise AttributeError(f"{kind!r} object has no attribute {name!r}{hint}", name=name, obj=owner)
