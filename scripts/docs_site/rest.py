"""The addresses of the live API as Markdown, from its OpenAPI schema."""

import threading
import time
from collections.abc import Iterator
from typing import Any, cast

from docs_site.markdown import code, prose, table
from pipeline.api.app import make_app
from pipeline.api.users import API, Users

Schema = dict[str, Any]

# A limit from here on only says that a number is one of 64 bits.
_ENDLESS = 1e15


def addresses() -> str:
    """Every address with what it takes and answers, then the shapes of the answers."""
    schema = schema_of_api()
    parts = [
        *_operations(schema),
        "## Response schemas\n",
        *_answers(schema["components"]["schemas"]),
    ]
    return "\n".join(parts)


def schema_of_api() -> Schema:
    """The OpenAPI schema of an API that asks for a token."""
    nothing = cast(Any, None)
    stop = threading.Event()
    users = Users({"x" * 16: API}, time.time)
    app = make_app(nothing, nothing, users=users, local=False, stop=stop)
    return app.openapi()


def _operations(schema: Schema) -> Iterator[str]:
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield f"### {method.upper()} {path}\n"
            yield prose(operation.get("description", "")) + "\n"
            yield table(
                ("parameter", "in", "type", "default", "what"),
                (_parameter(found) for found in operation.get("parameters", [])),
            )
            yield table(("status", "response"), _responses(operation["responses"]))


def _parameter(parameter: Schema) -> tuple[str, ...]:
    schema = parameter["schema"]
    default = "required" if parameter.get("required") else code(_shown(schema.get("default")))
    limits = [
        f"{words} {schema[name]:g}"
        for name, words in (
            ("minimum", "at least"),
            ("exclusiveMinimum", "more than"),
            ("maximum", "at most"),
        )
        if name in schema and schema[name] < _ENDLESS
    ]
    text = " ".join([parameter.get("description", ""), *(["Limits:"] if limits else [])])
    return (
        code(parameter["name"]),
        parameter["in"],
        _type(schema),
        default,
        f"{text} {', '.join(limits)}".strip(),
    )


def _shown(value: object) -> str:
    shown: dict[object, str] = {None: "null", True: "true", False: "false"}
    return shown[value] if value is None or isinstance(value, bool) else str(value)


def _responses(responses: Schema) -> Iterator[tuple[str, str]]:
    for status, response in sorted(responses.items()):
        kinds = response.get("content", {})
        what = [_type(kind["schema"]) for kind in kinds.values() if kind.get("schema")]
        pictures = [code(name) for name, kind in kinds.items() if not kind.get("schema")]
        text = response["description"].replace("Successful Response", "")
        yield status, ", ".join(filter(None, (*what, *pictures, text)))


def _type(schema: Schema) -> str:
    if "$ref" in schema:
        name = schema["$ref"].split("/")[-1]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(map(_type, schema["anyOf"]))
    if "enum" in schema:
        return ", ".join(code(value) for value in schema["enum"])
    if schema.get("type") == "array":
        if "prefixItems" in schema:
            return f"list of {len(schema['prefixItems'])} numbers"
        return f"list of {_type(schema.get('items', {}))}"
    return str(schema.get("type", "anything"))


def _answers(schemas: Schema) -> Iterator[str]:
    for name, schema in schemas.items():
        yield f"### {name}\n\n{prose(schema.get('description', ''))}\n"
        fields = schema.get("properties", {}).items()
        yield table(("field", "type"), ((code(key), _type(value)) for key, value in fields))
