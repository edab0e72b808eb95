"""Rule files are replaced as a whole, whatever happens in between; who let which rules go live when is kept."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import stat
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from house import T0, opened, rows
from service import running
from test_web import RULES, post, serving
from tocsin import rules
from tocsin.cli import app as command_line
from tocsin.cli import ruling
from tocsin.errors import RuleError
from tocsin.rules import folder, loader
from tocsin.store import changes, keep
from tocsin.store.changes import ChangeLine, GoesLive, How, Told
from tocsin.store.reader import reader
from tocsin.workbench import promotion

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tocsin.store import Store

FINE, WRONG = 0, 1
OLD = {"10-disk.yaml": RULES, "20-old.yaml": "rules: []\n", "tables/hosts.csv": "host;impact\nweb1;none\n"}
NEW = {
    "10-disk.yaml": RULES.replace("degraded", "severe"),
    "30-new.yaml": "rules:\n  - {id: new, match: {check: new}, action: ignore}\n",
    "tables/teams.csv": "team;impact\nshop;none\n",
    "tables/hosts.csv": OLD["tables/hosts.csv"],
}


def write(path: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text, encoding="utf-8")


def read(path: Path) -> dict[str, str]:
    return dict(rules.load(path).files)


def replacement(files: dict[str, str], who: str = "night") -> folder.Replacement:
    return folder.Replacement(files=files, hash=rules.build(files).hash, who=who, how="promote", at=T0)


def steps(path: Path, files: dict[str, str]) -> Iterator[str]:
    return folder.steps(path, replacement(files), lambda: loader.names(path), lambda: True)


def left(path: Path) -> set[str]:
    return {str(file.relative_to(path)) for file in path.rglob("*") if file.is_file()}


@pytest.fixture
def there(tmp_path: Path) -> Path:
    write(tmp_path / "rules", OLD)
    write(tmp_path / "rules", {"README.md": "ours", "tables/notes.txt": "ours", ".hidden.yaml": "ours"})
    return tmp_path / "rules"


OTHERS = {"README.md", "tables/notes.txt", ".hidden.yaml"}
OTHER = len(NEW) - 1
"""So many of the new files are not there already."""
COUNT = OTHER + 1 + OTHER + 1 + 1
"""Steps: each file written, the journal, each file in place, one file gone, done."""


# --- the folder ----------------------------------------------------------------------------------------------------------


def test_files_of_rules_are_replaced_and_others_stay(there: Path) -> None:
    assert len(list(steps(there, NEW))) == COUNT
    assert read(there) == NEW
    assert left(there) == {*NEW, *OTHERS, folder.NOTE}


@pytest.mark.parametrize("done", range(COUNT + 1))
def test_a_replacement_that_is_cut_off_is_read_as_the_old_or_the_new_whole(there: Path, done: int) -> None:
    under_way = steps(there, NEW)
    for _ in range(done):
        next(under_way)
    under_way.close()  # as if killed: nothing is tidied up, and the lock is gone
    found = read(there)
    assert found == (NEW if done > OTHER else OLD)
    assert read(there) == found
    assert (folder.note(there) is not None) == (found == NEW)


@pytest.mark.parametrize("done", range(COUNT + 1))
def test_after_a_replacement_that_was_cut_off_the_next_one_is_whole(there: Path, done: int) -> None:
    under_way = steps(there, NEW)
    for _ in range(done):
        next(under_way)
    under_way.close()
    list(steps(there, OLD))
    assert read(there) == OLD
    assert left(there) == {*OLD, *OTHERS, folder.NOTE}


def test_nobody_reads_a_mixture_while_files_are_replaced(there: Path) -> None:
    seen: list[dict[str, str]] = []
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            seen.append(read(there))

    looking = threading.Thread(target=look)
    looking.start()
    while len(seen) < 20 and looking.is_alive():
        list(steps(there, NEW))
        list(steps(there, OLD))
    stop.set()
    looking.join()
    assert len(seen) >= 20
    assert all(files in (OLD, NEW) for files in seen)


def test_a_folder_that_is_held_too_long_is_refused(there: Path) -> None:
    held = os.open(there, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    try:
        refused = pytest.raises(RuleError, match=r"another program has held the rules' folder for 0.05 s")
        with refused, folder.reading(there, patience=0.05):
            pass
    finally:
        os.close(held)


def test_files_keep_their_rights_and_new_ones_have_the_folders(there: Path) -> None:
    (there / "10-disk.yaml").chmod(0o640)
    there.chmod(0o755)
    list(steps(there, NEW))
    modes = {name: stat.S_IMODE((there / name).stat().st_mode) for name in ("10-disk.yaml", "30-new.yaml")}
    assert modes == {"10-disk.yaml": 0o640, "30-new.yaml": 0o644}


def test_what_is_kept_nowhere_else_is_set_aside_as_it_was(there: Path) -> None:
    (there / "10-disk.yaml").write_bytes(b"\xff not text")
    aside = folder.replace(there, replacement(NEW), lambda: loader.names(there), lambda: False)
    assert aside is not None
    assert list((there / folder.ASIDE).iterdir()) == [aside]
    assert left(aside) == set(OLD)
    assert (aside / "10-disk.yaml").read_bytes() == b"\xff not text"
    assert read(there) == NEW


@pytest.mark.parametrize("name", ["../out.yaml", "/etc/out.yaml", "a/b.yaml", ".x.yaml", "tables/../../x.csv", "a\0b"])
def test_no_file_is_written_outside_the_folder(there: Path, name: str) -> None:
    by = folder.Replacement(files={name: ""}, hash="", who="", how="promote", at=T0)
    with pytest.raises(RuleError, match="is no name of a rule file"):
        folder.replace(there, by, lambda: loader.names(there), lambda: True)
    assert read(there) == OLD


def test_a_folder_that_cannot_be_written_stays_as_it_is_and_says_so(there: Path) -> None:
    (there / "payloads").write_text("a file, where a folder is wanted: even root is refused")
    by = replace(replacement(NEW), files={**NEW, "payloads/x.json": "{}"})
    with pytest.raises(RuleError, match="the rule files cannot be replaced here"):
        folder.replace(there, by, lambda: loader.names(there), lambda: True)
    assert read(there) == OLD
    assert left(there) == {*OLD, *OTHERS, "payloads"}


# --- history -------------------------------------------------------------------------------------------------------------


def line(hashed: str, how: How = How.FILE) -> ChangeLine:
    return ChangeLine(at=T0, hash=hashed, how=how, who="", rules=1, fleet="", elements=1, previous="")


@pytest.mark.parametrize(
    ("went_live", "back_to"),
    [
        ("", ""),
        ("a", ""),
        ("a b", "a"),
        ("a b b", "a"),
        ("a b c", "b"),
        ("a b c <b", "a"),
        ("a b c <b <a", ""),
        ("a b c <b d", "b"),
        ("a b c <a", ""),
        ("a b a", "b"),
        ("a b <z", "b"),
    ],
)
def test_going_back_again_goes_further_back(went_live: str, back_to: str) -> None:
    lines = [line(name.strip("<"), How.ROLLBACK if "<" in name else How.FILE) for name in went_live.split()]
    assert promotion.before(lines[::-1]) == back_to


async def goes_live(store: Store, text: str, who: str = "", how: How = How.FILE, hours: int = 0) -> None:
    rule_set = rules.build({"10.yaml": text})
    what = GoesLive(rules=rule_set, count=len(rule_set.rules), fleet="f", elements=1)
    await store.run(lambda tx: changes.go_live(tx, what, Told(how=how, who=who), T0 + timedelta(hours=hours)))


async def test_the_history_has_a_line_for_each_other_rule_set_and_each_name(tmp_path: Path) -> None:
    other = RULES.replace("degraded", "none")
    async with opened(tmp_path) as store:
        await goes_live(store, RULES, how=How.START)
        await goes_live(store, RULES, how=How.RELOAD, hours=1)
        await goes_live(store, other, who="night", how=How.PROMOTE, hours=2)
        await goes_live(store, other, who="night", how=How.PROMOTE, hours=3)
        await goes_live(store, other, who="day", how=How.RELOAD, hours=4)
    with reader(tmp_path) as there:
        found = changes.history(there)
    first, second = (rules.build({"10.yaml": text}).hash for text in (RULES, other))
    assert [(one.hash, one.how, one.who, one.previous, one.rules) for one in found] == [
        (second, "reload", "day", second, 1),
        (second, "promote", "night", first, 1),
        (first, "start", "", "", 1),
    ]


async def test_a_shadow_is_never_the_last_good_rule_set(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await goes_live(store, RULES)
        other = rules.build({"10.yaml": RULES.replace("degraded", "none")})
        await store.run(lambda tx: keep.rule_set_row(tx, other, 0))
        assert await store.run(keep.latest_rule_set) == {"10.yaml": RULES}


async def test_rule_sets_of_an_older_store_are_the_beginning_of_the_history(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        for hours, text in enumerate((RULES, RULES.replace("degraded", "none"))):
            await goes_live(store, text, hours=hours)
        undo = ("drop table rule_changes", "drop table shadows", "drop table shadow_differences")
        for sql in (*undo, "delete from _sqlite_migrations where name = '0003_rule_changes'"):
            await store.run(lambda tx, sql=sql: tx._connection.execute(sql))  # type: ignore[misc]
    async with opened(tmp_path):
        pass
    with reader(tmp_path) as there:
        newest, oldest = changes.history(there)
    assert (newest.previous, oldest.previous, newest.at - oldest.at) == (oldest.hash, "", timedelta(hours=1))


# --- the command line ----------------------------------------------------------------------------------------------------

TESTED = """
tests:
  - name: a full disk is a ticket
    alerts: [{at: 0s, source: s, severity: major, resource: web1, check: disk, summary: full}]
    expect: {at: 1m, tickets: 1}
