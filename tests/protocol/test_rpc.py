"""The lines of the local API: what is a call, what is refused and how it is said (docs/protocol/rpc.md)."""

import json
from dataclasses import dataclass
from typing import Any

import pytest

from protocol import rpc


def call(**changed: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "chat.send", "params": {"to": "bo"}, **changed}).encode()


def test_a_call() -> None:
    assert rpc.parse(call()) == rpc.Request(1, True, "chat.send", {"to": "bo"}, None)
    assert rpc.parse(call(id="x", params=["bo", "hi"], api=1)) == rpc.Request("x", True, "chat.send", ["bo", "hi"], 1)
    assert rpc.parse(call(id=None)) == rpc.Request(None, True, "chat.send", {"to": "bo"}, None)
    without_id = rpc.parse(b'{"jsonrpc":"2.0","method":"node.stop"}')
    assert without_id == rpc.Request(None, False, "node.stop", None, None)


def error_of(refused: object) -> dict[str, Any]:
    assert isinstance(refused, rpc.Refusal)
    assert refused.line.endswith(b"\n")
    assert refused.line.count(b"\n") == 1
    answer = json.loads(refused.line)
    assert (answer["jsonrpc"], answer["id"]) == ("2.0", None)
    error: dict[str, Any] = answer["error"]
    return error


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"weft",
        b"\xff\xfe",
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'"\\ud800"',
        b'{"params": {"text": "\\udc00"}}',
        b'{"\\ud800": 1}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"9" * 5000,
        b"{} {}",
        "{}".encode("utf-16"),
    ],
)
def test_what_is_no_json_is_refused(line: bytes) -> None:
    assert error_of(rpc.parse(line))["code"] == rpc.PARSE


@pytest.mark.parametrize(
    "line",
    [
        b"{}",
        b"1",
        b"null",
        b'"x"',
        b"[]",
        call(jsonrpc="1.0"),
        call(jsonrpc=2.0),
        call(method=1),
        call(method=None),
        call(id=1.5),
        call(id=[]),
        call(id={}),
        b"[" + b",".join([call()] * (rpc.BATCH_MAX + 1)) + b"]",
    ],
)
def test_what_is_no_call_is_refused(line: bytes) -> None:
    assert error_of(rpc.parse(line))["code"] == rpc.REQUEST


def test_a_batch_has_calls_and_refusals_in_order() -> None:
    parsed = rpc.parse(b"[" + call() + b", 7, " + call(id=2) + b"]")
    assert isinstance(parsed, tuple)
    first, refused, last = parsed
    assert isinstance(first, rpc.Request)
    assert isinstance(last, rpc.Request)
    assert (first.id, last.id) == (1, 2)
    assert error_of(refused)["code"] == rpc.REQUEST
    assert json.loads(rpc.batch([rpc.result(1, "a"), rpc.result(2, None)])) == [
        {"jsonrpc": "2.0", "id": 1, "result": "a"},
        {"jsonrpc": "2.0", "id": 2, "result": None},
    ]


@dataclass(frozen=True)
class Seen:
    name: str
    at_ms: int


def test_answers_are_one_line_each() -> None:
    text = "a\nb\u2028c ü 字 😀"
    data: dict[str, object] = {
        "code": "contact.unknown",
        "message": text,
        "next": "weft contacts",
        "exit": 5,
        "data": {},
    }
    for line in (
        rpc.result(1, {"text": text}),
        rpc.refusal("x", rpc.FAULT, text, data),
        rpc.notification("change", {"cursor": 7, "data": text}),
    ):
        assert line.endswith(b"\n")
        assert line.count(b"\n") == 1
        assert json.loads(line)["jsonrpc"] == "2.0"
    assert json.loads(rpc.result(1, (Seen("bo", 5),)))["result"] == [{"name": "bo", "at_ms": 5}]
    error = json.loads(rpc.refusal("x", rpc.FAULT, text, data))["error"]
    assert (error["code"], error["message"], error["data"]["code"]) == (-32000, text, "contact.unknown")
    assert "data" not in json.loads(rpc.refusal(1, rpc.METHOD, "unknown"))["error"]


def test_what_has_no_json_is_a_bug_of_ours() -> None:
    with pytest.raises(TypeError):
        rpc.result(1, b"bytes")
    with pytest.raises(ValueError, match="JSON"):
        rpc.result(1, float("nan"))
