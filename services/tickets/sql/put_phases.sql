-- Sets the phases of shows; null: none. Two of a show in one batch: the first is done, the other is told 'again', unless it is of a
-- version that has passed.
with req as (
    select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::int4[], $5::text[], $6::uuid[], $7::text[], $8::text[]) with ordinality
        as r (id, user_id, phases, if_version, traceparent, session_id, address, near, ordinal)
), locked as (
    select s.* from shows s where s.id in (select id from req) order by s.id for update of s
), judged as (
    select r.*, l.version as old_version,
           case when l.id is null or (l.user_id <> r.user_id and l.status <> 'announced') then 'missing'
                when l.user_id <> r.user_id then 'forbidden'
                when l.status = 'cancelled' then 'cancelled'
                when exists (select from jsonb_path_query(r.phases::jsonb, '$[*].areas[*]') as named (area)
                              where not exists (select from areas a where a.show_id = r.id and a.id = (area #>> '{}')::uuid))
                then 'phase area'
                when l.version = coalesce(r.if_version, l.version) and l.status = 'announced'
                then judge_phases(l.phases::jsonb, r.phases::jsonb) end as failure
      from req r
      left join locked l on l.id = r.id
), first as (
    select distinct on (id) * from judged where failure is null order by id, ordinal
), changed as (
    update shows s set phases = f.phases, version = next_version(l.version)
      from first f join locked l on l.id = f.id
     where s.id = l.id and l.version = coalesce(f.if_version, l.version)
    returning s.*
), event as (
    insert into show_events (type, id, version, user_id, title, venue, city, starts_at, time_zone, description, currency, status, per_user,
                             phases, organizer, places, traceparent, session_id, address, network)
    select 'ShowUpdated', c.id, c.version, c.user_id, c.title, c.venue, c.city, c.starts_at, c.time_zone, c.description, c.currency,
           c.status, c.per_user, c.phases, c.organizer, c.place_count, f.traceparent, f.session_id, f.address, f.near
      from changed c join first f on f.id = c.id
)
select j.ordinal, c.id, c.title, c.venue, c.city, c.starts_at, c.time_zone, c.description, c.currency, c.status, c.per_user, c.user_id,
       c.version, c.phases, c.picture, c.organizer,
       case when j.failure is not null then j.failure
            when f.ordinal is not null and c.id is not null then 'done'
            when f.ordinal is not null or j.if_version <> coalesce(c.version, j.old_version) then 'changed'
            else 'again' end as verdict
  from judged j
  left join first f on f.ordinal = j.ordinal
  left join changed c on c.id = j.id
 order by j.ordinal
