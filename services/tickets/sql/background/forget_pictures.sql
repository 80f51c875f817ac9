-- Forgets up to `most` pictures of shows that began 30 days ago, up to `most` that were replaced an hour ago, and up to `most` counts of
-- days before yesterday. Answers as make_places does; the counts are no pictures.
with req as (
    select most from unnest($1::int4[]) as r (most)
), over as (
    select s.id from shows s
     where s.picture is not null and s.starts_at < now() - interval '30 days'
     order by s.starts_at limit (select most from req)
       for update of s skip locked
), without as (
    update shows s set picture = null from over o where s.id = o.id
), gone as (
    delete from show_pictures p using over o where p.show_id = o.id
), replaced as (
    select f.show_id from former_pictures f
     where f.replaced_at < now() - interval '1 hour'
     order by f.replaced_at limit (select most from req)
       for update of f skip locked
), gone_too as (
    delete from former_pictures f using replaced r where f.show_id = r.show_id
), days as (
    select d.user_id, d.day from picture_days d
     where d.day < (now() at time zone 'UTC')::date - 1
     order by d.day limit (select most from req)
       for update of d skip locked
), without_days as (
    delete from picture_days d using days o where d.user_id = o.user_id and d.day = o.day
)
select ((select count(*) from over) + (select count(*) from replaced))::int8 as done, 0::int8 as found
