-- What people ask. Times are UTC; a minute or hour is named by its beginning; amounts are in minor units, of one currency a row.
-- Rates are parts of 1.

-- What was sold when. A sale is an order that was paid and completed. Such an order ends again only after a failover that lost changes,
-- with the reason lost: then it does not count.
create or replace view sales_by_minute as
select date_trunc('minute', occurred_at, 'UTC') as minute, currency, count(*) as sold, sum(price)::bigint as revenue
  from order_events e
 where type = 'OrderCompleted'
   and not exists (select from order_events c where c.id = e.id and c.type = 'OrderCancelled' and c.version > e.version)
 group by 1, 2;

create or replace view sales_by_hour as
select date_trunc('hour', occurred_at, 'UTC') as hour, currency, count(*) as sold, sum(price)::bigint as revenue
  from order_events e
 where type = 'OrderCompleted'
   and not exists (select from order_events c where c.id = e.id and c.type = 'OrderCancelled' and c.version > e.version)
 group by 1, 2;

-- How many were let in when, at each door of a show.
create or replace view entries_by_minute as
select date_trunc('minute', occurred_at, 'UTC') as minute, show_id, door, count(*) as admitted
  from entry_events
 group by 1, 2, 3;

-- What became of the orders placed in an hour: paid, cancelled (of which expired), or still open.
create or replace view conversion as
select date_trunc('hour', placed_at, 'UTC') as hour, count(*) as placed,
       count(*) filter (where status = 'complete') as paid,
       count(*) filter (where status = 'cancelled') as cancelled,
       count(*) filter (where cancelled_for = 'expired') as expired,
       count(*) filter (where status in ('created', 'awaiting_payment')) as open,
       avg((status = 'complete')::int)::float8 as paid_rate
  from orders
 group by 1;

-- From placing an order to its payment, of the orders placed in an hour.
create or replace view time_to_pay as
select date_trunc('hour', placed_at, 'UTC') as hour, count(*) as paid,
       avg(seconds) as mean_seconds,
       percentile_cont(0.5) within group (order by seconds) as p50_seconds,
       percentile_cont(0.9) within group (order by seconds) as p90_seconds,
       percentile_cont(0.99) within group (order by seconds) as p99_seconds,
       max(seconds) as most_seconds
  from (select placed_at, extract(epoch from paid_at - placed_at)::float8 as seconds from orders where paid_at is not null) t
 group by 1;

-- Why orders placed in an hour were cancelled, and how many of all that were placed then: buyer, expired, ticket_cancelled,
-- payment_failed, lost.
create or replace view cancellations as
select hour, reason, count(*) as cancelled, count(*)::float8 / max(placed) as rate
  from (select date_trunc('hour', placed_at, 'UTC') as hour, cancelled_for as reason,
               count(*) over (partition by date_trunc('hour', placed_at, 'UTC')) as placed
          from orders) t
 where reason is not null
 group by 1, 2;

-- What people fight for: tickets by the times they were ordered. Who was refused is in demand_by_minute, for shows.
create or replace view hot_tickets as
select o.ticket_id, t.title, t.seller_id, t.status, o.orders, o.buyers, o.expired, o.cancelled, o.first_order_at, o.last_order_at
  from (select ticket_id, count(*) as orders, count(distinct buyer_id) as buyers,
               count(*) filter (where cancelled_for = 'expired') as expired,
               count(*) filter (where status = 'cancelled') as cancelled,
               min(placed_at) as first_order_at, max(placed_at) as last_order_at
          from orders group by 1) o
  left join tickets t on t.id = o.ticket_id
 order by o.orders desc, o.last_order_at desc, o.ticket_id;

-- How a show sells: of each area its places, as they are now, and what was earned with it.
create or replace view show_sales as
select t.show_id, s.title, s.venue, s.city, s.starts_at, t.area_id, t.area_name, t.currency, count(*) as places,
       count(*) filter (where t.status = 'available') as available,
       count(*) filter (where t.status = 'reserved') as held,
       count(*) filter (where t.status = 'sold') as sold,
       coalesce(sum(t.price) filter (where t.status = 'sold'), 0)::bigint as revenue
  from tickets t
  join shows s on s.id = t.show_id
 where t.status <> 'cancelled'
 group by t.show_id, s.title, s.venue, s.city, s.starts_at, t.area_id, t.area_name, t.currency;

-- How each area of a show sold, minute by minute, and how many of its places were free at the minute's end. By what streams/sales counted.
create or replace view show_sales_by_minute as
select s.show_id, s.area_id, a.area_name, s.minute, s.currency, s.placed, s.sold, s.returned, s.expired, s.revenue, s.final,
       (a.places - sum(s.placed - s.returned) over (partition by s.area_id order by s.minute))::bigint as places_left
  from (select show_id, area_id, minute, currency, sum(placed) as placed, sum(sold) as sold, sum(returned) as returned, sum(expired) as expired,
               sum(revenue)::bigint as revenue, bool_and(coalesce(final, false)) as final
          from area_sales group by 1, 2, 3, 4) s
  left join (select area_id, min(area_name) as area_name, count(*) as places
               from tickets where status <> 'cancelled' and area_id is not null group by 1) a on a.area_id = s.area_id;

