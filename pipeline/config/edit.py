"""Change one value of a site file, and nothing else of it: comments, order and form stay.

The text of the value is replaced at the place where the YAML parser found it.
"""

import hashlib
from pathlib import Path
from typing import Any

import yaml

from pipeline.config.load import check_config, parse_yaml
from pipeline.errors import UserError, writing
from reid_model.atomic_file import replacing


class ChangedFileError(UserError):
    """The file is not what it was when it was read."""


def seen_of(path: Path) -> str:
    """What the file at ``path`` is now, as a hash. Raises UserError when it cannot be read."""
    return hashlib.sha256(_bytes(path)).hexdigest()[:16]


def save_homography(path: Path, camera_id: str, homography: list[list[float]], seen: str) -> str:
    """Write the calibration of a camera into the site file; returns the new `seen_of`.

    Raises ChangedFileError unless the file is as it was ``seen``, and UserError when it has no such
    camera, or in a form that cannot be changed without changing more; then it is unchanged.
    """
    content = _bytes(path)
    if hashlib.sha256(content).hexdigest()[:16] != seen:
        raise ChangedFileError(
            f"{path.name} was changed meanwhile: nothing was saved. Load it again, and save then"
        )
    text = content.decode("utf-8")
    changed = with_calibration(text, camera_id, homography, path.name)
    with writing(path), replacing(path) as partial:
        partial.write_bytes(changed.encode())
        partial.chmod(path.stat().st_mode & 0o777)
    return seen_of(path)


def with_calibration(text: str, camera_id: str, homography: list[list[float]], name: str) -> str:
    """``text``, a site file called ``name``, with this calibration of a camera."""
    wanted = _values(text, name)
    if camera_id not in (wanted.get("cameras") or {}):
        raise UserError(f"{name} has no camera {camera_id}: it was removed, or is in another file")
    changed = _changed(text, camera_id, homography)
    wanted["cameras"][camera_id] = {
        **(wanted["cameras"][camera_id] or {}),
        "calibration": {"homography": homography},
    }
    # Anchors, merged keys and unusual forms could change more than the one value.
    if changed is None or _values(changed, name) != wanted:
        raise UserError(
            f"{name} is written in a way that cannot be changed here: write "
            f"cameras.{camera_id}.calibration.homography: {homography} into it"
        )
    check_config(wanted, name)
    return changed


def _changed(text: str, camera_id: str, matrix: list[list[float]]) -> str | None:
    """``text`` with the matrix at its place; None where there is none."""
    cameras = _value(yaml.compose(text, yaml.SafeLoader), "cameras")
    camera = _value(cameras, camera_id)
    if camera is None:
        return None
    calibration = _value(camera, "calibration")
    if calibration is None:
        return _with_entry(text, camera, f"calibration: {{homography: {matrix}}}")
    homography = _value(calibration, "homography")
    if homography is None or len(calibration.value) > 1:
        rows = f"homography:\n{_rows(matrix, calibration)}"
        return _with_value(text, calibration, f"{{homography: {matrix}}}", rows)
    return _with_value(text, homography, str(matrix), _rows(matrix, homography).lstrip())


def _rows(matrix: list[list[float]], node: yaml.Node) -> str:
    """The rows one below the other, where ``node`` stands."""
    indent = " " * node.start_mark.column
    return "\n".join(f"{indent}- {row}" for row in matrix)


def _value(node: Any, key: str) -> Any:
    """The value of a key in a mapping; None without one."""
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for name, value in node.value if name.value == key), None)


def _end(node: Any) -> int:
    """Where the text of a node ends; that of a block goes on to the next one for the parser."""
    if isinstance(node, yaml.ScalarNode) or node.flow_style or not node.value:
        return int(node.end_mark.index)
    last = node.value[-1]
    return _end(last[1] if isinstance(last, tuple) else last)


def _with_value(text: str, node: Any, flow: str, block: str = "") -> str:
    """``text`` with another value in place of ``node``: in the form that the old one has."""
    start, end = node.start_mark.index, _end(node)
    is_block = isinstance(node, yaml.CollectionNode) and not node.flow_style
    # An empty value ends at the colon.
    space = " " if start == end and not text[:start].endswith(" ") else ""
    return f"{text[:start]}{space}{block if is_block else flow}{text[end:]}"


def _with_entry(text: str, node: Any, entry: str) -> str:
    if not isinstance(node, yaml.MappingNode):
        return _with_value(text, node, f"{{{entry}}}")
    if node.flow_style:
        end = node.end_mark.index - 1
        comma = ", " if node.value and not text[:end].rstrip().endswith(",") else ""
        return f"{text[:end].rstrip()}{comma}{entry}{text[end:]}"
    # After the comment in the line of the last entry.
    end = text.find("\n", _end(node))
    end = len(text) if end < 0 else end
    line_end = "\r\n" if text[:end].endswith("\r") else "\n"
    indent = " " * node.value[0][0].start_mark.column
    kept = text[:end].removesuffix("\r")
    return f"{kept}{line_end}{indent}{entry}{text[len(kept) :]}"


def _values(text: str, name: str) -> dict[str, Any]:
    found = parse_yaml(text, name)
    return found if isinstance(found, dict) else {}


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
