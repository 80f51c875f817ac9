-- The ids of a purchase's orders differ in the last hex digit alone, and so do those of their payments: it is the order's place, from 0.
-- Places are counted from 1 here, as arrays are.
create or replace function with_place(id uuid, place int) returns uuid language sql immutable as $$
    select overlay(id::text placing to_hex(place - 1) from 36)::uuid
$$;
create or replace function place_of(id uuid) returns int language sql immutable as $$
    select strpos('0123456789abcdef', right(id::text, 1))
$$;

-- The orders that a charge pays, each with the id and the amount of its payment. A purchase of one may have an id that ends in any digit.
create or replace function orders_of(c charges) returns table (order_id uuid, payment_id uuid, ticket_id uuid, amount bigint)
language sql immutable as $$
    select c.order_id, c.id, c.ticket_id, c.amount where c.size = 1
    union all
    select with_place(c.order_id, place), with_place(c.id, place), c.tickets[place], c.prices[place]
      from generate_series(1, c.size) as place where c.size > 1
$$;

-- The purchases that orders are part of, in this order; an order that is not known is taken for a purchase of one.
create or replace function purchases_of(order_ids uuid[]) returns uuid[] language sql stable as $$
    select array_agg(coalesce(c.order_id, i.order_id) order by i.ordinal)
      from unnest(order_ids) with ordinality as i (order_id, ordinal)
      left join charges c on c.order_id = with_place(i.order_id, 1) and c.size > 1 and c.size >= place_of(i.order_id)
$$;
