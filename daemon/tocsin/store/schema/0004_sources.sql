-- When each source was heard last (`fingerprint` is empty), and each of its heartbeats: silence is measured from here.
create table heard (source text not null, fingerprint text not null, at integer not null, alert text, primary key (source, fingerprint)) without rowid;
-- What the address and the headers of a message said, as JSON; empty when its body says it all.
alter table bodies add column about text not null default '';
alter table rejected add column about text not null default '';
