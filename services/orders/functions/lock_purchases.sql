-- Locks all orders of the purchases that some orders belong to, and answers them as they are then. Rows of seats are locked before
-- orders, both in one order for everybody. So whoever waits for a row of seats holds no order, and nothing deadlocks with
-- write_purchases, which holds rows of seats while it waits for an order that is being ended.
--
-- A consumer's transaction has several statements, each of which locks rows of seats and orders that consumers of other partitions
-- want, too. So of all who lock what is shared one is under way at a time, over all replicas, from the first such lock to its end.
-- With skip nothing is waited for, so no turn is needed: orders that another transaction is changing are left out, as are those whose
-- row of seats another one has.
create or replace function lock_purchases(order_ids uuid[], skip boolean default false) returns setof orders language plpgsql as $$
declare
    ids uuid[];
    seats uuid[];
    got uuid[];
    others uuid[];
    shared boolean;
begin
    select array_agg(o.id), array_agg(row_of(o.ticket_id)) filter (where o.show_id is not null),
           bool_or(o.show_id is not null or o.purchase_size > 1)
      into ids, seats, shared from orders_with(order_ids) o;
    if skip then
        got := array(select s.id from seat_rows s where s.id = any (seats) order by s.id for update skip locked);
        others := array(select s.id from seat_rows s where s.id = any (seats) and s.id <> all (got));
        return query select o.* from orders o where o.id = any (ids) and (o.show_id is null or row_of(o.ticket_id) <> all (others))
                      order by o.ticket_id for update skip locked;
    else
        if shared then
            perform pg_advisory_xact_lock(hashtextextended('lock_purchases', 0));
        end if;
        perform from seat_rows s where s.id = any (seats) order by s.id for update;
        return query select o.* from orders o where o.id = any (ids) order by o.ticket_id for update;
    end if;
end
$$;

-- Those orders, and the others of their purchases.
create or replace function orders_with(order_ids uuid[]) returns setof orders language sql stable as $$
    select distinct on (m.id) m.*
      from unnest(order_ids) as i (id)
      join orders o on o.id = i.id
     cross join lateral (select * from orders m
                          where m.id between purchase_of(o.id, o.purchase_size) and order_of(o.id, o.purchase_size, o.purchase_size)
                          order by m.id limit 8) m
$$;
