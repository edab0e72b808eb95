from __future__ import annotations

from tocsin.sources import _grouped

ONE = "Alerts Firing:\nLabels:\n - alertname = Disk\n - instance = db1\nAnnotations:\n - summary = x = y\nSource: a\n"


def test_labels_of_one_alert() -> None:
    assert _grouped.labels(ONE) == {"alertname": "Disk", "instance": "db1"}


def test_only_what_all_alerts_share_is_left() -> None:
    assert _grouped.labels(ONE + ONE.replace("db1", "db2")) == {"alertname": "Disk"}
    assert _grouped.labels(ONE, ONE.replace("Disk", "Load")) == {"instance": "db1"}
    assert _grouped.labels(ONE, [{"labels": {"alertname": "Disk", "instance": "db3", "n": 1}}]) == {"alertname": "Disk"}


def test_anything_else_has_none() -> None:
    for told in (None, "", 7, "text", "Labels:", "Labels:\n", [], [1, {"labels": 2}], {"labels": {"a": "b"}}):
        assert _grouped.labels(told) == {}
