"""Plain values to frozen dataclasses, and what does not fit in one line that names it as the user wrote it."""

import json
from collections.abc import Hashable
from dataclasses import fields, is_dataclass
from functools import cache
from types import GenericAlias
from typing import Any, TypeVar, cast, get_args, get_type_hints

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, to_jsonable_python

from spin_bench.config.explain import one_line, unknown_setting
from spin_bench.core.errors import UserError, unknown

T = TypeVar("T")

STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)  # "no" is no boolean, 1.5 and true no integers
WANTED = {  # type of a fault -> what belongs there
    "int_type": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_type": "text",
    "tuple_type": "a list, {name}=[a,b]",
    "list_type": "a list, {name}=[a,b]",
    "dict_type": "a mapping, {name}={{name: value}}",
    "dataclass_type": "a mapping, {name}={{name: value}}",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "multiple_of": "a multiple of {multiple_of}",
}


def resolved(config: DictConfig) -> dict[str, Any]:
    """The configuration as plain values; `UserError` if an interpolation leads nowhere or a value is missing."""
    try:
        return dict(OmegaConf.to_container(config, resolve=True, throw_on_missing=True))  # type: ignore[arg-type]
    except OmegaConfBaseException as error:
        raise UserError(f"{one_line(error)}: give it a value") from error


def plain(settings: object) -> dict[str, Any]:
    """A dataclass as what YAML could say."""
    return to_jsonable_python(settings)  # type: ignore[no-any-return]


def typed(schema: type[T], values: object, where: str = "") -> T:
    """`values` as the dataclass `schema`; a wrong name, type or range is a `UserError`.

    `where` is what the user writes before the name of a setting, such as "settings.spin".
    """
    adapter: TypeAdapter[tuple[T]] = _adapter(cast(Hashable, schema))
    try:
        (checked,) = adapter.validate_json(json.dumps([values]))
    except ValidationError as error:
        raise _in_words(error.errors(include_url=False)[0], schema, where) from error
    return checked


@cache
def _adapter(schema: Any) -> TypeAdapter[tuple[Any]]:
    within: Any = GenericAlias(tuple, (schema,))  # a tuple, since a dataclass has no say in its own config
    return TypeAdapter(within, config=STRICT)


def _in_words(fault: ErrorDetails, schema: type, where: str) -> UserError:
    path = [str(part) for part in fault["loc"][1:] if part != "[key]"]
    name = ".".join(filter(None, [where, *path]))
    kind, value, context = fault["type"], shown(fault["input"]), fault.get("ctx", {})
    if kind == "unexpected_keyword_argument":
        known = [field.name for field in fields(_inner(schema, path[:-1]))]
        return unknown_setting(name.rpartition(".")[0], path[-1], known)
    if kind == "missing":
        return UserError(f"{name}: is missing: give it a value, {name}=...")
    if kind == "value_error":  # of a dataclass's own check, which names the setting
        return UserError(f"{name}.{context['error']}" if name else str(context["error"]))
    if kind == "literal_error":
        return unknown(name, value, [str(choice) for choice in get_args(_bare(_hint(schema, path)))])
    if kind == "string_type" and isinstance(fault["input"], (int, float)) and len(path) < 3:
        wanted = f"text: quote a number that is meant so, '{name}=\"{value}\"'"
        return UserError(f"{name}={value}: must be {wanted}")
    wanted = WANTED.get(kind, fault["msg"]).format(name=name, value=value, **context)
    return UserError(f"{name}={value}: must be {wanted}{', or null' if _nullable(schema, path) else ''}")


def shown(value: object) -> str:
    """A value as the user writes it."""
    if isinstance(value, str):
        return value
    return json.dumps(value).replace('"', "").replace("NaN", "nan")


def _inner(schema: type, path: list[str]) -> type:
    for part in path:
        schema = _bare(get_type_hints(schema)[part])
    return schema


def _hint(schema: type, path: list[str]) -> Any:
    """The annotation of a setting; None within a mapping or a list."""
    for part in path[:-1]:
        schema = _bare(get_type_hints(schema).get(part)) if is_dataclass(schema) else schema
    return get_type_hints(schema, include_extras=True).get(path[-1]) if path and is_dataclass(schema) else None


def _bare(hint: Any) -> Any:
    """Without `Annotated` and without `| None`."""
    if hasattr(hint, "__metadata__"):
        hint = hint.__origin__
    options = [option for option in get_args(hint) if option is not type(None)]
    return _bare(options[0]) if type(None) in get_args(hint) else hint


def _nullable(schema: type, path: list[str]) -> bool:
    hint = _hint(schema, path)
    return type(None) in get_args(getattr(hint, "__origin__", hint)) or type(None) in get_args(hint)
