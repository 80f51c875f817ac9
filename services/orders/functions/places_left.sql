-- How many places are free for a request, side by side or not; and how many of them can be given together as it asks for: in rows that have
-- as many side by side, standing in one area. What rivals hold at this moment counts as it was before.
create or replace function places_left(r purchase_request, out remaining int, out fitting int) language plpgsql stable as $$
begin
    select coalesce(sum(a.free), 0), coalesce(case when r.together then max(a.fit) else sum(a.free) end, 0)
      into remaining, fitting
      from (select sum(bit_count(s.free::bit(64))) as free,
                   sum(bit_count(s.free::bit(64))) filter (where s.row_name is null or s.longest >= r.quantity) as fit
              from seat_rows s
             where s.show_id = r.show_id and s.accessible = r.accessible and s.rank between r.first_rank and r.last_rank
               and s.open and suits(s, r)
             group by s.area_id) a;
end
$$;

-- The highest price at which no place is free for a request, whatever it would pay.
create or replace function price_of_none(r purchase_request) returns bigint language plpgsql stable as $$
begin
    return coalesce((select min(s.price) - 1 from seat_rows s
                      where s.show_id = r.show_id and s.accessible = r.accessible and s.rank between r.first_rank and r.last_rank
                        and s.open and (r.area_id is null or s.area_id = r.area_id)), 9223372036854775807);
end
$$;
