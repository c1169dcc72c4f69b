"""`fusetrack export`, `evaluate`, `report` and `summary` on a hand-made run."""

import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

import msgspec
import pytest

import fork_server
from builders import camera, make_run
from command_line import IMPOSSIBLE_PLACES, Command, recorded_walk
from pipeline.errors import UserError
from pipeline.run import Run
from pipeline.run_directory.reader import RunDirectory

BOX = (10.0, 20.0, 50.0, 140.0)
ROWS = [("gate", frame, 1, BOX) for frame in range(5)] + [("yard", 2, 1, BOX), ("yard", 3, 2, BOX)]
OWNERS = {("gate", 1): 7, ("yard", 1): 7}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Two cameras, one person in both, and one track without a person."""
    return make_run(tmp_path / "run", ROWS, OWNERS)


def fusetrack_process(*arguments: object, stdout: int) -> subprocess.CompletedProcess[str]:
    return fork_server.run(*arguments, stdout=stdout, text=True, timeout=600)


def in_a_terminal(columns: int, *arguments: object) -> str:
    """The output of `fusetrack ARGUMENTS` in a terminal of ``columns`` columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")}
    with subprocess.Popen(
        [sys.executable, "-m", "pipeline", *map(str, arguments)],
        stdout=theirs,
        stderr=subprocess.STDOUT,
        env={**environment, "TERM": "dumb", "NO_COLOR": "1"},
    ) as process:
        os.close(theirs)
        said = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # Linux reports this when the other side is closed
                break
            if not part:
                break
            said += part
    os.close(ours)
    assert process.returncode == 0, said
    return said.decode()


def cells(text: str, row: int) -> list[str]:
    """The cells of a table row, joined over its wrapped lines."""
    lines = [line.split("│")[1:-1] for line in text.splitlines() if line.startswith("│")]
    parts = list(zip(*lines, strict=True))[row]
    return [part.strip() for part in parts]


def test_export_prints_its_path(fusetrack: Command, run: Path, tmp_path: Path) -> None:
    outcome = fusetrack("export", run, "--format", "csv")
    assert (outcome.code, outcome.out) == (0, f"{run / 'export' / 'trajectories.csv'}\n")
    assert len((run / "export" / "trajectories.csv").read_text().splitlines()) == 8
    outcome = fusetrack("export", run, "--format", "jsonl", "--out", tmp_path / "a.jsonl")
    assert outcome.out == f"{tmp_path / 'a.jsonl'}\n"
    assert len((tmp_path / "a.jsonl").read_text().splitlines()) == 7


def test_omitted_rows_are_logged_in_one_line(run: Path) -> None:
    ended = fusetrack_process("export", run, "--format", "mot", stdout=subprocess.PIPE)
    assert ended.returncode == 0
    assert ended.stdout == f"{run / 'export' / 'mot'}\n"
    assert ended.stderr == ("fusetrack: mot: 1 of 7 rows have no global id and are omitted\n")


def test_evaluate_prints_a_table(fusetrack: Command, run: Path, tmp_path: Path) -> None:
    (tmp_path / "gt").mkdir()
    lines = [f"{frame + 1},1,10,20,40,120,1,1,1" for frame in range(5)]
    (tmp_path / "gt" / "gate.txt").write_text("\n".join(lines))
    outcome = fusetrack("evaluate", run, "--ground-truth", tmp_path / "gt")
    assert outcome.code == 0
    assert "│ all cameras │ global │ 1.000 " in outcome.out
    assert outcome.err == "without ground truth: yard\n"
    outcome = fusetrack("evaluate", run, "--ground-truth", tmp_path / "gt", "--json")
    scores = json.loads(outcome.out)
    assert scores["all_cameras"]["idf1"] == 1.0
    assert scores["left_out"] == ["yard"]
    assert outcome.err == ""


def test_report_prints_its_path(fusetrack: Command, run: Path, tmp_path: Path) -> None:
    assert fusetrack("report", run).out == f"{run / 'report.html'}\n"
    page = tmp_path / "page.html"
    assert fusetrack("report", run, "--out", page).out == f"{page}\n"
    assert page.read_text().startswith("<!DOCTYPE html>")


def test_summary_lists_cameras_and_people(fusetrack: Command, run: Path) -> None:
    outcome = fusetrack("summary", run)
    assert outcome.code == 0
    assert "│ gate   │ 10     │ 640x480 │ complete │" in outcome.out
    assert "│ 7  │ gate, yard │ 2      │ 6     │ 00:00.0 │ 00:00.4 │ 0.90       │" in outcome.out
    listed = [line for line in outcome.out.splitlines() if line.startswith(str(run))]
    assert listed == sorted(str(path) for path in run.iterdir())
    tables = [line for line in outcome.out.splitlines() if line not in listed]
    assert max(map(len, tables)) < 80


