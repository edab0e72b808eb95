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
insert into deliveries values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);
-- name: insert_ticket
insert into tickets values (?, ?, ?, ?, ?, ?)
  on conflict (incident) do update set number = coalesce(nullif(number, ''), excluded.number), status = excluded.status,
  url = excluded.url, at = excluded.at;
-- name: insert_informed
insert into informed values (?, ?, ?, ?, ?, ?);

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
  settled_at = ?, doubted_at = ?, resent_at = ? where id = ?;
-- name: update_ticket
update tickets set status = ?, number = coalesce(nullif(number, ''), ?), url = coalesce(nullif(?, ''), url), at = ?
  where incident = ?;
-- name: update_informed
update informed set number = coalesce(nullif(number, ''), ?), url = coalesce(nullif(?, ''), url), status = ?, at = ?
  where incident = ? and backend = ?;
-- name: number_informed
update informed set number = coalesce(nullif(number, ''), ?), url = coalesce(nullif(?, ''), url)
  where incident = ? and backend = ?;
-- name: delete_informed
delete from informed where incident = ? and backend = ?;

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

-- name: informed_by_id
select informed.backend, informed.number, informed.url, informed.status from informed
  join incidents on incidents.n = informed.incident where incidents.id = ? order by informed.backend;
-- name: newest_informed_by_number
select incident from informed where number = ? and number <> '' order by incident desc limit 1;
-- name: informed_unsent
select incident, backend, number, status from informed where incident in (select incident from deliveries
  where state in ('pending', 'leased', 'dead'));
-- name: informed_of
select backend, number, url, status from informed where incident = ? order by backend;

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
select tickets.incident, tickets.number, tickets.backend from tickets join incidents on incidents.n = tickets.incident
  where incidents.slot = 0 or incidents.firing > 0;
-- name: repeats_since
select alerts.incident, count(*), max(alerts.at) from alerts join incidents on incidents.n = alerts.incident
  where alerts.id > ? and alerts.id > incidents.counted group by alerts.incident;
-- name: counted
select alerts from counted where id = 1;
-- name: unsent_deliveries
select id, incident, backend, action, body, state, attempts, uncertain, reason, due_at, made_at, doubted_at,
  resent_at
  from deliveries where state in ('pending', 'leased', 'dead') order by id;
-- name: delivery
select id, incident, backend, action, body, state, attempts, uncertain, reason, due_at, made_at, doubted_at,
  resent_at
  from deliveries where id = ?;
-- name: number_ticket
update tickets set number = coalesce(nullif(number, ''), ?), url = coalesce(nullif(?, ''), url)
  where incident = ? and backend = ?;
-- name: renumber_ticket
update tickets set number = ?, url = coalesce(nullif(?, ''), url) where incident = ?;
-- name: undeclare
update incidents set declared = 0 where n = ?;
-- name: move_delivery
update deliveries set backend = ? where id = ?;
-- name: count_dead
select backend, count(*) from deliveries where state = 'dead' group by backend;
-- name: dead_of
select id from deliveries where state = 'dead' and backend = ? order by id;
-- name: newer_told
select id, body from deliveries where incident = ? and backend = ? and id > ? and action <> 'note'
  and (state in ('sent', 'leased') or uncertain = 1) order by id desc limit 1;

-- name: list_incidents
select incidents.*, coalesce(tickets.number, ''), tickets.number is '' from incidents
  left join tickets on tickets.incident = incidents.n
  where (? = '' or state = ?) order by incidents.n desc limit ?;
-- name: list_tickets
select tickets.number, tickets.status, tickets.backend, tickets.url, tickets.at, incidents.id, incidents.element,
  incidents.impact, incidents.declarant, decisions.details, coalesce(desk_tickets.priority, ''),
  coalesce(desk_tickets.name, ''), incidents.state, incidents.alerts, incidents.opened_at
  from tickets join incidents on incidents.n = tickets.incident left join decisions on decisions.id = incidents.decision
  left join desk_tickets on desk_tickets.number = tickets.number and tickets.backend = ?
  where (? = '' or tickets.status = ?) order by tickets.incident desc limit ?;
-- name: list_ticket
select tickets.number, tickets.status, tickets.backend, tickets.url, tickets.at, incidents.id, incidents.element,
  incidents.impact, incidents.declarant, decisions.details, coalesce(desk_tickets.priority, ''),
  coalesce(desk_tickets.name, ''), incidents.state, incidents.alerts, incidents.opened_at
  from tickets join incidents on incidents.n = tickets.incident left join decisions on decisions.id = incidents.decision
  left join desk_tickets on desk_tickets.number = tickets.number and tickets.backend = ?
  where tickets.number = ? order by tickets.incident desc limit 1;
