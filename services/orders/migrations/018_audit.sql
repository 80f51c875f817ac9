-- Who asked for an event, beside its user: the session, and from where. Null: it was nobody's request. Of such rows the topic orders-audit
-- is told, and it alone.
alter table order_events
    add column session_id uuid,
    add column address    text, -- '': the client had left
    add column network    text; -- its /24 or /48

create type purchase_asker as (session_id uuid, address text, network text);
