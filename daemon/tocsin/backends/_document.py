"""A delivery as JSON for a ticket system, and JSON answers read by path.

Knows the types and MiniJinja. Knows no HTTP and no ticket system; everything here is pure.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
from minijinja import Environment, TemplateError

from tocsin.backends._clean import clean
from tocsin.model import Delivery, DeliveryAction, Element, Impact, Snapshot, Texts, TicketStatus

IMPACT_LABELS: dict[Impact, Texts] = {
    Impact.NONE: {"en": "No service disruption", "fr": "Sans perturbation du service"},
    Impact.BACKUP: {"en": "Service on active backup", "fr": "Service avec secours activé"},
    Impact.DEGRADED: {"en": "Service degraded", "fr": "Service dégradé"},
    Impact.SEVERE: {"en": "Service severely degraded", "fr": "Service dégradé majeur"},
    Impact.INTERRUPTED: {"en": "Service interrupted", "fr": "Service interrompu"},
}
"""The five levels, in French as the customer space writes them."""
LONGEST_BODY = 1_000_000
"""Characters a template may make."""

_templates = Environment(undefined_behavior="strict", fuel=100_000, auto_escape_callback=lambda _: "json")
"""`{{ … }}` writes its value as JSON, quotes included, so that no text of an alert can break a body."""


def document(delivery: Delivery) -> dict[str, Any]:
    """A delivery as values that JSON can hold: its snapshot, the ticket's number, and the impact in words."""
    body = delivery.body
    return {
        **{field: value for field, value in msgspec.to_builtins(body).items() if field != "tried"},  # ours alone
        "name": _cleaned(body.name),
        "description": _cleaned(body.description),
        "notes": [_cleaned(note) for note in body.notes],
        "action": delivery.action.value,
        "number": delivery.number,
        "impact_label": dict(IMPACT_LABELS[delivery.body.impact]),
    }


def _cleaned(texts: Texts) -> Texts:
    return {language: clean(text) for language, text in texts.items()}


def render(template: str, delivery: Delivery) -> bytes:
    """The JSON that a MiniJinja template makes of a document; the document itself when there is no template.

    Raises:
        ValueError: The template fails or makes no JSON; the message says where and why.
    """
    if not template:
        return msgspec.json.encode(document(delivery))
    try:
        text = _templates.render_str(template, **document(delivery))
        msgspec.json.decode(text)
    except TemplateError as error:
        raise ValueError(f"line {error.line} of the template: {_why(error)}") from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(
            f"the template makes no JSON ({error}); write {{{{ value }}}} without quotes around it"
        ) from None
    if len(text) > LONGEST_BODY:
        raise ValueError(f"the template makes more than {LONGEST_BODY} characters")
    return text.encode()


def _why(error: TemplateError) -> str:
    return error.detail or error.message.partition(" (in ")[0]


def check_template(template: str) -> None:
    """Try a template on a delivery whose every text is awkward. Raises ValueError as `render` does."""
    render(template, _awkward())


def _awkward() -> Delivery:
    text = 'a "quoted"\nline \\ of <text>'
    texts = {"en": text, "fr": text}
    body = Snapshot(
        reference="REFERENCE",
        action=DeliveryAction.OPEN,
        name=texts,
        description=texts,
        element=Element(reference="ELEMENT", name=text),
        impact=Impact.INTERRUPTED,
        status=TicketStatus.DECLARED,
        declarant=text,
        source=text,
        rule=text,
        rule_set=text,
        opened_at=datetime(2026, 1, 1, tzinfo=UTC),
        notes=(texts,),
    )
    return Delivery(id=1, incident="", backend="", action=body.action, body=body, due_at=body.opened_at)


def holds(condition: str, answer: Any) -> bool:
    """Whether a MiniJinja expression over `answer` is true. Raises ValueError when it cannot be evaluated."""
    try:
        return bool(_templates.eval_expr(condition, answer=answer))
    except TemplateError as error:
        raise ValueError(f"{condition!r} cannot be evaluated: {_why(error)}") from None


def check_condition(condition: str) -> None:
    """Accept what could be evaluated on some answer. Raises ValueError when the expression itself is wrong."""
    try:
        _templates.eval_expr(condition, answer={})
    except TemplateError as error:
        if error.kind == "SyntaxError":
            raise ValueError(f"{condition!r} is not an expression: {_why(error)}") from None


def reach(value: Any, path: str) -> Any:
    """What a dotted path such as `result.0.number` leads to in JSON; None when it leads nowhere. Total."""
    for step in path.split(".") if path else ():
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isascii() and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def word(value: Any) -> str:
    """A JSON text or whole number as text without surrounding space; empty for anything else. Total."""
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""
