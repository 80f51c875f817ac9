-- The payment intents that have this metadata and are older than what a search finds yet, newest first; the columns of look.sql. Old:
-- in the state before their last, which was none that is for good.
select r.ordinal, null::text as request, null::text as path, null::bytea as fingerprint, null::int4 as answer, null::text as body,
       i.id, i.version, i.created, i.amount, i.currency, coalesce(o.status, i.status) as intent_status, i.payment_method,
       case when o.status is null then i.charge end as charge, case when o.status is null then i.failure else i.failure_before end as failure,
       case when o.status is null then i.received else 0 end as received, case when o.status is null then i.refunded else 0 end as refunded,
       i.metadata::text as metadata, i.description, i.return_url, i.flags, case when o.status is null then i.canceled end as canceled,
       case when o.status is null then i.cancel_reason end as cancel_reason
  from unnest($1::text[], $2::int4[], $3::bool[]) with ordinality as r (doc, lag_ms, is_old, ordinal)
 cross join lateral (select * from payment_intents p
                      where p.metadata @> r.doc::jsonb and p.created <= now() - r.lag_ms * interval '1 ms'
                      order by p.id desc limit 100) i
 cross join lateral (select case when r.is_old then i.status_before end as status) o
 order by r.ordinal, i.id desc
