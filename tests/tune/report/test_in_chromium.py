"""The page in a browser: accessible, within the window, without a network, and of use without JavaScript."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.tune.report.whole_sweep import whole_page
from tune.report.page import Life

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs a Chromium browser")

Opened = Callable[..., Any]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return whole_page(tmp_path_factory.mktemp("night1"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def opened(browser: Any, path: Path) -> Iterator[Opened]:
    """Open the page in a context of its own, and note what it asks the network for and what it complains of."""
    contexts = []

    def open_page(file: Path = path, *, width: int = 1280, **context: Any) -> Any:
        contexts.append(browser.new_context(viewport={"width": width, "height": 900}, **context))
        page = contexts[-1].new_page()
        page.asked, page.complaints = [], []
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.goto(file.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()


def dim(page: Any) -> set[str]:
    """The trials that are pale in the parallel coordinates that are shown."""
    return set(page.eval_on_selector_all("#parallel-pictures .wide g.dim", "all => all.map(e => e.dataset.trial)"))


def rows(page: Any) -> set[str]:
    return set(page.eval_on_selector_all("tr[data-trial]:not([hidden])", "all => all.map(e => e.dataset.trial)"))


def trials(*numbers: int) -> set[str]:
    return {f"t{number:04d}" for number in numbers}


# --- how it looks


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation_and_nothing_is_wider_than_the_window(opened: Opened, scheme: str, width: int) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page = opened(width=width, color_scheme=scheme)
    found = Axe().run(page).response["violations"]
    assert [(v["id"], [node["html"][:200] for node in v["nodes"][:3]]) for v in found] == []
    assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert max(ground) < 40 if scheme == "dark" else min(ground) > 230
    assert page.complaints == []
    assert page.asked == [page.url]


def test_each_picture_is_shown_once_and_fits(opened: Opened) -> None:
    for width, kind in ((390, "narrow"), (1280, "wide")):
        page = opened(width=width)
        shown = [svg for svg in page.locator(".picture svg").all() if svg.is_visible()]
        assert {svg.locator("xpath=..").get_attribute("class") for svg in shown} == {kind}
        assert len(shown) == 10
        assert max(svg.bounding_box()["x"] + svg.bounding_box()["width"] for svg in shown) <= width


def test_without_javascript_pictures_tables_and_forecasts_are_there(opened: Opened) -> None:
    page = opened(java_script_enabled=False)
    assert page.locator(".wide > svg:visible").count() == 10
    assert page.locator("#brushing").is_hidden()
    assert page.locator("table.board tbody tr:visible").count() == 14  # 13 trials and zero-shot


def test_on_paper_nothing_is_cut_off_or_folded(opened: Opened) -> None:
    page = opened(width=1000)
    page.emulate_media(media="print")
    assert page.locator(".wide > svg:visible").count() == 10
    assert page.locator("#brushing").is_hidden()
    overflow = "all => all.map(e => getComputedStyle(e).overflowX)"
    assert set(page.eval_on_selector_all(".scroll, pre", overflow)) == {"visible"}
    assert page.locator("details pre").first.bounding_box()["height"] > 10
    assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")


# --- choosing trials


def test_a_range_by_keyboard_leaves_the_trials_inside_it_in_pictures_and_leaderboard(opened: Opened) -> None:
    """Twelve trials have learning rates 1e-6 to 12e-6: the lower end of the axis goes up to the highest."""
    page = opened()
    assert (dim(page), len(rows(page))) == (set(), 13)
    lowest = page.get_by_role("group", name="lr").get_by_role("slider", name="from")
    lowest.focus()
    page.keyboard.press("End")
    assert lowest.get_attribute("aria-valuetext") == "1.2e-5"
    assert dim(page) == trials(*range(11))
    assert rows(page) == trials(11)
    assert page.get_by_role("status").text_content().startswith("1 of 12 trials chosen")
    assert page.locator("#history-t0000.dim").count() == 1
    page.get_by_role("button", name="Show all trials").press("Enter")
    assert (dim(page), len(rows(page))) == (set(), 13)


def test_a_range_of_words_takes_whole_choices(opened: Opened) -> None:
    page = opened()
    last = page.get_by_role("group", name="strategy").get_by_role("slider", name="to")
    last.focus()
    page.keyboard.press("ArrowLeft")  # freeze_ffn, full, head_only
    assert last.get_attribute("aria-valuetext") == "full"
    assert rows(page) == trials(1, 2, 4, 5, 7, 8, 10, 11)


@pytest.mark.parametrize(("width", "kind"), [(1280, "wide"), (390, "narrow")])
def test_a_range_is_drawn_along_an_axis_and_a_click_takes_it_away(opened: Opened, width: int, kind: str) -> None:
    """The upper half of val_loss, by the mouse; the losses of twelve trials are at even distances."""
    page = opened(width=width)
    ground = page.locator(f"#parallel-pictures .{kind} .ground").last
    ground.scroll_into_view_if_needed()
    box = ground.bounding_box()
    x, y, w, h = box["x"], box["y"], box["width"], box["height"]
    low = (x + w / 2, y + h / 2)
    high = (x + w / 2, y + 1) if kind == "wide" else (x + w - 1, y + h / 2)
    page.mouse.move(*low)
    page.mouse.down()
    page.mouse.move(*high, steps=4)
    page.mouse.up()
    assert rows(page) == trials(*range(6))
    page.mouse.click(*low)
    assert len(rows(page)) == 13


def test_a_trial_under_the_mouse_is_lit_everywhere(opened: Opened) -> None:
    page = opened()
    page.locator("tr[data-trial=t0003] th").hover()
    lit = page.eval_on_selector_all(".lit", "all => all.map(e => e.dataset.trial)")
    assert set(lit) == {"t0003"}
    assert len(lit) > 8


# --- while the sweep runs


def test_a_running_sweeps_page_reads_itself_again_and_keeps_scroll_and_choice(opened: Opened, tmp_path: Path) -> None:
    path = whole_page(tmp_path, life=Life(is_running=True, written="12:34:56"))
    page = opened(path)
    page.clock.install()
    page.reload()
    box = page.get_by_role("checkbox", name="read this page again every 15 s")
    assert box.is_checked()
    page.get_by_role("group", name="lr").get_by_role("slider", name="from").press("End")
    page.evaluate("document.activeElement.blur(); scrollTo(0, 500)")
    path.write_text(path.read_text(encoding="utf-8").replace("12:34:56", "12:34:57"), encoding="utf-8")
    with page.expect_navigation():
        page.clock.run_for(17_000)
    assert "12:34:57" in page.text_content("main")
    assert page.evaluate("scrollY") == 500
    assert rows(page) == trials(11)
    box.uncheck()
    path.write_text(path.read_text(encoding="utf-8").replace("12:34:57", "12:34:58"), encoding="utf-8")
    page.clock.run_for(40_000)
    assert "12:34:57" in page.text_content("main")


def test_without_javascript_the_browser_reads_a_running_sweeps_page_again(opened: Opened, tmp_path: Path) -> None:
    running = whole_page(tmp_path, life=Life(is_running=True))
    refresh = "meta[http-equiv=refresh]"
    assert opened(running, java_script_enabled=False).locator(refresh).get_attribute("content") == "15"
    assert opened(java_script_enabled=False).locator(refresh).count() == 0
