"""Findings shown to people and machines: carets stand right, nothing in a source steers the output."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from kgbuild.codes import CODES
from kgbuild.diagnostics import Diagnostic, Related, Severity, Span, UsageError
from kgbuild.explanations import all_codes, explain, explain_code, list_codes, shapes_at
from kgbuild.reporting import FORMATS, Lines, as_json, excerpt, from_json, render, summary

FINDING = Diagnostic(
    "KG204",
    "unknown entity 'magnesum'",
    Span("data/a,b:100%.yaml", 2, 14, 8),
    hint="did you mean 'magnesium'?",
    related=(Related(Span("data/other.yaml", 3, 9), "first given here"),),
)
WARNING = Diagnostic("S15", "two\nlines", None, Severity.WARNING)


@pytest.fixture
def lines(tmp_path: Path) -> Lines:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a,b:100%.yaml").write_text("claims:\n    subject: magnesum\n", "utf-8")
    return Lines(tmp_path)


def shown(line: str, column: int, length: int = 1) -> tuple[str, str]:
    """Return the source line and the carets as printed, without the gutter."""
    first, second = excerpt(line, Span("a.yaml", 7, column, length))
    assert first.startswith("    7 |")
    assert second.startswith("      | ")
    return first[8:], second[8:]


def test_text_is_as_designed(lines: Lines) -> None:
    assert render([FINDING, WARNING], "text", lines) == (
        "data/a,b:100%.yaml:2:14: error[KG204]: unknown entity 'magnesum'\n"
        "    2 |     subject: magnesum\n"
        "      |              ^^^^^^^^\n"
        "  help: did you mean 'magnesium'?\n"
        "  note: data/other.yaml:3:9: first given here\n"
        "warning[S15]: two\\nlines\n"
        "1 error, 1 warning: KG204 × 1, S15 × 1\n"
    )


def test_colours_change_no_character(lines: Lines) -> None:
    plain = render([FINDING, WARNING], "text", lines)
    painted = render([FINDING, WARNING], "text", lines, color=True)
    assert "\x1b[1;31merror[KG204]" in painted
    assert "\x1b[1;33mwarning[S15]" in painted
    assert re.sub(r"\x1b\[[0-9;]*m", "", painted) == plain


def test_nothing_found_says_nothing(lines: Lines) -> None:
    assert render([], "text", lines) == ""
    assert render([], "github", lines) == ""
    assert json.loads(render([], "json", lines)) == {
        "findings": [],
        "counts": {"error": 0, "warning": 0, "note": 0, "codes": {}},
    }


def test_carets_stand_under_wide_characters() -> None:
    assert shown("名前: 茶", 5) == ("名前: 茶", "      ^^")
    assert shown("a🧂b", 3) == ("a🧂b", "   ^")
    assert shown("e\u0301x", 3) == ("e\u0301x", " ^")


def test_carets_stand_under_characters_after_tabs() -> None:
    assert shown("1\tab\tc", 3, 2) == ("1   ab  c", "    ^^")
    assert shown("\tx", 1) == ("    x", "^^^^")


def test_hidden_characters_are_shown_and_counted() -> None:
    assert shown("a\x1b[31m\u202eb", 7) == ("a\\x1b[31m\\u202eb", "         ^^^^^^")
    assert shown("a\u00a0b", 3) == ("a\\xa0b", "     ^")


def test_places_beyond_the_line_stand_at_its_end() -> None:
    assert shown("abc", 4) == ("abc", "   ^")
    assert shown("abc", 40, 9) == ("abc", "   ^")
    assert shown("abc", 2, 500) == ("abc", " ^^")
    assert shown("abc", 0) == ("abc", "^")


@pytest.mark.parametrize("column", [1, 20, 119, 121, 250, 500])
def test_long_lines_are_cut_around_the_span(column: int) -> None:
    line = "".join(chr(0x4E00 + number) if number % 7 == 0 else chr(97 + number % 26) for number in range(500))
    text, carets = shown(line, column, 3)
    assert len(text) <= 122
    at = len(carets) - len(carets.lstrip(" "))
    widths = [2 if "\u4e00" <= char <= "\u9fff" else 1 for char in text]
    position = next(number for number in range(len(text)) if sum(widths[:number]) == at)
    assert text[position] == line[column - 1]
    assert text.startswith("…") == (line[0] != text[0])
    assert text.endswith("…") or text[-1] == line[-1]


def test_a_span_wider_than_the_window_is_underlined_as_far_as_it_is_shown() -> None:
    text, carets = shown("x" * 1000, 101, 800)
    assert len(carets.rstrip()) <= len(text)


def test_lines_are_counted_as_readers_count_them(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes("\ufeffone\r\ntwo\u2028still two\rthree".encode() + b"\xff\n")
    lines = Lines(tmp_path)
    assert [lines.line_of("a.yaml", number) for number in range(6)] == [
        None, "one", "two\u2028still two", "three\ufffd", "", None,
    ]  # fmt: skip
    assert lines.line_of("absent.yaml", 1) is None
    assert lines.line_of("a\0b", 1) is None
    assert "kgb" in (lines.line_of("kgbuild/vocabulary/shapes.ttl", 1) or "")


def test_json_comes_back_as_it_went(lines: Lines) -> None:
    document = json.loads(render([FINDING, WARNING], "json", lines))
    assert document == as_json([FINDING, WARNING])
    assert from_json(document) == [FINDING, WARNING]
    assert document["findings"][0] == {
        "code": "KG204",
        "severity": "error",
        "message": "unknown entity 'magnesum'",
        "path": "data/a,b:100%.yaml",
        "line": 2,
        "column": 14,
        "endColumn": 22,
        "hint": "did you mean 'magnesium'?",
        "related": [
            {"message": "first given here", "path": "data/other.yaml", "line": 3, "column": 9, "endColumn": 10}
        ],
    }
    assert document["counts"] == {"error": 1, "warning": 1, "note": 0, "codes": {"KG204": 1, "S15": 1}}


def test_github_commands_are_escaped(lines: Lines) -> None:
    note = Diagnostic("S14", "50 % of a::b,c\n::stop-commands::x", Span("a.yaml"), Severity.NOTE)
    assert render([FINDING, note], "github", lines).splitlines() == [
        "::error file=data/a%2Cb%3A100%25.yaml,line=2,col=14,endColumn=22,title=KG204 unknown entity::"
        "unknown entity 'magnesum'%0Ahelp: did you mean 'magnesium'?%0Anote: data/other.yaml:3:9: first given here",
        "::notice file=a.yaml,line=1,col=1,endColumn=2,title=S14::50 %25 of a::b,c\\n::stop-commands::x",
    ]


def test_sarif_has_what_the_standard_asks_for(lines: Lines) -> None:
    log = json.loads(render([FINDING, WARNING, FINDING], "sarif", lines))
    assert log["version"] == "2.1.0"
    assert set(log) == {"$schema", "version", "runs"}
    (run,) = log["runs"]
    assert run["columnKind"] == "unicodeCodePoints"
    driver = run["tool"]["driver"]
    assert driver["name"] == "kgbuild"
    assert [rule["id"] for rule in driver["rules"]] == ["KG204", "S15"]
    for rule in driver["rules"]:
        assert rule["shortDescription"]["text"]
        assert rule["help"]["text"]
        assert rule["defaultConfiguration"]["level"] in {"error", "warning", "note"}
    for result in run["results"]:
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in {"error", "warning", "note"}
        assert result["message"]["text"]
        for location in [*result["locations"], *result.get("relatedLocations", [])]:
            place = location["physicalLocation"]
            assert re.fullmatch(r"[\w./%~-]+", place["artifactLocation"]["uri"])
            assert place["region"]["startLine"] >= 1
            assert place["region"]["endColumn"] > place["region"]["startColumn"] >= 1
    first, second, _ = run["results"]
    assert first["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "data/a%2Cb%3A100%25.yaml"},
        "region": {"startLine": 2, "startColumn": 14, "endColumn": 22},
    }
    assert first["relatedLocations"][0]["message"]["text"] == "first given here"
    assert second["locations"] == []


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_can_be_written_as_utf8_whatever_the_name(form: str, lines: Lines) -> None:
    odd = Diagnostic("KG101", "cannot read a\udcffb", Span("a\udcffb.yaml"), hint="\ud800")
    render([odd], form, lines).encode("utf-8")


def test_an_unknown_format_is_wrong_usage(lines: Lines) -> None:
    with pytest.raises(UsageError, match="did you mean 'sarif'"):
        render([], "sarf", lines)


def test_the_summary_counts_worst_first_and_most_frequent_first() -> None:
    note = Diagnostic("S14", "x", None, Severity.NOTE)
    assert summary([note, WARNING, FINDING, FINDING]) == "2 errors, 1 warning, 1 note: KG204 × 2, S14 × 1, S15 × 1"


def test_every_code_and_shape_is_explained() -> None:
    shapes = shapes_at(Path(__file__).parents[1])
    assert set(CODES) < set(all_codes(shapes))
    for code in all_codes(shapes):
        assert explain_code(code, shapes).startswith(f"# {code}: ")
    assert len(list_codes(Path(__file__).parents[1]).splitlines()) == len(all_codes(shapes))


def test_codes_are_explained_outside_of_a_project(tmp_path: Path) -> None:
    assert explain("kg204", tmp_path).startswith("# KG204: unknown entity\n")
    assert explain("s15", tmp_path).startswith("# S15: no two entities share a label\n")
    with pytest.raises(UsageError, match="did you mean 'KG204'"):
        explain("KG2044", tmp_path)
