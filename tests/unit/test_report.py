"""Reports: carets under the right columns, formats that their readers accept, and nothing that a terminal obeys."""

from __future__ import annotations

import json
import re

import pytest

from pvegen import report
from pvegen.mistakes import Mistake
from pvegen.report.text import displayed
from pvegen.source import Place, Source


def rendered(text: str, place: Place, form: str = "text", *, name: str = "x.toml", colour: bool = False) -> str:
    source = Source(name, text)
    mistake = Mistake("PVE101", source, place=place, facts={"key": "k", "nearest": "n"})
    return report.render([(source, [mistake])], form, colour=colour)


@pytest.mark.parametrize(
    ("line", "start", "end", "shown", "caret"),
    [
        ("key = 1", 6, 7, "key = 1", "      ^"),
        ("ключ = 1", 7, 8, "ключ = 1", "       ^"),
        ("\tkey = 1", 7, 8, "    key = 1", "          ^"),
        ("ab\tkey", 3, 6, "ab  key", "    ^^^"),
        ("日本 = 1", 5, 6, "日本 = 1", "       ^"),
        ("e\u0301 = 1", 5, 6, "e\u0301 = 1", "    ^"),
        ("\x1b[2J = 1", 7, 8, "\\x1b[2J = 1", "          ^"),
        ("a\u202eb = 1", 6, 7, "a\\u202eb = 1", "           ^"),
    ],
)
def test_caret_is_below_what_is_meant(line: str, start: int, end: int, shown: str, caret: str) -> None:
    lines = rendered(line + "\n", Place(1, start + 1, 1, end + 1)).splitlines()
    assert lines[1] == f"  1 | {shown}"
    assert lines[2] == f"    | {caret}"


def test_long_lines_are_cut_around_the_place() -> None:
    line = "a" * 5000 + "X" + "b" * 5000
    _, excerpt, caret, *_ = rendered(line, Place(1, 5001, 1, 5002)).splitlines()
    assert len(excerpt) < 140
    assert excerpt[caret.index("^")] == "X"


def test_columns_go_on_after_the_last_character() -> None:
    assert displayed("a\tЖ日") == ("a   Ж日", [0, 1, 4, 5, 7])


@pytest.mark.parametrize("form", report.FORMATS)
def test_no_format_lets_a_control_character_through(form: str) -> None:
    text = rendered("\x1b]0;owned\x07 \x9b31m\n", Place(1, 1, 1, 2), form, name="\x1b[31m\n::error::x.toml")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text)


def test_colour_only_where_it_is_wanted() -> None:
    assert "\x1b[" in rendered("a", Place(1, 1, 1, 2), colour=True)
    assert "\x1b[" not in rendered("a", Place(1, 1, 1, 2))


def test_json_has_what_its_docstring_says() -> None:
    whole = json.loads(rendered("a = 1", Place(1, 1, 1, 2), "json"))
    assert (whole["format"], whole["errors"], whole["warnings"], whole["files"]) == (1, 1, 0, ["x.toml"])
    assert set(whole["mistakes"][0]) == {
        "code",
        "severity",
        "file",
        "line",
        "column",
        "end_line",
        "end_column",
        "path",
        "title",
        "what",
        "do",
    }


def test_github_escapes_what_would_end_a_property() -> None:
    command = rendered("a = 1", Place(1, 1, 1, 2), "github", name="a,b:c%.toml").strip()
    assert command.startswith("::error file=a%2Cb%3Ac%25.toml,line=1,endLine=1,col=1,endColumn=2,title=PVE101%3A ")
    assert command.count("\n") == 0


def test_sarif_has_what_the_standard_demands() -> None:
    log = json.loads(rendered("a = 1", Place(1, 1, 1, 2), "sarif", name="a b.toml"))
    assert log["version"] == "2.1.0"
    run = log["runs"][0]
    result = run["results"][0]
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == "PVE101"
    assert result["level"] in ("error", "warning")
    location = result["locations"][0]["physicalLocation"]
    assert location["artifactLocation"]["uri"] == "a%20b.toml"
    assert location["region"] == {"startLine": 1, "startColumn": 1, "endLine": 1, "endColumn": 2}


def test_findings_are_sorted_and_told_once() -> None:
    source = Source("x.toml", "a = 1\nb = 2\n")
    facts = {"key": "k", "nearest": "n"}
    second = [Mistake("PVE101", source, place=Place(2, 1, 2, 2), facts=facts) for _ in range(2)]
    first = Mistake("PVE101", source, place=Place(1, 1, 1, 2), facts=facts)
    text = report.render([(source, [*second, first])])
    assert [line.split(":")[1] for line in text.splitlines() if line.startswith("x.toml:")] == ["1", "2"]
    assert "2 errors in x.toml" in text


def test_json_of_a_file_whose_name_is_no_utf8() -> None:
    text = rendered("k = 1\n", Place(1, 1, 1, 2), "json", name="a\udcff.toml")
    assert "udcff" not in text
    whole = json.loads(text)
    assert whole["files"] == ["a\\xff.toml"]
    assert whole["mistakes"][0]["file"] == "a\\xff.toml"
