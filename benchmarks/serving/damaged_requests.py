"""Bodies that are damaged in many ways, for the server's benchmark and its tests."""

import random


def damaged(seeds: list[bytes], generator: random.Random) -> bytes:
    """Return a picture with something done to its bytes, or bytes that are none.

    Args:
        seeds: whole pictures.
        generator: decides.
    """
    content = bytearray(generator.choice(seeds))
    kind = generator.randrange(6)
    if kind == 0:
        return generator.randbytes(generator.randrange(300))
    if kind == 1:
        return bytes(content[: generator.randrange(len(content))])
    if kind == 2:
        place = generator.randrange(len(content))
        content[place:place] = generator.randbytes(generator.randrange(1, 50))
    if kind == 3:
        start = generator.randrange(len(content))
        del content[start : start + generator.randrange(1, 200)]
    for _ in range(generator.randrange(1, 20) if kind > 3 else 0):
        # most of what decides is at the start
        end = len(content) if generator.random() < 0.5 else min(200, len(content))
        content[generator.randrange(end)] = generator.randrange(256)
    return bytes(content)


def form(content: bytes, generator: random.Random) -> tuple[bytes, str]:
    """Return a multipart body around a picture, half of them damaged, and its type."""
    head = b'--b\r\nContent-Disposition: form-data; name="a"; filename="a.png"\r\n\r\n'
    body = head + content + b"\r\n--b--\r\n"
    if generator.random() < 0.5:
        body = damaged([body], generator)
    return body, "multipart/form-data; boundary=b"


def asked(seeds: list[bytes], generator: random.Random, number: int) -> tuple[str, bytes, str]:
    """Return the path, the body and the type of a request: three of four raw, one a form."""
    content, kind = damaged(seeds, generator), "application/octet-stream"
    if number % 4 == 0:
        content, kind = form(content, generator)
    paths = ("/v1/classify", "/v1/classify", "/v1/predict", "/v1/predict?annotate=true")
    return generator.choice(paths), content, kind
