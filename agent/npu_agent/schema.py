"""The JSON Schemas are the one description of every document: they validate, and they are what is published."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "schemas"


class SchemaError(ValueError):
    """A document does not fit its schema; `field` is the dotted path of the first thing that is wrong."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(detail)
        self.field = field


@functools.cache
def load(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return document


@functools.cache
def _validator(name: str) -> Callable[[Any], Any]:
    import fastjsonschema  # noqa: PLC0415  # 20 ms that only the first validation has to pay

    # fastjsonschema knows draft 7; the schemas use only what both drafts share.
    document = {key: value for key, value in load(name).items() if key != "$schema"}
    compiled: Callable[[Any], Any] = fastjsonschema.compile(document, use_default=False)
    return compiled


def check(name: str, document: Any) -> None:
    """Raise SchemaError with the field's name where the document does not fit."""
    import fastjsonschema  # noqa: PLC0415  # see _validator

    try:
        _validator(name)(document)
    except fastjsonschema.JsonSchemaValueException as error:
        field = ".".join(str(part) for part in error.path[1:])
        raise SchemaError(field, _sentence(error, field)) from None


def _sentence(error: Any, field: str) -> str:
    where = field or "the document"
    if error.rule == "additionalProperties":
        known = error.definition.get("properties", {})
        extra = sorted(str(key) for key in error.value if key not in known)
        return f"{where} has keys that nobody knows: {', '.join(extra)} (known: {', '.join(sorted(known))})."
    if error.rule == "required":
        missing = sorted(key for key in error.rule_definition if key not in error.value)
        return f"{where} lacks {', '.join(missing)}."
    if error.rule == "oneOf":
        return f"{where} is none of the allowed forms: {error.definition.get('description', '')}".strip()
    text = str(error.message).replace("data.", "", 1) if field else str(error.message).replace("data", where, 1)
    return f"{text}."
