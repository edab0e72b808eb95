"""The recipes of rules/README.md work as they stand there, and every command line that we show exists."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest
import typer
import yaml

from rulemaking import FALLBACK
from tocsin import fleet, rules
from tocsin.cli import _MODULES, app
from tocsin.workbench import testing
from tocsin.workbench.formatting import formatted

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
README = (ROOT / "rules" / "README.md").read_text(encoding="utf-8")
RECIPES = dict(
    re.findall(r"^\*\*(\d+)\. [^*]+\*\*[^`]*(?:`[^`\n]+`[^`]*)*?```yaml\n(.*?)```", README, re.MULTILINE | re.DOTALL)
)
SHOWN = [ROOT / "rules" / "README.md", ROOT / ".pre-commit-hooks.yaml", *sorted((ROOT / "config" / "ci").glob("*.yml"))]
HOSTS = "host;element;impact\nweb1;DF00WEB001;severe\n"
FLEET = fleet.load(ROOT / "config" / "fleet")


def built(recipe: str) -> rules.RuleSet:
    return rules.build({"50-recipe.yaml": recipe, "90.yaml": FALLBACK, "tables/hosts.csv": HOSTS})


def test_there_are_ten() -> None:
    assert list(RECIPES) == [str(number) for number in range(1, 11)]


@pytest.mark.parametrize("number", RECIPES)
def test_a_recipe_is_a_whole_file_with_tests_that_pass(number: str) -> None:
    rule_set = built(RECIPES[number])
    assert rule_set.warnings == ()
    assert rule_set.tests
    testing.check(rule_set, FLEET)
    assert jsonschema_rs.is_valid(rules.json_schema(), yaml.safe_load(RECIPES[number]))


@pytest.mark.parametrize("number", RECIPES)
def test_each_rule_of_a_recipe_is_needed_by_its_tests(number: str) -> None:
    """Without its rules, what is expected does not come."""
    _, _, rest = RECIPES[number].partition("\nsamples:" if "\nsamples:" in RECIPES[number] else "\ntests:")
    head = "samples:" if "\nsamples:" in RECIPES[number] else "tests:"
    with pytest.raises(rules.RulesError):
        testing.check(built(f"{head}{rest}"), FLEET)


@pytest.mark.parametrize("number", RECIPES)
def test_a_recipe_is_laid_out(number: str) -> None:
    recipe = RECIPES[number]
    blank = re.sub(r"\n(?=samples:|tests:)", "\n\n", recipe)
    assert formatted(recipe) == blank


def test_the_table_of_a_recipe_is_the_one_it_tells() -> None:
    assert all(f"`{line}`" in README for line in HOSTS.splitlines())


@pytest.mark.parametrize("file", [*SHOWN[1:], ROOT / "config" / "redaction.yaml"], ids=lambda file: file.name)
def test_the_files_that_are_to_be_copied_are_yaml(file: Path) -> None:
    assert yaml.safe_load(file.read_text(encoding="utf-8"))


def test_the_hooks_are_those_that_the_readme_names() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert {hook["id"] for hook in hooks} == set(re.findall(r"\{id: (tocsin-\w+)\}", README))
    assert all(hook["language"] == "python" and hook["entry"].startswith("tocsin ") for hook in hooks)


# --- command lines ---------------------------------------------------------------------------------------------------


def lines() -> Iterator[tuple[str, str]]:
    """Every `tocsin …` in our documents, with where it stands."""
    for file in SHOWN:
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            found = re.findall(r"`(tocsin [a-z][^`]*)`", line) or re.findall(
                r"^\s*(?:- )?(?:run: |entry: |- )?(tocsin [a-z].*)$", line
            )
            for command in found:
                yield f"{file.name}:{number}", command


def parses(words: list[str]) -> None:
    """Raise what typer says against a command line; nothing is run."""
    command: Any = typer.main.get_command(app)
    context = typer.Context(command, info_name="tocsin")
    for word in list(words):
        if not hasattr(command, "commands"):
            break
        found = command.get_command(context, word)
        if found is None:
            break
        command, context = found, typer.Context(found, parent=context, info_name=word)
        words = words[1:]
    command.make_parser(context).parse_args(words)


@pytest.mark.parametrize(("place", "line"), [pytest.param(*one, id=f"{one[0]} {one[1]}") for one in lines()])
def test_every_command_line_shown_is_one(place: str, line: str) -> None:
    words = shlex.split(line, comments=True)[1:]
    words = words[: words.index(">")] if ">" in words else words
    assert words[0] in _MODULES, place
    parses(words)
