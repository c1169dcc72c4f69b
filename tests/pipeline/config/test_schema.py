from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from pipeline.config.load import check_config, load_config
from pipeline.config.schema import SiteConfig
from pipeline.errors import UserError

SQUARE = "[[1, 0, 0], [0, 1, 0], [0, 0, 1]]"
WIDE = "[[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 1]]"


def load(folder: Path, text: str) -> SiteConfig:
    path = folder / "site.yaml"
    path.write_text(text)
    return load_config(path)


def fault(folder: Path, text: str) -> str:
    """The error message for ``text``, without the name of the file."""
    with pytest.raises(UserError) as message:
        load(folder, text)
    message = str(message.value)
    assert message.startswith(f"{folder / 'site.yaml'}: ")
    assert "\n" not in message
    return message.removeprefix(f"{folder / 'site.yaml'}: ")


def test_omitted_keys_have_their_defaults(tmp_path: Path) -> None:
    assert load(tmp_path, "") == SiteConfig()
    config = load(tmp_path, "tracker: {name: ocsort}\ncameras: {gate: {source: a.mp4}}\n")
    assert (config.tracker.name, config.tracker.buffer_s) == ("ocsort", 1.0)
    assert config.cameras["gate"].source == "a.mp4"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("camreas: {}", "unknown key 'camreas'. Did you mean 'cameras'?"),
        ("cameras: {a: {sorce: x}}", "unknown key 'cameras.a.sorce'. Did you mean 'source'?"),
        ("detector: {modle: x}", "unknown key 'detector.modle'. Did you mean 'model'?"),
        ("origin: {longitud: 1}", "unknown key 'origin.longitud'. Did you mean 'longitude'?"),
        (
            "cameras: {a: {calibration: {homographie: 1}}}",
            "unknown key 'cameras.a.calibration.homographie'. Did you mean 'homography'?",
        ),
        (
            "recording: {xyz: 1}",
            "unknown key 'recording.xyz'. Known: segment_s, thumbnails, video",
        ),
    ],
)
def test_an_unknown_key_is_named_with_a_suggestion(
    tmp_path: Path, text: str, expected: str
) -> None:
    assert fault(tmp_path, text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "detector: {image_size: 100}",
            "detector.image_size: expected a multiple of 32, got 100",
        ),
        (
            "detector: {min_score: 1.01}",
            "detector.min_score: expected less than or equal to 1, got 1.01",
        ),
        ("detector: {batch: 0}", "detector.batch: expected greater than or equal to 1, got 0"),
        ("tracker: {buffer_s: 0}", "tracker.buffer_s: expected greater than 0, got 0"),
        (
            "association: {gallery_s: .inf}",
            "association.gallery_s: expected a finite number, got inf",
        ),
        ("reid: {min_quality: .nan}", "reid.min_quality: expected a finite number, got nan"),
        (
            "detector: {backend: openvin}",
            "detector.backend: expected 'auto', 'torch', 'openvino', 'onnx' or 'tensorrt', "
            "got 'openvin'",
        ),
        (
            "origin: {longitude: 181, latitude: 0}",
            "origin.longitude: expected less than or equal to 180, got 181",
        ),
        ("origin: {longitude: 0}", "origin.latitude is missing"),
        ("detector: yolo26n", "detector: expected keys and values, got 'yolo26n'"),
        ("cameras: {a: }", "cameras.a: expected keys and values, got None"),
        (
            "tracker: {options: {a: [1]}}",
            "tracker.options.a: expected true, false, a number or text, got a list",
        ),
    ],
)
def test_a_wrong_value_is_named_with_what_was_expected(
    tmp_path: Path, text: str, expected: str
) -> None:
    assert fault(tmp_path, text) == expected


def test_the_limits_are_valid(tmp_path: Path) -> None:
    config = load(tmp_path, "detector: {min_score: 1, image_size: 64, batch: 256}")
    assert (config.detector.min_score, config.detector.image_size) == (1.0, 64)


@pytest.mark.parametrize("name", ["gate", "Gate_2", "a.b-c", "-", ".hidden", "7"])
def test_valid_camera_names(tmp_path: Path, name: str) -> None:
    assert list(load(tmp_path, f"cameras: {{'{name}': {{}}}}").cameras) == [name]


