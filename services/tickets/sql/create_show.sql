-- Begins shows, as drafts. An Idempotency-Key that this seller used before gives the show of that time ('done'), or says that another
-- body came with it ('other'). 'again': a rival request with the same key committed behind this statement's snapshot.
with req as (
    select r.*, z.name is not null as zone_known,
           case when key is not null then hashtextextended(concat_ws(chr(1), title, venue, city, extract(epoch from starts_at),
               time_zone, coalesce(description, ''), currency, per_user, organizer), 0) end as hash
      from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::text[], $8::text[], $9::text[],
                  $10::int4[], $11::int4[], $12::text[], $13::text[], $14::text[], $15::uuid[], $16::text[], $17::text[]) with ordinality
        as r (id, user_id, title, venue, city, starts_at, time_zone, description, currency, decimals, per_user, key, traceparent, organizer,
              session_id, address, near, ordinal)
      left join time_zones z on z.name = r.time_zone
), placed as (
    insert into shows (id, version, user_id, title, venue, city, starts_at, time_zone, description, currency, decimals, per_user, status,
                       organizer, idempotency_key, idempotency_hash)
    select id, 1, user_id, title, venue, city, starts_at, time_zone, description, currency, decimals, per_user, 'draft', organizer, key,
           hash
      from req where zone_known order by id
        on conflict (user_id, idempotency_key) where idempotency_key is not null do nothing
    returning *
), event as (
    insert into show_events (type, id, version, user_id, title, venue, city, starts_at, time_zone, description, currency, status, per_user,
                             organizer, places, traceparent, session_id, address, network)
    select 'ShowCreated', p.id, p.version, p.user_id, p.title, p.venue, p.city, p.starts_at, p.time_zone, p.description, p.currency,
           p.status, p.per_user, p.organizer, 0, r.traceparent, r.session_id, r.address, r.near
      from placed p join req r using (id)
), known as ( -- new ones, those whose key was taken by an earlier request, or by a neighbour in this batch
    select r.ordinal, p.* from req r join placed p on p.id = r.id
     union all
    select r.ordinal, s.* from req r join shows s on s.user_id = r.user_id and s.idempotency_key = r.key
     union all
    select r.ordinal, p.* from req r join placed p on p.user_id = r.user_id and p.idempotency_key = r.key and p.id <> r.id
)
select r.ordinal, k.id, k.title, k.venue, k.city, k.starts_at, k.time_zone, k.description, k.currency, k.status, k.per_user, k.user_id,
       k.version, k.phases, k.picture, k.organizer,
       case when not r.zone_known then 'zone'
            when k.id is null then 'again'
            when k.id <> r.id and k.idempotency_hash <> r.hash then 'other'
            else 'done' end as verdict
  from req r
  left join known k on k.ordinal = r.ordinal
 order by r.ordinal
