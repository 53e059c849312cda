"""The report in a real Chromium: what it draws, what it asks for, what its link restores."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from synthetic import write_run

from lpa.outcomes import Outcomes
from lpa.report import write_report

pytestmark = pytest.mark.browser

CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--no-sandbox", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
]  # fmt: skip
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("browser")
    titles = (HOSTILE, "garden spider", "=cmd()", "barn spider", "canoe", "paddle")
    run = write_run(folder / "run", names=[f"n{k}" for k in range(6)], titles=titles)
    return write_report(Outcomes(run), folder / "report.html").as_uri()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    if CHROMIUM is None:
        pytest.skip("there is no chromium on the PATH")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield found
        found.close()


class Visit:
    """A page with everything it complained of and asked for."""

    def __init__(self, browser: Any, address: str, **options: Any) -> None:
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.errors: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.errors.append(message.text))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("dialog", lambda dialog: self.errors.append(dialog.message))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(address)
        self.page.wait_for_selector("#class-plot .scatterlayer")

    def curves(self, plot: str = "class-plot") -> list[str]:
        return self.page.evaluate(
            f"document.getElementById('{plot}').data.filter(t => !t.fill).map(t => t.name)"
        )


@pytest.fixture
def visit(browser: Any, address: str) -> Iterator[Visit]:
    found = Visit(browser, address)
    yield found
    assert found.errors == []
    assert [url for url in found.requests if not url.startswith(("data:", "blob:"))] == [
        found.requests[0]
    ]
    found.context.close()


def test_curves_are_drawn_without_an_error_or_a_request(visit: Visit) -> None:
    assert visit.curves("mean-plot") == ["first", "second"]
    assert len(visit.curves()) == 8
    assert visit.page.locator("#heat-plot .heatmaplayer image").count() == 1
    assert visit.page.locator("#strip figure").count() == 7
    assert visit.page.locator("#class-pictures img").count() == 4 * 9
    broken = "[...document.images].filter(i => i.complete && !i.naturalWidth).length"
    assert visit.page.evaluate(broken) == 0


def test_searching_and_choosing_a_class_changes_the_curves(visit: Visit) -> None:
    page = visit.page
    page.get_by_role("button", name="remove all").click()
    assert visit.curves() == []
    page.fill("#class-search", "spid")
    assert page.locator("#class-list li span").all_inner_texts() == ["barn spider", "garden spider"]
    assert page.inner_text("#class-count") == "2 of 6 classes"
    page.locator("#class-list li", has_text="garden").click()
    assert visit.curves() == ["garden spider, first", "garden spider, second"]
    assert page.locator("#class-list li[aria-selected=true]").count() == 1
    page.locator("#chosen button", has_text="garden").click()
    assert visit.curves() == []


def test_the_keyboard_alone_finds_and_shows_a_class(visit: Visit) -> None:
    page = visit.page
    page.get_by_role("button", name="remove all").click()
    page.focus("#class-search")
    page.keyboard.type("spider")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert visit.curves() == ["garden spider, first", "garden spider, second"]
    page.keyboard.press("Escape")
    assert page.input_value("#class-search") == ""
    assert page.locator("#class-list li").count() == 6


def test_augmentation_and_models_are_chosen_above(visit: Visit) -> None:
    page = visit.page
    page.locator("#axis-choice label", has_text="cutout").click()
    title = "document.getElementById('class-plot').layout.xaxis.title.text"
    assert page.evaluate(title) == "cutout (fraction of the view erased)"
    page.locator("#model-choice label", has_text="first").click()
    assert visit.curves("mean-plot") == ["second"]
    assert page.locator("#strip .verdict").count() == 5
    page.locator("#model-choice label", has_text="second").click()
    assert page.inner_text("#mean-note") == "No model is chosen above."


def test_a_link_restores_the_view(visit: Visit, browser: Any) -> None:
    page = visit.page
    page.locator("#axis-choice label", has_text="cutout").click()
    page.locator("#model-choice label", has_text="first").click()
    page.get_by_role("button", name="remove all").click()
    page.fill("#class-search", "canoe")
    page.keyboard.press("Enter")
    page.select_option("#strip-choice", index=2)
    page.select_option("#aggregate", "overall")
    again = Visit(browser, page.url)
    try:
        assert again.curves() == ["canoe, second"]
        assert again.curves("mean-plot") == ["second"]
        assert again.page.input_value("#strip-choice") == "2"
        assert again.page.input_value("#aggregate") == "overall"
        assert again.page.is_checked("#axis-choice input[value=cutout]")
        assert again.errors == []
    finally:
        again.context.close()


def test_a_link_of_another_run_falls_back_to_what_there_is(browser: Any, address: str) -> None:
    visit = Visit(browser, address + "#axis=blur&model=none&class=n4&class=gone&split=%E0%A4%A")
    assert visit.errors == []
    assert visit.curves() == ["canoe, first", "canoe, second"]
    assert visit.page.locator("#chosen button", has_text="canoe").count() == 1
    visit.context.close()


def test_names_that_are_code_are_shown_as_text(visit: Visit) -> None:
    page = visit.page
    page.get_by_role("button", name="remove all").click()
    page.fill("#class-search", "alert")
    page.keyboard.press("Enter")
    assert page.locator("#class-list li span").all_inner_texts() == [HOSTILE]
    assert page.locator("#chosen li button").first.inner_text().startswith(HOSTILE)
    rows = page.locator("#heat-plot .ytick").all_text_contents()
    assert HOSTILE in rows and "=cmd()" in rows


def test_a_click_on_the_heat_map_shows_that_class(visit: Visit) -> None:
    page = visit.page
    page.get_by_role("button", name="remove all").click()
    page.locator("#heat-plot").scroll_into_view_if_needed()
    box = page.locator("#heat-plot .nsewdrag").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 3)
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 3)
    page.wait_for_selector("#chosen li")
    assert page.locator("#chosen li").count() == 1
    top = page.evaluate("document.getElementById('heat-plot').layout.yaxis.ticktext[0]")
    shown = page.locator("#chosen button").first.inner_text().split("\u2002")[0]
    assert shown == top


@pytest.mark.parametrize("width", [320, 390, 768])
def test_narrow_screens_do_not_scroll_sideways(browser: Any, address: str, width: int) -> None:
    visit = Visit(browser, address, viewport={"width": width, "height": 800})
    assert visit.page.evaluate("document.documentElement.scrollWidth") == width
    visit.context.close()


def test_a_dark_screen_gets_a_dark_page_and_figures(browser: Any, address: str) -> None:
    visit = Visit(browser, address, color_scheme="dark")
    ground = visit.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == "rgb(22, 22, 26)"
    font = "document.getElementById('mean-plot').layout.font.color"
    assert visit.page.evaluate(font) == "#e6e5e1"
    visit.page.emulate_media(color_scheme="light")
    # The page forbids the eval that wait_for_function would use.
    visit.page.wait_for_timeout(200)
    assert visit.page.evaluate(font) == "#26262b"
    visit.context.close()
