-- Every statement of the hot paths and of the listings, by name. `?` in the order of the table's columns.

-- name: insert_body
insert into bodies values (?, ?, ?, ?, ?, ?, ?);
-- name: insert_text
insert into texts values (?, ?, ?, ?, ?);
-- name: insert_alert
insert into alerts values (?, ?, ?, ?, ?, ?, ?, ?);
-- name: insert_rejected
insert into rejected values (?, ?, ?, ?, ?, ?, ?, ?);
-- name: insert_decision
insert into decisions values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);
-- name: insert_rule_set
insert into rule_sets values (?, ?, ?, ?);
-- name: insert_trace
insert into traces values (?, ?);
-- name: insert_policy
insert into policies values (?, ?);
-- name: insert_incident
insert into incidents values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);
-- name: insert_firing
insert into firing values (?, ?, ?, ?, ?, ?, ?);
-- name: insert_note
insert into notes values (?, ?, ?, ?, ?, ?);
-- name: insert_delivery
insert into deliveries values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);
-- name: insert_ticket
insert into tickets values (?, ?, ?, ?, ?, ?)
  on conflict (incident) do update set status = excluded.status, url = excluded.url, at = excluded.at;

-- name: update_incident
update incidents set slot = ?, state = ?, rule = ?, impact = ?, policy = ?, last_seen_at = ?, cleared_at = ?,
  closed_at = ?, due_at = ?, firing = ?, alerts = ?, changes = ?, flapping = ?, touched = ?, declared = ?, decision = ?,
  counted = ? where n = ?;
-- name: update_counts
update incidents set alerts = ?, last_seen_at = ?, counted = ? where n = ?;
-- name: update_counted
update counted set alerts = ? where id = 1;
-- name: update_firing
update firing set text = ?, decision = ?, incident = ?, outcome = ?, seen_at = ?, expires_at = ? where id = ?;
-- name: end_text
update texts set ended_at = ? where id = ?;
-- name: delete_firing
delete from firing where id = ?;
-- name: update_delivery
update deliveries set action = ?, body = ?, state = ?, attempts = ?, uncertain = ?, reason = ?, due_at = ?,
  settled_at = ? where id = ?;
-- name: update_ticket
update tickets set status = ?, url = coalesce(nullif(?, ''), url), at = ? where incident = ?;

-- name: latest_closed
select n from incidents where dedup_key = ? and slot > 0 order by n desc limit 1;
-- name: incident
select * from incidents where n = ?;
-- name: incident_by_id
select * from incidents where id = ?;
-- name: decision
select rule, action, element, impact, dedup_key, details, rule_set from decisions where id = ?;

-- name: rule_set_by_hash
select id from rule_sets where hash = ?;
-- name: rule_set_hash
select hash from rule_sets where id = ?;
-- name: trace_id
select id from traces where trace = ?;
-- name: policies
select id, policy from policies;
-- name: ticket
select incident, backend, number, url, status from tickets where incident = ?;
-- name: ticket_by_number
select incident, backend, number, url, status from tickets where number = ?;

-- name: live_incidents
select * from incidents where slot = 0 or firing > 0;
-- name: live_firing
select firing.id, firing.text, firing.decision, firing.incident, firing.outcome, firing.seen_at, firing.expires_at,
  texts.source, texts.fingerprint, texts.alert from firing join texts on texts.id = firing.text;
-- name: texts_ended
select ended_at, alert from texts where ended_at is not null and ended_at > ? order by ended_at desc limit ?;
-- name: heard
select source, fingerprint, at, alert from heard;
-- name: count_firing
select texts.source, count(*) from firing join texts on texts.id = firing.text group by texts.source;
-- name: count_rejected
select source, count(*) from rejected group by source;
-- name: put_heard
insert into heard values (?, ?, ?, ?)
  on conflict (source, fingerprint) do update set at = excluded.at, alert = excluded.alert;
-- name: delete_heard
delete from heard where source = ? and fingerprint = ?;
-- name: live_tickets
select tickets.incident, tickets.number from tickets join incidents on incidents.n = tickets.incident
  where incidents.slot = 0 or incidents.firing > 0;