def test_summary_of_a_run_that_has_not_begun(fusetrack: Command, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("site: x\n")
    outcome = fusetrack("summary", tmp_path)
    assert outcome.code == 0
    assert "│" not in outcome.out


def test_summary_prints_text_literally(fusetrack: Command, tmp_path: Path) -> None:
    detail = "truncated: [red]a[/b] :cat: 3 of 9"
    partial = msgspec.structs.replace(camera("gate"), state="partial", detail=detail)
    run = make_run(tmp_path / "run", ROWS[:1], {}, cameras=[partial])
    assert f"│ {detail} │" in fusetrack("summary", run).out


@pytest.mark.skipif(sys.platform != "linux", reason="reads a pseudo-terminal as Linux has it")
def test_a_narrow_terminal_wraps_and_truncates_nothing(tmp_path: Path) -> None:
    names = [f"north-entrance-{number}" for number in range(5)]
    start = 1_777_626_062.5
    cameras = [
        msgspec.structs.replace(camera(name), start=start, detail="truncated: " + "why " * 20)
        for name in names
    ]
    rows = [(name, frame, 1, BOX) for name in names for frame in range(3)]
    owners = {(name, 1): 123_456 for name in names}
    run = make_run(tmp_path / "run", rows, owners, cameras=cameras)
    said = in_a_terminal(80, "summary", run)
    table = said[said.index("people") :]
    assert max(len(line) for line in said.splitlines() if "│" in line) == 80
    assert "".join(cells(table, 0)) == "123456"
    assert "".join(cells(table, 1)) == ",".join(names)
    assert "…" not in said


@pytest.mark.parametrize(
    "arguments", [["summary"], ["export", "--format", "csv"], ["--help"], ["weights", "list"]]
)
def test_a_closed_pipe_is_not_an_error(run: Path, arguments: list[str]) -> None:
    on_a_run = arguments[0] in ("summary", "export")
    reader, writer = os.pipe()
    os.close(reader)
    try:
        ended = fusetrack_process(*arguments, *([run] if on_a_run else []), stdout=writer)
    finally:
        os.close(writer)
    assert ended.stderr == ""


def test_a_run_is_no_worse_where_nothing_can_be_said(tmp_path: Path) -> None:
    recorded_walk(tmp_path / "walk.parquet", frames=12)
    for stream, options, code in (("2> /dev/full", "", 0), ("> /dev/full", "--json", 2)):
        out = f"run{code}"
        command = f'exec "$0" -m fusetrack run walk.parquet --out {out} {options} {stream}'
        ended = subprocess.run(
            ["/bin/sh", "-c", command, sys.executable],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
        )
        assert (ended.returncode, "Traceback" in ended.stderr) == (code, False)
        assert len(RunDirectory(tmp_path / out).trajectories()) == 24


@pytest.mark.parametrize(
    ("stream", "code", "said"),
    [
        ("> /dev/full", 2, "fusetrack: cannot write the output: No space left on device\n"),
        (">&-", 0, ""),
    ],
)
def test_a_stream_that_takes_nothing_is_no_fault_of_ours(
    run: Path, tmp_path: Path, stream: str, code: int, said: str
) -> None:
    ended = subprocess.run(
        ["/bin/sh", "-c", f'exec "$0" -m fusetrack summary "$1" {stream}', sys.executable, run],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert (ended.returncode, ended.stderr) == (code, said)


def test_stats_prints_counts_and_writes_tables(
    fusetrack: Command, run: Path, tmp_path: Path
) -> None:
    outcome = fusetrack("stats", run)
    assert outcome.code == 0
    assert "│ camera │ gate  │ 1      │ 1      │ 0.4 s │ 0.4 s   │ 1            │" in outcome.out
    assert outcome.out.endswith(f"{run / 'stats'}\n")
    assert len((run / "stats" / "visits.csv").read_text().splitlines()) == 4
    site = tmp_path / "site.yaml"
    site.write_text(
        "zones: {till: {camera: gate, points: [[0, 0], [640, 0], [640, 480], [0, 480]]}}\n"
        "lines: {door: {camera: gate, points: [[20, 0], [20, 300]]}}\n"
    )
    assert "│ till │ 1      │ 1      │ 0.4 s" in fusetrack("stats", run, "--config", site).out
    outcome = fusetrack("stats", run, "--config", site, "--json")
    counts = json.loads(outcome.out)
    assert counts["places"][0]["people"] == 1
    assert [line["times"] for line in counts["lines"]] == [0, 0]
    assert counts["dwell"][0]["longest_s"] == pytest.approx(0.4)
    assert counts["unidentified"] == 1


@pytest.mark.parametrize(("places", "said"), IMPOSSIBLE_PLACES)
def test_places_that_cannot_be_are_one_line_and_the_same_in_python(
    fusetrack: Command, run: Path, tmp_path: Path, places: str, said: str
) -> None:
    site = tmp_path / "site.yaml"
    site.write_text(places + "\n")
    outcome = fusetrack("stats", run, "--config", site)
    assert (outcome.code, len(outcome.err.splitlines())) == (2, 1)
    assert said in outcome.err
    (run / "config.yaml").write_text(f"site: shop\n{places}\n")
    with pytest.raises(UserError, match=said):
        Run(run).visits()


def test_stats_of_what_does_not_fit_the_run_is_one_line(
    fusetrack: Command, run: Path, tmp_path: Path
) -> None:
    site = tmp_path / "site.yaml"
    site.write_text("zones: {till: {camera: gat, points: [[0, 0], [9, 0], [9, 9]]}}\n")
    outcome = fusetrack("stats", run, "--config", site)
    assert (outcome.code, len(outcome.err.splitlines())) == (2, 1)
    assert "zones.till names camera gat, which the site does not have" in outcome.err
    assert not (run / "stats").exists()
    assert fusetrack("stats", run, "--format", "xls").code == 2


def test_stats_writes_a_page_on_request(fusetrack: Command, run: Path, tmp_path: Path) -> None:
    outcome = fusetrack("stats", run, "--html", "--format", "parquet", "--out", tmp_path / "a")
    assert outcome.out.endswith(f"{tmp_path / 'a'}\n{tmp_path / 'a' / 'statistics.html'}\n")
    assert (tmp_path / "a" / "visits.parquet").is_file()
