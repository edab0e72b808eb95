from __future__ import annotations

import gc
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rulemaking import DECLARING, FALLBACK, rule_set, rule_set_of
from tocsin import rules
from tocsin.errors import RuleError
from tocsin.rules import RulesError

EXAMPLES = Path(__file__).parents[1] / "rules"

RULE = """\
rules:
  - id: one
    match: {source: nagios}
    element: DF00WEB001
    impact: degraded
"""


def said(text: str, **files: str) -> list[str]:
    """Everything that is wrong with one file and its tables."""
    with pytest.raises(RulesError) as caught:
        rules.build({"a.yaml": dedent(text)} | files)
    return [str(problem) for problem in caught.value.problems]


def said_of(rule: str, **files: str) -> list[str]:
    """Everything that is wrong with one rule that begins in line 2, without the file's name."""
    with pytest.raises(RulesError) as caught:
        rule_set(rule, **files)
    return [str(problem).removeprefix("a.yaml:") for problem in caught.value.problems]


NOTHING = "a rule that declares nothing says `action: record` or `action: ignore`"

KEYS = [
    (
        "match: {}\nelemnt: DF1\naction: record",
        ['4:5: unknown key "elemnt" (did you mean "element"?)'],
    ),
    (
        "match: {}\nzzz: 1\naction: record",
        [
            (
                '4:5: unknown key "zzz" (known: action, backend, close, closed_by_person, element, flap, hold, '
                "id, impact, inform, key, match, reopen, ticket, title, where)"
            )
        ],
    ),
    ("action: record", ['2:5: the key "match" is missing']),
    ("match:\naction: record", ["3:11: no value where a mapping is wanted"]),
    ("match: {sumary: x}\naction: record", ['3:13: an alert has no field "sumary" (did you mean "summary"?)']),
    (
        "match: {labels.: x}\naction: record",
        [
            (
                '3:13: an alert has no field "labels." (it has source, fingerprint, status, severity, resource, check, '
                "summary, description, url and labels.NAME)"
            )
        ],
    ),
    ("match: {summary: {regx: x}}\naction: record", ['3:23: unknown key "regx" (did you mean "regex"?)']),
    (
        "match: {summary: {regex: '(a'}}\naction: record",
        [
            "3:31: not a regular expression of RE2: missing ): (a (close the parenthesis, or write \\( for the sign itself)"
        ],
    ),
    (
        "match: {summary: {regex: 'a(?=b)'}}\naction: record",
        [
            (
                "3:32: not a regular expression of RE2: invalid perl operator: (?= (RE2 looks neither ahead nor behind: match "
                "what is there, and let `not: {regex: …}` or `where:` exclude the rest)"
            )
        ],
    ),
    (
        f"match: {{summary: {{regex: '{'x' * 2001}'}}}}\naction: record",
        ["3:30: a regular expression of more than 2000 characters: shorten it"],
    ),
    ("match: {summary: {}}\naction: record", ["3:22: no operator: name one, such as regex"]),
    ("match: {summary: []}\naction: record", ["3:22: an empty list where at least one is wanted"]),
    ("match: {summary: ''}\naction: record", ["3:22: an empty text where a text is wanted"]),
    ("match: {labels.code: 500}\naction: record", ["3:26: 500 is not a text: write it in quotes"]),
    ("match: {labels.on: [on, true]}\naction: record", ["3:29: true is not a text: write it in quotes"]),
    ("match: {url: {exists: maybe}}\naction: record", ['3:27: "maybe" where true or false is wanted']),
    ("match: {url: {gt: x}}\naction: record", ['3:23: "x" where a number is wanted']),
    (
        "match: {resource: {cidr: 10.0.0.1/8}}\naction: record",
        ['3:30: "10.0.0.1/8" is an address inside a network (write 10.0.0.0/8)'],
    ),
    ("match: {}\naction: tickt", ['4:13: "tickt" is not one of ticket, record, ignore (did you mean "ticket"?)']),
    ("match: {}\naction: ignore\nelement: DF1", ['5:5: a rule whose action is ignore has no "element": remove it']),
    ("match: {}\naction: record\nhold: 5m", ['5:5: a rule whose action is record has no "hold": remove it']),
    ("match: {}\nelement: DF1", [f'2:5: the key "impact" is missing: a ticket needs one ({NOTHING})']),
    ("match: {}\nimpact: none", [f'2:5: the key "element" is missing: a ticket needs one ({NOTHING})']),
]

