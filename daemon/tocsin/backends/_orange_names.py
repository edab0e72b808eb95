"""Under which names a Swagger file may have what tocsin sends, asks for and reads: the likeliest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tocsin.backends._orange_mapping import Asked, Sent, Told

_REFERENCE = (
    "customerReference",
    "customerTicketReference",
    "clientReference",
    "externalReference",
    "externalId",
    "externalIdentifier",
    "yourReference",
    "votreReference",
)
_IMPACT = ("impact", "nature", "incidentNature", "serviceImpact", "impactLevel", "severity")
_STATUS = ("status", "incidentStatus", "state")

WORDS: dict[str, tuple[str, ...]] = {
    "none": ("no impact", "not impacted", "without impact", "undisturbed"),
    "backup": ("on backup", "redundancy lost", "secours"),
    "degraded": ("partially degraded", "disturbed", "perturbé"),
    "severe": ("severely degraded", "very degraded", "major degradation"),
    "interrupted": ("out of service", "service down", "outage"),
    "declared": ("open", "created", "registered", "acknowledged"),
    "in_progress": ("assigned", "ongoing", "work in progress", "under investigation"),
    "waiting": ("waiting for customer", "waiting customer", "pending customer", "on hold"),
    "frozen": ("suspended", "freeze"),
    "repaired": ("restored", "solved", "service restored"),
    "closed": ("archived",),
    "cancelled": ("rejected", "abandoned"),
}
"""Further labels for our impacts and statuses, only for finding them among listed values."""

SENT: dict[Sent, tuple[str, ...]] = {
    "title": ("title", "name", "summary", "shortDescription", "subject", "label"),
    "text": ("description", "longDescription", "details", "detailedDescription", "comment"),
    "reference": _REFERENCE,
    "impact": _IMPACT,
    "element": (
        "servicePoint.id",
        "servicePointId",
        "elementReference",
        "configurationItem.id",
        "configurationItemId",
        "serviceReference",
        "service.id",
        "productReference",
    ),
    "contract": (
        "contract.id",
        "contractId",
        "contractReference",
        "contractNumber",
        "perimeter",
        "account.id",
        "accountId",
    ),
    "occurred_at": ("occurrenceDate", "incidentDate", "occurredAt", "startDate", "detectionDate", "beginDate"),
    "users_affected": ("usersAffected", "affectedUsers", "impactedUsers", "usersImpacted"),
    "main_usage": ("mainUsage", "mainImpactedUsage", "usageImpacted", "impactedUsage"),
    "contact_last_name": ("siteContact.lastName", "contact.lastName", "siteContactLastName", "contact.name"),
    "contact_first_name": ("siteContact.firstName", "contact.firstName", "siteContactFirstName"),
    "contact_phone": ("siteContact.phone", "contact.phone", "siteContact.phoneNumber", "contact.phoneNumber"),
    "contact_email": ("siteContact.email", "contact.email", "siteContact.mail"),
    "contact_availability": ("siteContact.availability", "contact.availability", "availability"),
    "notify": ("notification.emails", "notificationEmails", "notifiedContacts.email", "emails"),
}
SENT_LATER: dict[Sent, tuple[str, ...]] = {"status": _STATUS}
SENT_AS_NOTE: dict[Sent, tuple[str, ...]] = {"note": ("text", "content", "note", "comment", "description", "message")}

ASKED: dict[Asked, tuple[str, ...]] = {
    "offset": ("offset", "start", "startIndex", "index", "firstElement"),
    "limit": ("limit", "size", "pageSize", "maxResults", "count", "max"),
    "reference": _REFERENCE,
    "number": ("number", "incidentNumber", "ticketNumber", "id", "incidentId"),
    "since": (
        "updatedSince",
        "modifiedSince",
        "lastUpdateDate.gte",
        "lastUpdateDateFrom",
        "updateDateFrom",
        "updatedAfter",
    ),
}
SINCE = frozenset({"since", "from", "gte", "after", "min", "start"})
"""A parameter that asks for what changed has one of these words: without, it would ask for one moment only."""

TOLD: dict[Told, tuple[str, ...]] = {
    "reference": _REFERENCE,
    "status": _STATUS,
    "impact": _IMPACT,
    "priority": ("priority", "processingPriority"),
    "assignee": ("assignee", "assignedTo", "assignee.name"),
    "changed_at": (
        "lastUpdateDate",
        "updateDate",
        "lastModificationDate",
        "modificationDate",
        "updatedAt",
        "lastUpdate",
    ),
}
NUMBER = ("number", "incidentNumber", "ticketNumber", "ticketReference")
TOLD_OF_NOTES: dict[Told, tuple[str, ...]] = {
    "note_id": ("id", "noteId"),
    "note_author": ("author", "author.name", "createdBy", "writer"),
    "note_text": ("text", "content", "note", "comment", "description", "message"),
    "note_at": ("creationDate", "date", "createdAt", "noteDate"),
}
FILE = {"content": ("content", "data", "file"), "name": ("name", "fileName"), "media_type": ("mimeType", "contentType")}