"""


class House:
    """Settings, live and shadow rules, and a fleet in a folder; the service is started by who needs it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rules, self.next, self.state = path / "rules", path / "next", path / "var"
        write(self.rules, OLD)
        write(self.rules, {"README.md": "ours"})
        write(self.next, NEW)
        write(path, {"fleet/fleet.csv": "reference,name,aliases\nDF1,Web one,web1\n"})
        settings = {
            "state": "var",
            "listen": {"port": 9},
            "rules": {"path": "rules", "shadow": "next"},
            "fleet": {"path": "fleet"},
        }
        self.config = path / "tocsin.yaml"
        self.config.write_text(json.dumps(settings))

    def tocsin(self, *arguments: str, fine: int = FINE, stdin: str = "") -> str:
        result = CliRunner().invoke(command_line, ["--config", str(self.config), "rules", *arguments], input=stdin)
        assert result.exit_code == fine, result.output
        return result.stdout + result.stderr

    def json(self, *arguments: str) -> Any:
        return json.loads(self.tocsin(*arguments, "--json"))

    async def goes_live(self, hours: int = 0) -> str:
        """What a service would do that starts now."""
        rule_set = rules.load(self.rules)
        async with opened(self.state) as store:
            what = GoesLive(rules=rule_set, count=len(rule_set.rules), fleet="f", elements=1)
            note = folder.note(self.rules)
            told = Told(how=How(note.how), who=note.who) if note else Told(how=How.FILE)
            await store.run(lambda tx: changes.go_live(tx, what, told, T0 + timedelta(hours=hours)))
        folder.forget(self.rules)
        return rule_set.hash


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_promote_shows_what_changes_and_asks(house: House) -> None:
    told = house.tocsin("promote", fine=WRONG, stdin="n\n")
    for expected in ("2 rules, 0 tests", "rules added    new", "rules changed  disk"):
        assert expected in told
    for expected in ("files added    30-new.yaml, tables/teams.csv", "files removed  20-old.yaml"):
        assert expected in told
    assert read(house.rules) == OLD


