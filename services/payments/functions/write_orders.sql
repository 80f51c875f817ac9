-- Keeps what is known of orders up with their events; what is older changes nothing. The charge of one that was cancelled is
-- called off, or goes back.
create or replace function write_orders(order_ids uuid[], versions int[], ticket_ids uuid[], user_ids uuid[], statuses text[],
                                        prices bigint[], currencies text[], expiries timestamptz[], traceparents text[])
returns void language plpgsql as $$
declare cancelled uuid[];
begin
    with fresh as (
        insert into charges as c (order_id, order_version, ticket_id, user_id, order_status, amount, currency, expires_at)
        select order_id, version, ticket_id, user_id, status, price, currency, expires_at
          from unnest(order_ids, versions, ticket_ids, user_ids, statuses, prices, currencies, expiries)
            as e (order_id, version, ticket_id, user_id, status, price, currency, expires_at)
         order by order_id
            on conflict (order_id) do update
           set order_version = excluded.order_version, order_status = excluded.order_status, expires_at = excluded.expires_at
         where c.order_version < excluded.order_version
        returning c.order_id, c.order_status
    )
    select array_agg(order_id) into cancelled from fresh where order_status = 'cancelled';
    perform write_charges(array_agg(id), array_agg(null::int), array_agg('order_cancelled'::text), array_agg(null::text),
                          array_agg(null::text), array_agg(null::text), array_agg(null::text), array_agg(traceparent))
       from unnest(order_ids, traceparents) as e (id, traceparent) where id = any (cancelled) having count(*) > 0;
end $$;
