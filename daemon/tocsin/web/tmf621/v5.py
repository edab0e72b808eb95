"""The documents of TMF621 5.0.1, as far as they are looked at.

Every object has its `@type`. The standard requires `description`, `severity` and `ticketType` of a new ticket.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Struct, UnsetType, field

from tocsin.web.tmf621.parts import Callback, Id, JsonPatch, Line, Long, Quantity, Query, StatusType, TimePeriod, When


class Extensible(Struct, kw_only=True):
    """What every object says of its type."""

    type: str = field(name="@type")
    base_type: str | UnsetType = field(name="@baseType", default=UNSET)
    schema_location: str | UnsetType = field(name="@schemaLocation", default=UNSET)


class EntityRef(Extensible, kw_only=True):
    """Something that is known elsewhere."""

    id: Id
    href: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    referred_type: str | UnsetType = field(name="@referredType", default=UNSET)


class ChannelRef(EntityRef, kw_only=True):
    """The channel that a ticket came by."""


class RelatedEntity(Extensible, kw_only=True):
    """What a ticket is about: one of them is an element of the fleet."""

    role: str
    entity: EntityRef


class RelatedPartyRefOrPartyRoleRef(Extensible, kw_only=True, rename="camel"):
    """Who has to do with a ticket."""

    role: str
    party_or_party_role: EntityRef | UnsetType = UNSET


class TroubleTicketRelationship(EntityRef, kw_only=True, rename="camel"):
    """Another ticket that this one has to do with."""

    relationship_type: str


class TroubleTicketSpecificationRef(EntityRef, kw_only=True):
    """What a ticket is an instance of."""

    version: str | UnsetType = UNSET


class Characteristic(Extensible, kw_only=True, rename="camel"):
    """One more thing to be said of a ticket."""

    name: str
    id: str | UnsetType = UNSET
    value: Any = UNSET
    value_type: str | UnsetType = UNSET


class ExternalIdentifier(Extensible, kw_only=True, rename="camel"):
    """What another system calls a ticket."""

    id: Id
    owner: str | UnsetType = UNSET
    external_identifier_type: str | UnsetType = UNSET


class Note(Extensible, kw_only=True):
    """What somebody wrote on a ticket; one whose id is known is kept as it is."""

    id: Id | UnsetType = UNSET
    author: Line | UnsetType = UNSET
    date: When | UnsetType = UNSET
    text: Long | UnsetType = UNSET


class Attachment(Struct, kw_only=True, rename="camel", tag_field="@type", tag="Attachment"):
    """A file, with its `content` in base64."""

    attachment_type: str
    mime_type: str
    id: Id | UnsetType = UNSET
    href: str | UnsetType = UNSET
    name: Line | UnsetType = UNSET
    description: str | UnsetType = UNSET
    url: str | UnsetType = UNSET
    content: str | UnsetType = UNSET
    size: Quantity | UnsetType = UNSET
    valid_for: TimePeriod | UnsetType = UNSET
    base_type: str | UnsetType = field(name="@baseType", default=UNSET)
    schema_location: str | UnsetType = field(name="@schemaLocation", default=UNSET)


class AttachmentRef(Struct, kw_only=True, tag_field="@type", tag="AttachmentRef"):
    """Where a file is."""

    id: Id
    href: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    url: str | UnsetType = UNSET
    referred_type: str | UnsetType = field(name="@referredType", default=UNSET)
    base_type: str | UnsetType = field(name="@baseType", default=UNSET)
    schema_location: str | UnsetType = field(name="@schemaLocation", default=UNSET)


class StatusChange(Extensible, kw_only=True, rename="camel"):
    """One change of a ticket's status."""

    status_change_date: When | UnsetType = UNSET
    status_change_reason: str | UnsetType = UNSET
    status: str | UnsetType = UNSET


