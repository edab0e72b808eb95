"""What the database knows of the rules: which no alert has matched for long, which gave one key to two elements.

Says something about a rule only when it asked for the same all that time: rule sets that were live meanwhile are read
for that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tocsin import units, yaml12
from tocsin.errors import Code, RuleError
from tocsin.workbench.lint.places import rules_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from tocsin.rules import Rule, RuleSet
    from tocsin.store.seen import KeyOfTwo, Seen
    from tocsin.workbench.lint.places import Places

    Asked = dict[str, Any]
    """What the rules of a file ask of an alert, by id."""


def warnings(rule_set: RuleSet, seen: Seen, dead: Collection[str], places: Places) -> Iterator[RuleError]:
    """Yield what was seen of the rules; `dead` are those of which it is known anyway that no alert reaches them."""
    same = _unchanged(rule_set, seen.sets)
    for rule in rule_set.rules:
        if rule.id in same and rule.id not in seen.matched and rule.id not in dead:
            yield _never_matched(rule, seen, places)
    by_id = {rule.id: rule for rule in rule_set.rules}
    for one in seen.keys:
        if same.issuperset(one.rules):
            yield _key(one, by_id[one.rules[1]], seen, places)


def _never_matched(rule: Rule, seen: Seen, places: Places) -> RuleError:
    sentence = f'no alert has matched the rule "{rule.id}" in the last {units.duration_text(seen.span)}'
    hint = "`tocsin try` says why an alert does not; take the rule out when nothing needs it"
    return places.problem(rule, sentence, Code.NEVER_MATCHED, hint=hint)


def _key(one: KeyOfTwo, rule: Rule, seen: Seen, places: Places) -> RuleError:
    other, mine = one.rules
    sentence = (
        f'alerts of the last {units.duration_text(seen.span)} got the key "{one.key}": {one.elements[0]} by the rule "{other}", '
        f'{one.elements[1]} by "{mine}"'
    )
    return places.problem(rule, sentence, Code.KEY_TWO_ELEMENTS, "key", hint="add `element` to the key of both")


def _unchanged(rule_set: RuleSet, sets: tuple[Mapping[str, str], ...]) -> set[str]:
    """The ids of the rules that have asked for the same in all rule sets."""
    read: dict[str, Asked] = {}
    now = _asked(rule_set.files, read)
    same = set(now)
    for files in sets:
        then = _asked(files, read)
        same = {rule for rule in same if then.get(rule) == now[rule]}
    return same


def _asked(files: Mapping[str, str], read: dict[str, Asked]) -> Asked:
    """What all rules of some files ask for; a text that was read before is not read again."""
    asked: Asked = {}
    for name, text in files.items():
        if name.endswith((".yaml", ".yml")):
            if text not in read:
                read[text] = _of_file(text)
            asked |= read[text]
    return asked


def _of_file(text: str) -> Asked:
    try:
        data, _ = yaml12.read(text)
    except RuleError:  # it was read by another version
        return {}
    wanted = ("match", "where", "key", "element")
    return {
        rule["id"]: [rule.get(name) for name in wanted]
        for rule in rules_of(data)
        if isinstance(rule, dict) and isinstance(rule.get("id"), str)
    }