@pytest.mark.parametrize("name", ["front door", "a/b", "caf\u00e9", "..", ".", "", "a\\nb", "a:b"])
def test_invalid_camera_names(tmp_path: Path, name: str) -> None:
    message = fault(tmp_path, f'cameras: {{"{name}": {{}}}}')
    assert "expected a name of A-Z a-z 0-9 _ - . that is not only dots, got " in message
    assert message.startswith("cameras.")
    with pytest.raises(UserError, match="site: expected a name of A-Z"):
        check_config({"site": name}, "here")


@pytest.mark.parametrize(("name", "read"), [("7", "7"), ("no", "False"), ("1.5", "1.5")])
def test_a_name_that_yaml_does_not_read_as_text(tmp_path: Path, name: str, read: str) -> None:
    message = fault(tmp_path, f"cameras: {{{name}: {{}}}}")
    assert message.endswith(f"expected a name in quotes, so that YAML reads it as text, got {read}")


@pytest.mark.parametrize(
    ("calibration", "expected"),
    [
        ("{}", "expected exactly one of projection and homography"),
        (
            f"{{projection: {WIDE}, homography: {SQUARE}}}",
            "expected exactly one of projection and homography",
        ),
        (f"{{projection: {SQUARE}}}", "expected projection as 3 rows of 4 numbers"),
        (f"{{homography: {WIDE}}}", "expected homography as 3 rows of 3 numbers"),
        ("{projection: []}", "expected projection as 3 rows of 4 numbers"),
        ("{homography: [[1, 0, 0], [0, 1, 0]]}", "expected homography as 3 rows of 3 numbers"),
        (
            "{homography: [[1, 0, 0], [2, 0, 0], [0, 0, 1]]}",
            "homography maps the ground to a line: expected independent rows",
        ),
    ],
)
def test_a_calibration_is_one_matrix_of_its_shape(
    tmp_path: Path, calibration: str, expected: str
) -> None:
    message = fault(tmp_path, f"cameras: {{a: {{calibration: {calibration}}}}}")
    assert message == f"cameras.a.calibration: {expected}"


@pytest.mark.parametrize("calibration", [f"projection: {WIDE}", f"homography: {SQUARE}"])
def test_either_calibration_is_valid(tmp_path: Path, calibration: str) -> None:
    load(tmp_path, f"cameras: {{a: {{calibration: {{{calibration}}}}}}}")


def test_a_matrix_holds_finite_numbers(tmp_path: Path) -> None:
    text = "cameras: {a: {calibration: {homography: [[1, 0, x], [0, .inf, 0], [0, 0, 1]]}}}"
    assert fault(tmp_path, text) == (
        "cameras.a.calibration.homography.0.2: expected a valid number, unable to parse string "
        "as a number, got 'x'"
    )
    assert fault(tmp_path, text.replace("x]", "2]")) == (
        "cameras.a.calibration.homography.1.1: expected a finite number, got inf"
    )


def test_a_start_needs_a_time_zone(tmp_path: Path) -> None:
    def start(text: str) -> datetime | None:
        return load(tmp_path, f"cameras: {{a: {{start: {text}}}}}").cameras["a"].start

    nine = datetime(2026, 5, 1, 9, tzinfo=UTC)
    assert start("2026-05-01T09:00:00Z") == nine
    assert start("'2026-05-01T09:00:00Z'") == nine
    assert start("2026-05-01 11:00:00+02:00") == nine
    assert start("2026-05-01T09:00:00.25Z") == nine + timedelta(seconds=0.25)
    east = start("'2026-05-01T14:30:00+05:30'")
    assert east == nine
    assert east.astimezone(timezone(timedelta(hours=1))).hour == 10
    for naive in ("2026-05-01 09:00:00", "'2026-05-01T09:00:00'", "2026-05-01"):
        message = fault(tmp_path, f"cameras: {{a: {{start: {naive}}}}}")
        assert message.startswith(
            "cameras.a.start: expected a time with a time zone, such as 2026-"
        )


def test_a_key_given_twice_is_named_with_its_line(tmp_path: Path) -> None:
    assert fault(tmp_path, "cameras:\n  a: {source: x}\n  a: {source: y}\n") == (
        "line 3: 'a' is given twice"
    )
    assert fault(tmp_path, "site: a\nsite: a\n") == "line 2: 'site' is given twice"