DECLARED = [
    ("hold: 5", ['6:11: "5" is no duration (write one such as 30s, 2m, 1h30m or 7d)']),
    ("hold: 5 minutes", ['6:11: "5 minutes" is no duration (write one such as 30s, 2m, 1h30m or 7d)']),
    ("hold:", ["6:10: it has no value: give one or remove the key"]),
    (
        "hold: {critical: 5m}",
        ['6:12: unknown key "critical" (known: backup, degraded, else, interrupted, none, severe)'],
    ),
    ("hold: {severe: 5m, else: x}", ['6:30: "x" is no duration (write one such as 30s, 2m, 1h30m or 7d)']),
    ("close: nver", ['6:12: "nver" is no duration (write one such as 30s, 2m, 1h30m or 7d)']),
    ("close: {unless: touched}", ['6:12: the key "after" is missing']),
    ("flap: {changes: 1, within: 1h, quiet: 1h}", ["6:21: 1 where at least 2 is wanted"]),
    ("key: []", ["6:10: an empty list where at least one is wanted"]),
    ("key: [element, chek]", ['6:20: unknown name "chek" (did you mean "check"?)']),
    ("backend: 3", ["6:14: 3 is not a text: write it in quotes"]),
    ("where: count|int >", ["6:12: this cannot be read: unexpected end of block"]),
    ("where: chek == 'x'", ['6:12: unknown variable "chek" (did you mean "check"?)']),
    (
        "where: element.name == 'x'",
        [
            (
                '6:12: unknown variable "element" (there are check, description, fingerprint, labels, '
                "resource, severity, source, starts_at, status, summary, url)"
            )
        ],
    ),
    ("where: '{{ check }}'", ["6:12: an expression is written without braces (such as count|int > 20)"]),
    ("where: summary > 3", ['6:12: "summary" is a text, not a number (write summary|int or summary|float)']),
    ("ticket: {name: '{{ chek }}'}", ['6:24: unknown variable "chek" (did you mean "check"?)']),
    (
        "ticket: {name: '{{ check'}",
        ["6:24: this cannot be read: unexpected end of input, expected end of variable block"],
    ),
    ("ticket: {description: {fr: '{{ check|uper }}'}}", ['6:42: unknown filter "uper" (did you mean "upper"?)']),
    ("ticket: {name: {de: x}}", ['6:21: unknown key "de" (known: en, fr)', "6:20: no text: give it in en or fr"][:1]),
    ("ticket: {name: {}}", ["6:20: no text: give it in en or fr"]),
    (
        "ticket:\n  name:\n    en: '{{ element.nme }}'",
        ['8:25: unknown field of an element "nme" (did you mean "name"?)'],
    ),
]

ELEMENTS = [
    ("element: '{{ resource }}'", ["4:14: this is a reference, not a template (write {lookup: '…'})"]),
    (
        "element: {lookup: '{{ host }}'}",
        [
            (
                '4:27: unknown variable "host" (there are check, description, fingerprint, '
                "labels, resource, severity, source, starts_at, status, summary, url)"
            )
        ],
    ),
    (
        "element: {lookup: x, missing: recrod}",
        ['4:35: "recrod" is not one of quarantine, record, ignore (did you mean "record"?)'],
    ),
    (
        "element: {lookup: x, missing: {used: DF1}}",
        ['4:35: the key "use" is missing', '4:36: unknown key "used" (did you mean "use"?)'],
    ),
    ("element: {tabel: x}", ['4:14: the key "lookup" is missing', '4:15: unknown key "tabel" (did you mean "table"?)']),
    (
        "element: {table: tables/host.csv, by: resource}",
        ['4:22: there is no table "tables/host.csv" (did you mean "tables/hosts.csv"?)'],
    ),
    (
        "element: {table: tables/hosts.csv, by: resource, column: elment}",
        ['4:22: tables/hosts.csv has no column "elment" (did you mean "element"?)'],
    ),
    (
        "element: {table: tables/hosts.csv, by: host}",
        [
            (
                '4:44: unknown name "host" (there are source, fingerprint, status, '
                "severity, resource, check, summary, description, url and labels.NAME)"
            )
        ],
    ),
]

IMPACTS = [
    (
        "impact: sever",
        ['4:13: "sever" is not one of none, backup, degraded, severe, interrupted (did you mean "severe"?)'],
    ),
    ("impact: {by: severity, critical: severe}", ["4:13: no impact for any other severity: add `else:`"]),
    (
        "impact: {by: severity, criticl: severe, else: none}",
        ['4:28: "criticl" is no severity (did you mean "critical"?)'],
    ),
    (
        "impact: {by: severity, critical: hih, else: none}",
        ['4:38: "hih" is not one of none, backup, degraded, severe, interrupted'],
    ),
    ("impact: {by: sevrity, else: none}", ['4:18: unknown name "sevrity" (did you mean "severity"?)']),
    ("impact: {critical: severe}", ['4:13: the key "by" is missing']),
]

