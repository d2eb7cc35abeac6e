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
from contextlib import suppress
from contextvars import ContextVar
from functools import partial
from typing import Annotated, Any, Final, Literal, TypeVar, Union, get_args, get_origin

import attrs
from cattrs import Converter
from cattrs.gen import make_dict_unstructure_fn, override

from codex_trio.errors import InvalidParamsError
from codex_trio.faults import unknown_name
from codex_trio.protocol.scalars import (
    Hook,
    exactly,
    not_empty,
    number,
    path,
    thread_id,
    unit,
    whole,
    wrong_type,
)
from codex_trio.protocol.words import (
    ABSENT,
    AS_WRITTEN,
    LEFT_OUT,
    ONE_OF,
    Absent,
    AsItCame,
    ExternallyTagged,
    NotEmpty,
    Path,
    Tagged,
    Untagged,
    Uuid,
    Whole,
)

M = TypeVar("M")

_newer: Final = ContextVar("names that are new are let through", default=False)

_converter: Final = Converter(detailed_validation=False, prefer_attrib_converters=False)


def structure(value: object, words: Any) -> Any:
    """Turn a decoded JSON value into words.

    Raises:
        InvalidParamsError: the first fault found, in the original's words.
    """
    return _converter.structure(value, words)


def structure_newer(value: object, words: Any) -> Any:
    """Turn what a newer server may have said into words, as ``structure`` does.

    A name that these words do not have stays as it is; where it names a kind of object, so does
    the object, as plain JSON.

    Raises:
        InvalidParamsError: the first fault found, in the original's words.
    """
    token = _newer.set(True)
    try:
        return _converter.structure(value, words)
    finally:
        _newer.reset(token)


def unstructure(words: object) -> Any:
    """Turn words into a JSON value, nulls written out unless their field is marked."""
    return _converter.unstructure(words)


def camel(name: str) -> str:
    """``login_id`` to ``loginId``."""
    first, *others = name.split("_")
    return first + "".join(other.title() for other in others)


def wire_name(field: attrs.Attribute[Any]) -> str:
    """Say what a field of words is called on the wire."""
    return field.name if field.metadata.keys() >= AS_WRITTEN.keys() else camel(field.name)


def _scalar(mark: type[M], make: Callable[[M], Hook], kind: Any) -> Hook:
    return make(_mark(kind, mark))


def _optional(kind: Any) -> Hook:
    # Any other union is marked; one that is not fails here, when its hook is made.
    (inner,) = (member for member in get_args(kind) if member not in (type(None), Absent))
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


def _struct(cls: Any, expected: str = "", *, shape: str = "", tag: str | None = None) -> Hook:
    """Make a hook for one attrs class.

    Args:
        cls: the class of words.
        expected: what to call it in errors; ``struct Name`` by default.
        shape: what to call it where something else has been found; the same by default.
        tag: a field that has been read already, and is no part of params by position.
    """
    expected = expected or f"struct {cls.__name__}"
    shape = shape or expected
    choice = [field for field in _fields(cls) if ONE_OF in field.metadata]
    fields = [field for field in _fields(cls) if field.name != tag and field not in choice]
    choose = _first_that_fits(choice) if choice else None
    hooks = {
        wire_name(field): (field.name, _converter.get_structure_hook(field.type), field.type)
        for field in fields
    }
    required = [field for field in fields if field.default is attrs.NOTHING]

    def structure_fields(value: Any, _: Any) -> Any:
        if type(value) is list and choose is None:
            return structure_positions(value)
        if type(value) is not dict:
            raise wrong_type(value, shape)
        found = {}
        for key, item in value.items():
            if key in hooks:
                name, hook, kind = hooks[key]
                found[name] = hook(item, kind)
        for field in required:
            if field.name not in found:
                raise InvalidParamsError(f"missing field `{wire_name(field)}`")
        return cls(**found) if choose is None else cls(**found, **choose(value))

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


