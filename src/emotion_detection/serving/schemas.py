"""Schemas of the answers, for the OpenAPI document only; answers are not validated."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from emotion_detection.serving.error_responses import PROBLEM_JSON
from emotion_detection.serving.request_body import MULTIPART, PICTURE_TYPES

_FACE: dict[str, Any] = {
    "box": [182.4, 71.05, 96.31, 131.2],
    "landmarks": {
        "left_eye": [208.2, 124.0],
        "right_eye": [252.9, 123.1],
        "nose": [231.0, 149.7],
        "mouth_left": [212.3, 169.8],
        "mouth_right": [250.6, 169.0],
    },
    "confidence": 0.9312,
    "emotion": "happiness",
    "scores": {
        "anger": 0.0021,
        "disgust": 0.0008,
        "fear": 0.0011,
        "happiness": 0.9624,
        "sadness": 0.0017,
        "surprise": 0.0093,
        "neutral": 0.0205,
        "contempt": 0.0021,
    },
    "intensity": 0.8743,
    "flags": [],
}
_RESULT: dict[str, Any] = {
    "source": None,
    "width": 640,
    "height": 480,
    "faces": [_FACE],
    "skipped": 0,
    "notes": [],
}


class FaceJson(BaseModel):
    """A face and its expression."""

    model_config = ConfigDict(title="Face", json_schema_extra={"examples": [_FACE]})

    box: list[float] = Field(description="x, y, width, height in pixels; may leave the image")
    landmarks: dict[str, list[float]] = Field(description="x, y of five points; none for crops")
    confidence: float = Field(description="confidence of the detection, 0 to 1; 1 for crops")
    emotion: str = Field(description="the emotion with the highest score")
    scores: dict[str, float] = Field(description="score of each emotion, summing to 1")
    intensity: float | None = Field(description="0 (neutral) to 1; null: the model predicts none")
    flags: list[str] = Field(description="'cut': it leaves the image; 'uncertain_face'; 'unsure'")


class ResultJson(BaseModel):
    """The faces of an image."""

    model_config = ConfigDict(title="Result", json_schema_extra={"examples": [_RESULT]})

    source: str | None = Field(description="the part's file name; null for a raw body")
    width: int
    height: int
    faces: list[FaceJson] = Field(description="from left to right")
    skipped: int = Field(description="number of detected faces below the minimum size")
    notes: list[str] = Field(description="such as that only the first frame was read")


class UnreadJson(BaseModel):
    """One of several images that could not be read."""

    model_config = ConfigDict(title="Unread")

    source: str | None
    error: str


class ResultsJson(BaseModel):
    """The results of several images, in their order."""

    model_config = ConfigDict(title="Results")

    results: list[ResultJson | UnreadJson]


PROBLEM: dict[str, Any] = {
    "title": "Problem",
    "description": "What went wrong (RFC 9457).",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
    "examples": [
        {
            "type": "about:blank",
            "title": "Unprocessable Content",
            "status": 422,
            "detail": "the image cannot be read: truncated: its end is missing",
        }
    ],
}

_PROBLEMS = {
    400: "an empty body, damaged multipart, or no valid request",
    408: "the body took too long to come",
    413: "too many bytes, pixels or images",
    415: "neither JPEG, PNG nor WebP",
    422: "an image that is damaged, or a query option that is unknown or of another type",
    500: "the server failed; its log says where",
    503: "too much to do; Retry-After says when to come back",
    504: "no answer in time",
}

_PICTURE = {"type": "string", "format": "binary"}

BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            **{kind: {"schema": _PICTURE} for kind in (*PICTURE_TYPES, "application/octet-stream")},
            MULTIPART: {
                "schema": {
                    "type": "object",
                    "required": ["picture"],
                    "properties": {"picture": {"type": "array", "items": _PICTURE}},
                }
            },
        },
    }
}
"""Error answers of the routes for images."""


def responses(*also: str) -> dict[int | str, dict[str, Any]]:
    """Return the possible answers of the routes for images.

    Args:
        also: media types of an annotated image.
    """
    reference = {"schema": {"$ref": "#/components/schemas/Problem"}}
    problems: dict[int | str, dict[str, Any]] = {
        status: {"description": text, "content": {PROBLEM_JSON: reference}}
        for status, text in _PROBLEMS.items()
    }
    images: dict[str, Any] = {"content": {kind: {"schema": _PICTURE} for kind in also}}
    found = {"description": "The result", "model": ResultJson | ResultsJson}
    return {200: {**found, **(images if also else {})}, **problems}
