from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tocsin.errors import PayloadError
from tocsin.model import Alert, Payload, Severity, Status
from tocsin.sources import azure

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=24)
SUBSCRIPTION = "/subscriptions/s-1"
VM = f"{SUBSCRIPTION}/resourceGroups/shop/providers/Microsoft.Compute/virtualMachines/web-1"
ESSENTIALS = {
    "alertId": f"{SUBSCRIPTION}/providers/Microsoft.AlertsManagement/alerts/a-1",
    "alertRule": "web-cpu",
    "severity": "Sev1",
    "signalType": "Metric",
    "monitorCondition": "Fired",
    "monitoringService": "Platform",
    "alertTargetIDs": [VM],
    "configurationItems": ["web-1"],
    "originAlertId": "o-1",
    "firedDateTime": "2026-11-22T01:24:10.3713213Z",
}
CRITERION = {"metricName": "CPU", "operator": "GreaterThan", "threshold": "90", "metricValue": 97.5}
CONTEXT = {"condition": {"allOf": [CRITERION | {"dimensions": [{"name": "Disk", "value": "C:"}]}]}}
OLDER = {
    "schemaId": "AzureMonitorMetricAlert",
    "data": {
        "status": "Activated",
        "context": {
            "timestamp": "2026-11-22T01:24:12Z",
            "id": f"{SUBSCRIPTION}/rule",
            "name": "rule",
            "severity": "3",
            "condition": CONTEXT["condition"],
            "resourceName": "web-1",
            "resourceId": VM,
        },
    },
}
LOG = {
    "AlertRuleName": "rule",
    "SubscriptionId": "s-1",
    "WorkspaceId": "w-1",
    "Severity": "2",
    "SearchResult": {
        "tables": [{"columns": [{"name": "TenantId"}, {"name": "Computer"}], "rows": [["t", "db01.example.net"]]}]
    },
}


def one(message: Any, **options: Any) -> Alert:
    body = Payload(body=json.dumps(message).encode(), source="azure")
    (alert,) = azure.parse(body, azure.Options(**options), NOW)
    assert isinstance(alert, Alert)
    return alert


def common(context: dict[str, Any] | None = None, options: dict[str, Any] | None = None, **essentials: Any) -> Alert:
    told = ESSENTIALS | essentials
    data = {"essentials": told, "alertContext": CONTEXT if context is None else context}
    return one({"schemaId": "azureMonitorCommonAlertSchema", "data": data}, **options or {})


def activity(properties: dict[str, Any], operation: str, **fields: Any) -> Alert:
    event = {"operationName": operation, "properties": properties, "eventTimestamp": "2026-11-22T03:42:54.074+00:00"}
    return common(event | fields, signalType="Activity Log", severity="Sev4")


def service_health(stage: str, **fields: Any) -> Alert:
    properties = {"service": "Virtual Machines", "trackingId": "T-1", "incidentType": "Incident", "stage": stage}
    return activity(properties | fields, "Microsoft.ServiceHealth/incident/action")


def resource_health(status: str, operation: str = "Activated", **essentials: Any) -> Alert:
    event = {
        "operationName": f"Microsoft.Resourcehealth/healthevent/{operation}/action",
        "properties": {"currentHealthStatus": status},
    }
    return common(event, signalType="Activity Log", **essentials)


@pytest.mark.parametrize(
    ("word", "severity"),
    [
        ("Sev0", Severity.CRITICAL),
        ("Sev1", Severity.MAJOR),
        ("Sev2", Severity.WARNING),
        ("Sev3", Severity.INFO),
        ("sev4", Severity.INFO),
        ("0", Severity.CRITICAL),
        (2, Severity.WARNING),
        (None, Severity.MAJOR),
        ("Sev9", Severity.MAJOR),
    ],
)
def test_the_five_severities(word: Any, severity: Severity) -> None:
    assert common(severity=word).severity is severity


@pytest.mark.parametrize(
    ("condition", "status"),
    [("Fired", Status.FIRING), ("Resolved", Status.RESOLVED), ("resolved", Status.RESOLVED), ("", Status.FIRING)],
)
def test_the_monitor_condition_says_whether_it_is_over(condition: str, status: Status) -> None:
    assert common(monitorCondition=condition).status is status


def test_times_with_seven_digits_are_read() -> None:
    over = common(monitorCondition="Resolved", resolvedDateTime="2026-11-22T01:40:16.2246313Z")
    assert over.starts_at == datetime(2026, 11, 22, 1, 24, 10, 371_321, tzinfo=UTC)
    assert over.ends_at == over.said_at == datetime(2026, 11, 22, 1, 40, 16, 224_631, tzinfo=UTC)


