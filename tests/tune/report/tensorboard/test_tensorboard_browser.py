"""TensorBoard's own page on a sweep that has ended, in headless Chromium."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from tests.tune.report.tensorboard.concluded_sweep import conclude
from tests.tune.report.tensorboard.watched_sweep import Server

BROWSER = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(BROWSER is None, reason="needs a Chromium browser")]
MOST_MS = 60_000
# the page's text in order, that of its components too; a script of TensorBoard's own keeps them in shadow trees
SHOWN = """
window.shown = () => {
  const found = [];
  const walk = node => {
    if (node.nodeType === Node.TEXT_NODE && node.textContent.trim()) found.push(node.textContent.trim());
    if (['STYLE', 'SCRIPT', 'TEMPLATE'].includes(node.tagName)) return;
    if (node.shadowRoot) walk(node.shadowRoot);
    node.childNodes.forEach(walk);
  };
  walk(document.body);
  return '|' + found.join('|') + '|';
};
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, tensorboard_server: Server) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    folder = tmp_path_factory.mktemp("night1")
    conclude(folder)
    with tensorboard_server(folder) as url, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1500, "height": 950}, base_url=url)
        page.add_init_script(SHOWN)
        page.set_default_timeout(MOST_MS)
        yield page
        browser.close()


def open_tab(page: Any, tab: str, *texts: str, query: str = "") -> str:
    """Open a tab afresh; return the page's text when all of these are in it."""
    page.goto("about:blank")
    page.goto(f"./{query}#{tab}")
    page.wait_for_function("texts => texts.every(text => window.shown().includes(text))", arg=list(texts))
    text: str = page.evaluate("window.shown()")
    return text


def test_the_table_of_hparams_has_each_trial_and_the_initial_model_with_their_metrics(page: Any) -> None:
    """Each row: batch_size, epochs, lr, patience, strategy; best val_loss, val_mae, val_mse, test_loss and test_mae."""
    text = open_tab(page, "hparams", "|TABLE VIEW|", "|zero-shot|0.50000|")
    assert "|best val_loss|best val_mae|best val_mse|test_loss|test_mae|" in text
    assert "|t0000 freeze_ffn lr 1e-5|64.000|3.0000|0.000010000|freeze_ffn|0.45000|0.25000|0.12500|" in text
    assert "|t0001 head_only lr 5e-7|64.000|3.0000|5.0000e-7|head_only|0.40000|0.25000|0.12500|0.56250|0.37500|" in text
    assert "|t0002 full lr 1e-4|64.000|3.0000|0.00010000|full|0.55000|0.25000|0.12500|" in text
    assert "|zero-shot|0.50000|0.25000|0.12500|0.62500|0.37500|" in text
    assert "|seasonal-naive|0.25000|0.12500|0.37500|" in text


def test_scalars_draw_the_curves_of_the_trials_and_of_the_initial_model(page: Any) -> None:
    text = open_tab(page, "scalars", "|val_loss|")
    assert "|t0001 head_only lr 5e-7|t0002 full lr 1e-4|zero-shot|" in text
    last = "|t0002 full lr 1e-4|0.56|2|"  # its value at its last step, in the table below the curves
    text = open_tab(page, "timeseries", last, query="?tagFilter=%5Eval_loss&smoothing=0")
    assert "|t0000 freeze_ffn lr 1e-5|0.47|3|" in text
    assert "|zero-shot|0.5|3|" in text


def test_images_show_the_forecasts(page: Any) -> None:
    open_tab(page, "images", "|forecasts/1 typical|")
    picture = page.locator("img[src*=individualImage]").first
    picture.wait_for()
    page.wait_for_function("image => image.naturalWidth > 0", arg=picture.element_handle())
    assert picture.evaluate("image => [image.naturalWidth, image.naturalHeight]") == [960, 570]


def test_text_shows_the_verdict_the_leaderboard_and_how_to_repeat_the_sweep(page: Any) -> None:
    text = open_tab(page, "text", "|Use t0001|", "|summary/3 repeat|", "foretune sweep moirai-small --data")
    assert "val_loss 0.4 against zero-shot's 0.5, 0.1000 better" in text
    assert "|#|trial|val_loss|gain|in top set|val_mae|val_mse|skill|" in text
    assert "|1|t0001|0.4|+0.1000|yes|" in text
    assert "|trial|best epoch|ended by|strategy|lr|" in text
