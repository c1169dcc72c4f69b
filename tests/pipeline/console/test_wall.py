"""The wall: pictures with boxes, one colour a person, mouse and keyboard."""

from selenium.webdriver.common.keys import Keys

from browsers import Browser
from drawn_site import CAMERAS
from pipeline.pictures.colours import css_colour

# Counts the pixels of a canvas that have exactly this colour.
_COUNT = """
const [canvas, colour] = arguments;
if (!canvas.width) return 0;
const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
const [red, green, blue] = [1, 3, 5].map(at => parseInt(colour.slice(at, at + 2), 16));
let count = 0;
for (let at = 0; at < data.length; at += 4)
  if (data[at] === red && data[at + 1] === green && data[at + 2] === blue) count += 1;
return count;
"""


def at_the_wall(live: Browser, screen: str = "wall") -> Browser:
    live.resize(1280, 800)
    live.open(screen)
    live.one(".tile .marks a")
    return live


def test_every_camera_has_its_tile_and_the_people_are_counted(live: Browser) -> None:
    at_the_wall(live)
    assert [tile.get_attribute("data-camera") for tile in live.all(".tile")] == list(CAMERAS)
    live.one(".wall-head", f"{len(CAMERAS)} of {len(CAMERAS)} cameras running")
    live.wait(lambda: int(live.one(".count strong").text) > 0, "nobody is there")
    assert "fps" in live.one(".tile .figures").text


def test_people_have_boxes_of_their_colour_in_the_pictures(live: Browser) -> None:
    at_the_wall(live)

    def drawn() -> bool:
        for tile in live.all(".tile"):
            canvas = tile.find_element("css selector", "canvas")
            for mark in tile.find_elements("css selector", ".marks .mark"):
                if live.run(_COUNT, canvas, css_colour(int(mark.text))) > 100:
                    return True
        return False

    live.wait(drawn, "no box in the colour of a person")


def test_a_click_enlarges_a_camera_and_escape_goes_back(live: Browser) -> None:
    at_the_wall(live)
    live.click('[data-camera="hall"] .stage')
    live.one("h1", "hall")
    assert len(live.all(".strip .tile")) == len(CAMERAS) - 1
    live.one(".facts", "rtsp://10.0.0.2/stream")
    live.escape()
    live.one("h1", "Wall")


def test_the_keyboard_alone_reaches_cameras_screens_and_help(live: Browser) -> None:
    at_the_wall(live)
    live.press(Keys.ARROW_RIGHT)
    live.press(Keys.ARROW_RIGHT)
    focused = live.run("return document.activeElement.closest('.tile').dataset.camera")
    assert focused == CAMERAS[1]
    live.press(Keys.ENTER)
    live.one("h1", CAMERAS[1])
    live.press(Keys.ARROW_RIGHT)
    live.one("h1", CAMERAS[2])
    live.press("?")
    live.one("dialog[open]", "Wall")
    live.escape()
    live.press("p")
    live.one("h1", "People now")


def test_single_keys_can_be_turned_off(live: Browser) -> None:
    at_the_wall(live)
    live.click(".menu-button", "Settings")
    live.click("dialog input[type=checkbox]")
    live.escape()
    live.press("p")
    assert live.run("return location.hash") == "#/wall"
    live.run("localStorage.clear()")


def test_the_time_zone_is_chosen_and_kept(live: Browser) -> None:
    at_the_wall(live)
    live.click(".menu-button", "Settings")
    live.run(
        "const choice = arguments[0]; choice.value = 'Asia/Tokyo';"
        "choice.dispatchEvent(new Event('change', {bubbles: true}))",
        live.chrome.find_elements("css selector", "dialog select")[1],
    )
    live.escape()
    # START is 14:13:20 UTC.
    live.one(".connection", "23:1")
    live.open("people")
    live.one(".connection", "23:1")
    live.run("localStorage.clear()")


def test_pictures_of_people_now_are_of_now(live: Browser) -> None:
    live.resize(1280, 800)
    live.open("people")
    canvas = live.one(".person-card canvas[data-drawn]")
    assert live.run("return arguments[0].width", canvas) > 20
