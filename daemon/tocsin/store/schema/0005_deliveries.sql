-- Until when an attempt whose end nobody knows may still have been under way.
alter table deliveries add column doubted_at integer;
update deliveries set doubted_at = due_at where uncertain = 1;
-- What waits for a person is counted by backend, however much there is of everything else.
create index deliveries_dead on deliveries (backend) where state = 'dead';
-- Backends that are told of an incident beside the one that has its ticket. A row is made together with the delivery that
-- opens; number and status are empty until that has been done.
create table informed (incident integer not null, backend text not null, number text not null, url text not null, status text not null, at integer not null, primary key (incident, backend)) without rowid;
create index informed_number on informed (number) where number <> '';
