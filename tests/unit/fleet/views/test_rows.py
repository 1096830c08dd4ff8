from __future__ import annotations

from rich.text import Text

from npufleet.views.rows import Column, Row, Rows
from unit.fleet.terminals import draw, draw_ascii


def table(*rows: Row) -> Rows:
    return Rows((Column("NAME", least=6), Column("N", right=True), Column("WHY", keep=3)), lambda _plain: rows)


def row(name: str, number: str, why: str, *notes: str) -> Row:
    return Row((Text(name), Text(number), Text(why)), [Text(note) for note in notes])


def test_columns_line_up_and_nothing_trails() -> None:
    assert draw(table(row("a", "1", "x"), row("long name", "10", "")), 40) == (
        "  NAME        N  WHY\n"
        "  a           1  x\n"
        "  long name  10\n"
    )  # fmt: skip


def test_column_with_nothing_in_it_is_left_out() -> None:
    assert "WHY" not in draw(table(row("a", "1", "")), 40)


def test_narrow_terminal_loses_the_weakest_column_then_cuts_names() -> None:
    rows = table(row("a rather long name", "1", "because"))
    assert draw(rows, 25) == "  NAME                N\n  a rather long name  1\n"
    assert draw(rows, 18) == "  NAME           N\n  a rather lon…  1\n"


def test_notes_wrap_under_their_row() -> None:
    drawn = draw(table(row("a", "1", "", "one two three four five six seven")), 30)
    assert drawn.splitlines()[2:] == ["    one two three four five", "    six seven"]


def test_ascii_terminal_gets_ascii() -> None:
    assert "a rather" in draw_ascii(table(row("a rather long name", "1", "")), 18)


def test_wide_characters_count_double() -> None:
    drawn = draw(table(row("温度", "1", "x"), row("ab", "2", "y")), 40)
    assert drawn.splitlines()[1:] == ["  温度  1  x", "  ab    2  y"]
