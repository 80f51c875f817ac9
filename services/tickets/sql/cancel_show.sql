-- Ends drafts; one that has ended already stays so, without another event. Its areas are marked: what is being made of them is waited
-- for, nothing more is made, and withdraw_places takes back what there is.
with req as (
    select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::text[], $6::text[]) with ordinality
        as r (id, user_id, traceparent, session_id, address, near, ordinal)
), locked as (
    select s.* from shows s where s.id in (select id from req) order by s.id for update of s
), sellers as (
    select distinct on (r.id) r.* from req r join locked l on l.id = r.id and l.user_id = r.user_id order by r.id, r.ordinal
), changed as (
    update shows s set status = 'cancelled', version = next_version(l.version), picture = null
      from locked l join sellers r on r.id = l.id
     where s.id = l.id and l.status = 'draft'
    returning s.*
), event as (
    insert into show_events (type, id, version, user_id, title, venue, city, starts_at, time_zone, description, currency, status, per_user,
                             phases, organizer, places, traceparent, session_id, address, network)
    select 'ShowCancelled', c.id, c.version, c.user_id, c.title, c.venue, c.city, c.starts_at, c.time_zone, c.description, c.currency,
           c.status, c.per_user, c.phases, c.organizer, c.place_count, r.traceparent, r.session_id, r.address, r.near
      from changed c join sellers r on r.id = c.id
), without_picture as (
    delete from show_pictures p using changed c where p.show_id = c.id
), without_former as (
    delete from former_pictures p using changed c where p.show_id = c.id
), locked_areas as (
    select a.id from areas a join changed c on c.id = a.show_id order by a.id for update of a
), ended as (
    update areas a set ended = true from locked_areas l where a.id = l.id
)
select r.ordinal,
       case when l.id is null or (l.user_id <> r.user_id and l.status <> 'announced') then 'missing'
            when l.user_id <> r.user_id then 'forbidden'
            when l.status = 'announced' then 'announced'
            else 'done' end as verdict
  from req r
  left join locked l on l.id = r.id
 order by r.ordinal
