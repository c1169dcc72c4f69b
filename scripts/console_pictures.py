"""Take the pictures of the console for the documentation, of the drawn site of its tests."""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import httpx
import numpy as np
from selenium import webdriver
from selenium.webdriver.common.keys import Keys

from browsers import Browser, open_chromium
from drawn_networks import drawn_networks
from drawn_site import CALIBRATIONS, CAMERAS, START, Playing, drawn, make_drawn_run
from live_api import LiveApi, RecordedApi
from pipeline.api.plan import read_plan
from pipeline.bus.embedded_redis import EmbeddedServer
from pipeline.bus.streams import Bus
from pipeline.config.schema import PlanConfig
from pipeline.pictures.video import write_video
from pipeline.run_directory.progress import RecorderProgress, write_progress

_DESK, _PHONE = (1280, 800), (360, 740)
_QUALITY = 82
# Of the floor plan.
_PIXELS_A_METRE, _WIDE_M, _HIGH_M = 60, 16, 14
ZONES = {"counter": {"points": [[2.5, 0.6], [5.5, 0.6], [5.5, 3.2], [2.5, 3.2]], "dwell_s": 2}}
LINES = {"passage": {"points": [[8.2, 6.0], [12.2, 6.0]], "to_right": "in", "to_left": "out"}}


def floor_plan(path: Path) -> PlanConfig:
    """Draw the plan of the site: a court, and rooms on three of its sides."""
    image = np.full((_HIGH_M * _PIXELS_A_METRE, _WIDE_M * _PIXELS_A_METRE, 3), 246, np.uint8)

    def at(x: float, y: float) -> tuple[int, int]:
        return round((x + 1) * _PIXELS_A_METRE), round((_HIGH_M - y) * _PIXELS_A_METRE)

    for x, y, right, top in ((0, 0.1, 12.6, 4.5), (7.4, 0.1, 12.6, 13.4), (0, 9.0, 12.6, 13.4)):
        cv2.rectangle(image, at(x, y), at(right, top), (255, 255, 255), -1)
    walls = [(0, 0.1), (12.6, 0.1), (12.6, 13.4), (0, 13.4), (0, 9.0), (7.4, 9.0), (7.4, 4.5)]
    walls.append((0, 4.5))
    corners = np.array([at(*wall) for wall in walls], np.int32)
    cv2.polylines(image, [corners], True, (90, 90, 90), 7, cv2.LINE_AA)
    for x, y in ((0, 1.2), (0, 10.2)):
        cv2.line(image, at(x, y), at(x, y + 2), (255, 255, 255), 9)
    for n in range(6):
        cv2.line(image, at(0.4 + 0.3 * n, 9.2), at(0.4 + 0.3 * n, 10.6), (170, 170, 170), 2)
    cv2.rectangle(image, at(2.8, 3.4), at(5.2, 4.0), (190, 205, 215), -1)
    for x, y in ((2, 6.8), (4.5, 6.8), (3.2, 7.6)):
        cv2.circle(image, at(x, y), 34, (190, 214, 190), -1, cv2.LINE_AA)
    cv2.imwrite(str(path), image)
    points = [{"picture": at(*ground), "ground": ground} for ground in ((0, 0), (12, 0), (0, 12))]
    return PlanConfig.model_validate({"picture": str(path), "points": points})


@contextmanager
def live_site(folder: Path) -> Iterator[str]:
    """The address of a live site in which people walk."""
    run = make_drawn_run(folder / "live")
    with EmbeddedServer(folder / "redis") as server:
        bus = Bus(server.url, "shop")
        bus.declare()
        write_progress(run, RecorderProgress(bus.run()))
        api = LiveApi(bus, out=run, cameras=CALIBRATIONS, zones=ZONES, lines=LINES)
        api.follower.step()
        with Playing(api):
            yield f"http://{api.place}"
        api.close()


@contextmanager
def past_run(folder: Path) -> Iterator[str]:
    """The address of a finished run, with a plan and a site file."""
    plan = read_plan(floor_plan(folder / "plan.png"))
    file = folder / "site.yaml"
    file.write_text("cameras:\n" + "".join(f"  {n}: {{source: a.mp4}}\n" for n in CAMERAS))
    run = make_drawn_run(folder / "past")
    _keep_videos(run)
    cameras = {name: {"source": "a.mp4", **more} for name, more in CALIBRATIONS.items()}
    site = {"cameras": cameras, "zones": ZONES, "lines": LINES, "recording": {"thumbnails": True}}
    api = RecordedApi(run, plan=plan, file=file, **site)
    yield f"http://{api.place}"
    api.close()


def _keep_videos(run: Path) -> None:
    (run / "video").mkdir()
    for name in CAMERAS:
        frames = ((START - 100 + n / 5, drawn(name, n / 5)) for n in range(300))
        write_video(run / "video" / f"{name}.mp4", frames)


class PageCamera:
    """Takes pictures of pages into ``folder``."""

    def __init__(self, chrome: webdriver.Chrome, folder: Path) -> None:
        self._chrome = chrome
        self._folder = folder

    def take(self, name: str) -> None:
        """Write `console-NAME.webp`, and say so."""
        png = np.frombuffer(self._chrome.get_screenshot_as_png(), np.uint8)
        path = self._folder / f"console-{name}.webp"
        cv2.imwrite(str(path), cv2.imdecode(png, 1), [cv2.IMWRITE_WEBP_QUALITY, _QUALITY])
        sys.stdout.write(f"{path} {path.stat().st_size // 1000} kB\n")

    def page(self, base: str, screen: str, size: tuple[int, int], scheme: str = "light") -> Browser:
        """A browser at this screen."""
        browser = Browser(self._chrome, base)
        browser.resize(*size)
        browser.prefer(scheme)
        browser.open(screen)
        return browser


