"""A search over a run, from the request to the people."""

import json
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest

import fusetrack
from builders import make_run, table_of
from fakes import BLUE, BOX, GREEN, RED, WordyEmbedder, scene
from pipeline.errors import UserError
from pipeline.run_directory.reader import RunDirectory
from pipeline.run_directory.schema import IDENTITIES
from pipeline.run_directory.segments import write_segment
from pipeline.run_directory.selection import Selection
from pipeline.search import search as of_search
from pipeline.search.embedding_again import embed_again
from pipeline.search.found import SearchResult, Sighting
from pipeline.search.likeness import joint
from pipeline.search.networks import SearchModels
from pipeline.search.search import Request, models_of, search
from pipeline.search.search_log import NAME, Asker

ME = Asker("me", "test")
COLOURS = {"red": RED, "green": GREEN, "blue": BLUE}
# Who is in which track: seven people of three colours at most.
TRACKS = {("gate", 1): "red", ("gate", 2): "green", ("yard", 1): "red", ("yard", 2): "blue"}
IDS = {("gate", 1): 1, ("gate", 2): 2, ("yard", 1): 1, ("yard", 2): 3}

pytestmark = pytest.mark.usefixtures("colours")


def vector(name: str) -> list[float]:
    return (np.array(COLOURS[name]) / 200).tolist()


@pytest.fixture
def run(tmp_path: Path, model: str) -> RunDirectory:
    """Four tracks of three people, and pictures of the two at the gate."""
    rows = [
        (camera, frame + 10 * track, track, (10.0, 10.0, 50.0, 90.0))
        for camera, track in TRACKS
        for frame in range(5)
    ]
    looks = {key: {"embedding": vector(name), "model": model} for key, name in TRACKS.items()}
    pictures = {("gate", n): f"thumbnails/gate/{n}.jpg" for n in (1, 2)}
    folder = make_run(tmp_path / "run", rows, IDS, looks=looks, thumbnails=pictures)
    for (camera, track), name in pictures.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), scene({BOX: COLOURS[TRACKS[camera, track]]})[20:140, 60:100])
    return RunDirectory(folder)


def picture(*colours: str) -> bytes:
    boxes = [(10 + 60 * n, 20, 50 + 60 * n, 140) for n in range(len(colours))]
    image = scene(dict(zip(boxes, [COLOURS[c] for c in colours], strict=True)))
    return bytes(cv2.imencode(".png", image)[1])


def found(run: RunDirectory, colour: str = "red", **options: object) -> SearchResult:
    request = Request(picture=picture(colour), picture_name="who.png", **options)  # type: ignore[arg-type]
    return search(run, request, models_of(run), ME, clock=lambda: 0.0)


def ids(result: SearchResult) -> list[int]:
    return [person.global_id for person in result.found]


def test_a_person_is_found_with_cameras_times_and_the_best_picture(run: RunDirectory) -> None:
    result = found(run)
    assert ids(result) == [1]
    (person,) = result.found
    assert person.probability > 0.9
    assert person.cameras == ["gate", "yard"]
    assert (person.start, person.end) == (1.0, 1.4)
    assert person.picture == "thumbnails/gate/1.jpg"
    assert (result.tracks, result.people) == (4, 3)
    assert result.verdict() == "1 person like that, among 3 people."
    assert [one.global_id for one in result.closest] == [2, 3]
    assert max(one.probability for one in result.closest) < 0.01
    assert found(run, "blue").found[0].picture is None


def test_nobody_is_found_where_nobody_is_alike(run: RunDirectory) -> None:
    # Whoever is green was at the gate.
    result = found(RunDirectory(run.path, Selection(cameras=frozenset({"yard"}))), "green")
    assert result.found == []
    assert result.verdict() == "Nothing like that here, among 2 people (2 tracks)."
    assert len(result.closest) == 2


def test_the_threshold_itself_is_enough(run: RunDirectory) -> None:
    likely = found(run).closest[0].probability
    assert ids(found(run, threshold=likely))[:2] == [1, 2]
    assert ids(found(run, threshold=float(np.nextafter(likely, 1)))) == [1]
    assert len(found(run, top=1).closest) == 0


def test_merges_and_splits_count_from_the_newest_event(run: RunDirectory) -> None:
    events = [
        {**{"camera_id": camera, "track_id": track, "global_id": person, "since": since},
         **{"confidence": 0.9, "kind": kind, "reason": "", "at": 3.0, "state": "probable"}}
        for camera, track, person, since, kind in (
            # The red one of the yard was person 2 after all, from 1.2 s on.
            ("yard", 1, 2, 1.2, "split"),
            ("gate", 1, 3, None, "merged"),
        )
    ]  # fmt: skip
    write_segment(run.path / "identities", table_of(events, IDENTITIES), "2-0")
    result = found(run)
    assert set(ids(result)) == {1, 2, 3}
    by_id = {person.global_id: person for person in result.found}
    assert by_id[1].seen == [Sighting("yard", 1.0, 1.2)]
    assert by_id[2].seen == [Sighting("yard", 1.2, 1.4), Sighting("gate", 2.0, 2.4)]
    assert by_id[3].picture == "thumbnails/gate/1.jpg"
    # A track of two people shows either: its picture is nobody's.
    assert by_id[1].picture is None


