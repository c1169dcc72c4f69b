"""The page of a search: complete, self-contained, escaped."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from builders import make_run
from pipeline.errors import UserError
from pipeline.report.search_page import search_page, write_search_page
from pipeline.run_directory.reader import RunDirectory
from pipeline.search.found import FoundPerson, SearchResult, Sighting

PICTURE = "thumbnails/a/1.jpg"


def result(run: RunDirectory, **changes: object) -> SearchResult:
    people = [
        FoundPerson(7, 0.91, [Sighting("a", 0.0, 0.5), Sighting("b", 2.0, 3.0)], PICTURE),
        FoundPerson(8, 0.62, [Sighting("b", 1.0, 1.5)]),
    ]
    far = [FoundPerson(9, 0.2, [Sighting("a", 4.0, 4.5)])]
    values = {
        **{"run": run, "text": "<b>red</b>", "picture": "who&.png", "found": people},
        **{"closest": far, "threshold": 0.5, "tracks": 4, "people": 3, "unknown_words": ["<i>"]},
        **changes,
    }
    return SearchResult(**values)  # type: ignore[arg-type]


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    folder = make_run(tmp_path / "run", [("a", 0, 1, (1, 1, 9, 9))], {("a", 1): 7})
    (folder / PICTURE).parent.mkdir(parents=True)
    cv2.imwrite(str(folder / PICTURE), np.full((96, 48, 3), 128, np.uint8))
    return RunDirectory(folder)


def test_people_are_shown_with_pictures_cameras_and_times(run: RunDirectory) -> None:
    page = search_page(result(run))
    assert page.count("<li data-person") == 2
    assert page.count('<img src="data:image/jpeg;base64,') == 1
    assert page.count("no picture kept") == 1
    assert "00:02.0" in page
    assert "2 people like that, among 3 people." in page
    assert 'data-person="9"' not in page
    assert 'data-person="9"' in search_page(result(run), closest=True)


def test_words_of_the_request_are_text(run: RunDirectory) -> None:
    page = search_page(result(run))
    assert "&lt;b&gt;red&lt;/b&gt;" in page
    assert "who&amp;.png" in page
    assert "leaves them out: &lt;i&gt;." in page
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")


def test_nobody_is_said_to_be_found(run: RunDirectory) -> None:
    page = search_page(result(run, found=[], closest=[], picture=None), closest=True)
    assert "Nothing like that here, among 3 people (4 tracks)." in page
    assert "data-person" not in page


def test_the_page_is_for_its_owner_and_a_bad_path_is_named(
    run: RunDirectory, tmp_path: Path
) -> None:
    write_search_page(result(run), tmp_path / "found.html")
    assert (tmp_path / "found.html").stat().st_mode & 0o777 == 0o600
    with pytest.raises(UserError, match=r"cannot write the page .*none"):
        write_search_page(result(run), tmp_path / "none" / "found.html")