-- name: list_deliveries
select deliveries.id, incidents.id, deliveries.backend, deliveries.action, deliveries.state, deliveries.attempts,
  deliveries.reason, deliveries.due_at, deliveries.made_at, deliveries.settled_at,
  coalesce(informed.number, tickets.number, ''), coalesce(informed.status, tickets.status, '') from deliveries
  join incidents on incidents.n = deliveries.incident left join tickets on tickets.incident = deliveries.incident
  left join informed on informed.incident = deliveries.incident and informed.backend = deliveries.backend
  where (? = '' or deliveries.state = ?) and (? = '' or deliveries.backend = ?) order by deliveries.id desc limit ?;
-- name: list_delivery
select deliveries.id, incidents.id, deliveries.backend, deliveries.action, deliveries.state, deliveries.attempts,
  deliveries.reason, deliveries.due_at, deliveries.made_at, deliveries.settled_at,
  coalesce(informed.number, tickets.number, ''), coalesce(informed.status, tickets.status, ''), deliveries.uncertain,
  deliveries.doubted_at, deliveries.body from deliveries
  join incidents on incidents.n = deliveries.incident left join tickets on tickets.incident = deliveries.incident
  left join informed on informed.incident = deliveries.incident and informed.backend = deliveries.backend
  where deliveries.id = ?;
-- name: list_first_of_chain
select first.id, first.state from deliveries first join deliveries this on this.incident = first.incident
  and this.backend = first.backend
  where this.id = ? and (first.state in ('pending', 'leased') or (first.state = 'dead' and first.action = 'open'))
  order by first.id limit 1;

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
-- name: delete_all_informed
delete from informed where incident = ?;
-- name: desk_ticket_of
select id from desk_tickets where number = ? and reference = (select id from incidents where n = ?);
-- name: old_desk_tickets
select id from desk_tickets where updated_at < ? and closed_at is not null
  and not exists (select 1 from incidents where incidents.id = desk_tickets.reference) limit ?;
-- name: delete_desk_notes
delete from desk_notes where ticket = ?;
-- name: delete_desk_statuses
delete from desk_statuses where ticket = ?;
-- name: delete_desk_attachments
delete from desk_attachments where ticket = ?;
-- name: delete_desk_details
delete from desk_details where ticket = ?;
-- name: delete_desk_ticket
delete from desk_tickets where id = ?;
-- name: delete_incident
delete from incidents where n = ?;

-- name: insert_desk_ticket
insert into desk_tickets values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);
-- name: insert_desk_note
insert into desk_notes values (?, ?, ?, ?, ?, ?);
-- name: update_desk_ticket
update desk_tickets set status = ?, rejected = ?, impact = ?, priority = ?, assignee = ?, updated_at = ?, closed_at = ?
  where id = ?;
-- name: desk_ticket_by_number
select id, number, reference, status, impact, priority, criticality, assignee, rejected from desk_tickets where number = ?;
-- name: desk_notes
select desk_notes.at, desk_notes.actor, desk_notes.text from desk_notes
  join desk_tickets on desk_tickets.id = desk_notes.ticket where desk_tickets.number = ? order by desk_notes.id;

-- name: text
select alert from texts where id = ?;

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
  coalesce(informed.number, tickets.number, '') from deliveries
  join incidents on incidents.n = deliveries.incident left join tickets on tickets.incident = deliveries.incident
  left join informed on informed.incident = deliveries.incident and informed.backend = deliveries.backend
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

-- The desk as programs use it: what they say of tickets, and what they are told (TMF621).
-- name: insert_desk_status
insert into desk_statuses values (?, ?, ?, ?, ?, ?);
-- name: insert_desk_event
insert into desk_events values (?, ?, ?, ?, ?, ?);
-- name: insert_desk_identifier
insert into desk_identifiers values (?, ?, ?, ?, ?);
-- name: insert_desk_attachment
insert into desk_attachments values (?, ?, ?, ?, ?, ?, ?);
-- name: put_desk_details
insert into desk_details values (?, ?, ?, ?, ?, ?) on conflict (ticket) do update
  set severity = excluded.severity, impact = excluded.impact, kind = excluded.kind, more = excluded.more;