def test_a_part_of_a_run_is_searched(run: RunDirectory) -> None:
    early = RunDirectory(run.path, Selection(until=2.0))
    assert (found(early).tracks, found(early).people) == (2, 1)
    yard = RunDirectory(run.path, Selection(cameras=frozenset({"yard"})))
    assert found(yard).found[0].cameras == ["yard"]
    nothing = found(RunDirectory(run.path, Selection(since=100.0)))
    assert (nothing.found, nothing.closest, nothing.tracks) == ([], [], 0)


def test_vectors_on_disk_give_the_same_as_those_of_segments(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = found(run)
    monkeypatch.setattr("pipeline.run_directory.vectors._FEWEST_ROWS", 1)
    for _ in range(2):
        assert found(run) == before
    assert len(list((run.path / "search").glob("*.npy"))) == 1


def test_few_candidates_are_more_where_they_are_of_one_person(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = found(run)
    monkeypatch.setattr(of_search, "_CANDIDATES", 1)
    assert found(run) == before


def test_several_people_in_a_picture_are_asked_about(run: RunDirectory) -> None:
    request = Request(picture=picture("green", "red"), picture_name="who.png")
    with pytest.raises(UserError, match=r"who\.png shows 2 people: give --person"):
        search(run, request, models_of(run), ME)
    chosen = Request(picture=picture("green", "red"), person=2)
    assert ids(search(run, chosen, models_of(run), ME)) == [1]


@pytest.mark.parametrize(
    ("request_", "fault"),
    [
        (Request(), "nothing to search for"),
        (Request(text="red", person=1), "--person .* give --image"),
        (Request(text="red", top=0), "--top is 0"),
        (Request(text="red", threshold=1.0), "--threshold is 1.0"),
        (Request(text="  ,. "), "the description is empty"),
        (Request(text="red " * 10_000), "has 10,000 words: expected at most 60"),
        (Request(text="red " * 61), "has 61 words"),
        (Request(text="red" * 1000), "has 1 words"),
        (Request(text="an old man"), "declined because of 'old'"),
        (Request(text="red jacket"), "knows no words"),
        (Request(picture=b"words"), "damaged or not a picture"),
    ],
)
def test_what_cannot_be_searched_for_is_told_and_logged(
    run: RunDirectory, request_: Request, fault: str
) -> None:
    with pytest.raises(UserError, match=fault):
        search(run, request_, models_of(run), ME)
    (line,) = (run.path / NAME).read_text().splitlines()
    assert "found" not in json.loads(line)
    assert len(json.loads(line)["refused"]) > 10
    assert len(line) < 3000


def test_who_asked_for_what_is_logged(run: RunDirectory) -> None:
    part = RunDirectory(run.path, Selection(since=1.0, cameras=frozenset({"gate"})))
    found(part)
    found(run, "blue")
    first, second = map(json.loads, (run.path / NAME).read_text().splitlines())
    assert first | {"image_sha256": ""} == {
        **{"time": "1970-01-01T00:00:00.000+00:00", "who": "me", "via": "test"},
        **{"image": "who.png", "image_sha256": "", "since": 1.0, "cameras": ["gate"]},
        "found": [1],
    }
    assert second["found"] == [3]
    assert (run.path / NAME).stat().st_mode & 0o777 == 0o600


def test_a_search_that_cannot_be_logged_gives_nothing(run: RunDirectory) -> None:
    (run.path / NAME).mkdir()
    with pytest.raises(UserError, match="cannot write the log of searches"):
        found(run)


def with_model(run: RunDirectory, name: str | None, *, only: str = "") -> None:
    """Record again that another network made the vectors, of one camera if given."""
    rows = run.tracklets().with_columns(
        model=pl.when(pl.col("camera_id").str.contains(only)).then(pl.lit(name)).otherwise("model")
    )
    for path in (run.path / "tracklets").iterdir():
        path.unlink()
    write_segment(run.path / "tracklets", table_of(rows.to_dicts(), run_schema()), "1-0")


def run_schema() -> object:
    from pipeline.run_directory.schema import TRACKLETS

    return TRACKLETS


def test_vectors_of_another_network_are_never_compared(run: RunDirectory, model: str) -> None:
    with_model(run, "0a1b", only="yard")
    result = found(run)
    assert result.tracks == 2
    assert result.remarks() == [
        f"2 tracks are left out: their vectors are not of {models_of(run).name}."
    ]
    with_model(run, "0a1b")
    with pytest.raises(UserError, match=r"another ReID network .*--embed-again"):
        found(run)


def test_a_run_of_an_unknown_network_is_searched_with_one_that_is_named(run: RunDirectory) -> None:
    with_model(run, None)
    with pytest.raises(UserError, match=r"does not say which network .*--model"):
        found(run)
    request = Request(picture=picture("red"))
    assert ids(search(run, request, models_of(run), ME, assume_model=True)) == [1]


def test_thumbnails_are_embedded_again(run: RunDirectory, model: str) -> None:
    with_model(run, "0a1b")
    assert embed_again(run, models_of(run)) == (2, 2)
    assert found(run).found[0].seen[0].camera_id == "gate"
    rows = run.tracklets(["embedding", "model"])
    assert rows["model"].to_list() == [model, model, "0a1b", "0a1b"]
    assert rows["embedding"][0].to_list() == pytest.approx(vector("red"), abs=0.05)
    for path in (run.path / "thumbnails" / "gate").iterdir():
        path.unlink()
    with_model(run, "0a1b")
    assert embed_again(run, models_of(run)) == (0, 4)


def test_without_thumbnails_nothing_can_be_embedded_again(run: RunDirectory) -> None:
    rows = run.tracklets().with_columns(thumbnail=pl.lit(None, pl.String), model=pl.lit("0a1b"))
    for path in (run.path / "tracklets").iterdir():
        path.unlink()
    write_segment(run.path / "tracklets", table_of(rows.to_dicts(), run_schema()), "1-0")
    with pytest.raises(UserError, match="no thumbnails that could be embedded again"):
        found(run)
    with pytest.raises(UserError, match="no thumbnails to embed again"):
        embed_again(run, models_of(run))


class ColourWords:
    """Words for colours: the text side of `WordyEmbedder`, which turns the channels around."""

    class calibration:
        slope, midpoint = 40.0, 0.8

    def unknown_words(self, sentence: str) -> list[str]:
        return [word for word in sentence.split() if word not in (*COLOURS, "jacket")]

    def encode_text(self, sentences: list[str]) -> np.ndarray:
        totals = [
            np.sum([vector(w)[::-1] for w in one.split() if w in COLOURS], axis=0)
            for one in sentences
        ]
        return np.stack([total / np.linalg.norm(total) for total in totals]).astype(np.float32)


@pytest.fixture
def words(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> RunDirectory:
    """The run, recorded with a network that knows colours."""
    monkeypatch.setattr(SearchModels, "_words", ColourWords())
    monkeypatch.setattr(SearchModels, "_embedder", WordyEmbedder())
    rows = run.tracklets().with_columns(text_vector=pl.col("embedding").list.reverse())
    for path in (run.path / "tracklets").iterdir():
        path.unlink()
    write_segment(run.path / "tracklets", table_of(rows.to_dicts(), run_schema()), "1-0")
    return run


def said(run: RunDirectory, text: str, **options: object) -> SearchResult:
    return search(run, Request(text=text, **options), models_of(run), ME)  # type: ignore[arg-type]


def test_words_find_whom_they_describe(words: RunDirectory) -> None:
    assert ids(said(words, "red jacket")) == [1]
    assert ids(said(words, "green jacket")) == [2]
    result = said(words, "blue stylish jacket")
    assert ids(result) == [3]
    assert result.remarks() == [
        "The network does not know these words and leaves them out: stylish."
    ]
    assert said(words, "red green blue").found == []


def test_of_another_language_no_word_is_known(words: RunDirectory) -> None:
    with pytest.raises(UserError, match=r"none of the words rote, Jacke: expected .* English"):
        said(words, "rote Jacke")


def test_a_picture_and_words_are_looked_for_together(words: RunDirectory) -> None:
    both = said(words, "red jacket", picture=picture("red"))
    assert ids(both) == [1]
    assert both.found[0].probability >= found(words).found[0].probability
    assert said(words, "blue jacket", picture=picture("red")).found == []


@pytest.mark.parametrize(
    ("sides", "expected"),
    [((0.8,), 0.8), ((0.8, 0.5), 0.8), ((0.8, 0.2), 0.5), ((0.9, 0.0), 0.0), ((1.0, 0.1), 1.0)],
)
def test_the_odds_of_both_are_multiplied(sides: tuple[float, ...], expected: float) -> None:
    assert joint([np.array([one]) for one in sides])[0] == pytest.approx(expected)


def test_without_vectors_for_words_a_picture_is_proposed(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SearchModels, "_words", ColourWords())
    with pytest.raises(UserError, match=r"without vectors for words: search with a picture"):
        said(run, "red jacket")


def test_from_python_a_run_is_searched_by_its_path(run: RunDirectory, tmp_path: Path) -> None:
    (tmp_path / "who.png").write_bytes(picture("red"))
    result = fusetrack.Run(run.path).search(image=str(tmp_path / "who.png"), top=2)
    assert ids(result) == [1]
    assert json.loads((run.path / NAME).read_text())["via"] == "python"
    with pytest.raises(fusetrack.UserError, match="nothing to search for"):
        fusetrack.Run(run.path).search()
