from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tocsin import fleet, settings
from tocsin.errors import SettingsError
from tocsin.model import Criticality, Impact, Priority

if TYPE_CHECKING:
    from collections.abc import Callable

CONFIG = Path(__file__).parents[1] / "config"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "config").mkdir()
    return tmp_path / "config" / "tocsin.yaml"


def load(file: Path, text: str = "", **environ: str) -> settings.Settings:
    file.write_text(text, encoding="utf-8")
    return settings.load(file, environ)


def problems(file: Path, text: str = "", **environ: str) -> list[str]:
    """The lines of the error, with the file's folder left out."""
    with pytest.raises(SettingsError) as caught:
        load(file, text, **environ)
    return str(caught.value).replace(f"{file.parent}/", "").splitlines()


OPEN = "sources: {s: {kind: generic, open: true}}\n"


def test_an_empty_file_gives_the_defaults(file: Path) -> None:
    given = load(file)
    assert (given.listen.host, given.listen.port) == ("127.0.0.1", 9765)
    assert {name: backend.kind for name, backend in given.backends.items()} == {"desk": "desk"}
    assert given.default_backend == "desk"
    assert given.sources == {}
    assert given.delivery.give_up_after == timedelta(days=7)


def test_paths_start_at_the_folder_of_the_file(file: Path) -> None:
    given = load(file, "fleet: {path: parc}\nstate: /srv/state\n", TOCSIN_RULES__PATH="mine")
    assert given.fleet.path == file.parent / "parc"
    assert given.rules.path == file.parent / "mine"
    assert given.state == Path("/srv/state")
    assert load(file).state == file.parent.parent / "var"


def test_a_variable_counts_before_the_file(file: Path) -> None:
    given = load(
        file,
        f"listen: {{port: 1, host: '::'}}\n{OPEN}",
        TOCSIN_LISTEN__PORT="9900",
        TOCSIN_SOURCES__S__DECLARANT="Nagios",
        TOCSIN_BACKENDS__ITSM__KIND="webhook",
        TOCSIN_BACKENDS__ITSM__OPTIONS__URL="http://127.0.0.1/",
        TOCSIN_DEFAULT_BACKEND="itsm",
        TOCSIN_DESK__PRIORITY__NONE__VITAL="P1",
        TOCSIN_LOG__LEVEL="",
        LISTEN__HOST="not ours",
    )
    assert (given.listen.host, given.listen.port) == ("::", 9900)
    assert given.sources["s"].declarant == "Nagios"
    assert given.backends["itsm"].options == {"url": "http://127.0.0.1/"}
    assert given.desk.priority[Impact.NONE][Criticality.VITAL] is Priority.P1
    assert given.log.level == "info"


