-- The orders of a purchase differ in the last digit of their ids alone, which counts them: 0 to 7. The purchase has the id of the
-- first. Of a purchase of one, the id may end in any digit.
create or replace function purchase_of(order_id uuid, size int) returns uuid language sql immutable parallel safe as $$
    select case size when 1 then order_id else (left(order_id::text, 35) || '0')::uuid end
$$;

create or replace function order_of(purchase_id uuid, size int, nth int) returns uuid language sql immutable parallel safe as $$
    select case size when 1 then purchase_id else (left(purchase_id::text, 35) || to_hex(nth - 1))::uuid end
$$;