class _Given(Extensible, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What a client may say of a new ticket and of one that is there; what is the desk's to say is not looked at."""

    id: str | UnsetType = UNSET
    href: str | UnsetType = UNSET
    external_identifier: list[ExternalIdentifier] | UnsetType = UNSET
    attachment: list[Attachment | AttachmentRef] | UnsetType = UNSET
    note: list[Note] | UnsetType = UNSET
    status: StatusType | UnsetType = UNSET
    status_change_reason: Long | UnsetType = UNSET
    priority: str | UnsetType = UNSET
    resolution_date: When | UnsetType = UNSET
    creation_date: When | UnsetType = UNSET
    last_update: When | UnsetType = UNSET
    status_change_date: When | UnsetType = UNSET
    status_change_history: list[StatusChange] | UnsetType = UNSET


class TroubleTicketCreate(_Given, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A ticket to be declared."""

    description: Long
    severity: Line
    ticket_type: Line
    name: Line | UnsetType = UNSET
    channel: ChannelRef | UnsetType = UNSET
    related_entity: list[RelatedEntity] | UnsetType = UNSET
    related_party: list[RelatedPartyRefOrPartyRoleRef] | UnsetType = UNSET
    trouble_ticket_relationship: list[TroubleTicketRelationship] | UnsetType = UNSET
    trouble_ticket_specification: TroubleTicketSpecificationRef | UnsetType = UNSET
    trouble_ticket_characteristic: list[Characteristic] | UnsetType = UNSET
    requested_resolution_date: When | UnsetType = UNSET
    expected_resolution_date: When | UnsetType = UNSET


class TroubleTicketUpdate(_Given, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What is to be changed of a ticket; null takes away. Notes and files are only added."""

    description: Long | UnsetType = UNSET
    severity: Line | UnsetType = UNSET
    ticket_type: Line | UnsetType = UNSET
    name: Line | UnsetType = UNSET
    channel: ChannelRef | UnsetType | None = UNSET
    related_entity: list[RelatedEntity] | UnsetType | None = UNSET
    related_party: list[RelatedPartyRefOrPartyRoleRef] | UnsetType | None = UNSET
    trouble_ticket_relationship: list[TroubleTicketRelationship] | UnsetType | None = UNSET
    trouble_ticket_specification: TroubleTicketSpecificationRef | UnsetType | None = UNSET
    trouble_ticket_characteristic: list[Characteristic] | UnsetType | None = UNSET
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
    external_identifier: list[ExternalIdentifier] | UnsetType = UNSET
    status: StatusType | UnsetType = UNSET
    status_change_date: When | UnsetType = UNSET
    status_change_reason: str | UnsetType = UNSET
    status_change_history: list[StatusChange] | UnsetType = UNSET
    creation_date: When | UnsetType = UNSET
    last_update: When | UnsetType = UNSET
    requested_resolution_date: When | UnsetType = UNSET
    expected_resolution_date: When | UnsetType = UNSET
    resolution_date: When | UnsetType = UNSET
    channel: ChannelRef | UnsetType = UNSET
    attachment: list[Attachment | AttachmentRef] | UnsetType = UNSET
    note: list[Note] | UnsetType = UNSET
    related_entity: list[RelatedEntity] | UnsetType = UNSET
    related_party: list[RelatedPartyRefOrPartyRoleRef] | UnsetType = UNSET
    trouble_ticket_relationship: list[TroubleTicketRelationship] | UnsetType = UNSET
    trouble_ticket_specification: TroubleTicketSpecificationRef | UnsetType = UNSET
    trouble_ticket_characteristic: list[Characteristic] | UnsetType = UNSET


class HubCreate(Extensible, kw_only=True, forbid_unknown_fields=True):
    """Who wants to be told."""

    callback: Callback
    query: Query | UnsetType = UNSET
    id: str | UnsetType = UNSET
    href: str | UnsetType = UNSET


class Hub(Extensible, kw_only=True):
    """Who is told."""

    id: str
    href: str
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
    """The ticket that an event is about, and of what more should be said."""

    trouble_ticket: TroubleTicket
    information_required: JsonPatch | UnsetType = UNSET


class Event(Extensible, kw_only=True, rename="camel"):
    """What a listener is told."""

    event_id: str
    event_time: When
    event_type: str
    correlation_id: str
    domain: str
    title: str
    description: str
    priority: str
    time_occurred: When
    source: EntityRef
    reporting_system: EntityRef
    event: EventPayload
