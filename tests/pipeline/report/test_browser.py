"""The page in a real Chromium without network access."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select

from browsers import open_chromium
from builders import camera, make_run
from pipeline.report import write_report
from pipeline.run_directory.reader import RunDirectory

BOX = (10.0, 10.0, 50.0, 90.0)
#: camera, first frame, one past the last frame, track, person; ten frames a second
STAYS = [
    ("cam1", 0, 20, 1, 1),
    ("cam1", 60, 80, 4, 1),
    ("cam2", 10, 30, 1, 1),
    ("cam2", 40, 41, 2, 2),
    ("cam3", 50, 100, 1, 12),
]
#: With tables wider than a phone.
PLACES = """
zones: {a-zone-with-a-long-name: {camera: cam1, points: [[0, 50], [99, 50], [99, 99], [0, 99]]}}
lines: {a-line-with-a-long-name: {camera: cam2, points: [[0, 0], [9, 99]]}}
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    chrome = open_chromium(tmp_path_factory.mktemp("profile"), requests=True)
    yield chrome
    chrome.quit()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page") / "run"
    rows = [(cam, frame, track, BOX) for cam, a, b, track, _ in STAYS for frame in range(a, b)]
    ids = {(cam, track): person for cam, _, _, track, person in STAYS}
    thumbnails = {key: f"thumbnails/{key[0]}-{key[1]}.png" for key in ids if key[0] != "cam3"}
    (folder / "thumbnails").mkdir(parents=True)
    for path in thumbnails.values():
        cv2.imwrite(str(folder / path), np.full((128, 64, 3), (40, 160, 220), np.uint8))
    cameras = [camera(name, frames=100) for name in ("cam1", "cam2", "cam3")]
    make_run(folder, rows, ids, cameras=cameras, thumbnails=thumbnails)
    with (folder / "config.yaml").open("a") as file:
        file.write(PLACES)
    return write_report(RunDirectory(folder))


@pytest.fixture
def opened(browser: webdriver.Chrome, page: Path) -> webdriver.Chrome:
    browser.get_log("browser")
    browser.get_log("performance")
    browser.get(page.as_uri())
    return browser


def shown(browser: webdriver.Chrome, selector: str) -> list[WebElement]:
    return [
        item for item in browser.find_elements(By.CSS_SELECTOR, selector) if item.is_displayed()
    ]


def people(browser: webdriver.Chrome) -> list[str | None]:
    """The people displayed; time line and list must agree."""
    rows = [row.get_attribute("data-person") for row in shown(browser, ".row")]
    assert rows == [card.get_attribute("data-person") for card in shown(browser, "article")]
    return rows


def test_every_person_is_displayed_without_errors(opened: webdriver.Chrome) -> None:
    assert people(opened) == ["1", "2", "12"]
    assert opened.title == "test · people across cameras"
    assert opened.find_element(By.ID, "shown").text == "3 of 3 shown"
    assert opened.find_element(By.ID, "people-count").text == "3"
    assert opened.get_log("browser") == []


def test_no_other_requests(opened: webdriver.Chrome, page: Path) -> None:
    loaded = opened.execute_script("return performance.getEntriesByType('resource').length")
    assert loaded == 0
    requests = [
        entry["message"]
        for entry in opened.get_log("performance")
        if '"Network.requestWillBeSent"' in entry["message"]
    ]
    assert any(page.as_uri() in message for message in requests)
    assert not any('"url":"http' in message for message in requests)


def test_every_thumbnail_is_painted(opened: webdriver.Chrome) -> None:
    pictures = shown(opened, "article img")
    assert [picture.get_attribute("alt") for picture in pictures] == [
        "Person 1 in cam1, picture 1",
        "Person 1 in cam1, picture 2",
        "Person 1 in cam2",
        "Person 2 in cam2",
    ]
    for picture in pictures:
        assert picture.get_property("naturalWidth") == 64
        assert picture.rect["width"] == 60
        assert picture.rect["height"] == 120
    assert len(shown(opened, "#person-12 svg.silhouette")) == 1


