-- Keeps what is known of purchases up with the events of their orders; what is older changes nothing. The charge of one that was
-- cancelled is called off, or goes back.
--
-- The orders of a purchase are on several partitions, so their events come in any order, also in parts and again. But its orders change
-- together: versions, statuses and expiries are the same in all of them. So whichever event is the newest speaks for the purchase, and
-- each event brings the ticket and the price of its own order, however late it is.
--
-- - A cancellation that overtakes the creation of others ends the purchase. What comes then makes the others known, and nothing else.
-- - No attempt begins before all orders are known (start_attempts). So the amount of a charge that began is final.
-- - All of this takes the lock of the charge's row, as do attempts and answers of Stripe. A cancellation comes before an attempt begins,
--   which is refused, or after: then the rules call it off, or give all of it back once it succeeds.
-- - A replica of the version before, which knows no purchases, took the first order for a purchase of one: as long as nobody has paid
--   it becomes the whole again. Its others are known to that replica alone, so the purchase is not payable, and expires.
-- - An order of another buyer or currency than the rest is no part of it: the purchase never becomes known.
-- - An order that orders lost in a failover is cancelled without its buyer, its purchase and the size. What it told before, on the same
--   partition, is known here, so it is found, and ends the whole purchase.
create or replace function write_purchases(order_ids uuid[], versions int[], ticket_ids uuid[], user_ids uuid[], statuses text[],
                                           prices bigint[], currencies text[], expiries timestamptz[], traceparents text[],
                                           purchase_ids uuid[], sizes int[], seller_ids uuid[])
returns void language plpgsql as $$
declare cancelled uuid[];
begin
    if purchase_ids is null or array_position(purchase_ids, null) is not null then
        select array_agg(coalesce(told, known) order by ordinal) into purchase_ids
          from unnest(purchase_ids, purchases_of(order_ids)) with ordinality as e (told, known, ordinal);
    end if;
    with fresh as (
        insert into charges as c (order_id, order_version, ticket_id, user_id, order_status, amount, currency, expires_at, size, tickets,
                                  prices, seller_id)
        select distinct on (purchase_id) purchase_id, version, ticket_id, user_id, status,
               case when size > 1 then 0 else price end, currency, expires_at, coalesce(size, 1),
               case when size > 1 then array_fill(null::uuid, array[size]) end,
               case when size > 1 then array_fill(null::bigint, array[size]) end, seller_id
          from unnest(purchase_ids, versions, ticket_ids, user_ids, statuses, prices, currencies, expiries, sizes, seller_ids)
            as e (purchase_id, version, ticket_id, user_id, status, price, currency, expires_at, size, seller_id)
         order by purchase_id, version desc
            on conflict (order_id) do update
           set order_version = greatest(c.order_version, excluded.order_version),
               order_status = case when c.order_version < excluded.order_version then excluded.order_status else c.order_status end,
               expires_at = excluded.expires_at, seller_id = coalesce(c.seller_id, excluded.seller_id),
               size = case when c.state = 'none' then greatest(c.size, excluded.size) else c.size end,
               tickets = case when c.state = 'none' and c.size < excluded.size
                              then c.ticket_id || array_fill(null::uuid, array[excluded.size - 1]) else c.tickets end,
               prices = case when c.state = 'none' and c.size < excluded.size
                             then c.amount || array_fill(null::bigint, array[excluded.size - 1]) else c.prices end
         where c.order_version < excluded.order_version or c.size < excluded.size and c.state = 'none'
        returning c.order_id, c.order_status
    )
    select array_agg(order_id) into cancelled from fresh where order_status = 'cancelled';

    if (select max(size) from unnest(sizes) as s (size)) > 1 then
        update charges c
           set (tickets, prices, amount) = (
                   select array_agg(o.ticket_id order by o.place), array_agg(o.price order by o.place), coalesce(sum(o.price), 0)
                     from (select place, coalesce(c.tickets[place], k.tickets[array_position(k.places, place)]) as ticket_id,
                                  coalesce(c.prices[place], k.prices[array_position(k.places, place)]) as price
                             from generate_series(1, c.size) as place) o)
          from (select purchase_id, size, user_id, currency, array_agg(place_of(order_id)) as places, array_agg(ticket_id) as tickets,
                       array_agg(price) as prices
                  from unnest(order_ids, purchase_ids, sizes, user_ids, currencies, ticket_ids, prices)
                    as e (order_id, purchase_id, size, user_id, currency, ticket_id, price)
                 where size > 1
                 group by purchase_id, size, user_id, currency) k
         where c.order_id = k.purchase_id and (c.size, c.user_id, c.currency) = (k.size, k.user_id, k.currency)
           and array_position(c.tickets, null) is not null;
    end if;

    perform write_charges(array_agg(id), array_agg(null::int), array_agg('order_cancelled'::text), array_agg(null::text),
                          array_agg(null::text), array_agg(null::text), array_agg(null::text), array_agg(traceparent))
       from (select distinct on (id) * from unnest(purchase_ids, traceparents) as e (id, traceparent)
              where id = any (cancelled) order by id, traceparent) e
     having count(*) > 0;
end $$;

-- For replicas of the version before, which tell of no sellers.
create or replace function write_purchases(order_ids uuid[], versions int[], ticket_ids uuid[], user_ids uuid[], statuses text[],
                                           prices bigint[], currencies text[], expiries timestamptz[], traceparents text[],
                                           purchase_ids uuid[], sizes int[])
returns void language plpgsql as $$
begin
    perform write_purchases(order_ids, versions, ticket_ids, user_ids, statuses, prices, currencies, expiries, traceparents, purchase_ids,
                            sizes, null);
end $$;
