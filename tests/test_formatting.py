"""Laying rule files out changes how they look and nothing else."""

from __future__ import annotations

import stat
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from tocsin import rules, yaml12
from tocsin.cli import app
from tocsin.errors import RuleError
from tocsin.workbench.formatting import formatted, ordering, remarks

ROOT = Path(__file__).parents[1]
OURS = [*sorted((ROOT / "rules").glob("*.yaml")), *sorted((ROOT / "config" / "fleet").glob("*.yaml"))]
ALL = [
    *OURS,
    ROOT / "config" / "tocsin.yaml",
    *sorted(filter(Path.is_file, (ROOT / "tests" / "rules").rglob("*.yaml"))),
]


def laid(text: str) -> str:
    """The layout of an indented text; laid out again it is the same."""
    once = formatted(dedent(text).lstrip("\n"))
    assert formatted(once) == once
    return once


def expected(text: str) -> str:
    return dedent(text).lstrip("\n")


@pytest.mark.parametrize("file", OURS, ids=lambda file: file.name)
def test_the_files_of_the_repository_are_laid_out(file: Path) -> None:
    assert formatted(file.read_bytes(), file.name) == file.read_text(encoding="utf-8"), "run `tocsin rules fmt`"


@pytest.mark.parametrize("file", ALL, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_file_keeps_its_meaning_and_its_comments(file: Path) -> None:
    try:
        said, _ = yaml12.read(file.read_bytes())
    except RuleError:
        with pytest.raises(RuleError):
            formatted(file.read_bytes())
        return
    once = formatted(file.read_bytes())
    assert yaml12.read(once)[0] == said
    assert formatted(once) == once
    assert remarks.missing(file.read_text(encoding="utf-8").replace("\r\n", "\n"), once) == []


def test_keys_come_in_one_order_and_take_their_comments_with_them() -> None:
    untidy = """
        rules:
        # about a
        - hold: 5m   # long enough
          # what it matches
          match:
              source: nagios
          id: a
          # what it says
          ticket:
            # in English
            name: {en: x}
          impact: degraded
          element: DF1
        # about b
        - id: b
          action: ignore
          match: {}
        fallback: {action: record}
        # the end
    """
    tidy = """
        rules:
          # about a
          - id: a
            # what it matches
            match:
              source: nagios
            element: DF1
            impact: degraded
            hold: 5m   # long enough
            # what it says
            ticket:
              # in English
              name: {en: x}

          # about b
          - id: b
            match: {}
            action: ignore

        fallback: {action: record}
        # the end
    """
    assert laid(untidy) == expected(tidy)


def test_the_keys_are_those_of_a_rule() -> None:
    assert set(ordering.KEYS) == {field.alias or name for name, field in rules.schema.Rule.model_fields.items()}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"nagios"', "nagios"),
        ("'5m'", "5m"),
        ("'web farm'", "web farm"),
        ('"{{ resource }}"', "'{{ resource }}'"),
        ('"\\\\d+"', "'\\d+'"),
        ("'on'", "'on'"),
        ("'No'", "'No'"),
        ("'null'", "'null'"),
        ("'500'", "'500'"),
        ("'1e3'", "'1e3'"),
        ("''", "''"),
        ("'a: b'", "'a: b'"),
        ("'a #b'", "'a #b'"),
        ("'- a'", "'- a'"),
        ('"it\'s"', '"it\'s"'),
        ('"a\\nb"', '"a\\nb"'),
        ("010", "010"),
        ("~", "~"),
        ("1_000", "1_000"),
        ("2026-11-23", "2026-11-23"),
        ("12:30", "12:30"),
        ("on", "on"),
        ("{ a : b,c: [ d,e ] }", "{a: b, c: [d, e]}"),
    ],
)
def test_quotes_stay_where_they_are_needed_and_plain_words_stay_what_they_are(before: str, after: str) -> None:
    assert formatted(f"key: {before}\n") == f"key: {after}\n"


def test_what_is_longer_than_a_line_is_broken_up_and_what_is_short_stays() -> None:
    long = ", ".join(f"word-number-{number}" for number in range(9))
    assert laid(f"rules: []\nsamples:\n  a: {{labels: {{one: two}}, text: [{long}]}}\n") == (
        "rules: []\n\nsamples:\n  a:\n    labels: {one: two}\n    text:\n"
        + "".join(f"      - word-number-{number}\n" for number in range(9))
    )


