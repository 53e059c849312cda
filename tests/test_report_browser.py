"""The report in a real Chromium: what it draws, what it asks for, what its link restores."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from synthetic import CROP, made_up_cells, write_run
from trained_runs import write_policies, write_sweep

from lpa.axes import Axis
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
        self.page.wait_for_selector("html[data-drawn]")

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
    assert visit.page.locator("#multiples-grid svg").count() == 2 * 2
    assert visit.page.locator("#ranking-table tbody tr").count() == 6
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
    assert page.inner_text("#heat-note").endswith("on cutout.")
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


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A run with findings: classes of fifty images, one of them called like a formula."""
    folder = tmp_path_factory.mktemp("large")
    titles = [f"class {k}" for k in range(28)] + [HOSTILE, "=cmd()"]
    titles[3] = "a class whose name is extraordinarily long, as in some hierarchical data sets"
    run = write_run(
        folder / "run", names=[f"n{k:02d}" for k in range(30)], titles=titles, per_class=50,
        models=("first", "vit_small_patch16_224.augreg_in21k_ft_in1k_and_some_more_words"),
    )  # fmt: skip
    return write_report(Outcomes(run), folder / "report.html").as_uri()


@pytest.fixture
def lands(browser: Any, large: str) -> Iterator[Visit]:
    found = Visit(browser, large)
    yield found
    assert found.errors == []
    assert [url for url in found.requests if not url.startswith(("data:", "blob:"))] == [
        found.requests[0]
    ]
    found.context.close()


def column(page: Any, name: str) -> list[str]:
    place = page.locator("#ranking-table thead th").evaluate_all(
        "(heads, name) => heads.findIndex(h => h.dataset.column === name)", name
    )
    cells = page.locator(f"#ranking-table tbody tr > :nth-child({place + 1})")
    return cells.locator("> button, > .number").all_inner_texts()


def test_it_lands_on_the_findings_beside_pictures_where_the_label_is_lost(lands: Visit) -> None:
    page = lands.page
    first = page.locator(".findings li").first
    assert first.bounding_box()["y"] < 900
    assert page.locator(".findings li").count() == len(page.evaluate(DATA + ".findings"))
    captions = page.locator(".evidence figcaption").all_inner_texts()
    assert captions and all(text.startswith("✗ ") for text in captions)


DATA = "JSON.parse(document.getElementById('data').textContent)"


def test_a_finding_shows_its_curve_and_is_copied_as_markdown(lands: Visit) -> None:
    page, context = lands.page, lands.context
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    finding = page.evaluate(DATA + ".findings")[1]
    page.locator("[data-copy]").nth(1).click()
    page.wait_for_selector("text=Copied")
    assert page.evaluate("navigator.clipboard.readText()") == finding["markdown"]
    page.locator("[data-show]").nth(1).click()
    titles = [entry["title"] for entry in page.evaluate(DATA + ".classes")]
    wanted = titles[finding["class"]]
    assert {name.split(", ")[0] for name in lands.curves()} <= {
        wanted.split(", ")[0].replace("<", "&lt;").replace(">", "&gt;")
    }
    assert page.locator("#chosen li").count() == 1


def test_the_ranking_sorts_filters_and_drives_the_curves(lands: Visit) -> None:
    page = lands.page
    assert column(page, "rank") == [str(rank) for rank in range(1, 31)]
    head = page.locator("#ranking-table th[data-column=loss] button")
    head.click()
    losses = [float(text.replace("\u2212", "-")) for text in column(page, "loss")]
    assert losses == sorted(losses)
    head.click()
    losses = [float(text.replace("\u2212", "-")) for text in column(page, "loss")]
    assert losses == sorted(losses, reverse=True)
    assert page.locator("#ranking-table th[data-column=loss]").get_attribute("aria-sort") == (
        "descending"
    )
    page.fill("#ranking-filter", "cmd")
    assert column(page, "class") == ["=cmd()"]
    assert page.inner_text("#ranking-count") == "1 of 30 classes"
    before = lands.curves()
    page.locator("#ranking-table tbody tr").click()
    assert lands.curves() == [*before, *[name for name in lands.curves() if "=cmd()" in name]]
    assert len(lands.curves()) == len(before) + 2
    page.fill("#ranking-filter", "")
    page.select_option("#ranking-only", "lost")
    shown = column(page, "there")
    assert 0 < len(shown) < 30


