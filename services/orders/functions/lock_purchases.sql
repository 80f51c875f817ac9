-- Locks all orders of the purchases that some orders belong to, and answers them as they are then. Rows of seats are locked before
-- orders, both in one order for everybody. So whoever waits for a row of seats holds no order, and nothing deadlocks with
-- write_purchases, which holds rows of seats while it waits for an order that is being ended. With skip, orders that another
-- transaction is changing are left out.
create or replace function lock_purchases(order_ids uuid[], skip boolean default false) returns setof orders language plpgsql as $$
declare
    ids uuid[];
begin
    perform from seat_rows r
      where r.id = any (array(select row_of(o.ticket_id) from orders_with(order_ids) o where o.show_id is not null))
      order by r.id for update;
    ids := array(select o.id from orders_with(order_ids) o);
    if skip then
        return query select o.* from orders o where o.id = any (ids) order by o.ticket_id for update skip locked;
    else
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