@pytest.mark.parametrize(
    "change",
    [
        {"severity": "Sev0"},
        {"description": "other"},
        {"monitorCondition": "Resolved"},
        {"alertRule": "renamed"},
        {"alertId": str(ESSENTIALS["alertId"]).upper()},
    ],
)
def test_what_does_not_identify_leaves_the_fingerprint(change: dict[str, Any]) -> None:
    assert common(**change).fingerprint == common().fingerprint
    assert common({}, **change).fingerprint == common().fingerprint


def test_another_alert_is_another_problem() -> None:
    assert common(alertId="a-2").fingerprint != common().fingerprint
    assert common(alertId=None).fingerprint == "o-1"


def test_rule_resource_and_dimensions_identify_an_alert_without_id() -> None:
    bare = {"alertId": None, "originAlertId": None}
    other = {"condition": {"allOf": [CRITERION | {"dimensions": [{"name": "Disk", "value": "D:"}]}]}}
    prints = [
        common(**bare),
        common(**bare, alertRule="x"),
        common(**bare, alertTargetIDs=["/x"]),
        common(other, **bare),
    ]
    assert len({told.fingerprint for told in prints}) == len(prints)
    with pytest.raises(PayloadError, match="alertId is missing"):
        common(**bare, alertRule=None)


@pytest.mark.parametrize(
    ("essentials", "resource"),
    [
        ({}, "web-1"),
        ({"configurationItems": ["db01.example.net"]}, "db01.example.net"),
        ({"configurationItems": [VM]}, "web-1"),
        ({"configurationItems": []}, "web-1"),
        ({"configurationItems": None, "alertTargetIDs": None}, "web-cpu"),
        ({"configurationItems": None, "alertTargetIDs": None, "targetResourceName": "vm"}, "vm"),
    ],
)
def test_the_configuration_item_is_the_resource(essentials: dict[str, Any], resource: str) -> None:
    assert common(**essentials).resource == resource


def test_a_prometheus_rule_names_the_resource_in_its_labels() -> None:
    assert common({"labels": {"instance": "web-7:9100", "job": "node"}}).resource == "web-7"


def test_the_parts_of_the_resource_id_are_labels() -> None:
    labels = common().labels
    assert labels["subscriptionId"] == "s-1"
    assert labels["resourceGroup"] == "shop"
    assert labels["resourceType"] == "Microsoft.Compute/virtualMachines"
    assert labels["Disk"] == "C:"


def test_tokens_pages_and_queries_are_no_labels() -> None:
    context = {
        "claims": "{}",
        "authorization": {"action": "a"},
        "SearchQuery": "Heartbeat",
        "LinkToSearchResults": "https://x",
        "properties": {"communication": "<p>", "title": "kept"},
    }
    labels = common(context).labels
    assert labels["properties_title"] == "kept"
    assert not {"claims", "authorization_action", "SearchQuery", "LinkToSearchResults"} & set(labels)
    assert "properties_communication" not in labels


@pytest.mark.parametrize(
    ("stage", "status"),
    [
        ("Active", Status.FIRING),
        ("Planned", Status.FIRING),
        ("InProgress", Status.FIRING),
        ("Resolved", Status.RESOLVED),
        ("Complete", Status.RESOLVED),
        ("Canceled", Status.RESOLVED),
        ("RCA", Status.RESOLVED),
    ],
)
def test_the_stage_of_service_health_says_whether_it_is_over(stage: str, status: Status) -> None:
    told = service_health(stage)
    assert (told.status, told.resource) == (status, "Virtual Machines")


def test_updates_of_service_health_are_the_same_problem_whatever_their_alert() -> None:
    first, over, other = (
        service_health("Active"),
        service_health("Resolved"),
        service_health("Active", trackingId="T-2"),
    )
    assert first.fingerprint == over.fingerprint != other.fingerprint
    assert first.ends_at == LATER


@pytest.mark.parametrize(
    ("status", "operation", "expected"),
    [
        ("Unavailable", "Activated", Status.FIRING),
        ("Degraded", "Updated", Status.FIRING),
        ("Unknown", "Activated", Status.FIRING),
        ("Available", "Resolved", Status.RESOLVED),
        ("", "Resolved", Status.RESOLVED),
        ("", "Activated", Status.FIRING),
    ],
)
def test_only_an_available_resource_is_healthy(status: str, operation: str, expected: Status) -> None:
    assert resource_health(status, operation).status is expected


def test_the_resource_identifies_its_health() -> None:
    first, over = resource_health("Unavailable"), resource_health("Available", alertId="a-2")
    other = resource_health("Unavailable", alertTargetIDs=["/subscriptions/s-1/other"])
    assert first.fingerprint == over.fingerprint != other.fingerprint
    assert first.ends_at is None


