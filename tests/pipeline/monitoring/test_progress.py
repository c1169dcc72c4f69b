import io
import json
import threading

import pytest

from fakes import Clock
from pipeline.monitoring import progress
from pipeline.monitoring.progress import Tally, progress_mode, show_progress, write_event


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


def test_merged_people_count_once() -> None:
    tally = Tally(["gate"])
    tally.on_decision("gate", 1, 7)
    tally.on_decision("gate", 2, 8)
    tally.on_decision("gate", 2, 7)
    assert tally.people() == 1


def test_people_of_a_month_are_counted_in_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_TRACKS", 3)
    tally = Tally(["gate"])
    # Every person comes by in two tracks, long apart.
    for track, person in enumerate([*range(1, 101), *range(1, 101)]):
        tally.on_decision("gate", track, person)
        tally.on_decision("yard", track, person)
    assert (tally.people(), tally.rows()) == (100, [("gate", 0, 0.0, 100)])
    assert [len(tracks) for tracks in tally._identities.values()] == [3, 3]


def test_a_new_tally_is_empty() -> None:
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


def test_json_events_are_written_during_the_run_and_at_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    flushed = threading.Event()

    class Stream(io.StringIO):
        def flush(self) -> None:
            flushed.set()

    monkeypatch.setattr(progress, "_EVENT_EVERY_S", 0.001)
    tally, stream = Tally(["gate"]), Stream()
    with show_progress(tally, "json", stream):
        assert flushed.wait(5)
        tally.on_frames("gate", 3)
    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert len(events) >= 2
    assert {event["event"] for event in events} == {"progress"}
    assert (events[0]["cameras"]["gate"]["frames"], events[-1]["cameras"]["gate"]["frames"]) == (
        0,
        3,
    )
    assert "progress" not in {thread.name for thread in threading.enumerate()}


def test_a_json_event_is_written_when_the_run_fails() -> None:
    stream = io.StringIO()
    with pytest.raises(KeyError), show_progress(Tally(["gate"]), "json", stream):
        raise KeyError
    assert json.loads(stream.getvalue())["event"] == "progress"


def test_a_closed_pipe_does_not_end_the_run() -> None:
    class Closed(io.StringIO):
        def flush(self) -> None:
            raise BrokenPipeError

    write_event({"event": "finished"}, Closed())


def test_quiet_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with show_progress(Tally(["gate"]), "quiet"):
        pass
    assert capsys.readouterr() == ("", "")


def test_the_table_goes_to_stderr_and_ends_with_the_last_figures(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tally = Tally(["gate"])
    with show_progress(tally, "table"):
        tally.on_frames("gate", 1234)
        tally.on_decision("gate", 1, 7)
    out, err = capsys.readouterr()
    assert out == ""
    assert "1 person" in err
    assert "1234" in err


def test_where_a_program_shows_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    assert progress_mode(False) == "quiet"
    assert progress_mode(True) == "table"
    for seen, mode in ((True, "table"), (False, "quiet")):
        monkeypatch.setattr("sys.stderr.isatty", lambda seen=seen: seen)
        assert progress_mode(None) == mode


def test_the_table_of_a_notebook_is_escaped() -> None:
    tally = Tally(["<b>gate"])
    tally.on_frames("<b>gate", 3)
    tally.on_decision("<b>gate", 1, 7)
    assert "<td>&lt;b&gt;gate</td><td>3</td>" in tally.html()
    assert "<caption>1 person</caption>" in tally.html()