def test_a_text_is_never_broken() -> None:
    text = f"key: '{{{{ {'word ' * 60}}}}}'\n"
    assert formatted(text) == text


def test_blocks_of_text_are_kept_to_the_letter() -> None:
    text = """
        rules:
          - id: a
            match:
              summary:
                regex: >-
                  one
                  two

                  three
            where: |-
              # no comment
              x
            ticket:
              description: |+
                first
                  # no comment either

        fallback: {action: record}
    """
    assert laid(text) == expected(text)


def test_comments_inside_braces_stay_as_they_are_written() -> None:
    text = """
        rules:
        -   id: a
            match: {source: nagios,  # why
                    check: [a,
                      # and
                      b]}
    """
    assert "{source: nagios,  # why\n" in laid(text)
    assert "# and\n" in laid(text)


def test_a_comment_that_is_indented_belongs_to_what_it_ends() -> None:
    text = """
        rules:
          - id: a
            match: {}
            # the end of a

          # before b
          - id: b
            match: {}
            # the end of b
        # the end of all
    """
    assert laid(text) == expected(text)


def test_a_document_marker_and_what_is_above_stay() -> None:
    assert laid("# first\n---\n# second\na:   1\n") == "# first\n---\n# second\na: 1\n"


@pytest.mark.parametrize("text", ["", "# only a comment\n", "\n\n"])
def test_a_file_that_says_nothing_stays_as_it_is(text: str) -> None:
    assert formatted(text) == text


def test_anchors_stay_and_nothing_is_moved_across_them() -> None:
    text = "rules:\n  - match: &all {a: b}\n    id: x\n  - match: *all\n    id: y\n"
    assert laid(text).replace("\n\n", "\n") == text


def test_windows_line_ends_and_a_byte_order_mark_go() -> None:
    assert formatted("\ufeffa: 1\r\nb:   2 # c\r\n".encode()) == "a: 1\nb: 2 # c\n"


def test_a_file_that_is_no_yaml_is_told_with_its_place() -> None:
    with pytest.raises(RuleError) as told:
        formatted("a: 1\na: 2\n", "x.yaml")
    assert str(told.value).startswith('x.yaml:2:1: the key "a" is here twice')


# --- properties ------------------------------------------------------------------------------------------------------

WORDS = st.text(st.sampled_from("abz019 :#-'\"{}[]*&!|>%@`,?.\\~é☃\n\t_"), min_size=1, max_size=12)
REMARKS = st.text(st.sampled_from("abc #:{}[]'\"-é"), max_size=12).map(lambda text: "# " + text.strip())


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t") + '"'


def single(text: str) -> str:
    return "'" + text.replace("\n", " ").replace("\t", " ").replace("'", "''") + "'"


@st.composite
def values(draw: st.DrawFn) -> str:
    """A value in one line."""
    text = draw(WORDS)
    plain = draw(st.sampled_from(["nagios", "5m", "010", "~", "true", "on", "1.50", "{{ x }}".replace("{", ""), "DF1"]))
    one = draw(st.sampled_from([quoted(text), single(text), plain]))
    return draw(
        st.sampled_from(
            [one, f"[{one},{one}]", f"{{a: {one},  b: [{one}]}}", f"{{a: {one}, {'b' * 90}: {{c: {one}}}}}"]
        )
    )


@st.composite
def rule_files(draw: st.DrawFn) -> str:
    """A rule file, indented at random, with remarks everywhere that a remark may stand."""
    outer, inner = draw(st.integers(0, 4)), draw(st.integers(1, 5))
    lines = ["# top", "rules:"]
    for number in range(draw(st.integers(1, 3))):
        if draw(st.booleans()):
            lines.append(" " * draw(st.integers(0, 8)) + draw(REMARKS))
        lead = " " * outer + "-" + " " * inner
        for key in draw(st.permutations(ordering.KEYS).map(lambda keys: ["id", *keys[:4]][draw(st.integers(0, 1)) :])):
            if key in "".join(lines[-6:]) and key == "id":
                continue
            if lead.isspace():
                lines += draw(st.lists(st.one_of(st.just(""), REMARKS.map(lambda one: " " * 3 + one)), max_size=2))
            lines += draw(bodies(lead, key))
            lead = " " * (outer + 1 + inner)
        del number
    lines.append("fallback: {action: record}")
    return "\n".join([*lines, draw(st.sampled_from(["", "# end", "\n\n"]))])