ROW = "the columns are host, element; a cell that holds the sign between cells is put in quotes"

HOSTS = {"tables/hosts.csv": "host,element,impact\nweb1,DF00WEB001,severe\n"}


def _ids(rows: list[tuple[str, list[str]]]) -> list[str]:
    return [row[0] for row in rows]


@pytest.mark.parametrize(("rule", "problems"), KEYS, ids=_ids(KEYS))
def test_a_wrong_key_or_value_is_said_with_line_column_and_the_nearest_word(rule: str, problems: list[str]) -> None:
    assert said_of(rule) == problems


@pytest.mark.parametrize(("rule", "problems"), DECLARED, ids=_ids(DECLARED))
def test_what_is_wrong_with_a_ticket_is_said_where_it_stands(rule: str, problems: list[str]) -> None:
    assert said_of(f"match: {{}}\n{DECLARING}\n{rule}") == problems


@pytest.mark.parametrize(("rule", "problems"), ELEMENTS, ids=_ids(ELEMENTS))
def test_what_is_wrong_with_an_element_is_said_where_it_stands(rule: str, problems: list[str]) -> None:
    assert said_of(f"match: {{}}\n{rule}\nimpact: none", **HOSTS) == problems


@pytest.mark.parametrize(("rule", "problems"), IMPACTS, ids=_ids(IMPACTS))
def test_what_is_wrong_with_an_impact_is_said_where_it_stands(rule: str, problems: list[str]) -> None:
    assert said_of(f"match: {{}}\n{rule}\nelement: DF1", **HOSTS) == problems


@pytest.mark.parametrize(
    ("match", "problem"),
    [
        (
            "{summary: {regex: '(?P<check>x)'}}",
            '3:35: "check" is what a variable is called already: choose another name',
        ),
        (
            "{summary: {regex: '(?P<n>x)'}, url: {regex: '(?P<n>y)'}}",
            '3:61: "n" is captured twice: choose another name',
        ),
    ],
)
def test_a_capture_cannot_hide_a_variable_or_another_capture(match: str, problem: str) -> None:
    assert said_of(f"match: {match}\n{DECLARING}") == [problem]


def test_what_not_matches_captures_nothing() -> None:
    rule = f"match: {{summary: {{not: {{regex: '(?P<n>x)'}}}}}}\n{DECLARING}\nkey: [n]"
    assert said_of(rule)[0].startswith('6:11: unknown name "n"')


def test_everything_that_is_wrong_is_said_at_once_in_order_of_place() -> None:
    assert said(
        """\
        rules:
          - {id: a, match: {sumary: x}, action: record}
          - {id: b, match: {}, action: record, where: nope}
          - {id: B, match: {}, action: record}
        fallback: {action: recrod}
        """
    ) == [
        'a.yaml:2:21: an alert has no field "sumary" (did you mean "summary"?)',
        (
            'a.yaml:3:47: unknown variable "nope" (there are check, description, fingerprint, labels, resource, severity, '
            "source, starts_at, status, summary, url)"
        ),
        "a.yaml:4:10: an id is made of small letters, digits and hyphens, at most 80",
        'a.yaml:5:20: "recrod" is not one of record, quarantine, ignore (did you mean "record"?)',
    ]


def test_what_is_wrong_in_several_files_is_said_together() -> None:
    with pytest.raises(RulesError) as caught:
        rules.build({"b.yaml": "rules: 3\n", "a.yaml": "- x\n", "tables/t.csv": "a,a\n"}, folder="etc/rules")
    assert str(caught.value).splitlines() == [
        "etc/rules/a.yaml:1:1: a rule file is a mapping: begin it with `rules:`",
        "etc/rules/b.yaml:1:8: 3 where a list is wanted",
        "etc/rules/tables/t.csv:1:3: the first line names each column once: give every column a name (they are a, a)",
    ]
    assert (caught.value.file, caught.value.line) == ("etc/rules/a.yaml", 1)
    assert len(caught.value.others) == 2


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "rules: [\n",
            "a.yaml:2:1: this is not valid YAML: a value is missing (give one, or take the comma or bracket away)",
        ),
        ("rules: []\nrules: []\n", 'a.yaml:2:1: the key "rules" is here twice: keep one'),
        ("fallbck: {action: record}\n", 'a.yaml:1:1: unknown key "fallbck" (did you mean "fallback"?)'),
        ("tests: [{name: x, expect: {at: 0s, tickets: 1}}]\n", 'a.yaml:1:9: the key "alerts" is missing'),
        ("samples: {a: {severity: high}}\n", 'a.yaml:1:25: "high" is not one of critical, major, minor, warning, info'),
    ],
)
def test_a_file_that_cannot_be_read_is_said_with_its_place(text: str, problem: str) -> None:
    assert problem in said(text)