def test_the_environment_of_the_process_does_not_count(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_LISTEN__PORT", "1")
    assert load(file).listen.port == 9765


def test_a_variable_names_the_file(file: Path) -> None:
    file.write_text("listen: {port: 7}", encoding="utf-8")
    assert settings.load(None, {"TOCSIN_CONFIG": str(file)}).listen.port == 7


def test_a_missing_file_says_how_to_name_one(file: Path) -> None:
    with pytest.raises(SettingsError, match="--config FILE or set TOCSIN_CONFIG"):
        settings.load(file, {})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a: [", ":2:1: this is not valid YAML", id="syntax"),
        pytest.param("- a", ":1:1: settings are a mapping", id="no mapping"),
        pytest.param("log: {}\nlistn: 3", ':2:1: listn is no setting (did you mean "listen"?)', id="unknown"),
        pytest.param("zzz: 3", ":1:1: zzz is no setting (there are state, listen", id="unknown and nothing near"),
        pytest.param("_env_file: x", ":1:1: _env_file is no setting", id="not ours"),
        pytest.param(
            "listen:\n  prot: 3", ':2:3: listen.prot is no setting (did you mean "port"?)', id="unknown below"
        ),
        pytest.param(
            "sources: {s: {kind: x, opn: true}}", ':1:24: sources.s.opn is no setting (did you mean "open"?)', id="deep"
        ),
        pytest.param("listen: {port: 70000}", ":1:16: listen.port: must be less than or equal to 65535", id="range"),
        pytest.param("listen: {port: high}", ":1:16: listen.port: must be a valid integer", id="type"),
        pytest.param("listen:\n", ":1:8: listen: must be a mapping of keys and values", id="empty part"),
        pytest.param("state: 3", ":1:8: state: must be a path", id="path"),
        pytest.param("log: {level: loud}", ":1:14: log.level: must be 'debug', 'info'", id="word"),
        pytest.param("retention: {alerts: 90}", ":1:21: retention.alerts: write a span of time", id="span"),
        pytest.param("intake: {body_limit: 10MB}", ":1:22: intake.body_limit: write a size", id="size"),
        pytest.param("delivery: {first_retry: 1h}", ":1:11: delivery: longest_retry is shorter", id="order"),
        pytest.param("desk: {priority: {sever: {}}}", ":1:26: desk.priority.sever: must be 'none'", id="impact"),
        pytest.param(
            "desk: {priority: {none: {vital: P9}}}", ":1:33: desk.priority.none.vital: must be 'P1'", id="cell"
        ),
        pytest.param("sources: {S_1: {kind: x}}", ":1:16: sources.S_1: a name is made of a-z, 0-9 and -", id="name"),
        pytest.param("sources: {s: {open: true}}", ":1:14: sources.s.kind is missing: add it", id="missing"),
        pytest.param(
            "sources: {s: {kind: x}}", ":1:14: sources.s: say how it proves who it is: `auth: {bearer:", id="neither"
        ),
        pytest.param(
            "sources: {s: {kind: x, open: true, auth: {bearer: {token_file: t}}}}",
            ":1:14: sources.s: it has `auth:` and `open: true`",
            id="both",
        ),
        pytest.param(
            "sources: {s: {kind: x, auth: {bearer: {token_file: t}, basic: {user: u, password_file: p}}}}",
            ":1:30: sources.s.auth: give exactly one of bearer, header, basic, hmac",
            id="two ways",
        ),
        pytest.param("sources: {s: {kind: x, auth: {}}}", ":1:30: sources.s.auth: give exactly one", id="no way"),
        pytest.param("backends: {x: {kind: y}}", ':1:1: default_backend names the backend "desk"', id="default"),
        pytest.param(
            "sources: {s: {kind: x, open: true, backend: desc}}",
            ':1:45: sources.s.backend names the backend "desc", which is not in backends (did you mean "desk"?)',
            id="backend",
        ),
        pytest.param(
            "admin: {token: t0p-s3cret}", ":1:16: admin.token holds a secret: put it in a file, and write", id="secret"
        ),
        pytest.param(
            "sources: {s: {kind: x, open: true, options: {api_password: t0p-s3cret}}}",
            ":1:60: sources.s.options.api_password holds a secret: put it in a file, and write api_password_file: PATH",
            id="secret in options",
        ),
    ],
)
def test_a_problem_is_told_with_its_place_and_what_to_do(file: Path, text: str, expected: str) -> None:
    told = problems(file, text)
    assert len(told) == 1
    assert told[0].startswith(f"tocsin.yaml{expected}")
    assert "t0p-s3cret" not in told[0]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        pytest.param(
            "TOCSIN_LISTN__PORT", "1", "TOCSIN_LISTN__PORT is no setting (did you mean TOCSIN_LISTEN__PORT?)", id="part"
        ),
        pytest.param("TOCSIN_PROT", "1", "TOCSIN_PROT is no setting: unset it", id="nothing near"),
        pytest.param(
            "TOCSIN_SOURCES__S__OPE",
            "1",
            "TOCSIN_SOURCES__S__OPE is no setting (did you mean TOCSIN_SOURCES__S__OPEN?)",
            id="deep",
        ),
        pytest.param("TOCSIN_LISTEN__PORT__X", "1", "TOCSIN_LISTEN__PORT__X is no setting", id="below a value"),
        pytest.param(
            "TOCSIN_LISTEN__PORT", "t0p", "TOCSIN_LISTEN__PORT: listen.port: must be a valid integer", id="type"
        ),
        pytest.param("TOCSIN_LISTEN", "{", "a TOCSIN_… variable is not valid JSON", id="JSON"),
        pytest.param(
            "TOCSIN_LISTEN",
            '{"prt": 1}',
            'TOCSIN_LISTEN: listen.prt is no setting (did you mean "port"?)',
            id="in JSON",
        ),
        pytest.param(
            "TOCSIN_ADMIN__TOKEN",
            "t0p",
            "TOCSIN_ADMIN__TOKEN holds a secret: put it in a file, and set TOCSIN_ADMIN__TOKEN_FILE",
            id="secret",
        ),
    ],
)
def test_a_variable_that_is_wrong_is_named_without_its_value(file: Path, name: str, value: str, expected: str) -> None:
    told = problems(file, OPEN, **{name: value})
    assert len(told) == 1
    assert told[0].startswith(expected)
    assert "t0p" not in told[0]


