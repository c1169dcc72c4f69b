import io
import json
import threading

import pytest

from pipeline.monitoring import progress
from pipeline.monitoring.progress import Tally, shown, write_event


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_frames_speed_and_people_of_each_camera() -> None:
    clock = Clock()
    tally = Tally(["gate", "yard"], clock)
    clock.now += 30  # the models are loaded
    tally.on_frames("gate", 4)
    clock.now += 4
    tally.on_frames("gate", 20)
    tally.on_decision("gate", 1, 7)
    tally.on_decision("gate", 2, 8)
    tally.on_decision("yard", 1, 7)
    assert tally.people() == 2
    assert tally.rows() == [("gate", 20, 4.0, 2), ("yard", 0, 0.0, 1)]
    assert tally.elapsed_s() == 34.0


def test_people_who_turn_out_to_be_one_count_once() -> None:
    tally = Tally(["gate"])
    tally.on_decision("gate", 1, 7)
    tally.on_decision("gate", 2, 8)
    tally.on_decision("gate", 2, 7)
    assert tally.people() == 1


def test_before_anything_happened_there_is_nothing() -> None:
    tally = Tally(["gate", "yard"], Clock())
    assert tally.event("progress") == {
        "event": "progress",
        "people": 0,
        "cameras": {
            "gate": {"frames": 0, "frames_per_s": 0.0, "people": 0},
            "yard": {"frames": 0, "frames_per_s": 0.0, "people": 0},
        },
    }
    table = tally.table()
    assert (table.title, table.row_count) == ("0 people", 2)


def test_json_is_told_while_it_runs_and_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    told = threading.Event()

    class Stream(io.StringIO):
        def flush(self) -> None:
            told.set()

    monkeypatch.setattr(progress, "_EVENT_EVERY_S", 0.001)
    tally, stream = Tally(["gate"]), Stream()
    with shown(tally, "json", stream):
        assert told.wait(5)
        tally.on_frames("gate", 3)
    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert len(events) >= 2
    assert {event["event"] for event in events} == {"progress"}
    assert (events[0]["cameras"]["gate"]["frames"], events[-1]["cameras"]["gate"]["frames"]) == (
        0,
        3,
    )
    assert "progress" not in {thread.name for thread in threading.enumerate()}


def test_json_is_told_at_the_end_when_the_work_fails() -> None:
    stream = io.StringIO()
    with pytest.raises(KeyError), shown(Tally(["gate"]), "json", stream):
        raise KeyError
    assert json.loads(stream.getvalue())["event"] == "progress"


def test_a_listener_who_has_left_does_not_end_the_run() -> None:
    class Closed(io.StringIO):
        def flush(self) -> None:
            raise BrokenPipeError

    write_event({"event": "finished"}, Closed())


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with shown(Tally(["gate"]), "quiet"):
        pass
    assert capsys.readouterr() == ("", "")


def test_the_table_goes_to_stderr_and_ends_with_the_last_figures(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tally = Tally(["gate"])
    with shown(tally, "table"):
        tally.on_frames("gate", 1234)
        tally.on_decision("gate", 1, 7)
    out, err = capsys.readouterr()
    assert out == ""
    assert "1 person" in err
    assert "1234" in err