def _first_that_fits(fields: list[Any]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Make what finds the one of some fields that counts."""
    hooks = [(field, _converter.get_structure_hook(field.type)) for field in fields]

    def choose(values: dict[str, Any]) -> dict[str, Any]:
        for field, hook in hooks:
            if values.get(wire_name(field)) is not None:
                with suppress(InvalidParamsError):
                    return {field.name: hook(values[wire_name(field)], field.type)}
        raise InvalidParamsError(
            f"data did not match any variant of untagged enum {fields[0].metadata[ONE_OF]}"
        )

    return choose


def _fields(cls: Any) -> Any:
    """List the fields of a class of words, their annotations resolved."""
    return attrs.fields(attrs.resolve_types(cls))


def _tagged_union(kind: Any) -> Hook:
    union, tagged = get_args(kind)
    variants = {}
    spoken = tagged.spoken or tagged.name
    for member in get_args(union):
        (name,) = get_args(_fields(member).type.type)
        short = member.__name__.removesuffix(tagged.name)
        variants[name] = _struct(member, f"struct variant {spoken}::{short}", tag="type")

    def structure_variant(value: Any, _: Any) -> Any:
        match value:
            case {"type": name}:
                rest = value
            case [name, *rest]:
                pass
            case {} | []:
                raise InvalidParamsError("missing field `type`")
            case _:
                raise wrong_type(value, f"internally tagged enum {spoken}")
        if type(name) is not str:
            raise wrong_type(name, "variant identifier")
        if name not in variants:
            if _newer.get():
                return value
            raise InvalidParamsError(unknown_name(name, variants))
        return variants[name](rest, None)

    return structure_variant


def _name_or_object(kind: Any) -> Hook:
    """Make a hook for names, and for objects of one field that are told apart by its name."""
    mark = (
        ExternallyTagged("") if get_origin(kind) is Literal else _mark(kind, ExternallyTagged)
    )
    union = kind if get_origin(kind) is Literal else get_args(kind)[0]
    members = (union,) if get_origin(union) is Literal else get_args(union)
    variants: dict[str, Hook | None] = {}
    for member in members:
        if get_origin(member) is Literal:
            variants |= dict.fromkeys(get_args(member))
        else:
            (field,) = _fields(member)
            variants[wire_name(field)] = _object_variant(member, field, mark.name)
    known = mark.known or tuple(variants)

    def structure_name(value: Any, _: Any) -> Any:
        match value:
            case str():
                name, content = value, None
            case dict() if len(value) == 1:
                ((name, content),) = value.items()
            case dict():
                raise InvalidParamsError("invalid value: map, expected map with a single key")
            case _:
                raise wrong_type(value, "string or map")
        name = mark.older.get(name, name)
        if name not in variants:
            if _newer.get():
                return value
            raise InvalidParamsError(unknown_name(name, known))
        variant = variants[name]
        if variant is None:
            unit(content, None)
            return name
        return variant(value, content)

    return structure_name


def _object_variant(cls: Any, field: Any, union: str) -> Hook:
    """Make a hook for an object of one field, given the whole and what the field holds."""
    shape = "struct variant" if attrs.has(field.type) else "newtype variant"
    if attrs.has(field.type):
        hook = _struct(
            field.type, f"struct variant {union}::{field.type.__name__}", shape=shape
        )
    else:
        hook = _converter.get_structure_hook(field.type)

    def structure_object(value: Any, content: Any) -> Any:
        if type(value) is str:
            raise InvalidParamsError(f"invalid type: unit variant, expected {shape}")
        return cls(**{field.name: hook(content, field.type)})

    return structure_object


def _untagged_union(kind: Any) -> Hook:
    members = [
        (member, _converter.get_structure_hook(member))
        for member in get_args(get_args(kind)[0])
    ]
    name = _mark(kind, Untagged).name

    def structure_first(value: Any, _: Any) -> Any:
        token = _newer.set(False)  # or the first one would take what the second one knows
        try:
            for member, hook in members:
                with suppress(InvalidParamsError):
                    return hook(value, member)
        finally:
            _newer.reset(token)
        raise InvalidParamsError(f"data did not match any variant of untagged enum {name}")

    return structure_first


def _plain_fields(cls: Any) -> Callable[[Any], Any]:
    fields = {
        field.name: override(
            rename=wire_name(field),
            omit_if_default=field.default is ABSENT or field.metadata.keys() >= LEFT_OUT.keys(),
        )
        for field in _fields(cls)
    }
    # cattrs reads the overrides as keyword arguments, which no checker can follow.
    return make_dict_unstructure_fn(cls, _converter, **fields)  # type: ignore[arg-type]


def _plain_if_words(value: Any) -> Any:
    return unstructure(value) if attrs.has(type(value)) else value


def _mark(kind: Any, mark: type[M]) -> M:
    """Return the mark of that sort that a type carries; there must be one."""
    (found,) = (one for one in kind.__metadata__ if isinstance(one, mark))
    return found


def _marked(mark: type) -> Callable[[Any], bool]:
    def is_marked(kind: Any) -> bool:
        return get_origin(kind) is Annotated and any(
            isinstance(one, mark) for one in kind.__metadata__
        )

    return is_marked


def _register() -> None:
    plain = {str: "a string", int: "an integer", bool: "a boolean"}
    for kind, expected in plain.items():
        _converter.register_structure_hook(kind, exactly(kind, expected))
    _converter.register_structure_hook(float, number)
    _converter.register_structure_hook(type(None), unit)
    # By identity: as a class, object would take in every other.
    for predicate in (lambda kind: kind is object, _marked(AsItCame)):
        _converter.register_structure_hook_func(predicate, lambda value, _: value)
        _converter.register_unstructure_hook_func(predicate, _plain_if_words)
    factories: list[tuple[Callable[[Any], bool], Callable[[Any], Hook]]] = [
        (lambda kind: get_origin(kind) is Literal, _name_or_object),
        (lambda kind: get_origin(kind) in (Union, types.UnionType), _optional),
        (lambda kind: get_origin(kind) is list, _list),
        (lambda kind: get_origin(kind) is dict, _map),
        (attrs.has, _struct),
        (_marked(Tagged), _tagged_union),
        (_marked(ExternallyTagged), _name_or_object),
        (_marked(Untagged), _untagged_union),
    ]
    scalars: dict[Any, Callable[[Any], Hook]] = {
        Whole: whole,
        Path: path,
        NotEmpty: not_empty,
        Uuid: thread_id,
    }
    for mark, make in scalars.items():
        factories.append((_marked(mark), partial(_scalar, mark, make)))
    for predicate, factory in factories:
        _converter.register_structure_hook_factory(predicate, factory)
    _converter.register_unstructure_hook_factory(attrs.has, _plain_fields)


_register()
