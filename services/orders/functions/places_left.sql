-- How many places are free for a request, side by side or not. What rivals hold at this moment counts as it was before.
create or replace function places_left(r purchase_request) returns int language plpgsql stable as $$
begin
    return (select coalesce(sum(bit_count(s.free::bit(64))), 0)
              from seat_rows s
             where s.show_id = r.show_id and s.accessible = r.accessible and s.open
               and (r.area_id is null or s.area_id = r.area_id)
               and (r.max_price is null or s.price <= r.max_price));
end
$$;

-- Whether there is room for a request that found none: in rows that rivals have locked, then.
create or replace function has_room(r purchase_request) returns boolean language plpgsql stable as $$
begin
    return coalesce((select sum(bit_count(s.free::bit(64)))
                       from seat_rows s
                      where s.show_id = r.show_id and s.accessible = r.accessible and s.open
                        and (r.area_id is null or s.area_id = r.area_id)
                        and (r.max_price is null or s.price <= r.max_price)
                        and s.longest >= case when r.together and s.row_name is not null then r.quantity else 1 end), 0) >= r.quantity;
end
$$;
