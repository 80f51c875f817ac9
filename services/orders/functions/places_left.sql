-- How many places are free for a request, side by side or not; and how many of them are in rows that have as many together as it asks
-- for. What rivals hold at this moment counts as it was before.
create or replace function places_left(r purchase_request, out remaining int, out fitting int) language plpgsql stable as $$
begin
    select coalesce(sum(bit_count(s.free::bit(64))), 0),
           coalesce(sum(bit_count(s.free::bit(64)))
                        filter (where s.longest >= case when r.together and s.row_name is not null then r.quantity else 1 end), 0)
      into remaining, fitting
      from seat_rows s
     where s.show_id = r.show_id and s.accessible = r.accessible and s.rank between r.first_rank and r.last_rank
       and s.open and suits(s, r);
end
$$;
