-- What programs say of desk tickets, and are told of them (TMF621).
-- `rejected`: a cancelled ticket that was refused when it was declared. `key`: a note's id where it was written.
alter table desk_tickets add column rejected integer not null default 0;
alter table desk_notes add column key text not null default '';
create index desk_tickets_reference on desk_tickets (reference);
create index desk_tickets_updated on desk_tickets (updated_at);
-- Changes of a ticket's status after it was declared, why, by whom; `status` is `rejected` for one that was refused.
create table desk_statuses (id integer primary key, ticket integer not null, at integer not null, status text not null, actor text not null, reason text not null);
create index desk_statuses_ticket on desk_statuses (ticket);
-- What a client said of a ticket beyond what the desk has columns for. `client`: whose ticket it is; empty for one that tocsin
-- declared. `severity`: the client's word, for as long as the ticket has this impact. `more`: attributes as sent, as JSON.
create table desk_details (ticket integer primary key, client text not null, severity text not null, impact text not null, kind text not null, more text not null);
-- What other systems call a ticket.
create table desk_identifiers (id integer primary key, ticket integer not null, value text not null, owner text not null, said text not null);
create index desk_identifiers_ticket on desk_identifiers (ticket);
create index desk_identifiers_value on desk_identifiers (value);
-- Files of a ticket, or where one is (`content` null). `about`: all that was said of it, as JSON.
create table desk_attachments (id integer primary key, ticket integer not null, at integer not null, key text not null, about text not null, size integer not null, content blob);
create index desk_attachments_ticket on desk_attachments (ticket);
-- Who is told of changes. `told`: the last row of `desk_events` it heard of; `due_at`: when it is tried again.
create table desk_subscriptions (id integer primary key, key text not null unique, face text not null, language text not null, callback text not null, query text not null, at integer not null, told integer not null, attempts integer not null, due_at integer not null);
-- What happened to tickets while somebody listened, in order. `fields`: what changed, separated by commas. The last row is never
-- deleted, so that no number is given twice.
create table desk_events (id integer primary key, at integer not null, ticket integer not null, kind text not null, status text not null, fields text not null);
