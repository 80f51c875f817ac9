-- Takes charges whose PaymentIntent is to be created, in the order of their places in line: functions/take_due.sql. Of each also what Stripe is
-- told beside; and whether it is to be asked which card it is first, which does no harm only before anything was sent.
select q.*, c.user_id, c.told_address, c.told_email, r.wary and q.sent_ago_ms = 86400000 and is_near_declines(c.user_id, c.network) as wary
  from unnest($1::int4[], $2::int4[], $3::int4[], $4::bool[]) as r (most, thousandths, extra, wary)
 cross join lateral take_payments(r.most, r.thousandths, r.extra) q
  left join lateral payer_of(q.order_id) c on q.ask = 'create' -- as it was when it was taken, not when this statement began
