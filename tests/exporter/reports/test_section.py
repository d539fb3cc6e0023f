"""The exporter's section in a report: it comes from parity.json alone."""

import json

import pytest
from PIL import Image

import exporter.reports.section
from bundle.version import state_of
from exporter.reports.section import EMPTY, add_section, has_report
from tests.pages import Page

REPORT = f"<!doctype html>\n<h1>before</h1>\n{EMPTY}\n<p>after 手</p>\n"
PARITY = {
    "passed": True,
    "sha256": "00",
    "atol": 1e-5,
    "rtol": 1e-4,
    "max_abs_diff": 1.01e-06,
    "max_rel_diff": 2e-6,
    "top1_agreement": 1.0,
    "samples": 521,
    "milliseconds_per_image": {"tensorflow": 0.785, "onnxruntime": 0.031},
    "differences": {"0": 1000, "1e-10": 0, "1e-07": 2000, "1e-05": 210, "more": 0},
    "milliseconds_by_batch": {
        "1": {"tensorflow": 0.5, "onnxruntime": 0.05},
        "8": {"tensorflow": 0.9, "onnxruntime": 0.2},
    },
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "report.html").write_text(REPORT, encoding="utf-8")
    write_parity(tmp_path)
    return tmp_path


def write_parity(folder, **changes):
    (folder / "parity.json").write_text(json.dumps({**PARITY, **changes}))


def page_of(folder):
    return (folder / "report" / "report.html").read_text(encoding="utf-8")


def files_of(folder):
    return sorted(path.name for path in (folder / "report").iterdir())


def test_the_section_has_both_plots_inside(folder):
    assert add_section(folder) == ""
    page = page_of(folder)
    assert page.startswith("<!doctype html>\n<h1>before</h1>\n")
    assert page.endswith("\n<p>after 手</p>\n")
    for text in ("521 items", "1.0e-06", "100.00%", "0.031 ms", "0.785 ms", "3,210"):
        assert text in page
    parts = Page(page)
    parts.assert_needs_nothing()
    assert parts.tags.count("img") == 2
    assert all(value for _, name, value in parts.attributes if name == "alt")
    for name in ("parity.png", "latency.png"):
        with Image.open(folder / "report" / name) as picture:
            picture.load()
            assert picture.width > 500


def test_another_conversion_replaces_the_section(folder):
    add_section(folder)
    write_parity(folder, samples=77, milliseconds_by_batch={})
    (folder / "report" / ".latency.png.0123").write_text("of a killed exporter")
    assert add_section(folder) == ""
    page = page_of(folder)
    assert "77 items" in page
    assert "521 items" not in page
    assert Page(page).tags.count("img") == 1
    assert files_of(folder) == ["parity.png", "report.html"]
    assert page.count("<section>") == 1


def test_a_proof_of_an_earlier_exporter_has_no_plots(folder):
    write_parity(folder, differences={}, milliseconds_by_batch={})
    assert add_section(folder) == ""
    assert "521 items" in page_of(folder)
    assert files_of(folder) == ["report.html"]


def test_a_version_that_serves_is_not_loaded_anew(folder):
    before = state_of(folder)
    add_section(folder)
    assert state_of(folder) == before


@pytest.mark.parametrize("page", ["<p>a page of somebody's own", EMPTY[:-5], ""])
def test_a_page_of_somebody_else_is_left_alone(folder, page):
    (folder / "report" / "report.html").write_text(page)
    assert add_section(folder) == ""
    assert page_of(folder) == page
    assert files_of(folder) == ["report.html"]


def test_a_proof_that_failed_says_nothing(folder):
    write_parity(folder, passed=False)
    assert add_section(folder) == ""
    assert page_of(folder) == REPORT


def test_a_bundle_without_a_report_gets_none(tmp_path):
    write_parity(tmp_path)
    assert not has_report(tmp_path)
    assert add_section(tmp_path) == ""
    assert [path.name for path in tmp_path.iterdir()] == ["parity.json"]


def test_without_matplotlib_nothing_is_added(folder, monkeypatch):
    monkeypatch.setattr(exporter.reports.section, "find_spec", lambda name: None)
    assert not has_report(folder)
    assert add_section(folder) == ""
    assert page_of(folder) == REPORT


def test_a_plot_that_fails_is_a_warning(folder, monkeypatch):
    def fail(*given):
        raise RuntimeError("no font")

    monkeypatch.setattr(exporter.reports.section, "new_figure", fail)
    assert add_section(folder) == "warning: the report lacks the proof: no font"
    assert page_of(folder) == REPORT


def test_a_page_that_is_no_text_is_a_warning(folder):
    (folder / "report" / "report.html").write_bytes(b"\xff" + REPORT.encode())
    assert add_section(folder).startswith("warning: the report lacks the proof: ")