def of_now(camera: PageCamera, base: str) -> None:
    """Wall, people and system of a live site, the wall on a phone, and the live person."""
    page = camera.page(base, "wall", _DESK, "dark")
    page.one(".tile .marks a")
    page.wait(lambda: len(page.all(".tile .marks a")) > 3, "few people are in view")
    _wait_for_tiles(page)
    camera.take("wall")
    page = camera.page(base, "wall", _PHONE)
    page.one(".tile .marks a")
    _wait_for_tiles(page)
    camera.take("phone")
    page = camera.page(base, "people", _DESK)
    page.wait(lambda: len(page.all(".person-card canvas[data-drawn]")) > 3, "few pictures")
    camera.take("people")
    camera.page(base, "system", _DESK).one(".table tbody tr")
    camera.take("system")


def of_the_past(camera: PageCamera, base: str) -> None:
    """Person, merge, map, heat, search, review and calibration of a finished run."""
    name = {"kind": "name", "global_id": 1, "name": "Ada", "seen": None}
    httpx.post(f"{base}/corrections", json=name).raise_for_status()
    page = camera.page(base, "person/1", (1280, 1040))
    page.click(".bar")
    page.one(".stay h2")
    page.one(".person-side svg polyline[stroke]")
    _wait_for_pictures(page)
    camera.take("person")
    page = camera.page(base, "person/4", _DESK)
    page.click(".actions button", "Merge")
    page.one("dialog input").send_keys("1")
    page.wait(lambda: not page.all("dialog .outline"), "a picture of the merge is not there")
    _wait_for_pictures(page)
    camera.take("merge")
    page = camera.page(base, "map", _DESK)
    page.one(".trail circle")
    page.one(".slider input")
    _wait_for_pictures(page)
    camera.take("map")
    page.click("label.tick", "Heat")
    page.click("label.tick", "Cameras")
    page.one(".heat-legend")
    camera.take("heat")
    page = camera.page(base, "review", _DESK)
    page.one(".event")
    for _ in range(2):
        page.press("j")
        page.one(".event[aria-current]")
        page.press("d")
        page.one(".event.reviewed")
    _wait_for_pictures(page)
    camera.take("review")
    _search(camera, base)
    _calibrate(camera, base)


def _search(camera: PageCamera, base: str) -> None:
    page = camera.page(base, "search", _DESK)
    with tempfile.NamedTemporaryFile(suffix=".jpg") as file:
        person = httpx.get(f"{base}/thumbnails/hall/102.jpg").raise_for_status()
        file.write(person.content)
        file.flush()
        page.one(".picture-field")
        page.run("document.querySelector('input[type=file]').classList.remove('visually-hidden')")
        page.one("input[type=file]").send_keys(file.name)
        page.one(".picture-field img")
        page.click(".search button.primary")
        page.one(".found .person-card img")
    page.run("document.querySelector('input[type=file]').classList.add('visually-hidden')")
    _wait_for_pictures(page)
    camera.take("search")


def _calibrate(camera: PageCamera, base: str) -> None:
    page = camera.page(base, "calibrate/entrance", _DESK)
    page.one("svg.snapshot")
    page.wait(lambda: page.run("return document.querySelectorAll('.grid polyline').length"), "grid")
    matrix = np.array(CALIBRATIONS["entrance"]["calibration"]["homography"])
    for number, (x, y) in enumerate(((1.8, 0.8), (7.0, 0.9), (7.6, 3.8), (0.9, 3.7), (4.4, 2.2))):
        pixel = matrix @ (x, y, 1)
        page.click(".points button", "Add a point")
        values = (*(pixel[:2] / pixel[2]), x + 0.06 * (number == 2), y)
        for at, value in enumerate(values):
            field = page.all(f".points tbody tr:nth-child({number + 1}) input")[at]
            field.clear()
            field.send_keys(f"{value:.2f}", Keys.TAB)
    page.one("[role=status]", "m on average")
    page.wait(lambda: page.run("return document.querySelectorAll('.grid polyline').length"), "grid")
    page.wait(lambda: page.all(".points td.number", "m")[4:], "the points do not fit")
    page.run("scrollTo(0, 0); document.getElementById('content').scrollTo(0, 0)")
    _wait_for_pictures(page)
    camera.take("calibrate")


_BLACK = """
return [...document.querySelectorAll('.tile canvas')].filter(canvas => canvas.width < 2
  || !canvas.getContext('2d').getImageData(canvas.width / 2, canvas.height / 3, 1, 1).data[0])
"""


def _wait_for_tiles(page: Browser) -> None:
    page.wait(lambda: not page.run(_BLACK), "a camera shows nothing")


def _wait_for_pictures(page: Browser) -> None:
    # Those further down are not asked for yet.
    loaded = (
        "return [...document.images].filter(one => one.getBoundingClientRect().top < innerHeight)"
        ".every(one => one.complete && one.naturalWidth)"
    )
    page.wait(lambda: page.run(loaded), "a picture is not loaded")


def main(folder: Path) -> None:
    """Write all pictures into ``folder``."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        chrome = open_chromium(work / "profile")
        try:
            camera = PageCamera(chrome, folder)
            with drawn_networks(), past_run(work) as base:
                of_the_past(camera, base)
            with live_site(work) as base:
                of_now(camera, base)
        finally:
            chrome.quit()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder for the pictures")
    main(parser.parse_args().folder)
