-- Before a request acts: what was answered to its key, and the payment intent it is about.
select r.ordinal, k.request, k.path, k.fingerprint, k.status, k.body,
       i.id, i.version, i.created, i.amount, i.currency, i.status as intent_status, i.payment_method, i.charge, i.failure,
       i.received, i.refunded, i.metadata::text as metadata, i.description, i.return_url, i.flags, i.canceled, i.cancel_reason
  from unnest($1::text[], $2::text[]) with ordinality as r (key, id, ordinal)
  left join idempotency_keys k on k.key = r.key
  left join payment_intents i on i.id = r.id
 order by r.ordinal