def test_bars_match_the_stays(opened: webdriver.Chrome) -> None:
    """The run lasts 10 s; a stay of frames [a, b) is drawn from a/10 s to (b - 1)/10 s."""
    bars = shown(opened, ".bar")
    assert len(bars) == len(STAYS)
    for bar, (cam, first, past, _, person) in zip(bars, STAYS, strict=True):
        assert f"Person {person}, {cam}: " in (bar.get_attribute("aria-label") or "")
        plot = bar.find_element(By.XPATH, "..").rect
        left = (bar.rect["x"] - plot["x"]) / plot["width"]
        width = bar.rect["width"] / plot["width"]
        assert left == pytest.approx(first / 100, abs=0.003)
        assert width == pytest.approx((past - 1 - first) / 100, abs=0.006)
        assert bar.rect["width"] >= 3


def test_bars_have_the_colour_of_their_person(opened: webdriver.Chrome) -> None:
    colours = [bar.value_of_css_property("background-color") for bar in shown(opened, ".bar")]
    assert colours[0] == colours[1] == colours[2]
    assert len(set(colours)) == 3


def test_ticks_are_placed_at_their_times(opened: webdriver.Chrome) -> None:
    plot = opened.find_element(By.CSS_SELECTOR, ".bar").find_element(By.XPATH, "..").rect
    tick = next(item for item in shown(opened, ".tick") if item.text == "00:04")
    middle = tick.rect["x"] + tick.rect["width"] / 2
    assert (middle - plot["x"]) / plot["width"] == pytest.approx(0.4, abs=0.005)


def test_focus_on_a_bar_shows_camera_and_time(opened: webdriver.Chrome) -> None:
    bar = shown(opened, ".bar")[1]
    opened.execute_script("arguments[0].focus()", bar)
    (tip,) = shown(opened, "#tip")
    assert tip.text == "Person 1, cam1: 00:06.0 to 00:07.9 (1.9 s)"
    opened.execute_script("arguments[0].blur()", bar)
    assert shown(opened, "#tip") == []


def test_the_filter_by_camera(opened: webdriver.Chrome) -> None:
    choice = Select(opened.find_element(By.ID, "filter-camera"))
    choice.select_by_value("cam2")
    assert people(opened) == ["1", "2"]
    assert opened.find_element(By.ID, "shown").text == "2 of 3 shown"
    choice.select_by_value("")
    assert people(opened) == ["1", "2", "12"]


def test_the_search_by_global_id(opened: webdriver.Chrome) -> None:
    search = opened.find_element(By.ID, "filter-id")
    search.send_keys("12")
    assert people(opened) == ["12"]
    search.send_keys("3")
    assert people(opened) == []
    assert [item.text for item in shown(opened, "#nobody-matches")] == [
        "Nobody matches the filter."
    ]


def test_the_order_and_the_filter_by_time(opened: webdriver.Chrome) -> None:
    order = Select(opened.find_element(By.ID, "order"))
    order.select_by_value("last")
    assert people(opened) == ["12", "1", "2"]
    order.select_by_value("cameras")
    assert people(opened) == ["1", "2", "12"]
    choice = Select(opened.find_element(By.ID, "filter-seconds"))
    choice.select_by_value("5")
    assert people(opened) == []
    choice.select_by_value("0")
    Select(opened.find_element(By.ID, "filter-sure")).select_by_value("confirmed")
    assert people(opened) == ["1", "2", "12"]


def test_a_narrow_window_needs_no_sideways_scrolling(opened: webdriver.Chrome) -> None:
    metrics = {"width": 360, "height": 700, "deviceScaleFactor": 1, "mobile": False}
    opened.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        wide = opened.execute_script("return document.documentElement.scrollWidth")
        assert wide == 360
        assert people(opened) == ["1", "2", "12"]
    finally:
        opened.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_soft_text_is_readable_in_light_and_dark(opened: webdriver.Chrome, scheme: str) -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    ink = opened.find_element(By.CSS_SELECTOR, "figcaption span").value_of_css_property("color")
    sheet = opened.find_element(By.CSS_SELECTOR, "article").value_of_css_property(
        "background-color"
    )
    light, dark = sorted((_luminance(ink), _luminance(sheet)), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5
    assert (_luminance(sheet) < 0.2) == (scheme == "dark")


def _luminance(css: str) -> float:
    numbers = [float(part) for part in css[css.index("(") + 1 : -1].split(",")[:3]]
    linear = [c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in numbers]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
