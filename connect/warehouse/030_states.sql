-- How things stand: of each its newest event.

create or replace view tickets as
select distinct on (id)
       id, version, user_id as seller_id, title, price, currency, status, order_id, occurred_at as changed_at,
       show_id, area_id, area_name, row_name, seat
  from ticket_events
 order by id, version desc;

create or replace view shows as
select distinct on (id)
       id, version, user_id as seller_id, title, venue, city, starts_at, time_zone, currency, status, per_user,
       min(occurred_at) filter (where type = 'ShowAnnounced') over (partition by id) as announced_at, occurred_at as changed_at
  from show_events
 order by id, version desc;

create or replace view orders as
select distinct on (id)
       id, version, ticket_id, user_id as buyer_id, seller_id, status, reason, price, currency, title, expires_at,
       min(occurred_at) filter (where type = 'OrderCreated') over life as placed_at,
       min(occurred_at) filter (where type = 'OrderCompleted') over life as paid_at,
       min(occurred_at) filter (where type = 'OrderCancelled') over life as cancelled_at,
       -- Why it was cancelled: the newest event of a cancelled order may tell of its refund instead.
       min(reason) filter (where type = 'OrderCancelled') over life as cancelled_for,
       occurred_at as changed_at,
       coalesce(purchase_id, id) as purchase_id, coalesce(purchase_size, 1) as purchase_size, show_id
  from order_events
window life as (partition by id)
 order by id, version desc;

-- Orders that were placed together: they are paid, or end, together. An order by itself is a purchase of one. show_id: of which show all
-- of its tickets are.
create or replace view purchases as
select purchase_id as id, case when count(show_id) = count(*) and count(distinct show_id) = 1 then min(show_id::text)::uuid end as show_id, buyer_id, min(status) as status, count(*) as tickets, sum(price)::bigint as total, currency,
       min(placed_at) as placed_at, max(paid_at) as paid_at, max(cancelled_at) as cancelled_at, min(cancelled_for) as cancelled_for
  from orders
 group by purchase_id, buyer_id, currency;

-- What was paid for each order. A purchase is one charge at Stripe, and a row for each of its orders.
create or replace view payments as
select distinct on (id)
       id, version, order_id, ticket_id, user_id as buyer_id, status, amount, currency, attempt, final, stripe_id, reason,
       min(occurred_at) over life as started_at,
       min(occurred_at) filter (where type = 'PaymentCreated') over life as succeeded_at,
       min(occurred_at) filter (where type = 'PaymentRefunded') over life as refunded_at,
       occurred_at as changed_at, coalesce(purchase_id, order_id) as purchase_id
  from payment_events
window life as (partition by id)
 order by id, version desc;

create or replace view users as
select id, version, signed_up_at, changed_at
  from (select distinct on (id)
               id, version, min(occurred_at) over (partition by id) as signed_up_at, occurred_at as changed_at, deleted
          from user_events
         order by id, version desc) newest
 where deleted is not true; -- an account that is gone is nobody any more