-- The demand for a show: of each minute who came, who waited, and what became of what was asked for. `refused` is all that is called so.
create or replace view demand_by_minute as
select date_trunc('minute', occurred_at, 'UTC') as minute, show_id,
       sum(came) as came, sum(joined) as joined, sum(admitted) as admitted, sum(missed) as missed,
       sum(asked) as asked, sum(asked * (client = 'page')::int) as asked_by_page, sum(asked_places) as asked_places,
       sum(placed) as placed, sum(placed_places) as placed_places, sum(repeated) as repeated, sum(failed) as failed,
       sum(asked - placed - repeated - failed) as refused,
       sum(refused_sold_out) as refused_sold_out, sum(refused_too_few) as refused_too_few, sum(refused_not_together) as refused_not_together,
       sum(refused_taken) as refused_taken, sum(refused_price) as refused_price, sum(refused_limit) as refused_limit,
       sum(refused_not_open) as refused_not_open, sum(refused_over) as refused_over, sum(refused_not_sold) as refused_not_sold,
       sum(refused_queue_required) as refused_queue_required, sum(refused_area_required) as refused_area_required,
       sum(refused_code_required) as refused_code_required,
       sum(refused_code_wrong) as refused_code_wrong, sum(refused_code_used) as refused_code_used, sum(refused_other) as refused_other,
       sum(gave_up_places) as gave_up_places,
       sum(refused_lapsed) as refused_lapsed, sum(refused_crowded) as refused_crowded, sum(refused_fewer) as refused_fewer
  from demand_counts
 group by 1, 2;

-- The demand for each area of a show, null for requests that named none: tickets asked for, had, and given up again.
create or replace view demand_by_area as
select show_id, area_id, sum(asked) as asked, sum(asked_places) as asked_places, sum(placed_places) as placed_places,
       sum(refused_sold_out + refused_too_few + refused_not_together + refused_taken) as too_late, sum(gave_up_places) as gave_up_places,
       min(occurred_at) filter (where asked > 0) as first_asked_at, max(occurred_at) filter (where asked > 0) as last_asked_at
  from demand_counts
 group by 1, 2;

-- How many tickets of a show people buy together, and what became of these purchases.
create or replace view purchase_sizes as
select show_id, tickets, count(*) as placed,
       count(*) filter (where status = 'complete') as paid,
       count(*) filter (where cancelled_for = 'expired') as expired,
       count(*) filter (where status = 'cancelled') as cancelled,
       avg((status = 'complete')::int)::float8 as paid_rate
  from purchases
 where show_id is not null
 group by 1, 2;

create or replace view seller_revenue as
select seller_id, currency, count(*) as sold, sum(price)::bigint as revenue, min(paid_at) as first_sale_at, max(paid_at) as last_sale_at
  from orders
 where status = 'complete'
 group by 1, 2;

-- Charges that succeeded although their order ended: the money went back, or (refunded_at is null) is about to. And those of complete
-- orders that somebody refunded by hand at Stripe (cancelled_at is null).
create or replace view refunds as
select p.id as payment_id, p.order_id, p.buyer_id, p.amount, p.currency, o.cancelled_for, p.succeeded_at, o.cancelled_at, p.refunded_at,
       extract(epoch from p.refunded_at - greatest(p.succeeded_at, o.cancelled_at))::float8 as seconds
  from payments p
  left join orders o on o.id = p.order_id
 where p.succeeded_at is not null and (p.refunded_at is not null or o.status = 'cancelled');

-- Orders whose time was over: when the first signal was given, how many it took, and when the order ended (null: it is being paid, or
-- was paid after all).
create or replace view expirations as
select e.order_id, e.ticket_id, e.expires_at, e.signalled_at, e.signals, o.cancelled_at,
       extract(epoch from e.signalled_at - e.expires_at)::float8 as signal_seconds,
       extract(epoch from o.cancelled_at - e.expires_at)::float8 as cancel_seconds
  from (select order_id, ticket_id, expires_at, min(occurred_at) as signalled_at, count(*) as signals
          from expiration_events group by 1, 2, 3) e
  left join orders o on o.id = e.order_id and o.cancelled_for = 'expired';

-- How late expirations are, by the hour in which they were due.
create or replace view expiration_lateness as
select date_trunc('hour', expires_at, 'UTC') as hour, count(*) as due, count(cancelled_at) as cancelled,
       percentile_cont(0.5) within group (order by signal_seconds) as signal_p50_seconds,
       percentile_cont(0.99) within group (order by signal_seconds) as signal_p99_seconds,
       max(signal_seconds) as signal_most_seconds,
       percentile_cont(0.5) within group (order by cancel_seconds) as cancel_p50_seconds,
       percentile_cont(0.99) within group (order by cancel_seconds) as cancel_p99_seconds,
       max(cancel_seconds) as cancel_most_seconds
  from expirations
 group by 1;

-- The audit trail: who did what to an account, or tried, and to what else: subject_id.
create or replace view audit as
select occurred_at, type, outcome, reason, user_id, session_id, subject_id, network from audit_events
 union all
