-- What a dispute is about, by its payment intent; without an id there is none yet.
select r.ordinal, d.id, i.id as intent, i.charge, d.created, i.received, i.currency, d.status
  from unnest($1::text[]) with ordinality as r (intent, ordinal)
  join payment_intents i on i.id = r.intent
  left join disputes d on d.payment_intent = i.id
 where i.received > 0
 order by r.ordinal
