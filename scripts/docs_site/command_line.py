"""The commands of `fusetrack` as tables, from the commands themselves."""

from typing import Any

from typer.main import get_command

from docs_site.markdown import code, prose, table
from pipeline.cli.main import app


def commands() -> str:
    """Every command with its arguments and options, as Markdown."""
    return "\n".join(_commands(get_command(app), "fusetrack", 2))


def _commands(group: Any, name: str, level: int) -> list[str]:
    parts = []
    for short, command in group.commands.items():
        full = f"{name} {short}"
        parts.append(f"{'#' * level} {full}\n\n{prose(command.help or '')}\n")
        if hasattr(command, "commands"):
            parts += _commands(command, full, level + 1)
        else:
            parts.append(_parameters(command, full))
    return parts


def _parameters(command: Any, full: str) -> str:
    with command.make_context(full, [], resilient_parsing=True) as context:
        usage = f"```text\n{full} {' '.join(_usage(command, context))}\n```\n"
        rows = [_row(parameter, context) for parameter in command.params]
    return usage + "\n" + table(("parameter", "value", "default", "what"), rows)


def _usage(command: Any, context: Any) -> list[str]:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    needed = [p for p in command.params if p.param_type_name == "option" and p.required]
    names = [p.metavar or p.name.upper() for p in arguments]
    return [*names, *(f"{p.opts[0]} {_value(p, context)}" for p in needed), "[OPTIONS]"]


def _row(parameter: Any, context: Any) -> tuple[str, str, str, str]:
    argument = parameter.param_type_name == "argument"
    name = (parameter.metavar or parameter.name.upper()) if argument else parameter.opts[0]
    needed = "required" if parameter.required else _default(parameter)
    value = "" if argument else code(_value(parameter, context))
    text = prose(parameter.help or "")
    if parameter.envvar:
        text += f" From the environment: `{parameter.envvar}`."
    return code(name), value, needed, text


def _value(parameter: Any, context: Any) -> str:
    if getattr(parameter, "is_flag", False):
        return ""
    if parameter.metavar:
        return str(parameter.metavar)
    kind = str(parameter.display_type(context)).strip("<>").upper()
    return {"STR": "TEXT", "INT": "NUMBER", "FLOAT": "NUMBER"}.get(kind, kind)


def _default(parameter: Any) -> str:
    if getattr(parameter, "is_flag", False):
        return "off" if parameter.default is False else ""
    return "" if parameter.default is None else code(parameter.default)
