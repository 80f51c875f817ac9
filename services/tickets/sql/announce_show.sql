-- Announces drafts that are complete: every place of every area is made, and orders knows it. One that is announced already stays so,
-- without another event. The counts of its areas come behind the verdict.
with req as (
    select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::text[], $6::text[]) with ordinality
        as r (id, user_id, traceparent, session_id, address, near, ordinal)
), locked as (
    select s.* from shows s where s.id in (select id from req) order by s.id for update of s
), count as (
    -- (The lock may have been waited for until another area was there, which this statement does not see: but its places are in l.)
    select l.id, l.place_count::int8 as places, coalesce(sum(a.made), 0)::int8 as made,
           coalesce(sum(least(a.known, a.made)), 0)::int8 as known
      from locked l left join areas a on a.show_id = l.id group by l.id, l.place_count
), judged as (
    select r.*, n.places, n.made, n.known,
           case when l.id is null or (l.user_id <> r.user_id and l.status <> 'announced') then 'missing'
                when l.user_id <> r.user_id then 'forbidden'
                when l.status <> 'draft' then l.status
                when l.starts_at <= now() then 'begun'
                when l.phases is not null and next_opening(l.phases) is null then 'sale over'
                when n.places = 0 then 'empty'
                when n.made < n.places then 'making'
                when n.known < n.places then 'unknown'
                else 'done' end as verdict
      from req r
      left join locked l on l.id = r.id
      left join count n on n.id = r.id
), first as (
    select distinct on (id) * from judged where verdict = 'done' order by id, ordinal
), changed as (
    update shows s set status = 'announced', version = next_version(l.version)
      from first f join locked l on l.id = f.id
     where s.id = l.id
    returning s.*
), event as (
    insert into show_events (type, id, version, user_id, title, venue, city, starts_at, time_zone, description, currency, status, per_user,
                             phases, organizer, places, traceparent, session_id, address, network)
    select 'ShowAnnounced', c.id, c.version, c.user_id, c.title, c.venue, c.city, c.starts_at, c.time_zone, c.description, c.currency,
           c.status, c.per_user, c.phases, c.organizer, c.place_count, f.traceparent, f.session_id, f.address, f.near
      from changed c join first f on f.id = c.id
), present as (
    select * from changed
     union all
    select * from locked where status = 'announced'
)
select j.ordinal, p.id, p.title, p.venue, p.city, p.starts_at, p.time_zone, p.description, p.currency, p.status, p.per_user, p.user_id,
       p.version, p.phases, p.picture, p.organizer,
       case j.verdict when 'announced' then 'done' else j.verdict end as verdict, j.places, j.made, j.known
  from judged j
  left join present p on p.id = j.id
 order by j.ordinal
