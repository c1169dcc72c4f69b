import json
import logging
import subprocess
import sys

import pytest

from pipeline.monitoring.logs import LogFormatter, redact_addresses


def record(message: str, **more: object) -> logging.LogRecord:
    made = logging.LogRecord("some.library", logging.WARNING, "", 0, message, None, None)
    made.created = 0.5
    made.__dict__.update(more)
    return made


def test_a_text_line_is_the_message() -> None:
    assert (
        LogFormatter().format(record("camera a: lost", camera="a")) == "fusetrack: camera a: lost"
    )


def test_a_json_line_has_time_level_context_and_message() -> None:
    lines = LogFormatter()
    lines.as_json, lines.context = True, {"part": "node", "site": "shop", "run": "7f"}
    assert json.loads(lines.format(record('lost "it"\nagain', camera="gate"))) == {
        "time": "1970-01-01T00:00:00.500+00:00",
        "level": "warning",
        "part": "node",
        "site": "shop",
        "run": "7f",
        "camera": "gate",
        "message": 'lost "it"\nagain',
    }
    assert "camera" not in json.loads(lines.format(record("Redis is back")))


@pytest.mark.parametrize("as_json", [False, True])
def test_no_line_contains_a_login(as_json: bool) -> None:
    lines = LogFormatter()
    lines.as_json = as_json
    try:
        raise ValueError("no answer from redis://:s3cr3t@h:6379/0")
    except ValueError:
        line = lines.format(record("opening rtsp://bob:s3cr3t@h/1", exc_info=sys.exc_info()))
    assert "s3cr3t" not in line
    assert "rtsp://h/1" in line
    assert "redis://h:6379/0" in line
    assert "Traceback" in line
    assert line.count("\n") == 0 or not as_json


def test_only_addresses_are_changed() -> None:
    text = "a: b@c, x://h/1, 5 s"
    assert redact_addresses(text) == text
    assert redact_addresses("'rtsp://u:p@h/1' and http://h/?token=x&n=1") == (
        "'rtsp://h/1' and http://h/?token=***&n=1"
    )


def test_everything_on_stderr_is_json_on_request() -> None:
    program = """
import logging, threading, warnings
from pipeline.monitoring import logs
from pipeline.cli import main
from pipeline.cli.output import fail, say
logs.set_up()
logging.getLogger("x").warning("as text")
logs.configure("json", "info", part="node")
logging.getLogger("x").info("first", extra={"camera": "a"})
logging.getLogger("x").debug("not shown")
warnings.warn("second")
say("third")
fail("fourth")
thread = threading.Thread(target=lambda: [][1], name="previews")
thread.start()
thread.join()
main.app = lambda: 1 / 0
logs.set_up = lambda: None
main.main()
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=600, check=False
    )
    first, *rest = ended.stderr.splitlines()
    assert first == "fusetrack: as text"
    lines = [json.loads(line) for line in rest]
    assert [line["level"] for line in lines] == [
        *("info", "warning", "info", "error", "error", "critical")
    ]
    assert [line["part"] for line in lines] == ["node"] * 6
    assert lines[0]["camera"] == "a"
    assert "second" in lines[1]["message"]
    assert lines[4]["message"] == "the thread previews ended: list index out of range"
    assert "IndexError" in lines[4]["traceback"]
    assert "ZeroDivisionError" in lines[5]["traceback"]
    assert ended.returncode == 1
