"""Corrections over the API of a run that is over."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pyarrow.parquet as pq
import pytest

from builders import identity_sent, make_run
from live_api import TOKEN, RecordedApi
from pipeline.recorder.rows import table_of
from pipeline.run_directory.compaction import compact_all
from pipeline.run_directory.segments import write_segment

BOX = (0.0, 0.0, 9.0, 9.0)
SHOWN = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def api(tmp_path: Path) -> Iterator[RecordedApi]:
    """The API of a run of 1 at the gate, 2 in the hall and 3 at the gate again."""
    boxes = [("gate", i, 1, BOX) for i in range(10)] + [("hall", i, 2, BOX) for i in range(20, 40)]
    boxes += [("gate", i, 3, BOX) for i in range(50, 60)]
    ids = {("gate", 1): 1, ("hall", 2): 2, ("gate", 3): 3}
    api = RecordedApi(make_run(tmp_path / "run", boxes, ids), token=TOKEN)
    yield api
    api.close()


def post(api: RecordedApi, **body: object) -> httpx.Response:
    """A correction of an editor."""
    return api.http.post("/corrections", json=body, headers=SHOWN)


def get(api: RecordedApi, path: str) -> Any:
    """What is answered."""
    answer = api.http.get(path, headers=SHOWN)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_correction_is_answered_with_its_number_and_is_on_the_list(api: RecordedApi) -> None:
    answer = post(api, kind="merge", global_id=2, into=1, seen=None)
    assert answer.status_code == 201
    made = answer.json()
    assert (made["number"], made["by"], made["global_ids"]) == (1, "api", [1, 2])
    assert made["text"] == "2 is the same person as 1"
    assert made["at"] > 1e9
    assert post(api, kind="undo", number=1).json()["undoes"] == 1
    first, second = get(api, "/corrections")["corrections"]
    assert first == {**made, "undone_by": 2}
    assert second["kind"] == "undo"
    assert get(api, "/corrections?after=1")["corrections"] == [second]


def test_the_people_are_other_ones_then(api: RecordedApi) -> None:
    made = post(api, kind="split", global_id=2, at=3.0).json()
    assert (made["new_id"], made["moment"]) == (4, 3.0)
    stays = get(api, "/identities/4")["stays"]
    assert [(stay["camera_id"], stay["start"]) for stay in stays] == [("hall", 3.0)]
    assert post(api, kind="move", camera_id="hall", track_id=2, since=3.0, to=3).status_code == 201
    assert [stay["camera_id"] for stay in get(api, "/identities/3")["stays"]] == ["hall", "gate"]


def test_a_name_stands_wherever_the_person_does(api: RecordedApi) -> None:
    assert get(api, "/names") == {"names": {}}
    assert get(api, "/identities/3")["name"] is None
    post(api, kind="name", global_id=3, name="Anna")
    assert get(api, "/names") == {"names": {"3": "Anna"}}
    assert get(api, "/identities/3")["name"] == "Anna"
    names = {one["global_id"]: one["name"] for one in get(api, "/identities")["identities"]}
    assert names == {1: None, 2: None, 3: "Anna"}
    post(api, kind="name", global_id=3, name="")
    assert get(api, "/names") == {"names": {}}


def test_what_happened_meanwhile_is_told(api: RecordedApi) -> None:
    post(api, kind="merge", global_id=2, into=1)
    answer = post(api, kind="merge", global_id=2, into=3)
    assert answer.status_code == 409
    assert answer.json() == {
        "detail": "there is no identity 2 any more: what was 2 is 1 now",
        "now": 1,
    }
    answer = post(api, kind="name", global_id=1, name="Anna", seen=0)
    assert (answer.status_code, answer.json()["now"]) == (409, None)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"kind": "merge", "global_id": 9, "into": 1}, 404),
        ({"kind": "undo", "number": 9}, 404),
        ({"kind": "merge", "global_id": 1, "into": 1}, 400),
        ({"kind": "split", "global_id": 1, "at": 9.0}, 400),
        ({"kind": "merge", "global_id": 2**64, "into": 1}, 400),
        ({"kind": "dance"}, 422),
        ({"kind": "split", "global_id": 1}, 400),
    ],
)
def test_what_makes_no_sense_is_refused(
    api: RecordedApi, body: dict[str, object], status: int
) -> None:
    answer = post(api, **body)
    assert answer.status_code == status
    assert answer.json()["detail"]
    assert get(api, "/corrections") == {"corrections": []}


def test_each_link_says_why(api: RecordedApi) -> None:
    post(api, kind="merge", global_id=2, into=1)
    first, second = get(api, "/identities/1/links")["links"]
    assert (first["kind"], first["reason"], first["camera_id"]) == (
        "assigned",
        "new person",
        "gate",
    )
    assert (second["kind"], second["state"]) == ("corrected", "confirmed")
    assert second["reason"] == "correction 1: 2 is the same person as 1"
    assert api.http.get("/identities/9/links", headers=SHOWN).status_code == 404


def test_a_link_names_the_runners_up_also_after_compaction(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", [("gate", i, 1, BOX) for i in range(10)], {("gate", 1): 1})
    # As an earlier release wrote it: without the column.
    path = run / "identities" / "part-00000.parquet"
    write_segment(path.parent, pq.read_table(path).drop_columns(["runners_up"]), "1-0", 0)
    decided = msgspec.structs.replace(identity_sent("gate", 1, 1, 2.0), runners_up=[(3, 0.25)])
    write_segment(run / "identities", table_of([decided]), "2-0")
    api = RecordedApi(run, token=TOKEN)
    try:
        before = get(api, "/identities/1/links")["links"]
        assert [one["runners_up"] for one in before] == [[], [{"global_id": 3, "confidence": 0.25}]]
        compact_all(run)
        assert get(api, "/identities/1/links")["links"] == before
    finally:
        api.close()
