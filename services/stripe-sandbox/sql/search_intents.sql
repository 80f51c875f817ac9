-- The payment intents that have this metadata and are older than what a search finds yet, newest first; the columns of look.sql.
select r.ordinal, null::text as request, null::text as path, null::bytea as fingerprint, null::int4 as answer, null::text as body,
       i.id, i.version, i.created, i.amount, i.currency, i.status as intent_status, i.payment_method, i.charge, i.failure,
       i.received, i.refunded, i.metadata::text as metadata, i.description, i.return_url, i.flags, i.canceled, i.cancel_reason
  from unnest($1::text[], $2::int4[]) with ordinality as r (doc, lag_ms, ordinal)
 cross join lateral (select * from payment_intents p
                      where p.metadata @> r.doc::jsonb and p.created <= now() - r.lag_ms * interval '1 ms'
                      order by p.id desc limit 100) i
 order by r.ordinal, i.id desc
