-- Makes what a request decided true: the answer to its key, the intent (none: an answer only) and the event, together or not at
-- all. The `verdict`: 'done'; 'known', the key had its answer, which follows; 'again', the intent has changed meanwhile (or the key
-- is being answered on another connection): look and decide anew.
-- Intents are locked before keys and each in order, so that batches never deadlock.
with req as (
    select * from unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::int4[], $6::text[],
                         $7::text[], $8::int4[], $9::timestamptz[], $10::int8[], $11::text[], $12::text[], $13::text[],
                         $14::text[], $15::text[], $16::int8[], $17::text[], $18::text[], $19::text[], $20::int4[],
                         $21::timestamptz[], $22::text[],
                         $23::text[], $24::text[], $25::text[], $26::timestamptz[], $27::int4[])
        with ordinality as r (request, key, path, fingerprint, answer, body,
                              id, version, created, amount, currency, status, payment_method,
                              charge, failure, received, metadata, description, return_url, flags,
                              canceled, cancel_reason,
                              event, event_type, event_body, event_due, event_copies, ordinal)
), locked as (
    select i.id, i.version from payment_intents i
     where i.id = any (array(select id from req where version > 1))
     order by i.id for update
), able as ( -- of several that change one intent the first
    select distinct on (coalesce(r.id, r.request)) r.*
      from req r left join locked l on l.id = r.id
     where r.id is null or r.version = 1 or r.version = l.version + 1
     order by coalesce(r.id, r.request), r.ordinal
), keyed as (
    insert into idempotency_keys (key, request, path, fingerprint, status, body)
    select key, request, path, fingerprint, answer, body from able where key is not null order by key
        on conflict do nothing
    returning request
), acting as (
    select * from able where key is null or request in (select request from keyed)
), changed as (
    insert into payment_intents as i (id, version, created, amount, currency, status, payment_method, charge, failure, received,
                                      metadata, description, return_url, flags, canceled, cancel_reason)
    select id, version, created, amount, currency, status, payment_method, charge, failure, received,
           metadata::jsonb, description, return_url, flags, canceled, cancel_reason
      from acting where id is not null
     order by id
        on conflict (id) do update set
           status_before = case when i.status <> excluded.status then i.status else i.status_before end,
           failure_before = case when i.status <> excluded.status then i.failure else i.failure_before end,
           version = excluded.version, status = excluded.status, payment_method = excluded.payment_method,
           charge = excluded.charge, failure = excluded.failure, received = excluded.received,
           return_url = excluded.return_url, flags = excluded.flags, canceled = excluded.canceled,
           cancel_reason = excluded.cancel_reason
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