@st.composite
def bodies(draw: st.DrawFn, lead: str, key: str) -> list[str]:
    """The lines of one key."""
    deep = " " * len(lead)
    form = draw(st.integers(0, 3))
    if form == 0:
        text = draw(st.lists(st.text("ab #'", min_size=1, max_size=8).map(str.strip).filter(bool), min_size=1))
        head = draw(st.sampled_from(["|", "|-", ">", ">-", "|+"]))
        return [f"{lead}{key}: {head}", *(f"{deep}    {line}" for line in text)]
    if form == 1:
        return [
            f"{lead}{key}:",
            f"{deep}   a: {draw(values())}",
            f"{deep}   {draw(REMARKS)}",
            f"{deep}   b: {draw(values())}",
        ]
    if form == 2:
        return [f"{lead}{key}:", f"{deep}- {draw(values())} {draw(REMARKS)}", f"{deep}- x"]
    return [f"{lead}{key}:  {draw(values())}   {draw(st.one_of(st.just(''), REMARKS))}"]


@settings(max_examples=60, deadline=None)
@given(rule_files())
def test_any_rule_file_keeps_its_meaning_and_its_comments_and_settles(text: str) -> None:
    try:
        said, _ = yaml12.read(text)
    except RuleError:
        assume(False)  # noqa: FBT003 - what is no YAML is another test's
        raise
    once = formatted(text)
    assert yaml12.read(once)[0] == said
    assert remarks.missing(text, once) == []
    assert formatted(once) == once
    for number, rule in enumerate(yaml12.read(once)[0]["rules"]):
        assert list(rule) == sorted(said["rules"][number], key=ordering.KEYS.index)


# --- the verb --------------------------------------------------------------------------------------------------------

UNTIDY = "rules:\n- match: {}\n  id: a # c\n  action: ignore\nfallback: {action: record}\n"


def fmt(*words: str, given: str | None = None) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["rules", "fmt", *words], input=given)
    return result.exit_code, result.stdout, result.stderr


def test_a_file_is_replaced_whole_and_keeps_its_mode(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(UNTIDY)
    file.chmod(0o640)
    inode = file.stat().st_ino
    assert fmt(str(tmp_path)) == (0, f"{file}: laid out\n", "")
    assert file.read_text() == formatted(UNTIDY)
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert file.stat().st_ino != inode
    assert list(tmp_path.iterdir()) == [file]
    assert fmt(str(tmp_path))[1] == "1 file is laid out as it should be\n"


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.yaml").write_text(UNTIDY)
    link = tmp_path / "a.yaml"
    link.symlink_to("real/a.yaml")
    assert fmt(str(link))[0] == 0
    assert link.is_symlink()
    assert link.read_text() == formatted(UNTIDY)


def test_check_changes_nothing_and_fails(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(UNTIDY)
    code, told, _ = fmt("--check", str(tmp_path))
    assert (code, (tmp_path / "a.yaml").read_text()) == (1, UNTIDY)
    assert "a.yaml: is not laid out" in told


def test_diff_shows_what_would_change(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(UNTIDY)
    code, told, _ = fmt("--diff", str(tmp_path))
    assert (code, (tmp_path / "a.yaml").read_text()) == (0, UNTIDY)
    assert "\n-- match: {}\n" in told
    assert "\n+  - id: a # c\n" in told


def test_a_file_that_is_wrong_is_told_and_the_others_are_laid_out(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: [1\n")
    (tmp_path / "b.yaml").write_text(UNTIDY)
    code, told, problems = fmt(str(tmp_path))
    assert code == 1
    assert told == f"{tmp_path / 'b.yaml'}: laid out\n"
    assert problems.startswith(f"{tmp_path / 'a.yaml'}:2:1: this is not valid YAML")
    assert (tmp_path / "a.yaml").read_text() == "a: [1\n"


def test_an_editor_pipes_a_file_through() -> None:
    assert fmt("-", given=UNTIDY) == (0, formatted(UNTIDY), "")
