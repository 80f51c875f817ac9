-- Who asked for an event, beside its user: the session, and from where. Null: it was nobody's request. Of such rows the topic
-- payments-audit is told, and it alone.
alter table payment_events
    add column session_id uuid,
    add column address    text, -- '': the client had left
    add column network    text; -- its /24 or /48

create type payment_asker as (session_id uuid, address text, network text);
alter table charges add column asker payment_asker; -- of the present attempt, until it has ended
