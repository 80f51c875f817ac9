-- Cancels orders that are not in this database: a failover lost them, and others know them from their events. What is said of them is
-- from the ticket's copy and from whoever asks; the buyer may be unknown (the nil UUID). The version counts against all that was
-- lost. A live order of the same ticket was placed since: it is told again behind that, with all of its purchase, as the ticket was not
-- its own until now. Which purchase a lost order was part of is not known here.
create or replace function end_lost_orders(order_ids uuid[], ticket_ids uuid[], user_ids uuid[], expiries timestamptz[],
                                           traceparents text[]) returns void language sql as $$
    with item as (
        select * from unnest(order_ids, ticket_ids, user_ids, expiries, traceparents)
            as i (order_id, ticket_id, user_id, expires_at, traceparent)
    ), lost as (
        insert into orders (id, version, ticket_id, user_id, seller_id, status, expires_at, grace_ends_at, price, currency, title,
                            ticket_version, reason, show_id)
        select i.order_id, greatest(next_version(0), 1000), i.ticket_id, coalesce(i.user_id, '00000000-0000-0000-0000-000000000000'),
               t.user_id, 'cancelled', i.expires_at, i.expires_at, t.price, t.currency, t.title, t.version, 'lost', t.show_id
          from item i
          join tickets t on t.id = i.ticket_id
         order by i.ticket_id
            on conflict do nothing
        returning *
    ), locked as materialized (
        select o.* from lock_purchases(array(select o.id from lost l join orders o on o.ticket_id = l.ticket_id
                                              where o.status in ('created', 'awaiting_payment'))) o
    ), live as (
        update orders o set version = next_version(l.version)
          from locked l
         where o.id = l.id and l.status in ('created', 'awaiting_payment')
        returning o.*
    ), told as (
        select 'OrderCancelled' as type, l.*, i.traceparent from lost l join item i on i.order_id = l.id
         union all
        select 'OrderCreated', l.*, (select i.traceparent from item i where i.ticket_id = l.ticket_id limit 1) from live l
    )
    insert into order_events (type, id, ticket_id, version, user_id, seller_id, status, expires_at, price, currency, title,
                              ticket_version, reason, traceparent, purchase_id, purchase_size, show_id)
    select type, id, ticket_id, version, user_id, seller_id, status, expires_at, price, currency, title, ticket_version, reason,
           traceparent, case type when 'OrderCreated' then purchase_of(id, purchase_size) end,
           case type when 'OrderCreated' then purchase_size end, show_id
      from told
     order by ticket_id, type
$$;
