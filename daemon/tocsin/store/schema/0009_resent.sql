-- When a person corrected it, or had it sent again: its age counts from then on, and nothing is folded into it.
alter table deliveries add column resent_at integer;
-- Some kinds spell the priority otherwise from now on: that is nobody's hand.
update sightings set graded = max(graded, 1);
