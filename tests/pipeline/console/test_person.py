"""One person in the page, and what an editor corrects there."""

import httpx
import pytest

from browsers import Browser
from drawn_site import CAMERAS


def at_person(recorded: Browser, number: int) -> Browser:
    recorded.resize(1280, 800)
    recorded.open(f"person/{number}")
    recorded.one(".sheet .bar")
    return recorded


def test_a_person_has_times_pictures_and_reasons(recorded: Browser) -> None:
    at_person(recorded, 1)
    assert [lane.text for lane in recorded.all(".lane h3")] == list(CAMERAS)
    assert recorded.chrome.title == "Person 1 · shop"
    recorded.one(".page-head", "in hall at the end")
    label = recorded.all(".bar")[0].get_attribute("aria-label") or ""
    assert "entrance: " in label
    assert "confidence 97 %" in label
    picture = recorded.one(".pictures img")
    recorded.wait(lambda: picture.get_property("naturalWidth"), "the picture is not loaded")
    recorded.one("td", "new person")


# The answer for one path is replaced.
_ANSWERED = """
const asked = window.fetch;
window.fetch = (path, init) =>
  path === 'identities/1' ? Promise.resolve(new Response(BODY)) : asked(path, init);
location.hash = '#/person/1';
"""


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("'{\"global_id\": 1, '", "The answer is not JSON"),
        ("new ReadableStream({start: (body) => body.error(new Error())})", "does not answer"),
    ],
)
def test_an_answer_that_breaks_off_is_a_problem(recorded: Browser, body: str, problem: str) -> None:
    recorded.open("people")
    recorded.one(".person-card")
    recorded.run(_ANSWERED.replace("BODY", body))
    recorded.one(".problem", problem)
    assert recorded.errors() == []


def test_a_bar_shows_its_track(recorded: Browser) -> None:
    at_person(recorded, 1)
    recorded.click(".bar")
    recorded.one(".stay h2", "entrance, track 101")
    recorded.click(".stay .icon-button")
    recorded.wait(lambda: not recorded.all(".stay"), "it does not close")


def test_a_person_is_named_and_the_name_is_taken_back(recorded: Browser) -> None:
    at_person(recorded, 1)
    recorded.click(".actions button", "Name")
    recorded.one("dialog input").send_keys("Ada")
    recorded.click("dialog button.primary")
    recorded.one("h1", "Ada")
    recorded.click(".history button", "Undo")
    recorded.one("h1", "Person 1")
    recorded.one(".history", "taken back")


def merge(recorded: Browser, other: int) -> None:
    recorded.click(".actions button", "Merge")
    recorded.one("dialog input").send_keys(str(other))
    recorded.click("dialog button.primary")


def test_two_people_are_merged_and_the_other_one_is_shown(recorded: Browser, axe: str) -> None:
    at_person(recorded, 4)
    recorded.click(".actions button", "Merge")
    recorded.one("dialog input")
    assert recorded.faults(axe) == []
    recorded.escape()
    merge(recorded, 1)
    recorded.one("h1", "Person 1")
    recorded.one(".history", "4")
    assert len(recorded.all(".lane")) == len(CAMERAS)


def test_people_who_were_seen_at_one_time_are_merged_on_demand_only(recorded: Browser) -> None:
    merge(at_person(recorded, 2), 1)
    recorded.one("dialog .problem", "at one time")
    recorded.click("dialog input[type=checkbox]")
    recorded.click("dialog button.primary")
    recorded.one("h1", "Person 1")


def test_a_track_is_moved_to_a_new_person(recorded: Browser) -> None:
    at_person(recorded, 1)
    before = len(recorded.all(".bar"))
    recorded.click(".bar")
    recorded.click(".stay button", "Not this person")
    recorded.click("dialog button.primary", "Make a new person")
    recorded.wait(lambda: len(recorded.all(".bar")) == before - 1, "the track is still there")


def test_a_person_is_split_from_a_moment_on(recorded: Browser) -> None:
    at_person(recorded, 1)
    before = len(recorded.all(".bar"))
    recorded.click(".actions button", "Split")
    recorded.run(
        "const list = document.querySelector('dialog select'); list.selectedIndex = 2;"
        "list.dispatchEvent(new Event('change', {bubbles: true}))"
    )
    recorded.click("dialog button.primary")
    recorded.wait(lambda: 0 < len(recorded.all(".bar")) < before, "nothing was split off")
    kept = len(recorded.all(".bar"))
    recorded.one(".history", "6")
    recorded.open("person/6")
    recorded.wait(lambda: len(recorded.all(".bar")) == before - kept, "the rest is somewhere else")


def test_a_correction_that_came_too_late_says_who_it_is_now(recorded: Browser) -> None:
    at_person(recorded, 4)
    # Another editor is faster.
    body = {"kind": "merge", "global_id": 4, "into": 1, "seen": None}
    httpx.post(f"{recorded.base}/corrections", json=body).raise_for_status()
    merge(recorded, 5)
    recorded.one("dialog .problem a", "Person 1")


def test_a_person_that_is_not_known_is_said_so(recorded: Browser) -> None:
    recorded.open("person/99")
    recorded.one(".problem", "unknown identity 99")
    recorded.open("person/nobody")
    recorded.one(".empty", "A person has a number")