-- name: update_desk_texts
update desk_tickets set name = ?, description = ?, reference = ? where id = ?;
-- name: update_desk_element
update desk_tickets set element = ?, element_name = ?, offer = ?, contract = ?, site = ?, criticality = ? where id = ?;
-- name: delete_desk_identifiers
delete from desk_identifiers where ticket = ?;
-- name: desk_identified
select desk_tickets.id, desk_tickets.number, coalesce(desk_details.client, ''), 'tocsin' from desk_tickets
  left join desk_details on desk_details.ticket = desk_tickets.id
  where desk_tickets.reference = ? and coalesce(desk_details.client, '') = ''
  union all select desk_tickets.id, desk_tickets.number, desk_details.client, desk_identifiers.owner from desk_identifiers
  join desk_tickets on desk_tickets.id = desk_identifiers.ticket join desk_details on desk_details.ticket = desk_tickets.id
  where desk_identifiers.value = ?;
-- name: desk_ids_by_number
select id from desk_tickets where number in (select value from json_each(?));
-- name: desk_dossiers
select desk_tickets.*, desk_details.client, desk_details.severity, desk_details.impact, desk_details.kind, desk_details.more
  from desk_tickets left join desk_details on desk_details.ticket = desk_tickets.id
  where desk_tickets.id in (select value from json_each(?));
-- name: desk_notes_of
select ticket, id, key, at, actor, text from desk_notes where ticket in (select value from json_each(?)) order by id;
-- name: desk_statuses_of
select ticket, at, status, actor, reason from desk_statuses where ticket in (select value from json_each(?)) order by id;
-- name: desk_identifiers_of
select ticket, value, owner, said from desk_identifiers where ticket in (select value from json_each(?)) order by id;
-- name: desk_attachments_of
select ticket, id, key, about, size, case when ? then content end, content is null from desk_attachments
  where ticket in (select value from json_each(?)) order by id;
-- name: insert_desk_subscription
insert into desk_subscriptions values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);
-- name: update_desk_subscription
update desk_subscriptions set told = ?, attempts = ?, due_at = ? where id = ?;
-- name: delete_desk_subscription
delete from desk_subscriptions where id = ?;
-- name: desk_subscriptions
select id, key, face, language, callback, query, at, told, attempts, due_at from desk_subscriptions order by id;
-- name: last_desk_event
select coalesce(max(id), 0) from desk_events;
-- name: desk_events_after
select id, at, ticket, kind, status, fields from desk_events where id > ? order by id limit ?;
-- name: delete_desk_events
delete from desk_events where (id <= ? or at < ?) and id < (select max(id) from desk_events);

-- What ticket systems say.
-- name: ticket_of_reference
select incidents.n, tickets.backend, tickets.number, tickets.status, tickets.at from tickets join incidents on incidents.n = tickets.incident
  where incidents.id = ?;
-- name: ticket_there
select incidents.id from tickets join incidents on incidents.n = tickets.incident where tickets.backend = ? and tickets.number = ?
  order by tickets.incident desc limit 1;
-- name: sighting
select status, state, priority, assignee, changed_at, at, sure, graded from sightings where incident = ?;
-- name: put_sighting
insert or replace into sightings values (?, ?, ?, ?, ?, ?, ?, ?, 0);
-- name: sure_sighting
update sightings set sure = 1 where incident = ?;
-- name: graded_sighting
update sightings set graded = max(graded, ?) where incident = ?;
-- name: delete_sighting
delete from sightings where incident = ?;
-- name: read_notes_of
select id from read_notes where incident = ?;
-- name: insert_read_note
insert or ignore into read_notes values (?, ?);
-- name: delete_read_notes
delete from read_notes where incident = ?;
-- name: cursor
select at from cursors where backend = ?;
-- name: put_cursor
insert or replace into cursors values (?, ?);
-- name: named_tickets
select word, times, tried from named_tickets
  where backend = ? and (tried, word) > (?, ?) and tried <= ? order by tried, word limit ?;
-- name: insert_named_ticket
insert into named_tickets values (?, ?, ?, 1, 0) on conflict (backend, word) do update set times = times + 1, tried = 0;
-- name: insert_unread_ticket
insert or ignore into named_tickets values (?, ?, ?, 1, 0);
-- name: delete_named_ticket
delete from named_tickets where backend = ? and word = ? and times = ?;
-- name: tried_named_ticket
update named_tickets set tried = ? where backend = ? and word = ?;
-- name: unnumbered_tickets
select incidents.n, incidents.id from tickets join incidents on incidents.n = tickets.incident
  where tickets.backend = ? and tickets.number = '' and tickets.incident < ? order by tickets.incident desc limit ?;
-- name: touch_incident
update incidents set touched = max(touched, 1) where n = ?;
-- name: status_of_ticket
update tickets set status = ?, at = ? where incident = ?;
-- name: dropped_open
select 1 from deliveries where incident = ? and backend = ? and action = 'open' and state = 'cancelled' and uncertain = 1 limit 1;
-- name: given_up_in_doubt
select json_extract(body, '$.status') from deliveries where incident = ? and backend = ? and uncertain = 1
  and state in ('dead', 'cancelled') and action in ('update', 'close', 'reopen') and settled_at >= ?;
