"""Map, review, system and calibration in the page, of a run with a plan and a site file."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.remote.webelement import WebElement

from browsers import Browser
from builders import camera, make_run
from live_api import RecordedApi
from pipeline.api.plan import read_plan
from pipeline.config.load import load_config
from pipeline.config.schema import PlanConfig
from pipeline.pictures.colours import colour_of
from pipeline.pictures.video import write_video

# Straight down: a hundred pixels are a metre. The plan has ten pixels a metre, and y upwards.
CAMERAS = {
    "gate": {
        "source": "a.mp4",
        "calibration": {"homography": [[100.0, 0, 0], [0, 100.0, 0], [0, 0, 1]]},
    }
}
ZONES = {"till": {"points": [[1, 0.5], [2, 0.5], [2, 1.5], [1, 1.5]]}}
LARGE = "return document.querySelector('.moment-large')?.naturalWidth"
POINTS = [
    {"picture": (0, 0), "ground": (0, 5)},
    {"picture": (70, 0), "ground": (7, 5)},
    {"picture": (0, 50), "ground": (0, 0)},
]


@pytest.fixture
def site_file(tmp_path: Path) -> Path:
    (tmp_path / "site.yaml").write_text("# ours\ncameras:\n  gate: {source: a.mp4}\n")
    return tmp_path / "site.yaml"


@pytest.fixture
def ground(chromium: webdriver.Chrome, tmp_path: Path, site_file: Path) -> Iterator[Browser]:
    """A browser at a run in which person 7 walks for 3 s and then stands for 3, and 8 is there for
    the first second.
    """
    walk = [min(10.0 * n, 290.0) for n in range(60)]
    boxes = [("gate", n, 1, (x, 20.0, x + 40, 90.0)) for n, x in enumerate(walk)]
    boxes += [("gate", n, 2, (400.0, 200.0, 440.0, 300.0)) for n in range(10)]
    ids = {("gate", 1): 7, ("gate", 2): 8}
    out = make_run(tmp_path / "run", boxes, ids, cameras=[camera("gate", 60)], ground=True)
    (out / "video").mkdir()
    write_video(out / "video" / "gate.mp4", iter([(0.0, np.full((480, 640, 3), 90, np.uint8))]))
    cv2.imwrite(str(tmp_path / "plan.png"), np.full((50, 70, 3), 220, np.uint8))
    values = {"picture": str(tmp_path / "plan.png"), "points": POINTS}
    plan = read_plan(PlanConfig.model_validate(values))
    api = RecordedApi(out, plan=plan, file=site_file, cameras=CAMERAS, zones=ZONES)
    browser = Browser(chromium, f"http://{api.place}")
    browser.resize(1280, 900)
    yield browser
    api.close()


def click_at(browser: Browser, svg: WebElement, x: float, y: float) -> None:
    """Click an SVG at a place in the units of its view."""
    left, top = browser.run(
        "const [svg, x, y] = arguments, box = svg.getBoundingClientRect();"
        "const point = new DOMPoint(x, y).matrixTransform(svg.getScreenCTM());"
        "return [point.x - box.left - box.width / 2, point.y - box.top - box.height / 2]",
        *(svg, x, y),
    )
    ActionChains(browser.chrome).move_to_element_with_offset(svg, left, top).click().perform()


def test_the_map_shows_people_in_their_colours(ground: Browser) -> None:
    ground.open("map")
    dot = ground.one(".trail circle")
    blue, green, red = colour_of(7)
    assert dot.get_attribute("fill") == f"#{red:02x}{green:02x}{blue:02x}"
    # At 2.9 m of 7, on a plan of 70 pixels, and 0.9 m from its lower edge.
    assert float(dot.get_attribute("cx") or 0) == pytest.approx(29, abs=0.1)
    assert float(dot.get_attribute("cy") or 0) == pytest.approx(41, abs=0.1)
    assert len(ground.all(".trail circle")) == 1
    assert len(ground.all("polygon.field")) == len(ground.all("polygon.zone")) == 1
    assert [one.text for one in ground.all("svg.ground text")] == ["Person 7", "gate", "till"]
    assert [one.text.split() for one in ground.all(".on-map a")] == [["7", "Person", "7"]]
    ground.one(".trail circle").click()
    ground.one("h1", "Person 7")
    assert ground.errors() == []


def test_the_map_goes_back_zooms_and_shows_heat(ground: Browser) -> None:
    ground.open("map")
    ground.one(".trail circle")
    ground.one(".slider input")
    ground.run(
        "const slider = document.querySelector('.slider input'); slider.value = 0.9;"
        "slider.dispatchEvent(new Event('input', {bubbles: true}))"
    )
    ground.wait(lambda: len(ground.all(".trail circle")) == 2, "the past is not there")
    ground.click(".slider button", "To the end")
    ground.wait(lambda: len(ground.all(".trail circle")) == 1, "the end is not there")
    ground.click("label.tick", "Heat")
    ground.wait(lambda: len(ground.all(".heat polygon")) == 7, "there is no heat")
    whole = ground.one("svg.ground").get_dom_attribute("viewBox")
    ground.click(".zoom button")
    ground.wait(lambda: ground.one("svg.ground").get_dom_attribute("viewBox") != whole, "no zoom")
    ground.run("document.querySelector('.zoom [aria-label=\"Show all\"]').click()")
    ground.wait(lambda: ground.one("svg.ground").get_dom_attribute("viewBox") == whole, "not whole")
    assert ground.errors() == []


def test_events_are_reviewed_with_the_keyboard(ground: Browser) -> None:
    ground.open("review")
    ground.one(".event", "leaves till")
    assert len(ground.all(".event")) == 4
    ground.press("j")
    ground.one(".event[aria-current]", "leaves till after 1 s")
    ground.press("v")
    ground.one("dialog[open]", "The frame of this moment.")
    ground.wait(lambda: ground.run(LARGE), "the frame is not there")
    ground.escape()
    ground.press("d")
    ground.one(".event.reviewed", "reviewed by local")
    ground.one(".event[aria-current]", "enters till")
    ground.press("k")
    ground.one(".event.reviewed[aria-current]")
    ground.press("d")
    ground.one(".event", "opened again by local")
    ground.press("k")
    ground.one(".event[aria-current]", "leaves till")
    ground.press("d")
    ground.wait(lambda: len(ground.all(".event.reviewed")) == 1, "it is not marked")
    # It stays so when the page is loaded again.
    ground.open("review")
    ground.wait(lambda: len(ground.all(".event")) == 3, "it is still to review")
    ground.run(
        "const list = document.querySelector('[aria-label=\"Reviewed or not\"]');"
        "list.value = 'true'; list.dispatchEvent(new Event('change', {bubbles: true}))"
    )
    ground.wait(lambda: len(ground.all(".event.reviewed")) == 1, "it was not kept")
    assert ground.errors() == []


def test_an_event_shows_the_picture_of_its_person(
    chromium: webdriver.Chrome, drawn_run: Path
) -> None:
    api = RecordedApi(drawn_run, recording={"thumbnails": True})
    try:
        browser = Browser(chromium, f"http://{api.place}")
        browser.open("review")
        browser.one(".event", "is seen for the first time")
        browser.wait(
            lambda: browser.run("return document.querySelector('.moment img').naturalWidth") > 0,
            "no picture",
        )
        browser.press("j")
        browser.press("v")
        browser.one("dialog[open]", "The best picture of this stay, not of this moment")
        browser.wait(lambda: browser.run(LARGE), "no large picture")
        assert browser.errors() == []
        chromium.get("about:blank")
    finally:
        api.close()


def test_the_system_shows_cameras_and_storage(ground: Browser) -> None:
    ground.open("system")
    ground.one(".table tr", "gate complete 10.0")
    ground.one(".table tr", "observations")
    ground.click("a.button", "Calibrate")
    ground.one("h1", "Calibrate gate")


def test_a_camera_is_calibrated_by_clicks_and_saved(ground: Browser, site_file: Path) -> None:
    ground.open("calibrate/gate")
    picture, plan = ground.one("svg.snapshot"), ground.one("svg.ground")
    grid = "return document.querySelectorAll('.grid polyline').length"
    ground.wait(lambda: ground.run(grid), "there is no grid")
    for x, y in ((100, 100), (300, 100), (300, 300), (100, 300), (200, 200)):
        click_at(ground, picture, x, y)
        click_at(ground, plan, x / 10, 50 - y / 10)
        ground.click(".points button", "Next point")
    ground.one("[role=status]", "m on average")
    ground.wait(lambda: ground.run(grid), "there is no grid of the points")
    ground.click("button.primary", "Save to site.yaml")
    ground.one("[role=status]", "Saved to site.yaml")
    assert site_file.read_text().startswith("# ours\n")
    view = load_config(site_file).cameras["gate"].view
    assert view is not None
    matrix = view.projection[:, [0, 1, 3]] / view.projection[2, 3]
    assert np.allclose(matrix[:2, :2], [[100, 0], [0, 100]], atol=3)
    # Somebody else edits the file now.
    site_file.write_text(site_file.read_text() + "# theirs\n")
    ground.click("button.primary", "Save to site.yaml")
    ground.one("[role=alert]", "site.yaml was changed meanwhile")
    assert site_file.read_text().endswith("# theirs\n")
