-- Opens a dispute or ends it, and sends its event.
with req as (
    select * from unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[], $5::text[]) with ordinality
        as r (id, intent, created, status, event, ordinal)
), chosen as (
    select distinct on (intent) * from req order by intent, ordinal
), kept as (
    insert into disputes as d (id, payment_intent, created, status) select id, intent, created, status from chosen
        on conflict (payment_intent) do update set status = excluded.status
), flagged as (
    update payment_intents i set flags = case c.status when 'won' then i.flags & ~4 else i.flags | 4 end, version = i.version + 1
      from chosen c where i.id = c.intent
), event as (
    insert into events (id, type, body, due, copies)
    select c.event::json ->> 'id', c.event::json ->> 'type', c.event, c.created, 1 from chosen c
)
select ordinal from req order by ordinal