-- name: repeats_since
select alerts.incident, count(*), max(alerts.at) from alerts join incidents on incidents.n = alerts.incident
  where alerts.id > ? and alerts.id > incidents.counted group by alerts.incident;
-- name: counted
select alerts from counted where id = 1;
-- name: unsent_deliveries
select id, incident, backend, action, body, state, attempts, uncertain, reason, due_at from deliveries
  where state in ('pending', 'leased', 'dead') order by id;
-- name: delivery
select id, incident, backend, action, body, state, attempts, uncertain, reason, due_at from deliveries where id = ?;

-- name: list_incidents
select incidents.*, coalesce(tickets.number, '') from incidents
  left join tickets on tickets.incident = incidents.n
  where (? = '' or state = ?) order by incidents.n desc limit ?;
-- name: list_tickets
select tickets.number, tickets.status, tickets.backend, tickets.url, tickets.at, incidents.id, incidents.element,
  incidents.impact, incidents.declarant, decisions.details, coalesce(desk_tickets.priority, ''),
  coalesce(desk_tickets.name, ''), incidents.state, incidents.alerts
  from tickets join incidents on incidents.n = tickets.incident left join decisions on decisions.id = incidents.decision
  left join desk_tickets on desk_tickets.number = tickets.number and tickets.backend = ?
  where (? = '' or tickets.status = ?) order by tickets.incident desc limit ?;
-- name: list_ticket
select tickets.number, tickets.status, tickets.backend, tickets.url, tickets.at, incidents.id, incidents.element,
  incidents.impact, incidents.declarant, decisions.details, coalesce(desk_tickets.priority, ''),
  coalesce(desk_tickets.name, ''), incidents.state, incidents.alerts
  from tickets join incidents on incidents.n = tickets.incident left join decisions on decisions.id = incidents.decision
  left join desk_tickets on desk_tickets.number = tickets.number and tickets.backend = ?
  where tickets.number = ? order by tickets.incident desc limit 1;
-- name: list_deliveries
select deliveries.id, incidents.id, deliveries.backend, deliveries.action, deliveries.state, deliveries.attempts,
  deliveries.reason, deliveries.due_at, deliveries.made_at, deliveries.settled_at,
  coalesce(tickets.number, '') from deliveries
  join incidents on incidents.n = deliveries.incident left join tickets on tickets.incident = deliveries.incident
  where (? = '' or deliveries.state = ?) order by deliveries.id desc limit ?;

-- Pruning. Row numbers grow with time, so a boundary is found by bisection and nothing is scanned.
-- name: last_alert
select coalesce(max(id), 0) from alerts;
-- name: alert_from
select id, at from alerts where id >= ? order by id limit 1;
-- name: last_body
select coalesce(max(id), 0) from bodies;
-- name: body_from
select id, at from bodies where id >= ? order by id limit 1;
-- name: last_rejected
select coalesce(max(id), 0) from rejected;
-- name: rejected_from
select id, at from rejected where id >= ? order by id limit 1;
-- name: last_decision
select coalesce(max(id), 0) from decisions;
-- name: decision_from
select id, at from decisions where id >= ? order by id limit 1;
-- name: prune_alerts
delete from alerts where id in (select id from alerts where id < ? and id <= (select alerts from counted) order by id limit ?);
-- name: prune_bodies
delete from bodies where id in (select id from bodies where id < ? order by id limit ?);
-- name: prune_rejected
delete from rejected where id in (select id from rejected where id < ? order by id limit ?);
-- name: prune_decisions
delete from decisions where id in (select id from decisions where id < ? and id not in (select decision from firing)
  and id not in (select decision from incidents where slot = 0 or firing > 0) order by id limit ?);
-- name: prune_texts
delete from texts where id in (select id from texts where ended_at < ? order by ended_at limit ?);
-- name: old_incidents
select incidents.n, coalesce(tickets.number, '') from incidents left join tickets on tickets.incident = incidents.n
  where incidents.slot > 0 and incidents.closed_at < ? and incidents.firing = 0 order by incidents.closed_at limit ?;
