"""A calibration is saved into a site file, of which everything else stays as it is."""

from pathlib import Path

import pytest

from pipeline.config.edit import ChangedFileError, save_homography, seen_of, with_calibration
from pipeline.config.load import load_config
from pipeline.errors import UserError

MATRIX = [[10.0, 0.0, 1.5], [0.0, 10.0, 2.0], [0.0, 0.0, 1.0]]
FLOW = str(MATRIX)
ROWS = "\n".join(f"      - {row}" for row in MATRIX)
# A calibration with comments.
HEAD = "cameras:\n  gate:\n    calibration:\n      # to pixels\n      homography:\n"
TAIL = "\n    # then\n    fps: 5\n"
NEW = f"{HEAD}{ROWS}{TAIL}"


def saved(text: str, camera: str = "gate") -> str:
    return with_calibration(text, camera, MATRIX, "site.yaml")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "site: shop # ours\ncameras:\n  gate:\n    source: a.mp4 # north\n\n  hall: {}\n",
            "site: shop # ours\ncameras:\n  gate:\n    source: a.mp4 # north\n"
            f"    calibration: {{homography: {FLOW}}}\n\n  hall: {{}}\n",
        ),
        ("cameras: {gate: {source: a.mp4}}", "cameras: {gate: {source: a.mp4, CAL}}"),
        ("cameras: {gate: {}, hall: {}}", "cameras: {gate: {CAL}, hall: {}}"),
        ("cameras:\n  gate:\n  hall: {}\n", "cameras:\n  gate: {CAL}\n  hall: {}\n"),
        (
            "cameras:\r\n  gate:\r\n    source: a.mp4\r\nsite: s\r\n",
            "cameras:\r\n  gate:\r\n    source: a.mp4\r\n    CAL\r\nsite: s\r\n",
        ),
        ("cameras:\n  gate:\n    source: a.mp4", "cameras:\n  gate:\n    source: a.mp4\n    CAL"),
    ],
)
def test_a_camera_gets_a_calibration(before: str, after: str) -> None:
    assert saved(before) == after.replace("CAL", f"calibration: {{homography: {FLOW}}}")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"{HEAD}      - [1, 0, 0] # one\n      - [0, 1, 0]\n      - [0, 0, 1]{TAIL}", NEW),
        (
            f"{HEAD}        - - 1\n          - 0\n          - 0\n        - [0, 1, 0]\n"
            f"        - [0, 0, 1]{TAIL}",
            NEW.replace("      - ", "        - "),
        ),
        (
            "cameras:\n  gate: {calibration: {homography: [[1, 0, 0], [0, 1, 0], [0, 0, 1]]}}\n",
            f"cameras:\n  gate: {{calibration: {{homography: {FLOW}}}}}\n",
        ),
        (
            "cameras:\n  gate:\n    calibration:\n      projection: [[1, 0, 0, 0], [0, 1, 0, 0], "
            "[0, 0, 1, 1]]\n  hall: {}\n",
            f"cameras:\n  gate:\n    calibration:\n      homography:\n{ROWS}\n  hall: {{}}\n",
        ),
        (
            "cameras:\n  gate:\n    calibration: null\n",
            f"cameras:\n  gate:\n    calibration: {{homography: {FLOW}}}\n",
        ),
        (
            "cameras:\n  gate:\n    calibration:\n    fps: 5\n",
            f"cameras:\n  gate:\n    calibration: {{homography: {FLOW}}}\n    fps: 5\n",
        ),
    ],
)
def test_a_calibration_is_replaced(before: str, after: str) -> None:
    assert saved(before) == after


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("cameras: {hall: {}}", "has no camera gate"),
        ("[]", "has no camera gate"),
        ("cameras:\n  hall: &one {source: a.mp4}\n  gate: *one\n", "cannot be changed here: write"),
        (
            "cameras:\n  hall: &one {calibration: {homography: [[1, 0, 0], [0, 1, 0], [0, 0, 1]]}}"
            "\n  gate: {<<: *one}\n",
            "",
        ),
        ("cameras: {gate: {sauce: a.mp4}}", "unknown key 'cameras.gate.sauce'"),
        ("cameras: {gate: [", "is not valid YAML"),
    ],
)
def test_what_cannot_be_changed_is_refused(text: str, named: str) -> None:
    if not named:
        # A merged key is overridden, not changed.
        assert "{<<: *one, calibration" in saved(text)
        return
    with pytest.raises(UserError, match=named) as refused:
        saved(text)
    assert "\n" not in str(refused.value)


def test_a_file_is_saved_unless_it_was_changed_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text("# ours\ncameras: {gate: {source: a.mp4}}\n")
    path.chmod(0o640)
    seen = seen_of(path)
    after = save_homography(path, "gate", MATRIX, seen)
    assert after == seen_of(path) != seen
    assert load_config(path).cameras["gate"].view is not None
    assert path.read_text().startswith("# ours\n")
    assert path.stat().st_mode & 0o777 == 0o640
    content = path.read_bytes()
    with pytest.raises(ChangedFileError, match=r"site\.yaml was changed meanwhile"):
        save_homography(path, "gate", MATRIX, seen)
    assert path.read_bytes() == content
    assert [item.name for item in tmp_path.iterdir()] == ["site.yaml"]
    with pytest.raises(UserError, match="cannot read"):
        save_homography(tmp_path / "none.yaml", "gate", MATRIX, seen)
