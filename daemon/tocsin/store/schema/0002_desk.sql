-- The embedded desk: what people see of a ticket, and what was written on it.
create table desk_tickets (
  id integer primary key, number text not null unique, reference text not null, name text not null,
  description text not null, element text not null, element_name text not null, offer text not null,
  contract text not null, site text not null, criticality text not null, impact text not null, priority text not null,
  status text not null, declarant text not null, assignee text not null, previous text not null,
  declared_at integer not null, updated_at integer not null, closed_at integer
);
create table desk_notes (id integer primary key, ticket integer not null, at integer not null, actor text not null, text text not null);
create index desk_notes_ticket on desk_notes (ticket);