-- name: delete_notes
delete from notes where incident = ?;
-- name: delete_deliveries
delete from deliveries where incident = ? and state in ('sent', 'cancelled', 'dead');
-- name: delete_ticket
delete from tickets where incident = ?;
-- name: delete_desk_notes
delete from desk_notes where ticket in (select id from desk_tickets where number = ? and reference = (select id from incidents where n = ?));
-- name: delete_desk_ticket
delete from desk_tickets where number = ? and reference = (select id from incidents where n = ?);
-- name: delete_incident
delete from incidents where n = ?;

-- name: insert_desk_ticket
insert into desk_tickets values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);
-- name: insert_desk_note
insert into desk_notes values (?, ?, ?, ?, ?);
-- name: update_desk_ticket
update desk_tickets set status = ?, impact = ?, priority = ?, assignee = ?, updated_at = ?, closed_at = ? where id = ?;
-- name: desk_ticket_by_number
select id, number, reference, status, impact, priority, criticality, assignee from desk_tickets where number = ?;
-- name: desk_notes
select desk_notes.at, desk_notes.actor, desk_notes.text from desk_notes
  join desk_tickets on desk_tickets.id = desk_notes.ticket where desk_tickets.number = ? order by desk_notes.id;

-- name: text
select alert from texts where id = ?;
-- name: delivery_made_at
select made_at from deliveries where id = ?;

-- name: latest_rule_set
select hash, files from rule_sets where live_from > 0
  order by coalesce((select max(id) from rule_changes where rule_set = rule_sets.id), 0) desc, live_from desc, id desc limit 1;
-- name: update_rule_set
update rule_sets set live_from = ? where id = ?;
-- name: closed_keys
select dedup_key from incidents where slot > 0 limit ?;

-- History: what came in, in order, for deciding it again. Row numbers grow with time here, too.
-- name: last_note
select coalesce(max(id), 0) from notes;
-- name: note_from
select id, at from notes where id >= ? order by id limit 1;
-- name: arrivals
select alerts.id, alerts.at, alerts.text, alerts.decision, alerts.incident, alerts.outcome, alerts.ends_at, texts.alert
  from alerts left join texts on texts.id = alerts.text and alerts.body > 0
  where alerts.id >= ? and alerts.id <= ? and alerts.outcome <> 'overtaken' order by alerts.id limit ?;
-- name: touches
select notes.id, notes.at, notes.kind, notes.incident, incidents.opened_at from notes
  join incidents on incidents.n = notes.incident
  where notes.id >= ? and notes.id <= ? and notes.kind in ('touched', 'ended') order by notes.id;
-- name: first_text_of
select text from alerts where id >= ? and incident = ? order by id limit 1;

-- Telling why. Newest first and by row number; `alerts` has no other index, so each of these is given a range of rows.
-- name: list_alerts
select alerts.id, alerts.at, alerts.outcome, alerts.body = 0 and decisions.at <> alerts.at, texts.alert, coalesce(decisions.rule, ''),
  coalesce(incidents.id, ''), coalesce(tickets.number, '') from alerts
  left join texts on texts.id = alerts.text left join decisions on decisions.id = alerts.decision
  left join incidents on incidents.n = alerts.incident left join tickets on tickets.incident = alerts.incident
  where alerts.id >= ? and alerts.id < ? and (? = '' or alerts.outcome = ?) and (? = '' or texts.source = ?)
  and (? = '' or instr(lower(json_extract(texts.alert, '$.resource')), lower(?)) > 0)
  order by alerts.id desc limit ?;
-- name: list_rejected
select id, at, source, content_type, reason from rejected where id < ? and (? = '' or source = ?)
  order by id desc limit ?;
-- name: told_alert
select id, at, text, decision, incident, outcome, ends_at from alerts where id = ?;
-- name: oldest_alert
select id, at from alerts order by id limit 1;
-- name: deciding_alert
select id, at, text, decision, incident, outcome, ends_at from alerts
  where id >= ? and id <= ? and decision = ? and outcome <> 'resolved' order by id limit 1;