def test_ids_are_unique_over_all_files() -> None:
    with pytest.raises(RulesError) as caught:
        rules.build({"a.yaml": RULE + FALLBACK, "b.yaml": RULE})
    assert str(caught.value) == 'b.yaml:2:9: the id "one" is taken (the first is a.yaml:2)'


def test_no_rule_can_be_called_fallback() -> None:
    assert said("rules: [{id: fallback, match: {}, action: record}]") == [
        'a.yaml:1:14: the id "fallback" is taken (the first is the fallback)'
    ]


def test_one_file_has_the_fallback_and_only_one() -> None:
    assert said(RULE) == ["no file says what happens to an alert that no rule knows: add `fallback: {action: record}`"]
    with pytest.raises(RulesError) as caught:
        rules.build({"a.yaml": RULE + FALLBACK, "b.yaml": FALLBACK})
    assert str(caught.value) == "b.yaml:2:1: there is a fallback already: keep one in all files"


def test_a_backend_must_be_known_where_backends_are_known() -> None:
    files = {"a.yaml": f"{RULE}    backend: dsk\ndefaults: {{backend: dek}}\n{FALLBACK}"}
    assert rules.build(files).rules
    with pytest.raises(RulesError) as caught:
        rules.build(files, known_backends=frozenset({"desk"}))
    assert str(caught.value).splitlines() == [
        'a.yaml:6:14: no backend is called "dsk" (did you mean "desk"?)',
        'a.yaml:7:21: no backend is called "dek" (did you mean "desk"?)',
    ]


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ("host,element\na,b,c\n", f"tables/hosts.csv:2:5: 3 cells under 2 column names: add or remove some ({ROW})"),
        ("host,element\n\na\n", f"tables/hosts.csv:3:1: 1 cells under 2 column names: add or remove some ({ROW})"),
        (
            "",
            (
                "tables/hosts.csv:1:1: the first line names each column once: give every column a name "
                "(such as `host,element,impact`)"
            ),
        ),
        (
            "host,\n",
            "tables/hosts.csv:1:6: the first line names each column once: give every column a name (they are host, (nothing))",
        ),
        (
            'host,element\n"a\n"x,b\n',
            'tables/hosts.csv:2: this is no CSV: \',\' expected after \'"\' (a cell that holds a quote is written "in ""quotes""")',
        ),
        (
            "host,element,impact\na,x,none\nb,x,none\na,y,none\n",
            'tables/hosts.csv:4:1: "a" was in line 2 already: keep one row',
        ),
        (
            "host;element;impact\n\na;x;sever\n",
            'tables/hosts.csv:3:5: "sever" is no impact (did you mean "severe"?)',
        ),
    ],
)
def test_what_is_wrong_in_a_table_is_said_with_its_line(table: str, problem: str) -> None:
    rule = """
        match: {}
        element: {table: tables/hosts.csv, by: resource}
        impact: {table: tables/hosts.csv, by: resource, else: none}
        """
    with pytest.raises(RulesError) as caught:
        rule_set(rule, **{"tables/hosts.csv": table})
    assert problem in str(caught.value).splitlines()


def test_many_rules_say_once_what_is_wrong_with_their_table() -> None:
    rule = "{match: {}, element: DF1, impact: {table: tables/t.csv, by: source, else: none}, id: "
    text = f"rules:\n - {rule}a}}\n - {rule}b}}\n{FALLBACK}"
    assert said(text, **{"tables/t.csv": "source,impact\nx,y\n"}) == [
        'tables/t.csv:2:3: "y" is no impact (there are none, backup, degraded, severe, interrupted)'
    ]


@pytest.mark.parametrize(
    ("more", "warning"),
    [
        ("samples: {a: {source: x}}", 'a.yaml:6:11: no test of this file uses the sample "a"'),
        (
            f"    ticket: {{name: '{'x' * 201}'}}",
            "a.yaml:6:20: a ticket's name has at most 200 characters, these are 201: it will be cut",
        ),
    ],
)
def test_what_is_hardly_meant_is_a_warning(more: str, warning: str) -> None:
    assert [str(found) for found in rules.build({"a.yaml": f"{RULE}{more}\n{FALLBACK}"}).warnings] == [warning]


