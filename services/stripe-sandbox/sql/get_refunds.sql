-- Refunds by their own id, or by their intent's.
select r.ordinal, f.id, f.payment_intent, f.charge, f.created, f.amount, i.currency, f.reason, f.metadata::text as metadata, f.status,
       f.failure
  from unnest($1::text[], $2::text[]) with ordinality as r (id, intent, ordinal)
  join refunds f on f.id = r.id or f.payment_intent = r.intent
  join payment_intents i on i.id = f.payment_intent
 order by r.ordinal, f.id desc
