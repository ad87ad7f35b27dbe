"""Detect ONNX files that keep weights in another file, before they are loaded.

onnxruntime reads a tensor that is marked as external from any path that the file names, beside the
model or, for a model given as bytes, in the working folder. Only the protobuf's structure is walked
here (https://protobuf.dev/programming-guides/encoding); the content of tensors is skipped.
"""

from collections.abc import Iterator

_INSIDE: dict[str, dict[int, str]] = {
    "ModelProto": {7: "GraphProto", 20: "TrainingInfoProto", 25: "FunctionProto"},
    "TrainingInfoProto": {1: "GraphProto", 2: "GraphProto"},
    "FunctionProto": {7: "NodeProto", 11: "AttributeProto"},
    "GraphProto": {1: "NodeProto", 5: "TensorProto", 15: "SparseTensorProto"},
    "NodeProto": {5: "AttributeProto"},
    "AttributeProto": {
        5: "TensorProto",
        6: "GraphProto",
        10: "TensorProto",
        11: "GraphProto",
        22: "SparseTensorProto",
        23: "SparseTensorProto",
    },
    "SparseTensorProto": {1: "TensorProto", 2: "TensorProto"},
    "TensorProto": {},
}
"""Each message of ONNX that can contain a tensor: field number to the message in it."""

_EXTERNAL_DATA, _DATA_LOCATION = 13, 14
_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES = 0, 1, 2, 5


def has_external_data(content: bytes) -> bool:
    """Return True if any tensor of an ONNX file, at any depth, is external.

    Args:
        content: the bytes of the file.

    Raises:
        ValueError: the content is not a protobuf, or damaged.
    """
    todo = [("ModelProto", 0, len(content))]
    while todo:
        message, start, end = todo.pop()
        for field, kind, value, stop in _fields(content, start, end):
            if kind == _LENGTH and field in _INSIDE[message]:
                todo.append((_INSIDE[message][field], value, stop))
            elif message == "TensorProto" and (
                (field == _EXTERNAL_DATA and kind == _LENGTH)
                or (field == _DATA_LOCATION and kind == _VARINT and value)
            ):
                return True
    return False


def _fields(content: bytes, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield a message's fields: number, kind, value (where it starts, if it has a length), end."""
    at = start
    while at < end:
        tag, at = _varint(content, at, end)
        field, kind = tag >> 3, tag & 7
        value = at
        if kind == _VARINT:
            value, at = _varint(content, at, end)
        elif kind == _LENGTH:
            length, value = _varint(content, at, end)
            at = value + length
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            at += 8 if kind == _EIGHT_BYTES else 4
        else:
            raise ValueError(f"no ONNX file has a field of kind {kind}")
        if at > end or not 0 < field < 1 << 29:
            raise ValueError("damaged, or no ONNX file")
        yield field, kind, value, at


def _varint(content: bytes, at: int, end: int) -> tuple[int, int]:
    """Return the varint at an offset, and the offset behind it."""
    value = 0
    for place in range(at, min(end, at + 10)):
        value |= (content[place] & 0x7F) << 7 * (place - at)
        if content[place] < 0x80:
            return value, place + 1
    raise ValueError("damaged, or no ONNX file")
