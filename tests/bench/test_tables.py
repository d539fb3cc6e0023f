"""Tables, ratios and the file of results come from a made-up run."""

import json

import pytest

from bench.chart import charts
from bench.machine import Machine
from bench.page import page
from bench.ratios import ratios
from bench.record import Cell, Entry, Limit, Results, Start, key, read, write
from bench.round import Round
from bench.tables import (
    growth_table,
    limit_table,
    markdown,
    plain,
    ratio_table,
    work_table,
)
from bench.work import BY_KEY

NOW, BEFORE = "2026-02-03T04:05:06+00:00", "2026-01-02T03:04:05+00:00"
MACHINE = Machine("A Processor", 3, True, "Linux 6.1", "3.11.2", "wrk 4.1.0")


def cell(*throughputs, run=NOW, errors=0, failure="", us=(None, None, None)):
    rounds = [Round(number, 1.5, 20.25, errors, *us) for number in throughputs]
    return Cell(run, rounds, failure, "multipart")


def timed(*rounds):
    """Make a cell with the microseconds of server, wrk and limit in each round."""
    return Cell(NOW, [Round(1000, 1.5, 20.25, 0, *us) for us in rounds])


def entry(title, cells, **others):
    return Entry(title, "as it comes", {"falcon": "4.4.0"}, cells, **others)


@pytest.fixture
def results():
    at = key("a", 8)
    start = {"mnist": Start(NOW, [1.0, 2.0, 3.0], [150.0])}
    servers = {
        "ours": entry(
            "ours", {at: cell(900, 1000, 4000, us=(190, 10, 100))}, starts=start
        ),
        "ours-waitress": entry("ours, waitress", {at: cell(800)}),
        "naive-granian": entry("naive, granian", {at: cell(2000, us=(380, 20, 100))}),
        "naive-waitress": entry(
            "naive, waitress", {at: cell(400, errors=3, us=(315, 5, 100))}
        ),
        "old": entry("an old one", {at: cell(9999, run=BEFORE)}),
        "wrong": entry(
            "a wrong one",
            {at: cell(8888, failure="it is off | by 3", us=(100, 20, 100))},
        ),
        "gone": entry("one that is gone", {}, failure="mnist: no such\nversion"),
    }
    growth = {"x": {"with": "10 models", "what": "req/s", "figure": "7 ms", "run": NOW}}
    limits = {"a": Limit(NOW, [3000.0], [5000.0])}
    return Results({BEFORE: MACHINE, NOW: MACHINE}, servers, limits, growth)


def test_figure_is_the_median_of_its_rounds(results):
    assert results.servers["ours"].cells["a/8"].requests_per_second == 1000


def test_share_of_the_limit_is_the_median_of_the_rounds_shares():
    # 120 / 240 = 0.5, 140 / 200 = 0.7 and 90 / 300 = 0.3.
    found = timed((220, 20, 120), (170, 30, 140), (275, 25, 90))
    assert found.of_limit == pytest.approx(0.5)
    assert (found.server_us, found.load_us, found.limit_us) == (220, 25, 120)


def test_rounds_without_processor_time_have_no_share_and_do_not_count():
    assert timed((None, None, None)).of_limit is None
    assert timed((300, 20, None)).of_limit is None
    assert timed((None, None, 100), (180, 20, 100)).of_limit == 0.5


def test_ratios_are_of_one_run_and_of_sound_cells(results):
    (line,) = ratios(results)
    assert (line.work.key, line.connections) == ("a", 8)
    assert line.of_limit == 0.5
    assert line.limit == 0.2
    # The old server and the wrong one count neither as the best nor as the fastest.
    assert (line.best, line.best_title) == (0.3125, "naive, waitress")
    assert (line.fastest, line.fastest_title) == (0.5, "naive, granian")
    assert line.granian == 0.5
    assert line.waitress == 2.0


def test_limit_counts_images_and_servers_count_requests(results):
    results.servers["ours"].cells = {key("c", 1): cell(100)}
    results.limits["c"] = Limit(NOW, [1.0], [6400.0])
    assert next(r for r in ratios(results) if r.work.key == "c").limit == 0.5


def test_what_was_not_measured_has_no_ratio(results):
    del results.servers["naive-granian"], results.limits["a"]
    (line,) = ratios(results)
    assert (line.limit, line.granian) == (None, None)
    assert line.fastest_title == "naive, waitress"
    row = next(iter(ratio_table(results).rows))
    assert row[5] == row[8] == "-"