-- name: latest_alert_saying
select id, at, text, decision, incident, outcome, ends_at from alerts
  where id >= ? and id <= ? and text = ? order by id desc limit 1;
-- name: repeats_of
select count(*), max(at) from alerts where id >= ? and id <= ? and decision = ? and outcome <> 'resolved';
-- name: first_changes_of
select alerts.id, alerts.at, alerts.outcome, texts.alert from alerts left join texts on texts.id = alerts.text
  left join decisions on decisions.id = alerts.decision where alerts.id >= ? and alerts.id <= ? and alerts.incident = ?
  and (alerts.body > 0 or decisions.at = alerts.at) order by alerts.id limit ?;
-- name: last_changes_of
select alerts.id, alerts.at, alerts.outcome, texts.alert from alerts left join texts on texts.id = alerts.text
  left join decisions on decisions.id = alerts.decision where alerts.id >= ? and alerts.id <= ? and alerts.incident = ?
  and (alerts.body > 0 or decisions.at = alerts.at) order by alerts.id desc limit ?;
-- name: text_ended
select ended_at from texts where id = ?;
-- name: firing_text
select texts.id, firing.seen_at from firing join texts on texts.id = firing.text where texts.fingerprint = ?
  order by firing.seen_at desc limit 1;
-- name: latest_text
select id, ended_at from texts where fingerprint = ? order by id desc limit 1;
-- name: told_decision
select decisions.id, decisions.at, decisions.rule, decisions.action, decisions.element, decisions.impact,
  decisions.dedup_key, decisions.trace, traces.trace, decisions.details, decisions.rule_set from decisions
  left join traces on traces.id = decisions.trace where decisions.id = ?;
-- name: told_rule_set
select hash, live_from, files from rule_sets where id = ?;
-- name: change_before
select at, who, how from rule_changes where rule_set = ? and at <= ? order by id desc limit 1;
-- name: told_policy
select policy from policies where id = ?;
-- name: uncounted_of
select count(*), max(at) from alerts where id > max(?, (select alerts from counted)) and incident = ?;
-- name: notes_of
select at, actor, kind, text from notes where incident = ? order by id;
-- name: deliveries_of
select deliveries.id, incidents.id, deliveries.backend, deliveries.action, deliveries.state, deliveries.attempts,
  deliveries.reason, deliveries.due_at, deliveries.made_at, deliveries.settled_at,
  coalesce(tickets.number, '') from deliveries
  join incidents on incidents.n = deliveries.incident left join tickets on tickets.incident = deliveries.incident
  where deliveries.incident = ? order by deliveries.id;
-- name: newest_ticket_by_number
select incident, backend, number, url, status from tickets where number = ? order by incident desc limit 1;
-- name: told_rejected
select id, at, source, content_type, reason, packed, body from rejected where id = ?;

-- Unmapped: what no rule knows or no element goes by; `body` is 0 for repeats, and for what was decided again.
-- name: firing_without_incident
select firing.id, texts.source, texts.fingerprint, texts.alert, firing.seen_at, firing.expires_at, decisions.rule,
  decisions.action, decisions.details from firing join texts on texts.id = firing.text
  join decisions on decisions.id = firing.decision where firing.id > ? and firing.incident = 0
  order by firing.id limit ?;
-- name: unmapped_texts
select texts.id, texts.alert, kept.count, kept.first_at, kept.last_at,
  texts.id in (select text from firing)
  from (select text, decision, count(*) as count, min(at) as first_at, max(at) as last_at from alerts
    where id >= ? and incident = 0 and outcome in ('recorded', 'quarantined', 'ignored') group by text, decision) as kept
  join decisions on decisions.id = kept.decision join texts on texts.id = kept.text
  where decisions.rule = 'fallback'
    or (decisions.element is null and decisions.details not like '%"reason":"the rule says %')
  order by texts.id desc limit ?;
-- name: other_texts
select texts.id, texts.alert from texts where texts.id in (select text from alerts
  where id >= ? and body > 0 and outcome not in ('resolved', 'unknown', 'overtaken') order by id desc limit ?);

