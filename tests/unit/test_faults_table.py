"""The table of faults: put together from what tests hand over, written between its marks, compared at the end."""

from __future__ import annotations

from faults import sample, table
from faults.table import BEGIN, COLUMNS, END, ROWS, Cell, Collector


def full() -> dict[tuple[str, str], Cell]:
    return {(row, column): Cell(100, 7, 2, {0, 1}) for row, columns in ROWS.items() for column in columns}


def test_a_part_of_the_tests_is_not_the_whole() -> None:
    collector = Collector()
    assert not collector.is_whole()
    collector.cells.update(full())
    assert collector.is_whole()
    collector.cells[next(iter(ROWS)), COLUMNS[0]].seen.discard(1)
    assert not collector.is_whole()


def test_counts_that_are_as_good_as_the_same_stay() -> None:
    page = table.put_into("", table.drawn(full(), {}))
    cells = full()
    for cell in cells.values():
        cell.points = 140
    assert table.put_into(page, table.drawn(cells, table.counts_of(page))) == page
    for cell in cells.values():
        cell.points = 160
    assert table.put_into(page, table.drawn(cells, table.counts_of(page))) != page


def test_the_rest_of_the_page_stays() -> None:
    page = f"# Safety\n\nbefore\n\n{BEGIN}\nold\n{END}\n\nafter\n"
    assert table.put_into(page, "new\n") == page.replace("old", "new")
    made = table.put_into("# Safety\n\nbefore\n", "new\n")
    assert made.startswith("# Safety\n\nbefore\n\n## Faults") and made.endswith(f"{BEGIN}\nnew\n{END}\n")


def test_a_sample_is_of_every_stretch_and_the_same_each_time() -> None:
    points = list(range(100))
    picked = sample.pick(points, 10, "x")
    if not sample.EVERY:
        assert [point // 10 for point in picked] == list(range(10))
    assert picked == sample.pick(points, 10, "x")
    assert sorted(point for part in range(sample.PARTS) for point in sample.share(points, part)) == points
    assert sample.pick(points[:5], 10) == points[:5]


def test_a_sample_by_names_is_of_every_group_and_outlives_a_point_more_or_less() -> None:
    groups = {"a": list(range(100)), "b": list(range(60))}
    picked = sample.pick_named(groups, 5, "x")
    if sample.EVERY:
        assert len(picked) == 160
        return
    assert [name for name, _ in picked] == ["a"] * 2 + ["b"] * 3
    assert picked == sample.pick_named(groups, 5, "x")
    chosen = {point for name, point in picked if name == "a"}
    others = [point for point in range(100) if point not in chosen]
    for gone in others[:20]:
        fewer = {**groups, "a": [point for point in range(100) if point != gone]}
        assert sorted(sample.pick_named(fewer, 5, "x")) == sorted(picked)
