-- Which rule set went live when, through whom; a rule set that nobody let go live is in `rule_sets` with live_from 0.
-- `rules`, `elements`: how many there were. `previous`: the rule set before; 0 for none.
create table rule_changes (id integer primary key, at integer not null, rule_set integer not null, rules integer not null, fleet text not null, elements integer not null, who text not null, how text not null, previous integer not null);
insert into rule_changes select row_number() over (order by live_from, id), live_from, id, 0, '', 0, '', 'start', coalesce(lag(id) over (order by live_from, id), 0) from rule_sets;
-- Since when which rule set decides beside the live one; `rule_set` is 0 from when none does.
create table shadows (id integer primary key, at integer not null, rule_set integer not null);
-- New decisions about which the shadow rule set says something else. `kinds`: in what, separated by commas. `decision` is
-- what the live rules said, the columns after `kinds` what the shadow says.
create table shadow_differences (id integer primary key, at integer not null, text integer not null, decision integer not null, rule_set integer not null, kinds text not null, rule text not null, action text not null, element text, impact text, dedup_key text not null, details text not null);
