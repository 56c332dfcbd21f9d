"""The text of the local API: one JSON-RPC 2.0 line in, one out. Pure.

Stricter than JSON where JSON is loose: UTF-8 only, no NaN, no half surrogates (SQLite and CBOR refuse them later), a
bounded depth. Source: JSON-RPC 2.0 specification (docs/protocol/rpc.md). Not here: what a call means
(node/methods.py), sockets (node/rpc.py).
"""

import json
from dataclasses import dataclass, fields, is_dataclass
from typing import NoReturn

LINE_BYTES_MAX = 1 << 20  # 1 MiB: 64 messages of 16 KiB fit into one call
BATCH_MAX = 256  # calls in one array
API = 1  # counts the changes of the local API that an older door would misread

PARSE = -32700
REQUEST = -32600
METHOD = -32601
PARAMS = -32602
INTERNAL = -32603
FAULT = -32000  # a UserFault; error.data says which
UNAVAILABLE = -32001

Id = str | int | None


def place_said(socket: str, folder: int) -> str:
    """What run/rpc.path says where a socket stands elsewhere. folder: the inode of run itself.

    So a copy of a profile, made while its node runs, does not lead to that node.
    """
    return f"{socket}\n{folder}\n"


def place_of(said: str, folder: int) -> str | None:
    """Where the socket of this run folder stands; None where the file was written for another one."""
    socket, _, of = said.partition("\n")
    return socket if of.strip() == str(folder) else None


@dataclass(frozen=True, slots=True)
class Request:
    """One call. answered: False for a notification. api: the version of the caller's API, None if it did not say."""

    id: Id
    answered: bool
    method: str
    params: object
    api: int | None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A call that is none; line is the answer to it."""

    line: bytes


def parse(line: bytes) -> Request | Refusal | tuple[Request | Refusal, ...]:
    """The call of this line, or the calls of a batch in their order."""
    try:
        said = json.loads(line.decode(), parse_constant=_no_constant)
        if b"\\u" in line:
            json.dumps(said, ensure_ascii=False).encode()
    except (ValueError, RecursionError):  # of json and of UTF-8
        return Refusal(refusal(None, PARSE, "This line is not JSON in UTF-8."))
    if not isinstance(said, list):
        return _request(said)
    if not 0 < len(said) <= BATCH_MAX:
        return Refusal(refusal(None, REQUEST, f"A batch has 1 to {BATCH_MAX} calls."))
    return tuple(_request(one) for one in said)


def result(id: Id, value: object) -> bytes:
    """The answer of a call that went well."""
    return _encode({"jsonrpc": "2.0", "id": id, "result": value})


def refusal(id: Id, code: int, message: str, data: dict[str, object] | None = None) -> bytes:
    """The answer of a call that failed. data: {"code", "message", "next", "exit", "data"}, for people and scripts."""
    error: dict[str, object] = {"code": code, "message": message}
    if data is not None:
        error["data"] = data
    return _encode({"jsonrpc": "2.0", "id": id, "error": error})


def notification(method: str, params: dict[str, object]) -> bytes:
    """A line that nobody asked for."""
    return _encode({"jsonrpc": "2.0", "method": method, "params": params})


def batch(answers: list[bytes]) -> bytes:
    """The one line that answers a batch."""
    return b"[" + b",".join(answer.rstrip(b"\n") for answer in answers) + b"]\n"


def _request(said: object) -> Request | Refusal:
    if isinstance(said, dict) and said.get("jsonrpc") == "2.0":
        method, caller, api = said.get("method"), said.get("id"), said.get("api")
        if isinstance(method, str) and isinstance(caller, str | int | None):
            return Request(caller, "id" in said, method, said.get("params"), api if type(api) is int else None)
    return Refusal(refusal(None, REQUEST, 'A call is {"jsonrpc": "2.0", "id": 1, "method": "…", "params": {…}}.'))


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _plain(value: object) -> object:
    """What a service returns beside JSON's own types: frozen dataclasses."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    raise TypeError(f"the API cannot carry a {type(value).__name__}")


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_plain)


def _encode(value: dict[str, object]) -> bytes:
    return _ENCODER.encode(value).encode() + b"\n"
