"""The login, what viewers may not do, and how much is loaded."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver

from browsers import Browser
from drawn_networks import drawn_networks
from live_api import TOKEN, VIEWER_TOKEN, RecordedApi
from pipeline.api.console import BUILT


@pytest.fixture
def guarded(chromium: webdriver.Chrome, run: Path) -> Iterator[Browser]:
    """A browser at a run that needs a token."""
    api = RecordedApi(run, token=TOKEN)
    yield Browser(chromium, f"http://{api.place}")
    chromium.delete_all_cookies()
    api.close()


def log_in(browser: Browser, token: str) -> None:
    field = browser.one("input[name=token]")
    field.clear()
    field.send_keys(token)
    browser.click(".login button")


def test_the_page_asks_for_the_token_and_keeps_no_copy(guarded: Browser, axe: str) -> None:
    guarded.resize(1280, 800)
    guarded.open("person/1")
    log_in(guarded, "a-token-that-is-wrong")
    guarded.one(".problem", "token")
    assert guarded.faults(axe) == []
    log_in(guarded, TOKEN)
    guarded.one(".sheet .bar")
    assert guarded.run("return document.cookie + JSON.stringify(localStorage)") == "{}"
    guarded.one(".actions button", "Merge")
    guarded.click(".menu-button", "Log out")
    guarded.one("input[name=token]")


def test_a_viewer_sees_everything_and_corrects_nothing(guarded: Browser) -> None:
    guarded.open("person/1")
    log_in(guarded, VIEWER_TOKEN)
    guarded.one(".sheet .bar")
    assert guarded.all(".actions button") == []
    guarded.click(".bar")
    guarded.one(".stay h2")
    assert guarded.all(".stay .actions button") == []


def test_a_search_that_is_declined_says_why(recorded: Browser) -> None:
    recorded.open("search")
    recorded.one("input[type=search]").send_keys("a woman")
    recorded.click(".search button.primary")
    recorded.one(".problem", "gender")


def search(browser: Browser, person: int) -> None:
    """Search, and find that person first, with a picture."""
    browser.click(".search button.primary")
    card = f".found:first-of-type .person-card[href='#/person/{person}']"
    browser.one(card, "100 %")
    picture = browser.one(f"{card} img")
    browser.wait(lambda: picture.get_property("naturalWidth"), "the picture is not loaded")


def test_people_are_found_by_words_and_by_a_picture(recorded: Browser, run: Path) -> None:
    recorded.open("search")
    with drawn_networks():
        recorded.one("input[type=search]").send_keys("green zebra jacket")
        search(recorded, 3)
        recorded.one(".verdict", "1 person like that, among 5 people")
        recorded.one(".soft", "Not understood: zebra")
        recorded.open("search")
        # It is never shown: a label stands for it.
        fields = ("css selector", "input[type=file]")
        recorded.wait(lambda: recorded.chrome.find_elements(*fields), "no field for a picture")
        recorded.chrome.find_element(*fields).send_keys(str(run / "thumbnails/hall/102.jpg"))
        recorded.one(".picture-field img")
        search(recorded, 2)


def test_a_run_that_is_over_has_no_wall(recorded: Browser) -> None:
    recorded.open("wall")
    recorded.one(".page-head", "in the last hour of the run")
    assert "Wall" not in recorded.one(".menu").text


def test_all_javascript_is_below_300_kb_compressed() -> None:
    scripts = [path.read_bytes() for path in BUILT.rglob("*.js")]
    assert 1000 < sum(len(gzip.compress(script)) for script in scripts) < 300_000
