-- Cancels orders that are not in this database: a failover lost them, and others know them from their events. What is said of them is
-- from the ticket's copy and from whoever asks; the buyer may be unknown (the nil UUID). The version counts against all that was
-- lost. A live order of the same ticket was placed since: it is told again behind that, as the ticket was not its own until now.
create or replace function end_lost_orders(order_ids uuid[], ticket_ids uuid[], user_ids uuid[], expiries timestamptz[],
                                           traceparents text[]) returns void language sql as $$
    with item as (
        select * from unnest(order_ids, ticket_ids, user_ids, expiries, traceparents)
            as i (order_id, ticket_id, user_id, expires_at, traceparent)
    ), lost as (
        insert into orders (id, version, ticket_id, user_id, seller_id, status, expires_at, grace_ends_at, price, currency, title,
                            ticket_version, reason)
        select i.order_id, greatest(next_version(0), 1000), i.ticket_id, coalesce(i.user_id, '00000000-0000-0000-0000-000000000000'),
               t.user_id, 'cancelled', i.expires_at, i.expires_at, t.price, t.currency, t.title, t.version, 'lost'
          from item i
          join tickets t on t.id = i.ticket_id
         order by i.ticket_id
            on conflict do nothing
        returning *
    ), live as (
        update orders o set version = next_version(o.version)
          from lost l
         where o.ticket_id = l.ticket_id and o.status in ('created', 'awaiting_payment')
        returning o.*
    )
    insert into order_events (type, id, ticket_id, version, user_id, seller_id, status, expires_at, price, currency, title,
                              ticket_version, reason, traceparent)
    select e.type, e.id, e.ticket_id, e.version, e.user_id, e.seller_id, e.status, e.expires_at, e.price, e.currency, e.title,
           e.ticket_version, e.reason, i.traceparent
      from (select 'OrderCancelled' as type, * from lost union all select 'OrderCreated', * from live) e
      join item i on i.ticket_id = e.ticket_id
     order by e.ticket_id, e.type
$$;