def test_all_problems_are_told_at_once(file: Path) -> None:
    text = (
        "listen: {port: x}\nlog: {levl: info}\nadmin: {token: x}\nsources: {s: {kind: x, auth: {bearer: {token: y}}}}\n"
    )
    told = problems(file, text, TOCSIN_NO="1", TOCSIN_RETENTION__ALERTS="long")
    assert [line.split(": ")[0].split(" is ")[0] for line in told] == [
        "TOCSIN_NO",
        "tocsin.yaml:3:16",
        "tocsin.yaml:4:47",
        "tocsin.yaml:1:16",
        "TOCSIN_RETENTION__ALERTS",
        "tocsin.yaml:2:7",
    ]


def test_names_of_sources_may_be_any_word(file: Path) -> None:
    assert list(load(file, "sources: {token: {kind: generic, open: true}}").sources) == ["token"]


def test_priorities_left_out_keep_their_default(file: Path) -> None:
    table = load(file, "desk: {priority: {none: {vital: P2}}}").desk.priority
    assert table[Impact.NONE][Criticality.VITAL] is Priority.P2
    assert table[Impact.INTERRUPTED][Criticality.VITAL] is Priority.P1
    assert {impact: set(row) for impact, row in table.items()} == {impact: set(Criticality) for impact in Impact}


def test_more_impact_and_more_criticality_never_lower_the_default_priority(file: Path) -> None:
    table = load(file).desk.priority
    for impact, worse in zip(list(Impact), list(Impact)[1:], strict=False):
        assert all(table[worse][criticality] <= table[impact][criticality] for criticality in Criticality)
    for row in table.values():
        assert [row[criticality] for criticality in Criticality] == sorted(row.values())


def test_a_secret_is_looked_for_among_the_credentials_first(file: Path, tmp_path: Path) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "here.token").write_text("from credentials\n", encoding="utf-8")
    (file.parent / "here.token").write_text("from the folder\n", encoding="utf-8")
    (file.parent / "there.token").write_text("from the folder\n", encoding="utf-8")
    text = "admin: {token_file: here.token}\nsources: {s: {kind: x, auth: {bearer: {token_file: there.token}}}}"
    environ = {"CREDENTIALS_DIRECTORY": str(credentials)}
    given = load(file, text, **environ)
    assert given.admin.token_file == credentials / "here.token"
    assert given.sources["s"].auth is not None
    assert given.sources["s"].auth.bearer is not None
    assert given.sources["s"].auth.bearer.token_file == file.parent / "there.token"
    read = settings.secret_reader(file, environ)
    assert (read("here.token"), read("there.token")) == (b"from credentials", b"from the folder")
    assert read(str(file.parent / "here.token")) == b"from the folder"


@pytest.mark.parametrize(
    ("content", "secret"),
    [(b"abc", b"abc"), (b"abc\n", b"abc"), (b"abc\r\n", b"abc"), (b"a\nb\n\n", b"a\nb\n"), (b" \xff ", b" \xff ")],
)
def test_one_newline_at_the_end_is_no_part_of_a_secret(tmp_path: Path, content: bytes, secret: bytes) -> None:
    (tmp_path / "s").write_bytes(content)
    assert settings.read_secret(tmp_path / "s") == secret


@pytest.mark.parametrize(
    ("content", "words"), [(b"", "is empty"), (b" \n", "is empty"), (b"x" * 65_537, "larger than 64 KiB")]
)
def test_a_file_that_can_be_no_secret_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "s").write_bytes(content)
    with pytest.raises(SettingsError, match=words):
        settings.read_secret(tmp_path / "s")


def test_a_secret_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"the secret .*nowhere cannot be read: No such file.*correct its path"):
        settings.read_secret(tmp_path / "nowhere")
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        settings.read_secret(tmp_path)


def test_a_secret_that_everyone_may_read_is_warned_of(tmp_path: Path) -> None:
    secret = tmp_path / "s"
    secret.write_bytes(b"x")
    secret.chmod(0o644)
    assert "everyone on this machine may read the secret" in settings.exposed(secret)
    secret.chmod(0o640)
    assert settings.exposed(secret) == ""
    assert settings.exposed(tmp_path / "nowhere") == ""


def test_the_shipped_settings_hold() -> None:
    given = settings.load(CONFIG / "tocsin.yaml", {})
    assert {"generic", "alertmanager", "prometheus", "truesight", "nagios"} <= set(given.sources)
    assert given.fleet.path == CONFIG / "fleet"
    assert given.desk == settings.Settings().desk


def test_settings_cannot_be_changed(file: Path) -> None:
    with pytest.raises(ValueError, match="frozen"):
        load(file).listen.port = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "current"),
    [("settings.schema.json", settings.json_schema), ("fleet.schema.json", fleet.json_schema)],
)
def test_the_schema_files_are_current(name: str, current: Callable[[], dict[str, Any]]) -> None:
    written = json.loads((CONFIG / name).read_text(encoding="utf-8"))
    assert written == current(), "run `make goldens`, and look at what changed"