def test_the_ranking_answers_to_the_keyboard(lands: Visit) -> None:
    page = lands.page
    before = len(lands.curves())
    page.locator("#ranking-table th[data-column=images] button").focus()
    page.keyboard.press("Enter")
    head = page.locator("#ranking-table th[data-column=images]")
    assert head.get_attribute("aria-sort") == "ascending"
    name = page.locator("#ranking-table tbody tr[data-class='20'] button")
    name.focus()
    page.keyboard.press("Enter")
    assert len(lands.curves()) == before + 2
    assert name.get_attribute("aria-pressed") == "true"
    assert page.evaluate("document.activeElement.textContent") == "class 20"


def test_a_link_restores_the_ranking_and_the_model_in_focus(lands: Visit, browser: Any) -> None:
    page = lands.page
    page.select_option("#focus", index=0)
    page.locator("#ranking-table th[data-column=threshold] button").click()
    page.locator("#ranking-table th[data-column=threshold] button").click()
    page.fill("#ranking-filter", "class 1")
    again = Visit(browser, page.evaluate("location.href"))
    try:
        assert again.page.input_value("#ranking-filter") == "class 1"
        assert again.page.input_value("#focus") == "0"
        assert column(again.page, "class") == column(page, "class")
        assert again.page.locator("th[aria-sort=descending]").get_attribute("data-column") == (
            "threshold"
        )
    finally:
        again.context.close()


def downloaded(page: Any, name: str) -> list[list[str]]:
    with page.expect_download() as caught:
        page.locator(f".download[data-numbers='{name}']").click()
    assert caught.value.suggested_filename == f"{name}.csv"
    return list(csv.reader(Path(caught.value.path()).read_text("utf-8").splitlines()))


def test_the_numbers_behind_every_figure_can_be_downloaded(lands: Visit) -> None:
    page = lands.page
    page.locator("details").evaluate_all("all => all.forEach(one => { one.open = true; })")
    names = page.locator(".download").evaluate_all("all => all.map(b => b.dataset.numbers)")
    assert {"findings", "mean", "classes", "drift", "ranking", "heat", "multiples", "hurt",
            "agreement", "pairs"} <= set(names)  # fmt: skip
    for name in names:
        head, *rows = downloaded(page, name)
        assert rows and all(len(row) == len(head) for row in rows), name


def test_a_class_called_like_a_formula_is_text_in_a_download(lands: Visit) -> None:
    head, *rows = downloaded(lands.page, "heat")
    at = head.index("title")
    assert {row[at] for row in rows} >= {"'=cmd()", HOSTILE}
    assert not any(cell.startswith(("=", "+", "@")) for row in rows for cell in row)
    accuracy = [float(row[head.index("accuracy")]) for row in rows]
    values = {row[head.index("value")] for row in rows}
    assert len(rows) == 30 * len(values) and len(values) > 4
    assert all(0 <= share <= 1 for share in accuracy)


@pytest.mark.parametrize("width", [320, 390])
def test_long_names_do_not_make_a_phone_scroll_sideways(
    browser: Any, large: str, width: int
) -> None:
    visit = Visit(browser, large, viewport={"width": width, "height": 800})
    assert visit.page.evaluate("document.documentElement.scrollWidth") == width
    assert visit.errors == []
    visit.context.close()


def test_a_printed_page_holds_every_figure(lands: Visit) -> None:
    assert lands.page.pdf(format="A4")[:5] == b"%PDF-"
    lands.page.emulate_media(media="print")
    hidden = "[...document.querySelectorAll('.toolbar, .download, .actions, .finder')]"
    assert lands.page.evaluate(f"{hidden}.every(node => getComputedStyle(node).display === 'none')")
    # Nothing that scrolls on a screen is cut off on paper.
    scrolled = "[...document.querySelectorAll('.scroll')]"
    assert lands.page.evaluate(f"{scrolled}.every(n => n.scrollHeight <= n.clientHeight + 1)")