select occurred_at, type, case type when 'PaymentFailed' then 'Refused' else 'Done' end, null, user_id, session_id, id, network
  from (select * from ticket_deeds union all select * from order_deeds union all select * from payment_deeds) d;

-- Networks from which passwords are tried, by the hour: how many were wrong, of how many accounts and of how many addresses without one, and which accounts
-- were signed in to from there in that hour, where wrong ones had been tried: these may be lost. Many accounts with few tries each are stuffed credentials.
-- Wrong codes of a second factor count; that one was asked for does not.
create or replace view password_guessing as
select date_trunc('hour', occurred_at, 'UTC') as hour, network,
       count(*) filter (where outcome = 'Refused') as wrong,
       count(distinct user_id) filter (where outcome = 'Refused') as accounts,
       count(*) filter (where reason = 'no account') as no_account,
       array_agg(distinct user_id) filter (where outcome = 'Done') as signed_in
  from audit_events
 where type = 'SignIn' and coalesce(reason, '') not in ('too many', 'no code')
 group by 1, 2
having count(*) filter (where outcome = 'Refused') >= 20;

-- Who holds tickets and hardly ever pays, by the day: ten or more that were let go, and less than one of five paid.
create or replace view hoarding as
select date_trunc('day', placed_at, 'UTC') as day, buyer_id, count(*) as held,
       count(*) filter (where cancelled_for = 'expired') as ran_out,
       count(*) filter (where cancelled_for = 'buyer') as given_up,
       count(paid_at) as paid, count(distinct show_id) as shows
  from orders
 group by 1, 2
having count(*) filter (where cancelled_for in ('expired', 'buyer')) >= 10 and count(paid_at) * 5 < count(*);

-- Who tries out cards, by the day: five or more payments of a person that were declined, for how many purchases, and how many went through then.
create or replace view card_testing as
select date_trunc('day', occurred_at, 'UTC') as day, user_id as buyer_id,
       count(distinct (purchase, attempt)) filter (where type = 'PaymentFailed') as declined,
       count(distinct purchase) filter (where type = 'PaymentFailed') as purchases,
       count(distinct purchase) filter (where type = 'PaymentCreated') as paid
  from (select *, coalesce(purchase_id, order_id) as purchase from payment_events) e
 where type = 'PaymentCreated' or type = 'PaymentFailed' and coalesce(reason, '') not in ('order_ended', 'canceled', 'replaced')
 group by 1, 2
having count(distinct (purchase, attempt)) filter (where type = 'PaymentFailed') >= 5;

-- At whose tickets cards are tried, by the day: five or more payments that were declined, and more than went through; of how many buyers. By
-- which cards is on no topic: payments has it for a day (docs/failures.md).
create or replace view card_testing_sellers as
select date_trunc('day', e.occurred_at, 'UTC') as day, o.seller_id,
       count(distinct (purchase, attempt)) filter (where e.type = 'PaymentFailed') as declined,
       count(distinct e.user_id) filter (where e.type = 'PaymentFailed') as buyers,
       count(distinct purchase) filter (where e.type = 'PaymentCreated') as paid
  from (select *, coalesce(purchase_id, order_id) as purchase from payment_events) e
  join (select distinct id, seller_id from order_events) o on o.id = e.order_id
 where e.type = 'PaymentCreated' or e.type = 'PaymentFailed' and coalesce(e.reason, '') not in ('order_ended', 'canceled', 'replaced')
 group by 1, 2
having count(distinct (purchase, attempt)) filter (where e.type = 'PaymentFailed')
       >= greatest(5, 1 + count(distinct purchase) filter (where e.type = 'PaymentCreated'));

-- How far the warehouse is behind: of each table its newest event, and how long that took to get here.
create or replace view freshness as
select 'users' as topic, count(*) as events, max(occurred_at) as newest_at, max(loaded_at) as loaded_at from user_events
union all select 'tickets', count(*), max(occurred_at), max(loaded_at) from ticket_events
union all select 'shows', count(*), max(occurred_at), max(loaded_at) from show_events
union all select 'orders', count(*), max(occurred_at), max(loaded_at) from order_events
union all select 'payments', count(*), max(occurred_at), max(loaded_at) from payment_events
union all select 'audit', count(*), max(occurred_at), max(loaded_at) from audit_events
union all select 'tickets-audit', count(*), max(occurred_at), max(loaded_at) from ticket_deeds
union all select 'orders-audit', count(*), max(occurred_at), max(loaded_at) from order_deeds
union all select 'payments-audit', count(*), max(occurred_at), max(loaded_at) from payment_deeds
union all select 'entries', count(*), max(occurred_at), max(loaded_at) from entry_events
union all select 'expirations', count(*), max(occurred_at), max(loaded_at) from expiration_events
union all select 'demand', count(*), max(occurred_at), max(loaded_at) from demand_counts
union all select 'sales-by-minute', count(*), max(occurred_at), max(loaded_at) from ticket_sales
union all select 'show-sales', count(*), max(occurred_at), max(loaded_at) from area_sales;
