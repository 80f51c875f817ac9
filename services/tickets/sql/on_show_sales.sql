-- Keeps the newest row of each area, minute and part, whatever order they come in. What comes again changes nothing.
-- A show's rows come by the hundred in an on-sale.
-- @any order
insert into show_sales as s (show_id, minute, area_id, part, version, placed, sold, returned, revenue)
select distinct on (show_id, minute, area_id, part) show_id, minute, area_id, part, version, placed, sold, returned, revenue
  from unnest($1::uuid[], $2::timestamptz[], $3::uuid[], $4::int4[], $5::int4[], $6::int4[], $7::int4[], $8::int4[], $9::int8[])
    as e (show_id, minute, area_id, part, version, placed, sold, returned, revenue)
 order by show_id, minute, area_id, part, version desc
    on conflict (show_id, minute, area_id, part) do update
       set version = excluded.version, placed = excluded.placed, sold = excluded.sold, returned = excluded.returned, revenue = excluded.revenue
     where s.version < excluded.version
