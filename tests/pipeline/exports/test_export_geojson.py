"""geojson, read back with geopandas on pyogrio; places checked against pyproj."""

import json
from collections.abc import Iterable
from pathlib import Path

import geopandas
import pyarrow as pa
import pyogrio
import pytest
import yaml
from pyproj import Geod, Transformer

from builders import camera, make_run
from pipeline.errors import UserError
from pipeline.exports import export_run
from pipeline.exports.geojson import GAP_S
from pipeline.run_directory.reader import RunDirectory
from pipeline.run_directory.schema import OBSERVATIONS
from pipeline.run_directory.segments import write_segment

Point = tuple[float, float, float, float]  # timestamp, track_id, ground_x, ground_y
ORIGIN = {"longitude": 13.4, "latitude": 52.5}
TO_METRES = Transformer.from_crs("EPSG:4326", "+proj=aeqd +lon_0=13.4 +lat_0=52.5", always_xy=True)


def metres(coordinates: Iterable[tuple[float, float]]) -> list[list[float]]:
    """Longitudes and latitudes as metres from the origin, to the centimetre."""
    return [[round(value, 2) + 0.0 for value in TO_METRES.transform(*c)] for c in coordinates]


def run_on_the_ground(
    folder: Path, points: dict[str, list[Point]], origin: dict[str, float] | None = None
) -> RunDirectory:
    """Tracks of camera -> rows, each track owned by the person of its own number."""
    identities = {(name, int(row[1])): int(row[1]) for name, rows in points.items() for row in rows}
    make_run(folder, [], identities, cameras=[camera(name) for name in points])
    (folder / "config.yaml").write_text(yaml.safe_dump({"site": "test", "origin": origin}))
    for name, rows in points.items():
        box = {"x1": 0.0, "y1": 0.0, "x2": 1.0, "y2": 1.0, "score": 0.5}
        table = [
            {
                "frame_index": index,
                "timestamp": timestamp,
                "track_id": int(track_id),
                **box,
                "ground_x": x,
                "ground_y": y,
            }
            for index, (timestamp, track_id, x, y) in enumerate(rows)
        ]
        write_segment(
            folder / "observations" / f"camera_id={name}",
            pa.Table.from_pylist(table, OBSERVATIONS),
            "1-0",
        )
    return RunDirectory(folder)


def test_geopandas_reads_one_feature_a_person(tmp_path: Path) -> None:
    run = run_on_the_ground(
        tmp_path,
        {
            "a": [(0.0, 1, 0.0, 0.0), (1.0, 1, 1.0, 0.0), (1.0, 2, 5.0, 5.0)],
            "b": [(1.0, 1, 1.0, 0.5), (2.0, 1, 2.0, 1.0)],
        },
        ORIGIN,
    )
    people = geopandas.read_file(export_run(run, "geojson"), engine="pyogrio")
    assert people["global_id"].tolist() == [1, 2]
    assert people.geometry.geom_type.tolist() == ["LineString", "Point"]
    # At 1 s both cameras see person 1: the mean of the two places.
    assert metres(people.geometry[0].coords) == [[0.0, 0.0], [1.0, 0.25], [2.0, 1.0]]
    assert metres(people.geometry[1].coords) == [[5.0, 5.0]]
    assert people[["start", "end"]].to_numpy().tolist() == [[0.0, 2.0], [1.0, 1.0]]
    assert people["confidence"].tolist() == [0.9, 0.9]
    assert [list(cameras) for cameras in people["cameras"]] == [["a", "b"], ["a"]]


def test_metres_are_not_passed_off_as_degrees(tmp_path: Path) -> None:
    run = run_on_the_ground(tmp_path, {"a": [(0.0, 1, 250.0, 400.0)]})
    with pytest.raises(UserError, match=r"has no origin.*needs degrees.*csv or parquet"):
        export_run(run, "geojson")
    assert not (run.path / "export").exists()


@pytest.mark.parametrize(("gap", "kind"), [(GAP_S, "LineString"), (GAP_S + 0.5, "MultiLineString")])
def test_no_line_over_a_long_absence(tmp_path: Path, gap: float, kind: str) -> None:
    rows = [(0.0, 1, 0.0, 0.0), (1.0, 1, 1.0, 0.0), (1.0 + gap, 1, 9.0, 9.0)]
    path = export_run(run_on_the_ground(tmp_path, {"a": rows}, ORIGIN), "geojson")
    shape = geopandas.read_file(path).geometry[0]
    assert shape.geom_type == kind
    lines = list(shape.geoms) if kind == "MultiLineString" else [shape]
    assert [len(line.coords) for line in lines] == ([2, 2] if len(lines) == 2 else [3])
    assert metres(lines[-1].coords)[-1] == [9.0, 9.0]


@pytest.mark.parametrize("bearing", [0.0, 30.0, -90.0, 180.0])
def test_places_on_earth_agree_with_pyproj(tmp_path: Path, bearing: float) -> None:
    origin = {"longitude": 13.4, "latitude": 52.5, "bearing_deg": bearing}
    rows = [(0.0, 1, 0.0, 0.0), (1.0, 1, 0.0, 100.0), (2.0, 1, 100.0, 0.0)]
    path = export_run(run_on_the_ground(tmp_path, {"a": rows}, origin), "geojson")
    people = geopandas.read_file(path)
    assert people.crs.to_epsg() == 4326
    start, along_y, along_x = people.geometry[0].coords
    earth = Geod(ellps="WGS84")
    assert start == (13.4, 52.5)
    for place, expected in ((along_y, bearing), (along_x, bearing + 90)):
        azimuth, _, metres = earth.inv(*start, *place)
        assert metres == pytest.approx(100.0, abs=0.01)
        assert (azimuth - expected + 180) % 360 - 180 == pytest.approx(0.0, abs=0.01)


def test_wrong_origin_names_the_key(tmp_path: Path) -> None:
    origin = {"longitude": 13.4, "latitude": 95.0}
    run = run_on_the_ground(tmp_path, {"a": [(0.0, 1, 0.0, 0.0)]}, origin)
    with pytest.raises(UserError, match=r"config\.yaml: origin\.latitude"):
        export_run(run, "geojson")


def test_a_run_without_ground_positions(run: RunDirectory) -> None:
    with pytest.raises(UserError, match=r"no ground positions.*fusetrack calibrate"):
        export_run(run, "geojson")
    assert not (run.path / "export").exists()


def test_tracks_without_an_id_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run = RunDirectory(make_run(tmp_path, [("a", 0, 1, (1, 2, 3, 4))], {}, ground=True))
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"site": "test", "origin": ORIGIN}))
    path = export_run(run, "geojson")
    assert caplog.messages == ["geojson: 1 of 1 rows have no global id and are omitted"]
    assert json.loads(path.read_bytes())["features"] == []


def test_a_run_without_people_is_valid(empty_run: RunDirectory) -> None:
    path = export_run(empty_run, "geojson")
    assert pyogrio.read_info(path)["features"] == 0
    assert len(geopandas.read_file(path)) == 0