def test_rules_come_in_order_of_file_name() -> None:
    files = {name: RULE.replace("one", name[:1]).replace("nagios", name[:1]) for name in ("b.yaml", "a.yml", "c.yaml")}
    assert [rule.id for rule in rules.build(files | {"z.yaml": FALLBACK}).rules] == ["a", "b", "c"]


def test_an_empty_file_says_nothing() -> None:
    assert rules.build({"a.yaml": "# nothing yet\n", "b.yaml": FALLBACK}).rules == ()


def test_the_hash_names_the_content_of_all_files() -> None:
    files = {"a.yaml": RULE + FALLBACK, "tables/t.csv": "a,b\n1,2\n"}
    again = rules.build(dict(reversed(files.items())))
    assert again.hash == rules.build(files, folder="elsewhere").hash
    assert again.files == files
    for name, text in files.items():
        assert rules.build(files | {name: text + "\n"}).hash != again.hash


def test_a_text_that_reads_like_two_files_has_another_hash() -> None:
    two = {"a.yaml": RULE + FALLBACK, "x.md": "1", "y.md": "2"}
    assert rules.build(two).hash != rules.build({"a.yaml": RULE + FALLBACK, "x.md": "1y.md2"}).hash


@given(st.lists(st.text(max_size=3), min_size=4, max_size=4))
def test_different_files_never_share_a_hash_by_moving_text_between_them(texts: list[str]) -> None:
    one = {"a.yaml": RULE + FALLBACK, "b.md": texts[0], "c.md": texts[1]}
    other = {"a.yaml": RULE + FALLBACK, "b.md": texts[2], "c.md": texts[3]}
    assert (rules.build(one).hash == rules.build(other).hash) == (one == other)


def test_a_folder_is_read_with_its_tables(tmp_path: Path) -> None:
    (tmp_path / "tables").mkdir()
    (tmp_path / "10-a.yaml").write_text(RULE, encoding="utf-8-sig")
    (tmp_path / "20-b.yml").write_text(FALLBACK, encoding="utf-8")
    (tmp_path / "tables" / "t.csv").write_text("a,b\n", encoding="utf-8")
    for ignored in (".hidden.yaml", "README.md", "tables/notes.txt", "a.yaml~"):
        (tmp_path / ignored).write_text("{", encoding="utf-8")
    read = rules.load(tmp_path)
    assert sorted(read.files) == ["10-a.yaml", "20-b.yml", "tables/t.csv"]
    assert (read.rules[0].file, read.rules[0].line) == (str(tmp_path / "10-a.yaml"), 2)


@pytest.mark.parametrize("collecting", [True, False])
def test_loading_leaves_the_garbage_collector_as_it_was(*, collecting: bool) -> None:
    before = gc.isenabled()
    (gc.enable if collecting else gc.disable)()
    try:
        rules.build({"a.yaml": FALLBACK})
        with pytest.raises(RulesError):
            rules.build({"a.yaml": "-"})
        assert gc.isenabled() is collecting
    finally:
        (gc.enable if before else gc.disable)()


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").mkdir()
    with pytest.raises(RuleError, match=r"a\.yaml: the file cannot be read: Is a directory"):
        rules.load(tmp_path)


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(RuleError, match="the rules' folder cannot be read: No such file or directory"):
        rules.load(tmp_path / "nowhere")


def test_a_file_in_another_encoding_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes("# r\xe8gles\n".encode("latin-1"))
    with pytest.raises(RuleError, match=r"a\.yaml:1:4: this is not UTF-8 text: save the file as UTF-8"):
        rules.load(tmp_path)


def test_the_example_rules_load_without_a_warning() -> None:
    read = rules.load(EXAMPLES)
    assert read.warnings == ()
    assert {rule.id for rule in read.rules} >= {"process-count", "disk-nagios", "host-down", "certificate-expiring"}


def test_every_example_file_with_rules_has_tests_of_its_own() -> None:
    read = rules.load(EXAMPLES)
    assert {rule.file for rule in read.rules} == {test.file for test in read.tests}


def test_every_example_rule_speaks_both_languages() -> None:
    for rule in rules.load(EXAMPLES).rules:
        if rule.declaration:
            assert [language for language, _ in rule.declaration.name] == ["en", "fr"], rule.id


def test_a_rule_set_cannot_be_changed() -> None:
    read = rule_set_of("{}")
    with pytest.raises(AttributeError):
        read.rules = ()  # type: ignore[misc]
    with pytest.raises(TypeError):
        read.files["a.yaml"] = ""  # type: ignore[index]