def test_promote_without_a_service_says_when_it_goes_live_and_keeps_who_it_was(house: House) -> None:
    told = house.tocsin("promote", "--who", "night shift", "--yes")
    assert "They go live when the service reads them, or starts" in told
    assert read(house.rules) == NEW
    assert (house.rules / "README.md").read_text() == "ours"
    journal = folder.note(house.rules)
    assert journal is not None
    assert (journal.who, journal.how) == ("night shift", "promote")
    (aside,) = (house.rules / folder.ASIDE).iterdir()  # no store has seen them yet
    assert f"the former files, which were never live, are in {aside}" in told
    assert read(aside) == OLD


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"10-disk.yaml": RULES.replace("match:", "mach:")}, "next/10-disk.yaml:4"),
        ({"10-disk.yaml": RULES + TESTED.replace("tickets: 1", "tickets: 2")}, "expected 2"),
        ({"10-disk.yaml": RULES.replace("impact: degraded", "impact: degraded\n    backend: nowhere")}, "nowhere"),
    ],
)
def test_a_shadow_that_cannot_go_live_is_not_promoted(house: House, files: dict[str, str], says: str) -> None:
    write(house.next, files)
    assert says in house.tocsin("promote", "--yes", fine=WRONG)
    assert read(house.rules) == OLD


