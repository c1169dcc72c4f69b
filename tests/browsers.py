"""A real Chromium without a network, and what tests of pages ask of it."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException, TimeoutException
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

_FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-dev-shm-usage", "--hide-scrollbars"),
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
# Far above what the slowest processor needs.
_WAIT_S = 120

# In one request: each further one of an element takes as long as drawing the page.
_DISPLAYED = r"""
return [...document.querySelectorAll(arguments[0])].filter(
  one => one.getClientRects().length && one.checkVisibility({visibilityProperty: true})
    && (one.innerText ?? one.textContent).replace(/\s+/g, ' ').includes(arguments[1]))
"""

_SERIOUS = ("serious", "critical")

Found = TypeVar("Found")


def open_chromium(profile: Path, *, requests: bool = False) -> webdriver.Chrome:
    """A Chromium with this profile folder; the test is skipped where there is none.

    With ``requests`` its performance log has them, and each message of a WebSocket.
    """
    binary = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if binary is None or driver is None:
        pytest.skip("no chromium and chromedriver on PATH to open the page with")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for flag in (*_FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    logs = {"browser": "ALL", **({"performance": "ALL"} if requests else {})}
    options.set_capability("goog:loggingPrefs", logs)
    chrome = webdriver.Chrome(options, webdriver.ChromeService(driver))
    chrome.set_window_size(1280, 900)
    chrome.set_script_timeout(300)
    # Without a window manager a page has no focus of its own.
    chrome.execute_cdp_cmd("Emulation.setFocusEmulationEnabled", {"enabled": True})
    return chrome


class Browser:
    """``chrome`` at a page of ``base``; what is asked for is waited for."""

    def __init__(self, chrome: webdriver.Chrome, base: str) -> None:
        self.chrome = chrome
        self.base = base

    def resize(self, width: int, height: int) -> None:
        """Make the page so large."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def prefer(self, scheme: str) -> None:
        """Prefer light or dark, as a system does."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def open(self, screen: str) -> None:
        """Load the page at a screen; the log is empty then."""
        self.chrome.get("about:blank")
        self.chrome.get_log("browser")
        self.chrome.get(f"{self.base}/#/{screen}")

    def wait(self, true: Callable[[], Found | None], what: str) -> Found:
        """What ``true`` returns, once it is not false."""

        def asked(_: object) -> Found | None:
            try:
                return true()
            except StaleElementReferenceException:
                return None

        try:
            found: Found = WebDriverWait(self.chrome, _WAIT_S, 0.05).until(asked, what)
        except TimeoutException:
            shown = self.run("return document.body.innerText")
            raise AssertionError(f"{what}; {self.errors()} in the page {shown!r}") from None
        return found

    def all(self, selector: str, text: str = "") -> list[WebElement]:
        """The displayed elements now that have this text in them."""
        found: list[WebElement] = self.run(_DISPLAYED, selector, text)
        return found

    def one(self, selector: str, text: str = "") -> WebElement:
        """The first displayed element with this text in it."""
        what = f"no {selector} with {text!r}"
        return self.wait(lambda: next(iter(self.all(selector, text)), None), what)

    def click(self, selector: str, text: str = "") -> None:
        """Click the first displayed element with this text in it."""
        self.chrome.execute_script("arguments[0].click()", self.one(selector, text))

    def press(self, *keys: str) -> None:
        """Press keys wherever the focus is."""
        webdriver.ActionChains(self.chrome).send_keys(*keys).perform()

    def escape(self) -> None:
        """Press Escape."""
        self.press(Keys.ESCAPE)

    def run(self, script: str, *arguments: object) -> Any:
        """The result of JavaScript."""
        return self.chrome.execute_script(script, *arguments)

    def errors(self) -> list[str]:
        """What the page has logged, with what its policy has refused."""
        return [entry["message"] for entry in self.chrome.get_log("browser")]

    def width(self) -> int:
        """The width of the page with what is beside the window."""
        return int(self.run("return document.documentElement.scrollWidth"))

    def faults(self, axe: str) -> list[str]:
        """What ``axe`` (its source) finds serious in the page, each with the element."""
        self.run(axe)
        script = (
            "const done = arguments[arguments.length - 1];"
            "axe.run(document, {resultTypes: ['violations']}).then(all => done(all.violations))"
        )
        found = self.chrome.execute_async_script(script)
        return [
            f"{one['id']}: {one['help']}: {node['html'][:200]}"
            for one in found
            if one["impact"] in _SERIOUS
            for node in one["nodes"]
        ]
