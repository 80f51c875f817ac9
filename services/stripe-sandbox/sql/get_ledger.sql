-- A page of the ledger, oldest first.
select r.ordinal, l.id, l.created, l.amount, l.currency, l.status, l.payment_method, l.captured, l.refunded, l.refunds, l.failure,
       l.metadata::text as metadata, l.refunds_failed, l.pending, l.dispute
  from unnest($1::text[], $2::int4[]) with ordinality as r (after, size, ordinal)
 cross join lateral (select * from ledger where id > r.after order by id limit r.size) l
 order by r.ordinal, l.id
