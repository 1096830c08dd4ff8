"""The page at /docs: how to start, watch and stop a container with curl, and every operation of the API document.

It is made from that document alone, holds no script, and asks nothing of any other server.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any

Json = Mapping[str, Any]

HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'",
}
_GUIDE = Path(__file__).parent / "docs.html"
_ORDER = ("get", "put", "post", "delete")


def page(document: Json) -> str:
    """Put the operations and the schemas into the guide's places."""
    info = document["info"]
    operations = [
        (path, method, methods[method])
        for path, methods in document["paths"].items()
        for method in _ORDER
        if method in methods
    ]
    places = {
        "@title@": escape(info["title"]),
        "@version@": escape(info["version"]),
        "@overview@": "".join(_row(path, method, told) for path, method, told in operations),
        "@operations@": "".join(_operation(path, method, told) for path, method, told in operations),
        "@schemas@": "".join(_schema(name, told) for name, told in sorted(document["components"]["schemas"].items())),
    }
    text = _GUIDE.read_text(encoding="utf-8")
    for place, content in places.items():
        text = text.replace(place, content)
    return text


def _row(path: str, method: str, told: Json) -> str:
    link = f'<a href="#{escape(told["operationId"])}"><code>{method.upper()} {escape(path)}</code></a>'
    return f"<tr><td>{link}</td><td>{_scope(told)}</td><td>{escape(told['summary'])}</td></tr>\n"


def _scope(told: Json) -> str:
    """`view`, `operate`, or that no credential is needed, as the description says it."""
    if not told["security"]:
        return "none"
    return escape(str(told["description"]).replace("Needs the scope ", "").rstrip("."))


def _operation(path: str, method: str, told: Json) -> str:
    parts = [
        f'<h3 id="{escape(told["operationId"])}"><code>{method.upper()} {escape(path)}</code></h3>\n',
        f"<p>{escape(told['summary'])}. {escape(told['description'])}</p>\n",
        _parameters(told.get("parameters", ())),
    ]
    if "requestBody" in told:
        parts.append(f"<p>Takes {_content(told['requestBody']['content'])}.</p>\n")
    rows = "".join(
        f"<tr><td>{escape(status)}</td><td>{_content(answer['content'])}</td></tr>\n"
        for status, answer in told["responses"].items()
    )
    return "".join([*parts, f"<table><tr><th>Status</th><th>Answer</th></tr>\n{rows}</table>\n"])


def _parameters(parameters: Any) -> str:
    if not parameters:
        return ""
    rows = "".join(map(_parameter, parameters))
    return f"<table><tr><th>Parameter</th><th>In</th><th>Kind</th><th></th></tr>\n{rows}</table>\n"


def _parameter(told: Json) -> str:
    words = told.get("description") or told["schema"].get("description", "")
    name, place = escape(told["name"]), escape(told["in"])
    cells = (f"<code>{name}</code>", place, _kind(told["schema"]), escape(words))
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>\n"


def _content(content: Json) -> str:
    found = []
    for media_type, told in content.items():
        name = str(told["schema"].get("$ref", "")).rpartition("/")[2]
        words = f'<a href="#schema-{name}">{name}</a>' if name else "text"
        found.append(f"{words} (<code>{escape(media_type)}</code>)")
    return " or ".join(found)


def _schema(name: str, told: Json) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(key)}</code></td><td>{kind}</td><td>{escape(words)}</td></tr>\n"
        for key, kind, words in _keys(told, "")
    )
    words = f"<p>{escape(told['description'])}</p>\n" if "description" in told else ""
    return f'<h3 id="schema-{escape(name)}">{escape(name)}</h3>\n{words}<table>{rows}</table>\n'


def _keys(told: Json, before: str) -> Iterator[tuple[str, str, str]]:
    """Every key of an object, those of the objects in it after a dot, those of a list's items after []."""
    needed = told.get("required", ())
    for key, inner in told.get("properties", {}).items():
        must = " (required)" if key in needed and not before else ""
        yield before + key, _kind(inner), str(inner.get("description", "")) + must
        yield from _keys(inner, f"{before}{key}.")
        yield from _keys(inner.get("items", {}), f"{before}{key}[].")
        for form in inner.get("oneOf", ()):
            yield from _keys(form, f"{before}{key}.")


def _kind(told: Json) -> str:
    if "$ref" in told:
        name = str(told["$ref"]).rpartition("/")[2]
        return f'<a href="#schema-{name}">{name}</a>'
    if "enum" in told:
        return escape(", ".join(json.dumps(value) for value in told["enum"]))
    if "oneOf" in told:
        return " or ".join(_kind(form) for form in told["oneOf"])
    kinds = told.get("type", "anything")
    words = escape(kinds if isinstance(kinds, str) else " or ".join(kinds))
    if "items" in told:
        words += f" of {_kind(told['items'])}"
    return words + _bounds(told)


def _bounds(told: Json) -> str:
    low, high = told.get("minimum"), told.get("maximum")
    if low is not None and high is not None:
        return f", {low} to {high}"
    return f" <code>{escape(told['pattern'])}</code>" if "pattern" in told else ""
