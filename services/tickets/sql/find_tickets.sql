-- A page of what is on sale by date, those without one last: those behind the ticket that `cursor` names. Where days are asked for, tickets
-- without one are left out, and days that are over always are. A city is found by its index; `pattern`, an ILIKE, in a title or a venue,
-- is looked for among the 10,000 that come first.
select r.ordinal, t.id, t.title, t.price, t.currency, t.user_id, t.status, t.order_id, t.version,
       to_char(t.date, 'YYYY-MM-DD') as date, t.venue, t.city
  from unnest($1::uuid[], $2::int4[], $3::text[], $4::text[], $5::text[], $6::text[]) with ordinality
    as r (cursor, most, pattern, city, begins, ends, ordinal)
  left join tickets c on c.id = r.cursor
 cross join lateral (
    select case when r.cursor is null then '-infinity' else coalesce(c.date, 'infinity') end as date,
           coalesce(r.cursor, '00000000-0000-0000-0000-000000000000') as id,
           greatest(r.begins::date, current_date - 1) as first,
           case when r.begins is null and r.ends is null then 'infinity' else coalesce(r.ends::date - 1, '9999-12-31') end as last) after
 cross join lateral (
    (select * from (
        select t.*, coalesce(t.date, 'infinity') as day from tickets t
         where r.city is null and t.status = 'available' and t.show_id is null
           and (coalesce(t.date, 'infinity'), t.id) > (after.date, after.id)
           and coalesce(t.date, 'infinity') between after.first and after.last
         order by coalesce(t.date, 'infinity'), t.id limit 10000) t
      where r.pattern is null or t.title ilike r.pattern or t.venue ilike r.pattern
      order by t.day, t.id limit r.most)
     union all
    (select * from (
        select t.*, coalesce(t.date, 'infinity') as day from tickets t
         where lower(t.city) = lower(r.city) and t.status = 'available' and t.show_id is null
           and (coalesce(t.date, 'infinity'), t.id) > (after.date, after.id)
           and coalesce(t.date, 'infinity') between after.first and after.last
         order by coalesce(t.date, 'infinity'), t.id limit 10000) t
      where r.pattern is null or t.title ilike r.pattern or t.venue ilike r.pattern
      order by t.day, t.id limit r.most)) t
 where r.cursor is null or c.id is not null
 order by r.ordinal, t.day, t.id
