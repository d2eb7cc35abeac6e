"""JSON values to words and back: one cattrs converter, strict, with the original's texts.

cattrs knows which hook a type needs; the hooks are ours for two reasons. Its own coerce
(``structure(5, str)`` is ``"5"``), which the original refuses. And its errors come field by
field as the class lists them, while the original reports the first fault of the message: wrong
types in the order of the message, then missing fields in the order of the type (observed on
0.163.0). That order is what lets error texts agree.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

import attrs
from cattrs import Converter
from cattrs.gen import make_dict_unstructure_fn, override

from codex_trio.errors import InvalidParamsError
from codex_trio.faults import describe, unknown_name
from codex_trio.protocol.words import LEFT_OUT, Tagged

Hook = Callable[[Any, Any], Any]

_converter: Final = Converter(detailed_validation=False, prefer_attrib_converters=False)


def structure(value: object, words: Any) -> Any:
    """Turn a decoded JSON value into words.

    Raises:
        InvalidParamsError: the first fault found, in the original's words.
    """
    return _converter.structure(value, words)


def unstructure(words: object) -> Any:
    """Turn words into a JSON value, nulls written out unless their field is marked."""
    return _converter.unstructure(words)


def camel(name: str) -> str:
    """``login_id`` to ``loginId``."""
    first, *others = name.split("_")
    return first + "".join(other.title() for other in others)


def wrong_type(value: object, expected: str) -> InvalidParamsError:
    """Say what was found and what should have been there."""
    return InvalidParamsError(f"invalid type: {describe(value)}, expected {expected}")


def _exactly(kind: type, expected: str) -> Hook:
    def structure_exactly(value: Any, _: Any) -> Any:
        # Not isinstance: a bool is an int in Python, and is none on the wire.
        if type(value) is not kind:
            raise wrong_type(value, expected)
        return value

    return structure_exactly


def _number(value: Any, _: Any) -> float:
    if type(value) is not float and type(value) is not int:
        raise wrong_type(value, "a number")
    return float(value)


def _unit(value: Any, _: Any) -> None:
    # An empty object is tolerated where a method has no params.
    if value is not None and value != {}:
        raise wrong_type(value, "unit")


def _one_of(kind: Any) -> Hook:
    names: list[str] = list(get_args(kind))

    def structure_name(value: Any, _: Any) -> Any:
        if type(value) is not str:
            raise wrong_type(value, "string or map")
        if value not in names:
            raise InvalidParamsError(unknown_name(value, names))
        return value

    return structure_name


def _optional(kind: Any) -> Hook:
    # Words have no other untagged unions; one would fail here, when its hook is made.
    (inner,) = (member for member in get_args(kind) if member is not type(None))
    hook = _converter.get_structure_hook(inner)

    def structure_optional(value: Any, _: Any) -> Any:
        return None if value is None else hook(value, inner)

    return structure_optional


def _list(kind: Any) -> Hook:
    (inner,) = get_args(kind)
    hook = _converter.get_structure_hook(inner)

    def structure_list(value: Any, _: Any) -> Any:
        if type(value) is not list:
            raise wrong_type(value, "a sequence")
        return [hook(item, inner) for item in value]

    return structure_list


def _map(kind: Any) -> Hook:
    _, inner = get_args(kind)
    hook = _converter.get_structure_hook(inner)

    def structure_map(value: Any, _: Any) -> Any:
        if type(value) is not dict:
            raise wrong_type(value, "a map")
        return {key: hook(item, inner) for key, item in value.items()}

    return structure_map


def _struct(cls: Any, expected: str = "", *, tag: str | None = None) -> Hook:
    """Make a hook for one attrs class.

    Args:
        cls: the class of words.
        expected: what to call it in errors; ``struct Name`` by default.
        tag: a field that has been read already, and is no part of params by position.
    """
    expected = expected or f"struct {cls.__name__}"
    fields = [field for field in _fields(cls) if field.name != tag]
    hooks = {
        camel(field.name): (field.name, _converter.get_structure_hook(field.type), field.type)
        for field in fields
    }
    required = [field for field in fields if field.default is attrs.NOTHING]

    def structure_fields(value: Any, _: Any) -> Any:
        if type(value) is list:
            return structure_positions(value)
        if type(value) is not dict:
            raise wrong_type(value, expected)
        found = {}
        for key, item in value.items():
            if key in hooks:
                name, hook, kind = hooks[key]
                found[name] = hook(item, kind)
        for field in required:
            if field.name not in found:
                raise InvalidParamsError(f"missing field `{camel(field.name)}`")
        return cls(**found)

    def structure_positions(values: list[Any]) -> Any:
        """Read params by position (JSON-RPC 2.0, section 4.2), as the original does."""
        found = {}
        for index, (name, hook, kind) in enumerate(hooks.values()):
            if index < len(values):
                found[name] = hook(values[index], kind)
            elif fields[index].default in (attrs.NOTHING, None):
                elements = "element" if len(fields) == 1 else "elements"
                raise InvalidParamsError(
                    f"invalid length {len(values)}, expected {expected} with {len(fields)} {elements}"
                )
        if len(values) > len(fields):
            elements = "element" if len(fields) == 1 else "elements"
            raise InvalidParamsError(
                f"invalid length {len(values)}, expected {len(fields)} {elements} in sequence"
            )
        return cls(**found)

    return structure_fields


def _fields(cls: Any) -> Any:
    """List the fields of a class of words, their annotations resolved."""
    return attrs.fields(attrs.resolve_types(cls))


def _tagged_union(kind: Any) -> Hook:
    union, tagged = get_args(kind)
    variants = {}
    for member in get_args(union):
        (name,) = get_args(_fields(member).type.type)
        short = member.__name__.removesuffix(tagged.name)
        variants[name] = _struct(member, f"struct variant {tagged.name}::{short}", tag="type")

    def structure_variant(value: Any, _: Any) -> Any:
        match value:
            case {"type": name}:
                rest = value
            case [name, *rest]:
                pass
            case {} | []:
                raise InvalidParamsError("missing field `type`")
            case _:
                raise wrong_type(value, f"internally tagged enum {tagged.name}")
        if type(name) is not str:
            raise wrong_type(name, "variant identifier")
        if name not in variants:
            raise InvalidParamsError(unknown_name(name, variants))
        return variants[name](rest, None)

    return structure_variant


def _plain_fields(cls: Any) -> Callable[[Any], Any]:
    fields = {
        field.name: override(
            rename=camel(field.name), omit_if_default=field.metadata.keys() >= LEFT_OUT.keys()
        )
        for field in _fields(cls)
    }
    # cattrs reads the overrides as keyword arguments, which no checker can follow.
    return make_dict_unstructure_fn(cls, _converter, **fields)  # type: ignore[arg-type]


def _is_tagged_union(kind: Any) -> bool:
    return get_origin(kind) is Annotated and any(
        isinstance(mark, Tagged) for mark in kind.__metadata__
    )


def _register() -> None:
    exactly = {str: "a string", int: "an integer", bool: "a boolean"}
    for kind, expected in exactly.items():
        _converter.register_structure_hook(kind, _exactly(kind, expected))
    _converter.register_structure_hook(float, _number)
    _converter.register_structure_hook(type(None), _unit)
    # By identity: as a class, object would take in every other.
    _converter.register_structure_hook_func(lambda kind: kind is object, lambda value, _: value)
    factories: list[tuple[Callable[[Any], bool], Callable[[Any], Hook]]] = [
        (lambda kind: get_origin(kind) is Literal, _one_of),
        (lambda kind: get_origin(kind) in (Union, types.UnionType), _optional),
        (lambda kind: get_origin(kind) is list, _list),
        (lambda kind: get_origin(kind) is dict, _map),
        (attrs.has, _struct),
        (_is_tagged_union, _tagged_union),
    ]
    for predicate, factory in factories:
        _converter.register_structure_hook_factory(predicate, factory)
    _converter.register_unstructure_hook_factory(attrs.has, _plain_fields)


_register()
