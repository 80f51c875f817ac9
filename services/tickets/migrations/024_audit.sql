-- Who asked for an event, beside its user: the session, and from where. Null: it was nobody's request. Of such rows the topic
-- tickets-audit is told, and it alone.
alter table ticket_events
    add column session_id uuid,
    add column address    text, -- '': the client had left
    add column network    text; -- its /24 or /48
alter table show_events
    add column session_id uuid,
    add column address    text,
    add column network    text;
alter table entry_events
    add column user_id    uuid, -- who let in
    add column session_id uuid,
    add column address    text,
    add column network    text;
