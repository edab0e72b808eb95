"""The table of everything the interface can do."""

from __future__ import annotations

from tocsin.web.api import replays, rule_sets, told, trying, unmapped
from tocsin.web.api.candidates import Candidate, Checked, Tested
from tocsin.web.api.examples import EXAMPLES
from tocsin.web.api.operation import Operation
from tocsin.web.redeciding import Redone
from tocsin.workbench.explained import Explanation

_LARGE = {413: "The files of the candidate are too large together."}
_UNUSABLE = {422: "Or the candidate cannot be used: `error` is the first thing that is wrong; `rules/check` says all."}
_NO_REPLAY = {404: "There is no such replay, or it is no longer kept."}
_NOT_LIVE = {409: "These rules cannot go live: `error` says why, and the rules that are live stay."}
_GONE = {404: "There is none, or it is no longer kept."}
_SEVERAL = {409: "Several go by this word."}

_RULES = (
    Operation(
        method="GET",
        path="/rules",
        tag="rules",
        summary="The rules that are live",
        handler=rule_sets.rules,
        answer=rule_sets.Rules,
        examples=EXAMPLES["rules"],
    ),
    Operation(
        method="GET",
        path="/rules/ids/{id}",
        tag="rules",
        summary="One live rule as it is written",
        handler=rule_sets.rule,
        path_type=rule_sets.OfRule,
        answer=rule_sets.RuleSource,
        failures={404: "No live rule has this id."},
        examples=EXAMPLES["rule"],
    ),
    Operation(
        method="GET",
        path="/rules/files/{file}",
        tag="rules",
        summary="One file of the live rules",
        handler=rule_sets.rule_file,
        path_type=rule_sets.OfFile,
        answer=rule_sets.FileSource,
        failures={404: "The live rules have no such file."},
        examples=EXAMPLES["rule_file"],
    ),
    Operation(
        method="GET",
        path="/rules/changes",
        tag="rules",
        summary="Which rules were live when, and who let them go live",
        handler=rule_sets.rule_changes,
        query=rule_sets.Most,
        answer=rule_sets.History,
        examples=EXAMPLES["rule_changes"],
    ),
    Operation(
        method="GET",
        path="/rules/shadow",
        tag="rules",
        summary="What the shadow rules say otherwise than the live ones",
        handler=rule_sets.shadow,
        query=rule_sets.Most,
        answer=rule_sets.Shadow,
        examples=EXAMPLES["shadow"],
    ),
    Operation(
        method="POST",
        path="/rules/promote",
        tag="rules",
        summary="Let the shadow rules go live",
        description="Their files take the place of the live ones, all of them or none; what is replaced is kept.",
        handler=rule_sets.promote,
        body=rule_sets.Promotion,
        answer=rule_sets.Promoted,
        failures=_NOT_LIVE,
        examples=EXAMPLES["promote"],
    ),
    Operation(
        method="POST",
        path="/rules/rollback",
        tag="rules",
        summary="Let earlier rules go live again",
        description="After an edit that was refused, those of the live rules; else those that were live before.",
        handler=rule_sets.rollback,
        body=rule_sets.Rollback,
        answer=rule_sets.Promoted,
        failures=_NOT_LIVE,
        examples=EXAMPLES["rollback"],
    ),
)

