-- `sure`: read so long after it changed that no later change can bear the same time. `graded`: we told something since that may
-- have changed its priority, and at 2 its assignee, too.
alter table sightings add column sure integer not null default 0;
alter table sightings add column graded integer not null default 0;
-- `times`: how often it was named, so that what is named while it is read is read again. `tried`: when reading it failed last.
alter table named_tickets add column times integer not null default 1;
alter table named_tickets add column tried integer not null default 0;