-- Rule sets over time, and what the shadow rule set says otherwise.
-- name: insert_rule_change
insert into rule_changes values (?, ?, ?, ?, ?, ?, ?, ?, ?);
-- name: insert_shadow
insert into shadows values (?, ?, ?);
-- name: insert_shadow_difference
insert into shadow_differences values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);
-- name: rule_changes
select rule_changes.at, now.hash, rule_changes.rules, rule_changes.fleet, rule_changes.elements, rule_changes.who,
  rule_changes.how, coalesce(before.hash, ''), rule_changes.rule_set from rule_changes
  join rule_sets as now on now.id = rule_changes.rule_set
  left join rule_sets as before on before.id = rule_changes.previous order by rule_changes.id desc limit ?;
-- name: kept_rule_sets
select hash from rule_sets;
-- name: rule_set_files
select files from rule_sets where hash = ?;
-- name: last_shadow
select rule_set from shadows order by id desc limit 1;
-- name: latest_shadow
select shadows.rule_set, shadows.at, rule_sets.hash, (select min(later.at) from shadows as later where later.id > shadows.id)
  from shadows join rule_sets on rule_sets.id = shadows.rule_set order by shadows.id desc limit 1;
-- name: decided_between
select count(*) from decisions where id >= ? and id < ?;
-- name: shadow_totals
select shadow_differences.kinds, coalesce(decisions.rule, ''), shadow_differences.rule, count(*) from shadow_differences
  left join decisions on decisions.id = shadow_differences.decision
  where shadow_differences.rule_set = ? and shadow_differences.id >= ? group by 1, 2, 3;
-- name: list_shadow_differences
select shadow_differences.id, shadow_differences.at, shadow_differences.kinds, texts.alert, coalesce(decisions.rule, ''),
  coalesce(decisions.action, ''), decisions.element, decisions.impact, coalesce(decisions.dedup_key, ''),
  coalesce(decisions.details, ''), shadow_differences.rule, shadow_differences.action, shadow_differences.element,
  shadow_differences.impact, shadow_differences.dedup_key, shadow_differences.details from shadow_differences
  left join texts on texts.id = shadow_differences.text left join decisions on decisions.id = shadow_differences.decision
  where shadow_differences.rule_set = ? and shadow_differences.id >= ? order by shadow_differences.id desc limit ?;
-- name: last_difference
select coalesce(max(id), 0) from shadow_differences;
-- name: difference_from
select id, at from shadow_differences where id >= ? order by id limit 1;
-- name: prune_differences
delete from shadow_differences where id in (select id from shadow_differences where id < ? order by id limit ?);

-- Decisions, each with the first alert it holds for: that came at the very moment it was made.
-- name: list_decisions
select alerts.id, alerts.outcome, texts.alert, decisions.id, decisions.at, decisions.rule, decisions.action,
  decisions.element, decisions.impact, decisions.dedup_key, decisions.details, coalesce(incidents.id, ''),
  coalesce(tickets.number, '') from alerts join decisions on decisions.id = alerts.decision and decisions.at = alerts.at
  left join texts on texts.id = alerts.text left join incidents on incidents.n = alerts.incident
  left join tickets on tickets.incident = alerts.incident
  where alerts.id >= ? and alerts.id < ? and alerts.outcome <> 'resolved'
  and (? = '' or alerts.outcome = ?) and (? = '' or decisions.rule = ?) and (? = '' or decisions.action = ?)
  and (? = '' or texts.source = ?) order by alerts.id desc limit ?;

-- What was seen of the rules, for `tocsin check`.
-- name: rules_matched
select decisions.rule, max(latest.at) from (select decision, max(at) as at from alerts where id >= ? group by decision)
  as latest join decisions on decisions.id = latest.decision group by decisions.rule;
-- name: first_alert_at
select at from alerts order by id limit 1;
-- name: keys_of_two_elements
select dedup_key, element, rule, max(at) from decisions where id >= ? and action = 'ticket' and dedup_key in (
  select dedup_key from decisions where id >= ? and action = 'ticket' group by dedup_key
  having min(element) <> max(element) and min(rule) <> max(rule))
  group by dedup_key, element, rule order by dedup_key, max(at), rule;
