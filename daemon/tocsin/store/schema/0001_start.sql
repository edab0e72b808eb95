-- Times are microseconds since 1970 in UTC. Rows are appended far more often than changed: few and narrow indexes.

-- What came in and said something new, as it came: with zlib where `packed` is 1. A body that only repeats is not kept.
create table bodies (id integer primary key, at integer not null, source text not null, content_type text not null, packed integer not null, body blob not null);
-- What alerts say, once for as long as they go on saying it: the normalised alert as JSON, without its end.
-- `ended_at`: when it began to say something else, or nothing; no alert after that points here.
create table texts (id integer primary key, source text not null, fingerprint text not null, ended_at integer, alert text not null);
create index texts_ended on texts (ended_at) where ended_at is not null;
-- Every alert received: what it said, what was decided, what became of it. `body` is 0 for a repeat: its text says it all.
create table alerts (id integer primary key, at integer not null, body integer not null, text integer not null, decision integer not null, incident integer not null, outcome text not null, ends_at integer);
-- Alerts and entries that could not be read, raw, for reading again after a correction.
create table rejected (id integer primary key, at integer not null, source text not null, content_type text not null, reason text not null, packed integer not null, body blob not null);

create table rule_sets (id integer primary key, hash text not null unique, live_from integer not null, files blob not null);
create table traces (id integer primary key, trace text not null unique);
create table decisions (id integer primary key, at integer not null, rule_set integer not null, rule text not null, action text not null, element text, impact text, dedup_key text not null, trace integer not null, details text not null);

create table policies (id integer primary key, policy text not null unique);
-- `slot` is 0 while the incident is live and n after it. One live incident per key is kept by the one writer, which has
-- all of them in memory; an index over live keys would dirty a page of its own for each new incident.
create table incidents (
  n integer primary key, id text not null unique, dedup_key text not null, slot integer not null, state text not null,
  rule text not null, element text not null, impact text not null, policy integer not null, declarant text not null,
  opened_at integer not null, last_seen_at integer not null, cleared_at integer, closed_at integer, due_at integer,
  firing integer not null, alerts integer not null, changes text not null, flapping integer not null,
  touched integer not null, declared integer not null, previous text not null, decision integer not null,
  -- The last row of `alerts` that `alerts` and `last_seen_at` include: repeats after it are only appended.
  counted integer not null
);
create index incidents_closed on incidents (dedup_key, n) where slot > 0;
create index incidents_over on incidents (closed_at) where slot > 0;
create index incidents_live on incidents (n) where slot = 0 or firing > 0;
create table firing (id integer primary key, text integer not null, decision integer not null, incident integer not null, outcome text not null, seen_at integer not null, expires_at integer);
create table notes (id integer primary key, incident integer not null, at integer not null, actor text not null, kind text not null, text text not null);
create index notes_incident on notes (incident);

create table deliveries (
  id integer primary key, incident integer not null, backend text not null, action text not null, body text not null,
  state text not null, attempts integer not null, uncertain integer not null, reason text not null,
  due_at integer not null, made_at integer not null, settled_at integer
);
create index deliveries_incident on deliveries (incident);
create index deliveries_unsent on deliveries (id) where state in ('pending', 'leased', 'dead');
create table tickets (incident integer primary key, backend text not null, number text not null, url text not null, status text not null, at integer not null);
create index tickets_number on tickets (number);

-- No row of `alerts` up to this one is missing from the counts of `incidents`.
create table counted (id integer primary key check (id = 1), alerts integer not null);
insert into counted values (1, 0);
