"""The keys of a site file as tables: its schema and the comments of ``configs/default.yaml``."""

import re
from collections.abc import Iterator
from typing import Any

from docs_site.markdown import code, prose, table
from pipeline.config.schema import SiteConfig
from pipeline.paths import config_folder

_LIMITS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "less than {}",
    "multipleOf": "a multiple of {}",
}
_TYPES = {
    "string": "text",
    "number": "number",
    "integer": "whole number",
    "boolean": "true or false",
    "array": "list",
    "object": "keys and values",
}

Schema = dict[str, Any]


def keys() -> str:
    """Every section with its keys, as Markdown.

    Raises LookupError for a key that nothing explains.
    """
    schema = SiteConfig.model_json_schema()
    comments = explained((config_folder() / "default.yaml").read_text())
    return "\n".join(_sections(schema, schema["$defs"], "", comments))


def _sections(
    section: Schema, known: Schema, place: str, comments: dict[str, str]
) -> Iterator[str]:
    """The table of a section, and those of the sections in it."""
    if place:
        yield f"## {place}\n\n{prose(section.get('description', ''))}\n"
    else:
        yield "## Top level\n"
    inner: list[tuple[str, Schema]] = []
    rows = []
    for key, value in section["properties"].items():
        path = f"{place}.{key}" if place else key
        parts = _parts(value, known)
        below = next((part for part in parts if "properties" in part), None)
        if below:
            inner.append((_place(path, value), below))
        text = _text(path, value, section, below, comments)
        required = key in section.get("required", ())
        rows.append(
            (code(key), _kind(parts, known), _shown_default(value, required), _limits(parts), text)
        )
    yield table(("key", "type", "default", "limits", "what"), rows)
    for path, below in inner:
        yield from _sections(below, known, path, comments)


def _parts(value: Schema, known: Schema) -> list[Schema]:
    """What a value may be, references followed, null left out."""
    found = value.get("anyOf", [value])
    parts = [known[part["$ref"].split("/")[-1]] if "$ref" in part else part for part in found]
    inner = [part.get("additionalProperties") or part.get("items") for part in parts]
    inner += [names for part in parts for names in part.get("patternProperties", {}).values()]
    references = [item["$ref"] for item in inner if isinstance(item, dict) and "$ref" in item]
    sections = [known[reference.split("/")[-1]] for reference in references]
    return [part for part in (*parts, *sections) if part.get("type") != "null"]


def _place(path: str, value: Schema) -> str:
    """How the keys of a section are reached: by the name of a camera, as entries of a list."""
    kinds = {value.get("type"), *(part.get("type") for part in value.get("anyOf", []))}
    if "array" in kinds:
        return f"{path}[]"
    return f"{path}.NAME" if "object" in kinds else path


def _kind(parts: list[Schema], known: Schema) -> str:
    kinds = []
    for part in parts:
        if "enum" in part:
            kinds.append(", ".join(code(choice) for choice in part["enum"]))
        elif part.get("type") == "array" and "prefixItems" in part:
            kinds.append(f"list of {len(part['prefixItems'])}")
        elif "properties" in part:
            kinds.append("section")
        elif part.get("format") == "date-time":
            kinds.append("time with its zone")
        else:
            kinds.append(_TYPES.get(part.get("type", ""), "value"))
    if "section" in kinds and len(kinds) > 1:
        kinds = ["list of sections" if "list" in kinds else "sections by name"]
    return " or ".join(dict.fromkeys(kinds))


def _limits(parts: list[Schema]) -> str:
    found = [
        words.format(f"{part[name]:g}")
        for part in parts
        for name, words in _LIMITS.items()
        if name in part
    ]
    return ", ".join(found)


def _shown_default(value: Schema, required: bool) -> str:
    if required:
        return "required"
    if "default" not in value:
        return "empty" if value.get("type") in ("array", "object") else ""
    default = value["default"]
    if isinstance(default, dict | list):
        return ""
    if isinstance(default, bool):
        return code(str(default).lower())
    return code("null" if default is None else default)


def _text(
    path: str, value: Schema, section: Schema, below: Schema | None, comments: dict[str, str]
) -> str:
    """What a key means: its comment, its description, or what its section says of it."""
    key = path.split(".")[-1]
    text = comments.get(path) or value.get("description", "") or _sentence(section, key)
    if below is not None and (not text or _place(path, value) != path):
        text = prose(below.get("description", "")).split("\n")[0]
    if not text:
        raise LookupError(f"{path} is explained neither in default.yaml nor in the schema")
    return prose(text.rstrip(":"))


def _sentence(section: Schema, key: str) -> str:
    """The sentences in which the description of a section names ``key``."""
    text = " ".join(section.get("description", "").split())
    found = re.split(r"(?<=[.:]) |; ", text)
    return " ".join(sentence for sentence in found if f"``{key}``" in sentence)


_KEY = re.compile(r"^(?P<indent> *)(?P<key>\w+):(?P<rest>[^#]*)(?:# *(?P<text>.*))?$")
_CAMERA_KEY = re.compile(r"^#(?P<indent> {3}| {5})(?P<key>\w+)(?:: \S+)? {2,}(?P<text>\S.*)$")
_LIVE = re.compile(r"^# {3}live +(?P<text>\S.*)$")
_MORE = re.compile(r"^ *# {10,}(?P<text>\S.*)$|^ {10,}# *(?P<more>\S.*)$")


def explained(text: str) -> dict[str, str]:
    """What the comments of a configuration say of each key, by its path.

    The keys of a camera stand in a comment of their own; their paths begin with ``cameras.NAME``.
    """
    comments: dict[str, str] = {}
    section = last = ""
    for line in text.splitlines():
        more = _MORE.match(line)
        camera = _CAMERA_KEY.match(line)
        key = _KEY.match(line)
        if camera:
            deep = len(camera["indent"]) == 5
            last = f"cameras.NAME.{'live.' if deep else ''}{camera['key']}"
            comments[last] = camera["text"]
        elif more and last:
            comments[last] += f" {more['text'] or more['more']}"
        elif key:
            section = section if key["indent"] else key["key"]
            last = f"{section}.{key['key']}" if key["indent"] else key["key"]
            if key["text"]:
                comments[last] = key["text"]
            else:
                last = ""
        else:
            last = ""
    return comments
