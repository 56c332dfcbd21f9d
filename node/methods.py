"""What the local API can be asked, read from the services themselves: names, parameters, types, defaults, docstrings.

A public async method `send` of the service `chat` is the call `chat.send`. Its annotations decide what is accepted
before it is called: str, int, bool, float, None, list, dict, Literal, and unions of them. Not here: lines and sockets
(node/rpc.py).
"""

import inspect
import re
import types
import typing
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from protocol import rpc
from protocol.faults import UserFault

INT_MAX = 2**63  # what the database keeps

Fits = Callable[[object], bool]


class BadCall(UserFault):
    """The call does not fit what the method takes."""

    code = "call.params"
    next = "weft rpc --schema"
    exit = 2


class UnknownMethod(UserFault):
    """This node has no such method. If the weft of this terminal is newer, start the node anew."""

    code = "call.method"
    next = "weft rpc --schema"
    exit = 8


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter. default: inspect.Parameter.empty = it must be given."""

    name: str
    type: str
    fits: Fits
    default: object

    @property
    def needed(self) -> bool:
        return self.default is inspect.Parameter.empty


@dataclass(frozen=True, slots=True)
class Method:
    """One call of the API."""

    name: str
    call: Callable[..., Awaitable[object]]
    parameters: tuple[Parameter, ...]
    returns: str
    doc: str
    errors: tuple[str, ...]


def table(services: Mapping[str, object]) -> dict[str, Method]:
    """All calls of these services by name. A type that JSON cannot carry raises TypeError: a bug, found at start."""
    found: dict[str, Method] = {}
    for room, service in services.items():
        for name, function in inspect.getmembers(service, inspect.iscoroutinefunction):
            if not name.startswith("_"):
                found[f"{room}.{name}"] = read(f"{room}.{name}", function)
    return found


def read(name: str, function: Callable[..., Awaitable[object]]) -> Method:
    """The call that this function answers, from its signature and docstring."""
    hints = typing.get_type_hints(function)
    parameters = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise TypeError(f"{name}: the API has no place for the parameter {parameter}")
        hint = hints[parameter.name]
        parameters.append(Parameter(parameter.name, _text_of(hint), _fitting(name, hint), parameter.default))
    doc = inspect.getdoc(function) or ""
    return Method(name, function, tuple(parameters), _text_of(hints.get("return", Any)), doc, _errors_in(doc))


def arguments(method: Method, given: object) -> dict[str, object]:
    """The arguments to call it with, from JSON-RPC params: an object by name, an array by order, or None.

    Raises: BadCall.
    """
    by_name: dict[str, object]
    match given:
        case None:
            by_name = {}
        case dict():
            by_name = given
        case list() if len(given) <= len(method.parameters):
            by_name = {parameter.name: value for parameter, value in zip(method.parameters, given, strict=False)}
        case list():
            raise BadCall(f"{method.name} takes at most {len(method.parameters)} arguments, not {len(given)}.")
        case _:
            raise BadCall(f"{method.name}: params are an object or an array.")
    ready: dict[str, object] = {}
    for parameter in method.parameters:
        if parameter.name not in by_name:
            if parameter.needed:
                raise BadCall(f"{method.name} needs {parameter.name} ({parameter.type}).", parameter=parameter.name)
            continue
        value = by_name[parameter.name]
        if not parameter.fits(value):
            raise BadCall(f"{method.name}: {parameter.name} must be {parameter.type}.", parameter=parameter.name)
        ready[parameter.name] = value
    if len(ready) < len(by_name):
        strangers = sorted(str(name)[:40] for name in by_name if name not in ready)
        raise BadCall(f"{method.name} does not know the parameter {', '.join(strangers[:3])}.")
    return ready


def described(methods: Iterable[Method], topics: Iterable[str]) -> dict[str, object]:
    """The answer of `describe`: the API as JSON."""
    return {
        "protocol": rpc.API,
        "methods": [_described(method) for method in sorted(methods, key=lambda method: method.name)],
        "topics": sorted(topics),
    }


def _described(method: Method) -> dict[str, object]:
    parameters: list[dict[str, object]] = []
    for parameter in method.parameters:
        row: dict[str, object] = {"name": parameter.name, "type": parameter.type}
        if not parameter.needed:
            row["default"] = parameter.default
        parameters.append(row)
    return {
        "name": method.name,
        "params": parameters,
        "returns": method.returns,
        "doc": method.doc,
        "errors": list(method.errors),
    }


def _errors_in(doc: str) -> tuple[str, ...]:
    """The names behind "Raises:" or "Errors:" in a docstring: faults, or the codes that a script sees."""
    raised = re.split(r"\b(?:Raises|Errors):", doc)[-1] if re.search(r"\b(?:Raises|Errors):", doc) else ""
    sentence = raised.partition("\n\n")[0].replace("\n", " ")
    names = (word.strip() for word in re.sub(r"\([^)]*\)", "", sentence).split(","))
    return tuple(name.split()[0].rstrip(".") for name in names if name)


def _text_of(hint: object) -> str:
    if hint is None or hint is types.NoneType:
        return "null"
    arguments_of = typing.get_args(hint)
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return " | ".join(_text_of(one) for one in arguments_of)
    if origin is typing.Literal:
        return " | ".join(repr(one) for one in arguments_of)
    if origin in (list, Sequence, tuple) and arguments_of:
        return f"list[{_text_of(arguments_of[0])}]"
    if origin in (dict, Mapping) or hint in (dict, Mapping):
        return "object"
    return getattr(hint, "__name__", "any") if hint is not Any else "any"


def _fitting(name: str, hint: object) -> Fits:
    if hint is None or hint is types.NoneType:
        return lambda value: value is None
    if hint is Any or hint is object:
        return lambda _value: True
    arguments_of = typing.get_args(hint)
    origin = typing.get_origin(hint) or hint
    if origin in (typing.Union, types.UnionType):
        choices = tuple(_fitting(name, one) for one in arguments_of)
        return lambda value: any(fits(value) for fits in choices)
    if origin is typing.Literal:
        return lambda value: value in arguments_of and not isinstance(value, bool)
    if origin in (list, Sequence):
        each = _fitting(name, arguments_of[0]) if arguments_of else _fitting(name, Any)
        return lambda value: isinstance(value, list) and all(each(one) for one in value)
    if origin is int:
        return lambda value: type(value) is int and abs(value) < INT_MAX  # JSON's true is no number
    if origin is float:
        return lambda value: type(value) in (int, float)
    if origin is str:
        return lambda value: isinstance(value, str) and _is_text(value)
    if origin in (bool, dict):
        wanted: type = origin
        return lambda value: isinstance(value, wanted)
    raise TypeError(f"{name}: the API cannot carry {hint!r}")


def _is_text(value: str) -> bool:
    """Whether this can be written as UTF-8: JSON can also carry halves of characters."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