def test_several_runs_stand_on_one_page(browser: Any, tmp_path_factory: Any) -> None:
    folder = tmp_path_factory.mktemp("several")
    scan = write_run(folder / "scan", per_class=20)
    wanted = {1.0: [0.9, 0.8, 0.9], 0.3: [0.9, 0.4, 0.9], 0.08: [0.8, 0.2, 0.9]}
    sweep = write_sweep(folder / "sweep", wanted, runs=5, per_class=30)
    page = write_report([Outcomes(scan), Outcomes(sweep)], folder / "page.html")
    visit = Visit(browser, page.as_uri())
    assert visit.curves("mean-plot") == ["rn50 · sweep"]
    assert visit.page.is_visible("#level-choice") and visit.page.is_visible("#table-1 table")
    visit.page.locator("#level-choice label", has_text="images").click()
    assert "level: image" in visit.page.inner_text("#mean-note")
    visit.page.locator("#axis-choice label", has_text="cutout").click()
    assert visit.curves("mean-plot") == ["first · scan", "second · scan"]
    assert visit.page.inner_text("#ranking-note").startswith("rn50 · sweep has no losses on cutout")
    visit.page.select_option("#focus", label="first · scan")
    assert visit.page.locator("#ranking-table tbody tr").count() == 4
    assert visit.errors == []
    visit.context.close()


