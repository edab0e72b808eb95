-- What ticket systems said last of the tickets declared in them: by it a person's change is told from what stood there.
-- `changed_at`: by the system's own clock.
create table sightings (incident integer primary key, status text not null, state text not null, priority text not null, assignee text not null, changed_at integer, at integer not null);
-- Notes of people that were read, by their identity in the ticket system.
create table read_notes (incident integer not null, id text not null, primary key (incident, id)) without rowid;
-- Up to when each backend was asked what changed, by its own clock.
create table cursors (backend text primary key, at integer not null) without rowid;
-- Tickets that a webhook named, by number or reference, and that were not read since.
create table named_tickets (backend text not null, word text not null, at integer not null, primary key (backend, word)) without rowid;
