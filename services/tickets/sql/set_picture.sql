-- Gives shows their pictures, in place of those before. That is no change of a show for others: it has no event and no new version. Of
-- several pictures of a show in one batch the last one stays.
with req as (
    select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::bytea[], $6::bytea[], $7::bytea[]) with ordinality
        as r (id, user_id, picture, hash, small, medium, large, ordinal)
), locked as (
    select s.* from shows s where s.id in (select id from req) order by s.id for update of s
), judged as (
    select r.*, case when l.id is null or (l.user_id <> r.user_id and l.status <> 'announced') then 'missing'
                     when l.user_id <> r.user_id then 'forbidden'
                     when l.status = 'cancelled' then 'cancelled'
                     else 'done' end as verdict
      from req r
      left join locked l on l.id = r.id
), last as (
    select distinct on (id) * from judged where verdict = 'done' order by id, ordinal desc
), changed as (
    update shows s set picture = f.picture from last f where s.id = f.id returning s.*
), kept as (
    insert into show_pictures (show_id, hash, small, medium, large)
    select id, hash, small, medium, large from last order by id
        on conflict (show_id) do update
       set hash = excluded.hash, small = excluded.small, medium = excluded.medium, large = excluded.large
)
select j.ordinal, c.id, c.title, c.venue, c.city, c.starts_at, c.time_zone, c.description, c.currency, c.status, c.per_user, c.user_id,
       c.version, c.phases, c.picture, j.verdict
  from judged j
  left join changed c on c.id = j.id
 order by j.ordinal