@pytest.fixture(scope="module")
def policies(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A sweep of weight decay with a policy, whose images are those of two splits."""
    axis = Axis("weight_decay", "L2 coefficient", 0.0, scale="log", minimum=0.0, monotone=False)
    values = (0.0, 1e-5, 1e-4, 1e-3)
    plain = {value: [0.9 - 0.5 * (value == 1e-3), *[0.8] * 11] for value in values}
    folder = tmp_path_factory.mktemp("policies")
    run = write_policies(
        folder / "run", {"cnn": plain, "cnn+adaptive_strength": plain},
        {"cnn+adaptive_strength": {"name": "adaptive_strength", "record": {}}},
        runs=5, per_class=40, axis=axis, split=["train", "val"] * 240,
    )  # fmt: skip
    return write_report(Outcomes(run), folder / "report.html").as_uri()


def test_a_sweep_shows_runs_by_level_and_its_policy_beside_the_plain_training(
    browser: Any, policies: str
) -> None:
    visit = Visit(browser, policies)
    page = visit.page
    assert "the regularizer weight_decay (L2 coefficient)" in page.inner_text(".lede")
    assert "level: run" in page.inner_text("#mean-note")
    assert "Training images are dashed." in page.inner_text("#mean-note")
    line = "document.getElementById('mean-plot').data.filter(t => !t.fill)"
    dashes = page.evaluate(f"Object.fromEntries({line}.map(t => [t.name, t.line.dash]))")
    assert dashes["cnn, train"] == "dash" and dashes["cnn, val"] == "solid"
    # 0 has a place one step before the weakest value of the logarithmic axis.
    assert page.evaluate(f"{line}[0].x") == pytest.approx([1e-6, 1e-5, 1e-4, 1e-3])
    ticks = page.locator("#mean-plot .xtick text").all_text_contents()
    assert ticks == ["0", "1e-05", "0.0001", "0.001"]
    # Tables and maps are of the images that no model was trained on.
    assert ", val on weight_decay: 12 classes ranked" in page.inner_text("#ranking-note")
    assert page.inner_text("#compared h2") == "Compared with cnn"
    assert page.locator("[data-table=end-points] tbody tr").count() == 3 * 2 * 2
    assert page.is_visible("#table-1 table") and page.is_visible("#oracle table")
    assert "of level both" in page.inner_text("#ranking-note")
    assert page.locator("#agreement table").count() > 0
    assert visit.errors == [] and len(visit.requests) == 1
    visit.context.close()


def test_the_accuracy_axis_of_a_sweep_fits_its_curves_and_the_caption_says_so(
    browser: Any, tmp_path: Path
) -> None:
    wanted = {1.0: [0.98] * 10, 0.5: [0.99] * 10, 0.08: [0.96] * 10}
    sweep = Outcomes(write_sweep(tmp_path / "sweep", wanted, runs=8, per_class=100))
    visit = Visit(browser, write_report(sweep, tmp_path / "page.html").as_uri())
    for plot, note in (("mean-plot", "#mean-note"), ("class-plot", "#class-note")):
        low, high = visit.page.evaluate(f"document.getElementById('{plot}').layout.yaxis.range")
        heights = visit.page.evaluate(
            f"document.getElementById('{plot}').data.flatMap(t => t.y).filter(y => y !== null)"
        )
        # All of the curves and their bands, and not much more.
        assert low < min(heights) and max(heights) < high
        assert high - low < 1.25 * (max(heights) - min(heights)) + 0.01 < 0.2
        ends = " to ".join(f"{100 * min(end, 1):.1f}" for end in (low, high))
        assert visit.page.inner_text(note).endswith(
            f"The accuracy axis fits the curves: it goes from {ends} %, not from 0 to 100 %."
        )
        ticks = visit.page.locator(f"#{plot} .ytick text").all_text_contents()
        assert 2 <= len(ticks) <= 7
        assert all(100 * low <= float(tick) <= 100 * high for tick in ticks)
    accuracy = sweep.correct().mean(axis=1)
    shown = visit.page.evaluate("document.getElementById('mean-plot').data.at(-1).y")
    rows = sweep.cells["value"].to_numpy()
    assert shown == pytest.approx([accuracy[rows == v].mean() for v in wanted], abs=1e-4)
    assert visit.errors == []
    visit.context.close()


def test_the_accuracy_axis_of_a_scan_is_whole(visit: Visit) -> None:
    axis = visit.page.evaluate("document.getElementById('class-plot').layout.yaxis")
    assert axis["range"] == [-0.02, 1.02] and axis["ticktext"][-1] == "100"
    assert "accuracy axis" not in visit.page.inner_text("#class-note")


@pytest.mark.parametrize("width", [320, 390, 768])
def test_a_sweep_fits_a_phone(browser: Any, policies: str, width: int) -> None:
    visit = Visit(browser, policies, viewport={"width": width, "height": 800})
    visit.page.locator("details").evaluate_all("all => all.forEach(one => { one.open = true; })")
    assert visit.page.evaluate("document.documentElement.scrollWidth") == width
    title = visit.page.evaluate("document.getElementById('mean-plot').layout.xaxis.title.text")
    assert ("<br>" in title) == (width < 600)
    visit.context.close()


def test_the_tables_of_a_sweep_can_be_downloaded(browser: Any, policies: str) -> None:
    visit = Visit(browser, policies)
    visit.page.locator("details").evaluate_all("all => all.forEach(one => { one.open = true; })")
    # Chromium gives a page about ten downloads in a row: only what a scan has not.
    for name in ("end-points", "compared-counts", "table-1", "oracle"):
        head, *rows = downloaded(visit.page, name)
        assert rows and all(len(row) == len(head) for row in rows), name
    assert visit.errors == []
    visit.context.close()


def test_pictures_at_a_value_without_a_complete_cell_keep_its_name(
    browser: Any, tmp_path: Path
) -> None:
    axes = {CROP: CROP.grid}
    rows = [at for at, cell in enumerate(made_up_cells(("m",), axes, 2)) if cell.value == 0.4]
    missing = [(shard, row) for shard in range(8) for row in rows]
    run = write_run(tmp_path / "run", models=("m",), axes=axes, per_class=20, missing=missing)
    visit = Visit(browser, write_report(Outcomes(run), tmp_path / "p.html").as_uri())
    assert visit.page.locator("#strip .value").all_inner_texts() == [
        "identity", "crop 0.8", "crop 0.6", "crop 0.4", "crop 0.3", "crop 0.2", "crop 0.08",
    ]  # fmt: skip
    assert visit.errors == []
    visit.context.close()
