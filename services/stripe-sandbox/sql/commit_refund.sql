-- As commit_intent, for a refund: `version` is that of the intent with it.
with req as (
    select * from unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::int4[], $6::text[],
                         $7::text[], $8::int4[], $9::text[], $10::timestamptz[], $11::int8[], $12::text[], $13::text[],
                         $14::text[], $15::text[], $16::text[], $17::text[], $18::timestamptz[], $19::int4[])
        with ordinality as r (request, key, path, fingerprint, answer, body,
                              intent, version, id, created, amount, reason, metadata, status,
                              event, event_type, event_body, event_due, event_copies, ordinal)
), locked as (
    select i.id, i.version, i.charge from payment_intents i
     where i.id = any (array(select intent from req))
     order by i.id for update
), able as (
    select distinct on (r.intent) r.*, l.charge
      from req r join locked l on l.id = r.intent and r.version = l.version + 1
     order by r.intent, r.ordinal
), keyed as (
    insert into idempotency_keys (key, request, path, fingerprint, status, body)
    select key, request, path, fingerprint, answer, body from able where key is not null order by key
        on conflict do nothing
    returning request
), acting as (
    select * from able where key is null or request in (select request from keyed)
), changed as (
    update payment_intents i set version = a.version, refunded = i.refunded + a.amount
      from acting a where i.id = a.intent
    returning i.id
), refund as (
    insert into refunds (id, payment_intent, charge, created, amount, reason, metadata, status)
    select a.id, a.intent, a.charge, a.created, a.amount, a.reason, a.metadata::jsonb, a.status
      from acting a join changed c on c.id = a.intent
     order by a.id
), event as (
    insert into events (id, type, body, due, copies)
    select event, event_type, event_body, event_due, event_copies
      from acting where event is not null order by ordinal
)
select r.ordinal,
       case when a.request is not null then 'done' when k.key is not null then 'known' else 'again' end as verdict,
       k.request, k.path, k.fingerprint, k.status, k.body
  from req r
  left join acting a on a.request = r.request
  left join idempotency_keys k on k.key = r.key
 order by r.ordinal