def test_promoting_what_is_there_already_does_nothing(house: House) -> None:
    house.tocsin("promote", "--yes")
    assert "nothing to do" in house.tocsin("promote")
    assert house.json("promote")["status"] == "same"


def test_without_a_shadow_there_is_nothing_to_promote(house: House) -> None:
    house.config.write_text(house.config.read_text().replace(', "shadow": "next"', ""))
    assert "name its folder in the settings" in house.tocsin("promote", fine=WRONG)
    assert house.json("shadow")["folder"] is None


async def test_rollback_puts_the_files_back_and_goes_further_back_each_time(house: House) -> None:
    hashes = [await house.goes_live()]
    for hours, impact in enumerate(("severe", "backup", "none"), 1):
        write(house.rules, {"10-disk.yaml": RULES.replace("degraded", impact)})
        hashes.append(await house.goes_live(hours))
    for hours, expected in enumerate(hashes[-2::-1], 10):
        done = await asyncio.to_thread(house.json, "rollback", "--yes", "--who", "night")
        assert (done["hash"], done["how"]) == (expected, "rollback")
        assert await house.goes_live(hours) == expected
    assert read(house.rules) == OLD
    assert "nothing to go back to" in await asyncio.to_thread(house.tocsin, "rollback", "--yes", fine=WRONG)
    assert not (house.rules / folder.ASIDE).exists()  # all of them are in the store
    found = await asyncio.to_thread(house.json, "history")
    assert [(one["hash"], one["how"], one["who"]) for one in found[:3]] == [
        (hashed, "rollback", "night") for hashed in hashes[:3]
    ]
    assert [one["hash"] for one in found[3:]] == hashes[::-1]
    forth = await asyncio.to_thread(house.json, "rollback", "--yes", "--to", hashes[3][:6])
    assert (forth["hash"], forth["before"]) == (hashes[3], hashes[0])


async def test_rollback_after_an_edit_that_was_refused_brings_back_what_is_live(house: House) -> None:
    await house.goes_live()
    (house.rules / "10-disk.yaml").write_bytes(b"rules: [\xff")
    await asyncio.to_thread(house.tocsin, "rollback", "--yes")
    assert read(house.rules) == OLD
    (aside,) = (house.rules / folder.ASIDE).iterdir()
    assert (aside / "10-disk.yaml").read_bytes() == b"rules: [\xff"


async def test_rollback_to_something_unknown_or_ambiguous_is_refused(house: House) -> None:
    await house.goes_live()
    assert "begins with 'xyz'" in await asyncio.to_thread(house.tocsin, "rollback", "--to", "xyz", fine=WRONG)


async def test_rollback_to_rules_that_cannot_go_live_any_more_says_why(house: House) -> None:
    write(house.rules, {"10-disk.yaml": RULES + TESTED})
    await house.goes_live()
    write(house.rules, OLD)
    await house.goes_live(1)
    write(house.path, {"fleet/fleet.csv": "reference,name,aliases\nDF2,Web two,web2\n"})
    told = await asyncio.to_thread(house.tocsin, "rollback", "--yes", fine=WRONG)
    assert "cannot go live any more" in told
    assert "a full disk is a ticket" in told
    assert read(house.rules) == OLD


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({"SUDO_USER": "lea", "USER": "root"}, "lea"),
        ({"USER": "lea"}, "lea"),
        ({"USER": "", "LOGNAME": "lea"}, "lea"),
    ],
)
def test_who_it_was_is_the_login_name(environ: dict[str, str], name: str) -> None:
    assert ruling.login(environ) == name
    assert ruling.login({})


