from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tocsin import settings

ROOT = Path(__file__).parents[1]
UNIT = ROOT / "systemd" / "tocsin.service"
README = ROOT / "systemd" / "README.md"
ANALYZE = shutil.which("systemd-analyze")

with_systemd = pytest.mark.skipif(ANALYZE is None, reason="systemd is not installed")

WHEELS = """
import ctypes, mmap, sys
PR_SET_MDWE, REFUSE_EXEC_GAIN = 65, 1
if ctypes.CDLL(None).prctl(PR_SET_MDWE, REFUSE_EXEC_GAIN, 0, 0, 0) != 0:
    sys.exit("this kernel cannot deny it")
try:
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
except OSError:
    pass
else:
    sys.exit("this kernel does not deny it")
import aiohttp, asyncio, minijinja, msgspec, pydantic, pysqlite3, re2, tempfile, uvloop, watchfiles
assert re2.search("b+", "abc") and minijinja.Environment().render_str("{{ 1 + 1 }}") == "2"
assert pysqlite3.connect(":memory:").execute("select 1").fetchall() == [(1,)]
async def watch():
    async for _ in watchfiles.awatch(tempfile.mkdtemp(), yield_on_timeout=True, rust_timeout=10):
        break
uvloop.run(watch())
print("fine")
"""


def directives() -> dict[str, list[str]]:
    """What the unit says, by key."""
    found: dict[str, list[str]] = {}
    for line in UNIT.read_text(encoding="utf-8").splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


def one(key: str) -> str:
    (value,) = directives()[key]
    return value


@with_systemd
def test_little_is_exposed() -> None:
    told = subprocess.run(
        [str(ANALYZE), "security", "--offline=true", "--no-pager", str(UNIT)],
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.search(r"Overall exposure level for tocsin\.service: ([0-9.]+)", told.stdout)
    assert found is not None, told.stdout
    assert float(found[1]) <= 1.5
    assert "exposed: at most 1.5 of 10" in README.read_text(encoding="utf-8")


@with_systemd
def test_systemd_understands_every_line(tmp_path: Path) -> None:
    """With another program in the place of ours, which is not installed here."""
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text(encoding="utf-8").replace("/opt/tocsin/bin/tocsin", "/bin/true"), encoding="utf-8")
    told = subprocess.run([str(ANALYZE), "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False)
    assert [line for line in told.stderr.splitlines() if "tocsin" in line] == []


def test_the_service_says_when_it_is_ready_and_alive() -> None:
    assert one("Type") == "notify"
    assert one("WatchdogSec") == "30"
    assert one("ExecReload") == "/bin/kill -HUP $MAINPID"
    assert one("TimeoutStopSec") == "15"
    assert one("RestartPreventExitStatus") == "2"


def test_the_variables_of_the_unit_are_settings(tmp_path: Path) -> None:
    environ = dict(value.split("=", 1) for value in directives()["Environment"])
    shutil.copy(ROOT / "config" / "tocsin.yaml", tmp_path)
    given = settings.load(tmp_path / "tocsin.yaml", environ)
    assert given.state == Path("/var/lib") / one("StateDirectory")
    assert given.rules.path == Path("/etc") / one("ConfigurationDirectory") / "rules"
    assert given.fleet.path == tmp_path / "fleet"


def test_the_readme_names_what_there_is() -> None:
    text = README.read_text(encoding="utf-8")
    program, *arguments = one("ExecStart").split()
    assert program in text
    assert arguments == ["serve", "--config", "/etc/tocsin/tocsin.yaml"]
    for path in ("systemd/tocsin.service", "requirements.lock", "config", "rules"):
        assert path in text
        assert (ROOT / path).exists()
    exported = dict(pair.split("=", 1) for pair in re.findall(r"TOCSIN_\w+=\S+", text))
    assert exported.pop("TOCSIN_CONFIG") == arguments[-1]
    assert exported.items() <= dict(value.split("=", 1) for value in directives()["Environment"]).items()
    credential = re.search(r"LoadCredential=.*", text)
    assert credential is not None
    assert f"#{credential[0]}" in UNIT.read_text(encoding="utf-8")


def test_nothing_needs_memory_that_is_both_writable_and_executable() -> None:
    assert one("MemoryDenyWriteExecute") == "yes"
    told = subprocess.run([sys.executable, "-c", WHEELS], capture_output=True, text=True, check=False)
    if "this kernel" in told.stderr:
        pytest.skip(told.stderr.strip())
    assert told.stdout == "fine\n", told.stderr
