-- Takes charges whose PaymentIntent is to be created, in the order of their places in line: functions/take_due.sql.
select q.* from unnest($1::int4[], $2::int4[], $3::int4[]) as r (most, thousandths, extra)
 cross join lateral take_payments(r.most, r.thousandths, r.extra) q