def test_a_camera_may_merge_the_keys_of_another(tmp_path: Path) -> None:
    text = "cameras:\n  a: &a {source: x, fps: 5}\n  b:\n    <<: *a\n    source: y\n"
    cameras = load(tmp_path, text).cameras
    assert (cameras["b"].source, cameras["b"].fps) == ("y", 5.0)
    assert (cameras["a"].source, cameras["a"].fps) == ("x", 5.0)


@pytest.mark.parametrize(
    "text",
    [
        "cameras: rtsp://joe:s3cret@host/1",
        "cameras: {a: rtsp://joe:s3cret@host/1}",
        "cameras: {a: {source: [rtsp://joe:s3cret@host/1]}}",
        "cameras: {a: {source: {url: rtsp://joe:s3cret@host/1}}}",
        "redis: [redis://joe:s3cret@host]",
        "detector: {batch: rtsp://joe:s3cret@host/1}",
        "cameras: {'rtsp://joe:s3cret@host/1': {}}",
        "rtsp://joe:s3cret@host/1: {}",
        "rtsp://joe:s3cret@host/1: {}\nrtsp://joe:s3cret@host/1: {}",
        "redis: redis://joe:s3cret@host\nredis: redis://joe:s3cret@host\n",
        "redis: [redis://joe:s3cret@host",
        "redis: !x redis://joe:s3cret@host",
        "cameras: {a: 'joe:s3cret@host/1'}",
        "cameras: {'joe:s3cret@host/1': {}}",
        "service: {metrics: 'joe:s3cret@host'}",
    ],
)
def test_a_password_is_never_shown(tmp_path: Path, text: str) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as message:
        load_config(path)
    assert "s3cret" not in str(message.value)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"a: [1", "is not valid YAML: while parsing a flow sequence"),
        (b"a: \xff", "is not valid YAML: 'utf-8' codec can't decode"),
        (b"- 1", ": expected keys and values at the top, got a list"),
        (b"only text", ": expected keys and values at the top, got a str"),
        (b"a: " + b"[" * 20_000, "is not valid YAML: it is nested too deeply"),
        (b"a: " + b"[" * 20_000 + b"]" * 20_000, "is not valid YAML: it is nested too deeply"),
        (b"a: " + b"{a: " * 5_000 + b"}" * 5_000, "is not valid YAML: it is nested too deeply"),
        (b"- " * 20_000, "is not valid YAML: it is nested too deeply"),
        (b"device: " + b"1" * 5_000, "is not valid YAML: Exceeds the limit"),
        (b"site: 0x" + b"f" * 5_000, "is not valid YAML: Exceeds the limit"),
        (b"a: 2026-13-45", "is not valid YAML: month must be in 1..12"),
        (b"a: !!int ''", "is not valid YAML: "),
        (b"a: !!timestamp x", "is not valid YAML: "),
        (b"&a [*a]", "grow to over 1000000 values"),
    ],
)
def test_a_file_that_is_not_a_configuration(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "site.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"site\.yaml") as message:
        load_config(path)
    assert expected in str(message.value)
    assert "\n" not in str(message.value)
    assert len(str(message.value)) < 500


@pytest.mark.parametrize(
    "grown",
    ["[" + ", ".join(["*a{}"] * 9) + "]", "{{<<: [" + ", ".join(["*a{}"] * 9) + "], k: 1}}"],
    ids=["lists", "merges"],
)
def test_references_that_multiply_are_refused(tmp_path: Path, grown: str) -> None:
    first = "a0: &a0 {k: 1}\n"
    text = first + "".join(
        f"a{n}: &a{n} " + grown.format(*[n - 1] * 9) + "\n" for n in range(1, 30)
    )
    assert fault(tmp_path, text) == "its references (& and *) grow to over 1000000 values"


def test_the_longest_name(tmp_path: Path) -> None:
    for text in ("cameras: {%s: {}}", "site: %s"):
        load(tmp_path, text % ("a" * 245))
        message = fault(tmp_path, text % ("a" * 246))
        assert "expected a name of at most 245 characters" in message
        assert len(message) < 350


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    for path, reason in ((tmp_path / "none.yaml", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(UserError, match=f"cannot read {path}: {reason}"):
            load_config(path)


def test_values_are_immutable() -> None:
    with pytest.raises(ValueError, match="frozen"):
        SiteConfig().detector.batch = 8
