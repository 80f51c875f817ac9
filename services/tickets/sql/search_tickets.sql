-- A page of what is on sale and has `pattern`, an ILIKE, in its title or venue, newest first. A common word is found soon by walking
-- down from the newest; where that does not fill the page, the trigram index knows all places. Without three letters or
-- digits in a row the pattern has no trigram: then the 10,000 newest are all that is looked at, so that nobody can have
-- the whole table read. `offset 0` keeps the planner from walking down the ids for the index's part too, which takes
-- forever for a rare word.
select r.ordinal, t.id, t.title, t.price, t.currency, t.user_id, t.status, t.order_id, t.version,
       to_char(t.date, 'YYYY-MM-DD') as date, t.venue, t.city
  from unnest($1::uuid[], $2::int4[], $3::text[]) with ordinality as r (before, most, pattern, ordinal)
 cross join lateral (
    with recent as materialized (
        select * from (
            select * from tickets t where t.status = 'available' and t.show_id is null and t.id < r.before order by t.id desc limit 10000) newest
         where (newest.title ilike r.pattern or newest.venue ilike r.pattern) and (newest.date is null or newest.date >= current_date - 1)
         order by newest.id desc
         limit r.most
    ), more as materialized (
        select count(*) < r.most and r.pattern ~ '[[:alnum:]]{3}' as wanted from recent
    )
    select * from recent where not (select wanted from more)
     union all
    (select * from (
        select * from tickets t where (select wanted from more) and t.status = 'available' and t.show_id is null
                           and (t.title ilike r.pattern or t.venue ilike r.pattern) offset 0) t
      where t.id < r.before and (t.date is null or t.date >= current_date - 1)
      order by t.id desc
      limit r.most)) t
 order by r.ordinal, t.id desc
