-- When a person had it sent again: its age counts from then on.
alter table deliveries add column resent_at integer;
