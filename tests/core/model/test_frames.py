"""A server's answer is read however it frames it (B2)."""

import json

import pytest

from core.model.openai.frames import END, Lines

A, B = {"a": "ä😀"}, {"b": 2}
PLAIN = b'data: {"a": "\xc3\xa4\xf0\x9f\x98\x80"}\n\ndata: {"b": 2}\n\ndata: [DONE]\n\n'


def read(body: bytes, size: int) -> list[object]:
    lines = Lines()
    found = [frame for place in range(0, len(body), size) for frame in lines.take(body[place : place + size])]
    return found + list(lines.end())


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize(
    "body",
    [
        PLAIN,
        PLAIN.replace(b"\n", b"\r\n"),
        PLAIN.replace(b"\n", b"\r"),
        b"\xef\xbb\xbf" + PLAIN,
        b"\n\n: hello\n\nretry: 3000\n\nevent: ping\n\nid: 7\n\n" + PLAIN,
        PLAIN.replace(b"data: ", b"data:"),
        PLAIN.replace(b"\n\n", b"\n"),
        PLAIN.rstrip(),
        PLAIN.replace(b'{"b": 2}', b'{\ndata: "b": 2}'),
        PLAIN.replace(b"data: {", b"event: message\nid: 1\ndata: {"),
        PLAIN.replace(b"data: [DONE]", b"data:\n\ndata: [DONE]"),
    ],
)
def test_events_are_read_whatever_is_between_them(body: bytes, size: int) -> None:
    assert read(body, size) == [A, B, END]


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_one_body_is_one_frame(size: int) -> None:
    assert read(b'\n{"a": "\xc3\xa4\xf0\x9f\x98\x80"}', size) == [A]
    assert read(b'{"b": 2}\n{"b": 2}\n', size) == [B, B]
    assert read(b'[{"b": 2}]', size) == [B]
    assert read(b"<!doctype html><title>Welcome</title>", size) == []


@pytest.mark.parametrize("body", [b'{"a": "half', b'data: {"a": "half', b'data: {"a": "half\n\n', b"data: \xff\n\n"])
def test_what_is_cut_or_garbled_is_no_frame(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read(body, 3)


def test_what_an_event_calls_an_error_is_one() -> None:
    assert read(b'event: error\ndata: {"message": "no"}\n\n', 4) == [{"error": {"message": "no"}}]
    assert read(b"event: error\ndata: out of memory\n\n", 4) == [{"error": {"message": "out of memory"}}]
    assert read(b'error: {"code": 500, "type": "x"}\n\ndata: [DONE]\n\n', 4) == [
        {"error": {"code": 500, "type": "x"}},
        END,
    ]
    assert read(b"error: out of memory\n\n", 4) == [{"error": {"message": " out of memory"}}]
    assert read(b'event: error\ndata: {"type": "x", "message": "no"}\n\n', 4) == [
        {"error": {"type": "x", "message": "no"}}
    ]


@pytest.mark.parametrize("said", ['{"object": "error", "message": "no"}', '{"error_code": 50001, "text": "no"}'])
def test_what_calls_itself_an_error_is_one(said: str) -> None:
    """FastChat, and servers that follow what vLLM once did; in a list too, as Gemini writes it."""
    error = {"error": json.loads(said)}
    assert read(f"data: {said}\n\ndata: [DONE]\n\n".encode(), 4) == [error, END]
    assert read(f"data: [{said}]\n\n".encode(), 4) == [error]
    assert read(said.encode(), 4) == [error]