@pytest.mark.parametrize("verb", ["history", "shadow", "promote", "rollback"])
def test_every_verb_of_rules_has_help_with_an_example(verb: str) -> None:
    result = CliRunner().invoke(command_line, ["rules", verb, "--help"])
    assert f"Example: tocsin rules {verb}" in result.stdout


# --- the running service -------------------------------------------------------------------------------------------------


async def test_a_service_records_who_asked_for_a_reload(tmp_path: Path) -> None:
    async with serving(tmp_path) as (app, http):
        status, _ = await post(app, http, "/-/reload", {"who": "night", "how": "rollback"})
        assert status == 200
        newest = (await app.store.run(changes.history))[0]
        assert (newest.who, newest.how) == ("night", "rollback")
        for wrong in ({"how": "magic"}, {"whom": "x"}, {"who": "x" * 201}, []):
            assert (await post(app, http, "/-/reload", wrong))[0] == 400
        assert (await post(app, http, "/-/reload", b"x" * 70_000))[0] == 413


async def test_a_note_that_is_older_than_the_last_change_is_nobodys(tmp_path: Path) -> None:
    async with serving(tmp_path) as (app, http):
        files = {"10.yaml": RULES.replace("degraded", "none")}
        place, (first,) = tmp_path / "rules", await app.store.run(changes.history)
        old = replace(replacement(files), at=first.at - timedelta(hours=1))
        folder.replace(place, old, lambda: loader.names(place), lambda: True)
        await post(app, http, "/-/reload", b"")
        newest = (await app.store.run(changes.history))[0]
        assert (newest.who, newest.hash) == ("", old.hash)


async def test_a_reload_that_changes_nothing_has_nothing_decided_again(tmp_path: Path) -> None:
    async with serving(tmp_path) as (app, http):
        await post(app, http, "/hooks/open")
        era = app.rulebooks.current().era
        await post(app, http, "/-/reload", b"")
        await post(app, http, "/hooks/open")
        assert app.rulebooks.current().era == era
        assert await rows(app.store, "select count(*) from decisions") == [(1,)]
        assert len(await app.store.run(changes.history)) == 1


async def test_from_shadow_to_live_and_back_in_a_running_service(tmp_path: Path) -> None:
    write(
        tmp_path / "next", {"10-test.yaml": RULES.replace("degraded", "severe"), "tables/t.csv": "a;impact\nb;none\n"}
    )
    settings = {
        "rules": {"path": str(tmp_path / "house" / "rules"), "shadow": str(tmp_path / "next")},
        "sources": {"open": {"kind": "generic", "open": True}},
    }
    elements = "reference,name,aliases\nDF1,Web one,web1\n"
    async with running(tmp_path / "house", settings, RULES, elements) as service:

        async def tocsin(*arguments: str) -> Any:
            command = ["--config", str(service.config), "rules", *arguments, "--json"]
            result = await asyncio.to_thread(CliRunner().invoke, command_line, command)
            assert result.exit_code == FINE, result.output
            return json.loads(result.stdout)

        first = (await tocsin("history"))[0]["hash"]
        done = await tocsin("promote", "--yes", "--who", "night")
        assert (done["status"], done["before"]) == ("live", first)
        assert [line["who"] for line in await tocsin("history")] == ["night", ""]
        back = await tocsin("rollback", "--yes", "--who", "day")
        assert (back["status"], back["hash"]) == ("live", first)
        found = await tocsin("history")
        assert [(one["hash"], one["how"], one["who"]) for one in found] == [
            (first, "rollback", "day"),
            (done["hash"], "promote", "night"),
            (first, "start", ""),
        ]
        assert left(service.rules) == {"10-test.yaml"}
        shadow = await tocsin("shadow")
        assert (shadow["hash"], shadow["compared"]["until"]) == (done["hash"], None)
