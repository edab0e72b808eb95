"""The documents of TMF621 4.0.0, as far as they are looked at.

The standard requires `description`, `severity` and `ticketType` of a new ticket. `timeOcurred` is spelt as there.
"""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType, field

from tocsin.web.tmf621.parts import Callback, Id, Line, Long, Quantity, Query, StatusType, TimePeriod, When


class Extensible(Struct, kw_only=True):
    """What every object may say of its type."""

    type: str | UnsetType = field(name="@type", default=UNSET)
    base_type: str | UnsetType = field(name="@baseType", default=UNSET)
    schema_location: str | UnsetType = field(name="@schemaLocation", default=UNSET)


class Ref(Extensible, kw_only=True):
    """Something that is known elsewhere."""

    id: Id
    href: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    referred_type: str | UnsetType = field(name="@referredType", default=UNSET)


class ChannelRef(Ref, kw_only=True):
    """The channel that a ticket came by."""


class RelatedEntity(Ref, kw_only=True):
    """What a ticket is about: one of them is an element of the fleet."""

    role: str
    referred_type: str = field(name="@referredType")


class RelatedParty(Ref, kw_only=True):
    """Who has to do with a ticket."""

    role: str | UnsetType = UNSET
    referred_type: str = field(name="@referredType")


class TroubleTicketRelationship(Extensible, kw_only=True, rename="camel"):
    """Another ticket that this one has to do with."""

    id: str | UnsetType = UNSET
    href: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    relationship_type: str | UnsetType = UNSET


class Note(Extensible, kw_only=True):
    """What somebody wrote on a ticket; one whose id is known is kept as it is."""

    id: Id | UnsetType = UNSET
    author: Line | UnsetType = UNSET
    date: When | UnsetType = UNSET
    text: Long | UnsetType = UNSET


class AttachmentRefOrValue(Extensible, kw_only=True, rename="camel"):
    """A file (`content`, in base64), or where one is."""

    id: Id | UnsetType = UNSET
    href: str | UnsetType = UNSET
    attachment_type: str | UnsetType = UNSET
    content: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    mime_type: str | UnsetType = UNSET
    name: Line | UnsetType = UNSET
    url: str | UnsetType = UNSET
    size: Quantity | UnsetType = UNSET
    valid_for: TimePeriod | UnsetType = UNSET
    referred_type: str | UnsetType = field(name="@referredType", default=UNSET)


class StatusChange(Extensible, kw_only=True, rename="camel"):
    """One change of a ticket's status."""

    change_date: When | UnsetType = UNSET
    change_reason: str | UnsetType = UNSET
    status: str | UnsetType = UNSET


class _Given(Extensible, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What a client may say of a new ticket and of one that is there; what is the desk's to say is not looked at."""

    external_id: Id | UnsetType = UNSET
    attachment: list[AttachmentRefOrValue] | UnsetType = UNSET
    note: list[Note] | UnsetType = UNSET
    status: StatusType | UnsetType = UNSET
    status_change_reason: Long | UnsetType = UNSET
    priority: str | UnsetType = UNSET
    resolution_date: When | UnsetType = UNSET
    creation_date: When | UnsetType = UNSET
    last_update: When | UnsetType = UNSET
    status_change_date: When | UnsetType = UNSET
    status_change: list[StatusChange] | UnsetType = UNSET


class TroubleTicketCreate(_Given, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A ticket to be declared."""

    description: Long
    severity: Line
    ticket_type: Line
    name: Line | UnsetType = UNSET
    channel: ChannelRef | UnsetType = UNSET
    related_entity: list[RelatedEntity] | UnsetType = UNSET
    related_party: list[RelatedParty] | UnsetType = UNSET
    trouble_ticket_relationship: list[TroubleTicketRelationship] | UnsetType = UNSET
    requested_resolution_date: When | UnsetType = UNSET
    expected_resolution_date: When | UnsetType = UNSET


class TroubleTicketUpdate(_Given, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What is to be changed of a ticket; null takes away. Notes and files are only added."""

    id: str | UnsetType = UNSET
    href: str | UnsetType = UNSET
    description: Long | UnsetType = UNSET
    severity: Line | UnsetType = UNSET
    ticket_type: Line | UnsetType = UNSET
    name: Line | UnsetType = UNSET
    channel: ChannelRef | UnsetType | None = UNSET
    related_entity: list[RelatedEntity] | UnsetType | None = UNSET
    related_party: list[RelatedParty] | UnsetType | None = UNSET
    trouble_ticket_relationship: list[TroubleTicketRelationship] | UnsetType | None = UNSET
    requested_resolution_date: When | UnsetType | None = UNSET
    expected_resolution_date: When | UnsetType | None = UNSET


class TroubleTicket(Extensible, kw_only=True, rename="camel"):
    """A ticket, or those attributes of it that were asked for."""

    id: str
    href: str
    name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    severity: str | UnsetType = UNSET
    ticket_type: str | UnsetType = UNSET
    priority: str | UnsetType = UNSET
    external_id: str | UnsetType = UNSET
    status: StatusType | UnsetType = UNSET
    status_change_date: When | UnsetType = UNSET
    status_change_reason: str | UnsetType = UNSET
    status_change: list[StatusChange] | UnsetType = UNSET
    creation_date: When | UnsetType = UNSET
    last_update: When | UnsetType = UNSET
    requested_resolution_date: When | UnsetType = UNSET
    expected_resolution_date: When | UnsetType = UNSET
    resolution_date: When | UnsetType = UNSET
    channel: ChannelRef | UnsetType = UNSET
    attachment: list[AttachmentRefOrValue] | UnsetType = UNSET
    note: list[Note] | UnsetType = UNSET
    related_entity: list[RelatedEntity] | UnsetType = UNSET
    related_party: list[RelatedParty] | UnsetType = UNSET
    trouble_ticket_relationship: list[TroubleTicketRelationship] | UnsetType = UNSET


class EventSubscriptionInput(Struct, kw_only=True, forbid_unknown_fields=True):
    """Who wants to be told."""

    callback: Callback
    query: Query | UnsetType = UNSET


class EventSubscription(Struct, kw_only=True):
    """Who is told."""

    id: str
    callback: str
    query: str | UnsetType = UNSET


class Error(Extensible, kw_only=True, rename="camel"):
    """Why something was not done."""

    code: str
    reason: str
    message: str | UnsetType = UNSET
    status: str | UnsetType = UNSET
    reference_error: str | UnsetType = UNSET


class EventPayload(Struct, kw_only=True, rename="camel"):
    """The ticket that an event is about."""

    trouble_ticket: TroubleTicket


class Event(Struct, kw_only=True, rename="camel"):
    """What a listener is told."""

    event_id: str
    event_time: When
    event_type: str
    correlation_id: str
    domain: str
    title: str
    description: str
    priority: str
    time_ocurred: When
    """Spelt as in the standard."""
    field_path: str | UnsetType = UNSET
    event: EventPayload
