-- Edits shows; null leaves a thing as it is, and an empty description or organizer takes it away. The currency is that of the areas'
-- prices, so it stays once there are any. Two edits of a show by its seller in one batch: the first is done, the other is told 'again', unless it is of
-- a version that has passed. Shows are locked in the order of their ids, as every statement here does.
with req as (
    select r.*, z.name is not null as zone_known
      from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::text[], $8::text[], $9::text[],
                  $10::int4[], $11::int4[], $12::int4[], $13::text[], $14::text[], $15::uuid[], $16::text[], $17::text[]) with ordinality
        as r (id, user_id, title, venue, city, starts_at, time_zone, description, currency, decimals, per_user, if_version, traceparent,
              organizer, session_id, address, near, ordinal)
      left join time_zones z on z.name = r.time_zone
), locked as (
    select s.* from shows s where s.id in (select id from req) order by s.id for update of s
), judged as (
    select r.*, l.version as old_version, l.status,
           case when not r.zone_known then 'zone'
                when l.id is null or (l.user_id <> r.user_id and l.status <> 'announced') then 'missing'
                when l.user_id <> r.user_id then 'forbidden'
                when l.status = 'cancelled' then 'cancelled'
                when r.currency <> l.currency and l.area_count > 0 then 'currency' end as failure
      from req r
      left join locked l on l.id = r.id
), first as (
    select distinct on (id) * from judged where failure is null order by id, ordinal
), changed as (
    update shows s
       set title = f.title, venue = f.venue, city = f.city, starts_at = f.starts_at, time_zone = f.time_zone,
           description = nullif(coalesce(f.description, l.description), ''), currency = coalesce(f.currency, l.currency),
           decimals = coalesce(f.decimals, l.decimals), per_user = coalesce(f.per_user, l.per_user),
           organizer = nullif(coalesce(f.organizer, l.organizer), ''), version = next_version(l.version)
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
