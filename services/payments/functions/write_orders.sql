-- For replicas of the version before, which know nothing of purchases: each order is one.
create or replace function write_orders(order_ids uuid[], versions int[], ticket_ids uuid[], user_ids uuid[], statuses text[],
                                        prices bigint[], currencies text[], expiries timestamptz[], traceparents text[])
returns void language plpgsql as $$
begin
    perform write_purchases(order_ids, versions, ticket_ids, user_ids, statuses, prices, currencies, expiries, traceparents, null, null, null);
end $$;
