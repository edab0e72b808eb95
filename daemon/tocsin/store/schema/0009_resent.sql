-- When a person corrected it, or had it sent again: its age counts from then on, and nothing is folded into it.
alter table deliveries add column resent_at integer;
