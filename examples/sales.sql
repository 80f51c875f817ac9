-- psql $WAREHOUSE_DATABASE_URL -f examples/sales.sql    What a morning after an on-sale wants to know.

\echo Sold, by hour
select to_char(hour at time zone 'UTC', 'YYYY-MM-DD HH24:MI') as hour, currency, sold, (revenue / 100.0)::numeric(12, 2) as revenue
  from sales_by_hour
 order by 1 desc, 2 limit 24;

\echo Of the orders placed in an hour
select c.placed, c.paid, c.expired, c.open, round(100 * c.paid_rate::numeric, 1) as "paid %", round(t.p50_seconds::numeric, 1) as "half paid within s"
  from conversion c
  left join time_to_pay t using (hour)
 order by hour desc limit 24;

\echo The tickets that people fought for
select title, orders, buyers, expired, status
  from hot_tickets
 limit 10;

\echo One order, from its first event to its last
select version, type, status, reason, occurred_at
  from order_events
 where id = (select id from order_events order by version desc, occurred_at desc limit 1)
 order by version;
