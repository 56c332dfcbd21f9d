"""Finds code whose order changes from run to run: iterating a set, or asking for hash() or id() (worlds repeat).

It flags only what is certainly a set: a literal, a call of set() or frozenset(), an operation on one of these, or a
name or attribute that the same file annotates or assigns as one. Sorting, counting and membership are fine.
"""

import ast
from collections.abc import Iterator, Sequence

from tests.rules import walked

_ORDERING = frozenset(
    {"list", "tuple", "iter", "enumerate", "zip", "map", "filter", "dict", "join", "extend", "fromkeys"}
)
_SET_CALLS = frozenset({"union", "difference", "intersection", "symmetric_difference", "copy"})
_SCOPES = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda
_SET_TYPES = frozenset({"set", "frozenset", "Set", "AbstractSet", "MutableSet"})


def unordered(path: str, tree: ast.AST) -> list[str]:
    """Places of this file that depend on the order of a set, on hash() or on id()."""
    complaints = [f"{path}:{line}: iterates a set" for line in _iterations(tree, _attributes(tree))]
    for node in (node for node in walked(tree) if isinstance(node, ast.Call | ast.keyword)):
        named = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("hash", "id")
        keyed = isinstance(node, ast.keyword) and node.arg == "key" and _name(node.value) in ("hash", "id")
        if named or keyed:
            complaints.append(f"{path}:{node.lineno}: asks for hash() or id()")
    return complaints


def _iterations(scope: ast.AST, around: frozenset[str]) -> Iterator[int]:
    """The lines of a function, class or module that walk a set, and of what is defined in it. around: sets outside."""
    own = [node for node in _inside(scope) if node is not scope]
    sets, others = _bound(scope, around)
    known = (around - others) | sets
    for node in own:
        if isinstance(node, _SCOPES):
            yield from _iterations(node, known)
            continue
        walked: list[ast.expr] = []
        match node:
            case ast.For(iter=walk) | ast.AsyncFor(iter=walk) | ast.Starred(value=walk) | ast.YieldFrom(value=walk):
                walked = [walk]
            case ast.ListComp() | ast.DictComp():
                walked = [part.iter for part in node.generators]
            case ast.Call(func=called, args=given):
                walked = _walked_by(called, given, known)
        yield from (walk.lineno for walk in walked if _is_set(walk, known))


def _inside(scope: ast.AST) -> Iterator[ast.AST]:
    """The nodes of this scope; an inner scope is one of them, what is in it is not."""
    yield scope
    for child in ast.iter_child_nodes(scope):
        yield from (child,) if isinstance(child, _SCOPES) else _inside(child)


def _walked_by(called: ast.expr, given: list[ast.expr], sets: frozenset[str]) -> list[ast.expr]:
    """What a call walks through in an order that shows: also what a generator walks, given to it."""
    if isinstance(called, ast.Attribute) and called.attr == "pop" and not given:
        return [called.value] if _is_set(called.value, sets) else []
    if _name(called) not in _ORDERING:
        return []
    inner = [part.iter for one in given if isinstance(one, ast.GeneratorExp) for part in one.generators]
    return [*given, *inner]


def _is_set(node: ast.expr, sets: frozenset[str]) -> bool:
    match node:
        case ast.Set() | ast.SetComp():
            return True
        case ast.Call(func=ast.Name(id=name)):
            return name in ("set", "frozenset")
        case ast.Call(func=ast.Attribute(value=owner, attr=name)):
            return name in _SET_CALLS and _is_set(owner, sets)
        case ast.BinOp(left=left, op=ast.BitOr() | ast.BitAnd() | ast.Sub() | ast.BitXor(), right=right):
            return _is_set(left, sets) or _is_set(right, sets)
        case ast.Name(id=name):
            return name in sets
        case ast.Attribute(attr=name):
            return f".{name}" in sets
    return False


def _bound(scope: ast.AST, around: frozenset[str]) -> tuple[frozenset[str], frozenset[str]]:
    """The names that this scope binds to sets only, and those that it binds to something else as well."""
    sets: dict[str, None] = {}
    others: dict[str, None] = {}
    for node in _inside(scope):
        bound: Sequence[ast.AST]
        match node:
            case ast.AnnAssign(target=target, annotation=kind):
                bound, is_set = [target], _annotates_set(kind)
            case ast.Assign(targets=targets, value=value):
                bound, is_set = targets, _is_set(value, around | frozenset(sets))
            case ast.arg(annotation=kind):
                (sets if _annotates_set(kind) else others)[node.arg] = None
                continue
            case ast.For(target=target) | ast.comprehension(target=target):
                bound, is_set = [*ast.walk(target)], False
            case _:
                continue
        for name in (part.id for part in bound if isinstance(part, ast.Name)):
            (sets if is_set else others)[name] = None
    return frozenset(sets) - frozenset(others), frozenset(others)


def _attributes(tree: ast.AST) -> frozenset[str]:
    """Attributes of this file's classes that are annotated or made as sets, as ".name"; never otherwise."""
    sets: dict[str, None] = {}
    others: dict[str, None] = {}
    for node in walked(tree):
        if isinstance(node, ast.ClassDef):
            fields = [
                part for part in node.body if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name)
            ]
            for part in fields:
                (sets if _annotates_set(part.annotation) else others)[f".{_name(part.target)}"] = None
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Attribute):
            (sets if _annotates_set(node.annotation) else others)[f".{node.target.attr}"] = None
        if isinstance(node, ast.Assign):
            for target in (target for target in node.targets if isinstance(target, ast.Attribute)):
                (sets if _is_set(node.value, frozenset()) else others)[f".{target.attr}"] = None
    return frozenset(name for name in sets if name not in others)


def _annotates_set(kind: ast.expr | None) -> bool:
    if isinstance(kind, ast.Subscript):
        if _name(kind.value) in ("ClassVar", "Final"):
            return _annotates_set(kind.slice)
        kind = kind.value
    return kind is not None and _name(kind) in _SET_TYPES


def _name(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
