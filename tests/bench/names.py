"""The checks and resources of the bench, by number.

Knows how to spell check n and resource n, so that the alerts, the rules and the fleet speak of the same things.
Knows neither their files nor how they are sent.
"""

from __future__ import annotations

SUBJECTS = (
    *("Disk", "Inode", "Memory", "Swap", "Cpu", "Load", "Network", "Filesystem", "Raid", "Ntp"),
    *("Postgres", "Mysql", "Oracle", "Redis", "Kafka", "Rabbitmq", "Elastic", "Ldap", "Dns", "Dhcp"),
    *("Nginx", "Haproxy", "Apache", "Tomcat", "Jvm", "Certificate", "Backup", "Cron", "Systemd", "Journal"),
    *("Kubelet", "Etcd", "Pod", "Ingress", "Vpn", "Firewall", "Switch", "Router", "Wifi", "Ups"),
)
TROUBLES = (
    *("UsageHigh", "LatencyHigh", "ErrorRateHigh", "QueueGrowing", "Unreachable", "Down", "Restarting"),
    *("ReplicationLag", "ConnectionsExhausted", "SaturationHigh", "ThroughputLow", "TimeoutsRising", "Degraded"),
    *("ReadOnly", "OutOfSync", "ExpiresSoon", "Failed", "Missing", "Flooded", "Throttled", "Overheating"),
    *("Stalled", "LeaderLost", "QuorumLost", "PacketsDropped"),
)
SERIES = len(SUBJECTS) * len(TROUBLES)
"""How many checks there are before a number is put behind their names."""

DATA_CENTRES = 40


def check(number: int) -> str:
    """Names check `number`, such as `PostgresReplicationLag`; a different name for every number."""
    series, rest = divmod(number, SERIES)
    return f"{SUBJECTS[rest % len(SUBJECTS)]}{TROUBLES[rest // len(SUBJECTS)]}{series or ''}"


def headline(number: int) -> str:
    """Says what is wrong as a sentence's start: no two checks share one, and none begins another."""
    return f"{check(number)} reported"


def resource(number: int) -> str:
    """Names resource `number` as a fully qualified host name."""
    return f"srv-{number:06d}.dc{number % DATA_CENTRES:02d}.example.net"


def severity(number: int) -> str:
    """Gives check `number` one of the severities that Prometheus rules use."""
    return ("critical", "warning", "critical", "warning", "info")[number % 5]