def test_figures_of_before_the_processor_time_have_no_share(results):
    results.servers = {"ours": entry("ours", {key("a", 8): cell(1000)})}
    (line,) = ratios(results)
    assert (line.of_limit, line.best, line.best_title) == (None, None, "")
    (row,) = work_table(results, BY_KEY["a"], 8).rows
    assert row[1:7] == ["-", "-", "-", "-", "1,000", "1.50 / 20.2"]
    (row,) = limit_table(results, {"a": "a loop"}).rows
    assert row[:5] == ["a loop", "-", "-", "5,000", "3,000"]


def test_work_table_marks_errors_and_failures(results):
    rows = {row[0]: row for row in work_table(results, BY_KEY["a"], 8).rows}
    assert rows["ours"][1:5] == ["0.50", "190", "10.0", "100"]
    assert rows["ours"][5:7] == ["1,000", "1.50 / 20.2"]
    assert rows["naive, waitress"][1:4] == ["0.31", "315", "5.00"]
    assert rows["naive, waitress"][5] == "400 (3 ERRORS)"
    assert rows["a wrong one"][1:7] == ["-", "-", "-", "-", "failed", "-"]
    assert rows["an old one"][-1] == "2026-01-02T03:04"
    assert "one that is gone" not in rows
    assert not work_table(results, BY_KEY["a"], 1).rows


def test_nearest_to_the_limit_comes_first_and_then_the_fastest(results):
    titles = [row[0] for row in work_table(results, BY_KEY["a"], 8).rows]
    assert titles == [
        "ours",
        "naive, waitress",
        "naive, granian",
        "an old one",
        "ours, waitress",
        "a wrong one",
    ]


def test_limit_table_shows_the_processor_time_of_an_image(results):
    results.limits["a"] = Limit(NOW, [9000.0], [16000.0], [104.0], [128.0, 140, 131])
    (row,) = limit_table(results, {"a": "a loop"}).rows
    assert row[:5] == ["a loop", "131", "104", "16,000", "9,000"]


def test_terminal_and_markdown_show_the_same(results):
    table = growth_table(results)
    assert (
        list(markdown(table))[-1] == "| 10 models | req/s | 7 ms | 2026-02-03T04:05 |"
    )
    assert list(plain(table))[-1].split("  ")[0] == "10 models"


def test_page_says_what_was_not_measured_and_why(results):
    text = page(results)
    assert "- one that is gone: mnist: no such version\n" in text
    assert "- a wrong one, one MNIST image as a PNG: it is off | by 3\n" in text
    assert f"- {NOW}: A Processor with VNNI, 3 cores; Linux 6.1" in text
    assert "| ours | 150 | 2.00 | - | - |" in text
    assert "\nc=8:\n\n| server | of the limit (processor time) |" in text
    assert "c=1:" not in text


def test_results_come_back_as_they_were_written(results, tmp_path):
    path = tmp_path / "results.json"
    write(path, results)
    assert read(path) == results


def test_results_of_before_the_processor_time_are_read(tmp_path):
    path = tmp_path / "results.json"
    results = Results({NOW: MACHINE}, {"ours": entry("ours", {"a/8": cell(9)})})
    results.limits["a"] = Limit(NOW, [3000.0], [5000.0])
    write(path, results)
    content = json.loads(path.read_bytes())
    (figures,) = content["servers"]["ours"]["cells"]["a/8"]["rounds"]
    for name in ("server_us", "load_us", "limit_us"):
        del figures[name]
    for name in ("core_us", "machine_us"):
        del content["limits"]["a"][name]
    path.write_text(json.dumps(content))
    assert read(path) == results


def test_run_that_no_figure_is_of_is_forgotten(results, tmp_path):
    del results.servers["old"]
    write(tmp_path / "results.json", results)
    assert list(read(tmp_path / "results.json").runs) == [NOW]


def test_no_results_yet_are_none(tmp_path):
    assert read(tmp_path / "results.json") == Results()


def test_charts_are_pictures_even_of_nothing(results):
    for pictures in (charts(results), charts(Results())):
        assert len(pictures) == 3
        assert all(data.startswith(b"\x89PNG") for data in pictures.values())


def test_work_that_only_ours_has_is_no_line(results):
    results.servers["ours"].cells[key("e", 8)] = cell(100)
    assert [line.work.key for line in ratios(results)] == ["a"]
