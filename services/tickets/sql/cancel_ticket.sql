-- Withdraws tickets that are on sale; one that is withdrawn already stays so, without another event. Places go with their show.
with req as (
    select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::text[], $6::text[]) with ordinality
        as r (id, user_id, traceparent, session_id, address, near, ordinal)
), wanted as (
    select distinct id from req
), locked as (
    select t.* from tickets t join wanted w on w.id = t.id order by t.id for update of t
), sellers as (
    select distinct on (r.id) r.* from req r join locked l on l.id = r.id and l.user_id = r.user_id order by r.id, r.ordinal
), changed as (
    update tickets t set status = 'cancelled', version = next_version(l.version)
      from locked l join sellers s on s.id = l.id
     where t.id = l.id and l.status = 'available' and l.show_id is null
    returning t.*
), event as (
    insert into ticket_events (type, id, version, user_id, title, price, currency, status, date, venue, city, traceparent, session_id, address,
                               network)
    select 'TicketCancelled', c.id, c.version, c.user_id, c.title, c.price, c.currency, c.status, to_char(c.date, 'YYYY-MM-DD'), c.venue,
           c.city, s.traceparent, s.session_id, s.address, s.near
      from changed c join sellers s on s.id = c.id
)
select r.ordinal,
       case when l.id is null then 'missing'
            when l.user_id <> r.user_id then 'forbidden'
            when l.show_id is not null then 'place'
            when l.status in ('reserved', 'sold') then l.status
            else 'done' end as verdict
  from req r
  left join locked l on l.id = r.id
 order by r.ordinal
