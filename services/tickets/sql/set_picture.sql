-- Gives shows their pictures, in place of those before, which are kept for a while. That is no change of a show for others: it has no event
-- and no new version. Of several pictures of a show in one batch the last one stays. The picture that is there already is not written again.
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
    update shows s set picture = f.picture from last f where s.id = f.id and s.picture is distinct from f.picture
), former as (
    insert into former_pictures (show_id, hash, small, medium, large, replaced_at)
    select p.show_id, p.hash, p.small, p.medium, p.large, now()
      from last f
     cross join lateral (select * from show_pictures n where n.show_id = f.id limit 1) p
     where p.hash <> f.hash
     order by p.show_id
        on conflict (show_id) do update
       set hash = excluded.hash, small = excluded.small, medium = excluded.medium, large = excluded.large, replaced_at = excluded.replaced_at
), kept as (
    insert into show_pictures (show_id, hash, small, medium, large)
    select id, hash, small, medium, large from last order by id
        on conflict (show_id) do update
       set hash = excluded.hash, small = excluded.small, medium = excluded.medium, large = excluded.large
     where show_pictures.hash <> excluded.hash
)
select j.ordinal, l.id, l.title, l.venue, l.city, l.starts_at, l.time_zone, l.description, l.currency, l.status, l.per_user, l.user_id,
       l.version, l.phases, f.picture, l.organizer, j.verdict
  from judged j
  left join locked l on l.id = j.id
  left join last f on f.id = j.id
 order by j.ordinal
