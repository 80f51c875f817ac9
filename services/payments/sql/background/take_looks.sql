-- Takes charges that Stripe has to be asked about otherwise: functions/take_due.sql.
select q.* from unnest($1::int4[], $2::int4[], $3::int4[]) as r (most, thousandths, extra)
 cross join lateral take_looks(r.most, r.thousandths, r.extra) q
