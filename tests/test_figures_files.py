from __future__ import annotations

import builtins
import re
import struct
import zlib
from pathlib import Path

import plotly.graph_objects as go
import pytest

from lpa.errors import InputError
from lpa.figures import files
from lpa.figures.files import check_file, pixels, write_figure


def figure() -> go.Figure:
    drawn = go.Figure(go.Scatter(x=[1, 2], y=[1, 3], mode="lines+markers"))
    return drawn.update_layout(title="naïve ≤ 3", font={"family": "system-ui"})


def inflated(data: bytes) -> bytes:
    """A PDF with its compressed streams opened: an object may be hidden in one."""
    found = [data]
    for stream in re.findall(rb"stream\r?\n(.*?)endstream", data, re.DOTALL):
        try:
            found.append(zlib.decompress(stream))
        except zlib.error:
            continue
    return b"\n".join(found)


@pytest.mark.browser
def test_a_pdf_has_the_width_asked_for_real_text_and_no_type_3_font(tmp_path: Path) -> None:
    before = figure().to_dict()
    drawn = figure()
    path = write_figure(drawn, tmp_path / "fig.pdf", "3.25in")
    data = path.read_bytes()
    assert data.startswith(b"%PDF")
    whole = inflated(data)
    assert b"/Type3" not in whole and b"/FontFile2" in whole and b"/ToUnicode" in whole
    width = float(re.search(rb"/MediaBox\s*\[\s*0 0 ([\d.]+)", whole)[1])
    assert width == pytest.approx(3.25 * 72, abs=1)
    assert drawn.to_dict() == before


@pytest.mark.browser
def test_png_has_300_dots_an_inch_and_svg_keeps_text(tmp_path: Path) -> None:
    data = write_figure(figure(), tmp_path / "fig.png", "5cm").read_bytes()
    width, height = struct.unpack(">II", data[16:24])
    assert width == pytest.approx(5 / 2.54 * 300, abs=3)
    assert height == pytest.approx(0.75 * width, abs=4)
    text = write_figure(figure(), tmp_path / "fig.svg", "234pt", "2in").read_text()
    assert "naïve ≤ 3" in text
    assert re.search(r'<svg[^>]* width="312"[^>]* height="192"', text)


@pytest.mark.parametrize(
    ("size", "expected"),
    [("3.25in", 312.0), ("2.54cm", 96.0), ("25.4 mm", 96.0), ("72pt", 96.0), ("100px", 100.0)],
)
def test_lengths_are_read_with_their_units(size: str, expected: float) -> None:
    assert pixels(size) == pytest.approx(expected)


@pytest.mark.parametrize("size", ["3.25", "3,25in", "in", "0in", "50in", "-3in", "1e9px", ""])
def test_other_lengths_are_refused(size: str) -> None:
    with pytest.raises(InputError) as caught:
        pixels(size)
    assert str(caught.value) == (
        f"size {size!r} is no length from 1in to 40in; expected e.g. 3.25in, 8cm, 85mm, 234pt"
    )


def test_other_files_are_refused_before_anything_is_drawn(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        check_file("fig.eps", "3in")
    assert str(caught.value) == (
        "fig.eps has the suffix '.eps'; expected a name that ends in .pdf, .svg or .png"
    )
    (tmp_path / "file").write_text("")
    for name in ("file/fig.pdf", "file/new/fig.pdf"):
        with pytest.raises(InputError) as caught:
            check_file(tmp_path / name, "3in")
        assert str(caught.value) == (
            f"{tmp_path / 'file'} is no directory; give another file with -o"
        )


def test_the_folder_of_a_figure_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_rendered", lambda *_: b"<svg/>")
    path = tmp_path / "new" / "deeper" / "fig.svg"
    check_file(path, "3in")
    assert not (tmp_path / "new").exists()
    assert write_figure(figure(), path) == path and path.read_bytes() == b"<svg/>"


def test_without_kaleido_the_way_out_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def blocked(name: str, *rest: object) -> object:
        if name.startswith("kaleido"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", blocked)
    with pytest.raises(InputError) as caught:
        write_figure(figure(), tmp_path / "fig.pdf")
    assert str(caught.value) == (
        "drawing into files needs kaleido, which is not installed; run: pip install 'lpa[figures]'"
    )


def test_without_chromium_the_way_out_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("kaleido")
    monkeypatch.setenv("BROWSER_PATH", str(tmp_path / "no-such-browser"))
    with pytest.raises(InputError) as caught:
        write_figure(figure(), tmp_path / "fig.pdf")
    assert str(caught.value) == (
        "drawing into files needs Chromium or Chrome, and none was found; install one "
        "(apt-get install chromium, or plotly_get_chrome), or set BROWSER_PATH to it"
    )
    assert not (tmp_path / "fig.pdf").exists()


def test_a_browser_that_does_not_start_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("kaleido")
    browser = tmp_path / "browser"
    browser.write_text("#!/bin/sh\nexit 1\n")
    browser.chmod(0o755)
    monkeypatch.setenv("BROWSER_PATH", str(browser))
    with pytest.raises(InputError) as caught:
        write_figure(figure(), tmp_path / "fig.pdf")
    assert str(caught.value) == (
        f"Chromium did not start or stopped at once ({browser}); expected one that runs headless: "
        "set BROWSER_PATH to another, or install one with plotly_get_chrome"
    )


def test_type_3_fonts_and_folders_in_the_way_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_rendered", lambda *_: b"%PDF /Subtype /Type3")
    with pytest.raises(InputError, match="would hold Type 3 fonts, which publishers refuse"):
        write_figure(figure(), tmp_path / "fig.pdf")
    assert not (tmp_path / "fig.pdf").exists()
    (tmp_path / "folder.svg").mkdir()
    with pytest.raises(InputError, match=r"cannot write .*folder\.svg \(is a directory\)"):
        write_figure(figure(), tmp_path / "folder.svg")


def test_a_browser_that_ends_slowly_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kaleido = pytest.importorskip("kaleido")
    answers = iter([OSError(39, "Directory not empty"), b"<svg/>"])

    def calculated(*_: object, **__: object) -> bytes:
        answer = next(answers)
        if isinstance(answer, OSError):
            raise answer
        return answer

    monkeypatch.setattr(kaleido, "calc_fig_sync", calculated)
    assert write_figure(figure(), tmp_path / "fig.svg").read_bytes() == b"<svg/>"


def test_heights_follow_the_figure_unless_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(files, "_rendered", lambda _, options: asked.append(options) or b"")
    write_figure(figure(), tmp_path / "fig.svg", "3in")
    write_figure(figure().update_layout(height=650), tmp_path / "fig.svg", "3in")
    write_figure(figure().update_layout(height=650), tmp_path / "fig.svg", "3in", "2in")
    assert [each["height"] for each in asked] == [216, 533, 192]