@pytest.mark.parametrize(
    ("fields", "severity"),
    [
        ({"level": "Critical"}, Severity.CRITICAL),
        ({"level": "Error"}, Severity.MAJOR),
        ({"level": 3}, Severity.WARNING),
        ({"level": "Informational"}, Severity.INFO),
        ({"level": None}, Severity.INFO),
    ],
)
def test_the_level_of_the_activity_log_weighs_more_than_its_fixed_severity(
    fields: dict[str, Any], severity: Severity
) -> None:
    assert activity({}, "Microsoft.Compute/virtualMachines/restart/action", **fields).severity is severity


@pytest.mark.parametrize(
    ("context", "essentials", "expires"),
    [
        (CONTEXT, {}, None),
        (CONTEXT, {"signalType": "Log", "monitoringService": "Log Alerts V2"}, None),
        ({"labels": {}}, {"monitoringService": "Prometheus"}, None),
        ({"SearchQuery": "x"}, {"signalType": "Log", "monitoringService": "Log Analytics"}, LATER),
        ({"operationName": "x/restart/action"}, {"signalType": "Activity Log"}, LATER),
        ({"DetectionSummary": "x"}, {"signalType": "Log", "monitoringService": "SmartDetector"}, LATER),
        ({"AlertData": {"BudgetName": "b"}}, {"signalType": None, "monitoringService": "CostAlerts"}, LATER),
    ],
)
def test_what_azure_never_resolves_expires(
    context: dict[str, Any], essentials: dict[str, Any], expires: datetime | None
) -> None:
    assert common(context, **essentials).ends_at == expires


def test_rules_that_resolve_nothing_expire_and_are_one_problem_each() -> None:
    options = {"auto_resolve": False, "stateless_expires": "2h"}
    first, again = common(options=options), common(options=options, alertId="a-2")
    assert first.ends_at == NOW + timedelta(hours=2)
    assert first.fingerprint == again.fingerprint
    assert first.fingerprint != common(options=options, alertRule="other").fingerprint


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("Activated", Status.FIRING),
        ("Deactivated", Status.RESOLVED),
        ("Resolved", Status.RESOLVED),
        ("", Status.FIRING),
    ],
)
def test_the_status_of_older_metric_alerts(status: str, expected: Status) -> None:
    assert one({"data": {**OLDER["data"], "status": status}}).status is expected  # type: ignore[dict-item]


def test_a_classic_alert_is_the_same_without_its_envelope() -> None:
    assert one(OLDER["data"]) == one(OLDER)


@pytest.mark.parametrize("field", ["id", "resourceId"])
def test_rule_and_resource_identify_an_older_alert(field: str) -> None:
    data: dict[str, Any] = json.loads(json.dumps(OLDER["data"]))
    data["context"][field] = "/other"
    assert one({"data": data}).fingerprint != one(OLDER).fingerprint
    data["context"] |= {field: OLDER["data"]["context"][field].upper(), "timestamp": "x"}  # type: ignore[index]
    assert one({"data": data}).fingerprint == one(OLDER).fingerprint


def test_an_older_log_alert_names_the_first_computer_and_expires() -> None:
    told = one(LOG)
    assert (told.resource, told.severity, told.ends_at) == ("db01.example.net", Severity.WARNING, LATER)
    assert told.fingerprint == one(LOG | {"ResultCount": 9}).fingerprint
    assert told.fingerprint != one(LOG | {"AlertRuleName": "other"}).fingerprint
    assert one({"schemaId": "Microsoft.Insights/LogAlert", "data": LOG}).fingerprint == told.fingerprint


@pytest.mark.parametrize("message", [{"unrelated": True}, {"data": {}}, {"schemaId": "azureMonitorCommonAlertSchema"}])
def test_a_message_of_no_schema_says_so(message: Any) -> None:
    with pytest.raises(PayloadError, match=r"data\.essentials is missing"):
        one(message)


def test_a_resolve_without_a_time_does_not_claim_that_of_the_firing() -> None:
    assert common(monitorCondition="Resolved").said_at is None
    at = common(monitorCondition="Resolved", resolvedDateTime="2026-11-22T02:24:10Z").said_at
    assert at == datetime(2026, 11, 22, 2, 24, 10, tzinfo=UTC)


def test_secret_properties_of_an_operator_are_no_labels() -> None:
    properties = {"team": "web", "apiKey": "made-up"}
    told = (
        common(CONTEXT | {"properties": properties}),
        one({"data": {"essentials": ESSENTIALS, "alertContext": CONTEXT, "customProperties": properties}}),
        one({"data": OLDER["data"] | {"properties": properties}}),
    )
    for alert in told:
        assert "web" in (alert.labels.get("team"), alert.labels.get("properties_team"))
        assert "made-up" not in str(alert)