_WORKBENCH = (
    Operation(
        method="POST",
        path="/rules/check",
        tag="workbench",
        summary="Everything that is wrong with candidate rules",
        description="A candidate with mistakes is answered 200, too: they are the answer.",
        handler=trying.check,
        body=Candidate,
        answer=Checked,
        failures=_LARGE,
        examples=EXAMPLES["check"],
    ),
    Operation(
        method="POST",
        path="/rules/test",
        tag="workbench",
        summary="What comes of the tests that candidate rules carry",
        handler=trying.test,
        body=Candidate,
        answer=Tested,
        failures=_LARGE | _UNUSABLE,
        examples=EXAMPLES["test"],
    ),
    Operation(
        method="POST",
        path="/rules/try",
        tag="workbench",
        summary="What the rules make of alerts, and why",
        description="By the live rules, and by candidate rules where `files` are given. What is tried is a message of a "
        "platform (`payload`), an alert (`alert`), or the number of one that was received.",
        handler=trying.try_,
        body=trying.Trial,
        answer=trying.TrialTold,
        failures=_LARGE | _UNUSABLE | {404: "There is no alert of this number, or what it said is no longer kept."},
        examples=EXAMPLES["try"],
    ),
    Operation(
        method="POST",
        path="/rules/replay",
        tag="workbench",
        summary="Replay a period by candidate rules, in the background",
        handler=replays.start_replay,
        body=replays.ReplayAsked,
        answer=replays.ReplayLine,
        status=202,
        failures=_LARGE | _UNUSABLE | {409: "There are no shadow rules, or they cannot be used."},
        examples=EXAMPLES["start_replay"],
    ),
    Operation(
        method="GET",
        path="/rules/replay",
        tag="workbench",
        summary="The latest replays",
        handler=replays.replays,
        answer=replays.Replays,
        examples=EXAMPLES["replays"],
    ),
    Operation(
        method="GET",
        path="/rules/replay/{id}",
        tag="workbench",
        summary="How far a replay is, and what came out",
        handler=replays.replay,
        path_type=replays.OfReplay,
        answer=replays.ReplayTold,
        failures=_NO_REPLAY,
        examples=EXAMPLES["replay"],
    ),
    Operation(
        method="DELETE",
        path="/rules/replay/{id}",
        tag="workbench",
        summary="Cancel a replay",
        description="One that has ended stays as it is.",
        handler=replays.cancel_replay,
        path_type=replays.OfReplay,
        answer=replays.ReplayLine,
        failures=_NO_REPLAY,
        examples=EXAMPLES["cancel_replay"],
    ),
)

_DECISIONS = (
    Operation(
        method="GET",
        path="/decisions",
        tag="decisions",
        summary="What was decided, newest first",
        handler=told.decisions,
        query=told.DecisionsAsked,
        answer=told.Decisions,
        examples=EXAMPLES["decisions"],
    ),
    Operation(
        method="GET",
        path="/alerts",
        tag="decisions",
        summary="What came in, newest first",
        handler=told.alerts,
        query=told.AlertsAsked,
        answer=told.Alerts,
        examples=EXAMPLES["alerts"],
    ),
    Operation(
        method="GET",
        path="/alerts/{number}/explain",
        tag="decisions",
        summary="Why an alert became a ticket, or did not",
        handler=told.explain_alert,
        path_type=told.OfAlert,
        query=told.How,
        answer=Explanation,
        failures=_GONE | _SEVERAL,
        examples=EXAMPLES["explain_alert"],
    ),
    Operation(
        method="GET",
        path="/incidents/{reference}/explain",
        tag="decisions",
        summary="What an incident went through, and why",
        handler=told.explain_incident,
        path_type=told.OfIncident,
        query=told.How,
        answer=Explanation,
        failures=_GONE | _SEVERAL,
        examples=EXAMPLES["explain_incident"],
    ),
    Operation(
        method="GET",
        path="/tickets/{number}/explain",
        tag="decisions",
        summary="Why there is a ticket",
        handler=told.explain_ticket,
        path_type=told.OfTicket,
        query=told.How,
        answer=Explanation,
        failures=_GONE | _SEVERAL,
        examples=EXAMPLES["explain_ticket"],
    ),
)

_UNMAPPED = (
    Operation(
        method="GET",
        path="/unmapped",
        tag="unmapped",
        summary="Alerts that are not mapped, in groups",
        description="By the rules and the fleet that are live now: what they map by now is no longer here.",
        handler=unmapped.unmapped,
        query=unmapped.GroupsAsked,
        answer=unmapped.Groups,
        examples=EXAMPLES["unmapped"],
    ),
    Operation(
        method="GET",
        path="/unmapped/{group}",
        tag="unmapped",
        summary="One group, and the change of rules or fleet that maps it",
        handler=unmapped.unmapped_group,
        path_type=unmapped.OfGroup,
        query=unmapped.Period,
        answer=unmapped.GroupTold,
        failures={404: "There is no such group in this period."},
        examples=EXAMPLES["unmapped_group"],
    ),
    Operation(
        method="POST",
        path="/unmapped/redecide",
        tag="unmapped",
        summary="Decide again what fires and has no ticket",
        description="For alerts that are sent once, after a change of rules or fleet. Those that are repeated are decided "
        "again by themselves.",
        handler=unmapped.redecide,
        answer=Redone,
        examples=EXAMPLES["redecide"],
    ),
)

OPERATIONS = (*_RULES, *_WORKBENCH, *_DECISIONS, *_UNMAPPED)
"""By tag, in the order of the document."""