-- name: dead_close
select 1 from deliveries where incident = ? and backend = ? and action = 'close'
  and (state = 'dead' or state = 'cancelled' and reason like 'dropped by %') limit 1;
-- name: refused_reopen
select 1 from deliveries join tickets on tickets.incident = deliveries.incident
  where deliveries.incident = ? and deliveries.backend = ? and action = 'reopen' and settled_at >= tickets.at
  and (state = 'dead' or state = 'cancelled' and reason like 'dropped by %') limit 1;
-- name: noted
select 1 from notes where incident = ? and kind = ? and text = ? limit 1;
-- name: decision_of_incident
select decision from incidents where n = ?;
-- name: tickets_to_reconcile
select incidents.n, incidents.id, incidents.state, incidents.touched, tickets.number, tickets.status, tickets.at from tickets
  join incidents on incidents.n = tickets.incident
  where tickets.backend = ? and (incidents.slot = 0 or incidents.closed_at >= ?) order by incidents.n;
-- name: desk_page
select desk_tickets.id, count(*) over () from desk_tickets left join desk_details on desk_details.ticket = desk_tickets.id
  where desk_tickets.updated_at >= ? and desk_tickets.updated_at <= ? and desk_tickets.declared_at >= ? and desk_tickets.declared_at <= ?
  and (? = 'null' or case when desk_tickets.rejected then 'rejected' else desk_tickets.status end in (select value from json_each(?)))
  and (? = 'null' or desk_tickets.priority in (select value from json_each(?)))
  and (? = 'null' or coalesce(nullif(desk_details.kind, ''), 'incident') in (select value from json_each(?)))
  and (? = 'null' or desk_tickets.element in (select value from json_each(?)))
  and (? = 'null' or case when desk_details.severity <> '' and desk_details.impact = desk_tickets.impact then desk_details.severity
    else json_extract(?, '$.' || desk_tickets.impact) end in (select value from json_each(?)))
  and (? = '[]' or coalesce(desk_details.client, '') <> '' or desk_tickets.contract in (select value from json_each(?)))
  order by desk_tickets.updated_at, desk_tickets.id limit ? offset ?;
-- name: desk_page_sorted
select desk_tickets.id, count(*) over () from desk_tickets left join desk_details on desk_details.ticket = desk_tickets.id
  where desk_tickets.id in (select value from json_each(?) union all select id from desk_tickets where ?)
  and desk_tickets.updated_at >= ? and desk_tickets.updated_at <= ? and desk_tickets.declared_at >= ? and desk_tickets.declared_at <= ?
  and (? = 'null' or case when desk_tickets.rejected then 'rejected' else desk_tickets.status end in (select value from json_each(?)))
  and (? = 'null' or desk_tickets.priority in (select value from json_each(?)))
  and (? = 'null' or coalesce(nullif(desk_details.kind, ''), 'incident') in (select value from json_each(?)))
  and (? = 'null' or desk_tickets.element in (select value from json_each(?)))
  and (? = 'null' or case when desk_details.severity <> '' and desk_details.impact = desk_tickets.impact then desk_details.severity
    else json_extract(?, '$.' || desk_tickets.impact) end in (select value from json_each(?)))
  and (? = '[]' or coalesce(desk_details.client, '') <> '' or desk_tickets.contract in (select value from json_each(?)))
  order by ? * case ? when 'id' then desk_tickets.id when 'creationDate' then desk_tickets.declared_at
    else desk_tickets.updated_at end, ? * desk_tickets.id limit ? offset ?;
-- name: list_client_tickets
select desk_tickets.number, desk_tickets.status, ?, '', desk_tickets.updated_at, desk_tickets.reference, desk_tickets.element,
  desk_tickets.impact, desk_tickets.declarant, '', desk_tickets.priority, desk_tickets.name, '', 0, desk_tickets.declared_at
  from desk_details join desk_tickets on desk_tickets.id = desk_details.ticket
  where desk_details.client <> '' and (? = '' or desk_tickets.status = ?) order by desk_details.ticket desc limit ?;
-- name: list_client_ticket
select desk_tickets.number, desk_tickets.status, ?, '', desk_tickets.updated_at, desk_tickets.reference, desk_tickets.element,
  desk_tickets.impact, desk_tickets.declarant, '', desk_tickets.priority, desk_tickets.name, '', 0, desk_tickets.declared_at
  from desk_tickets join desk_details on desk_details.ticket = desk_tickets.id
  where desk_tickets.number = ? and desk_details.client <> '';
