-- Edits tickets, but no places of shows. Two edits of a ticket by its seller in one batch: the first is done, the other is told
-- 'again', unless it is of a version that has passed; those of strangers stand in nobody's way. Rows are locked in the order of their ids, as
-- every statement here does, so batches never deadlock.
with req as (
    select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::int8[], $5::int4[], $6::text[], $7::text[], $8::text[], $9::text[],
                         $10::uuid[], $11::text[], $12::text[])
        with ordinality as r (id, user_id, title, price, if_version, traceparent, date, venue, city, session_id, address, near, ordinal)
), wanted as (
    select distinct id from req
), locked as (
    select t.* from tickets t join wanted w on w.id = t.id order by t.id for update of t
), first as (
    select distinct on (r.id) r.* from req r join locked l on l.id = r.id and l.user_id = r.user_id order by r.id, r.ordinal
), changed as (
    update tickets t
       set title = f.title, price = f.price, date = f.date::date, venue = f.venue, city = f.city, version = next_version(l.version)
      from first f join locked l on l.id = f.id
     where t.id = l.id and l.status = 'available' and l.show_id is null and l.version = coalesce(f.if_version, l.version)
    returning t.*
), event as (
    insert into ticket_events (type, id, version, user_id, title, price, currency, status, date, venue, city, traceparent, session_id, address,
                               network)
    select 'TicketUpdated', c.id, c.version, c.user_id, c.title, c.price, c.currency, c.status, f.date, c.venue, c.city, f.traceparent,
           f.session_id, f.address, f.near
      from changed c join first f on f.id = c.id
)
select r.ordinal, c.id, c.title, c.price, c.currency, c.user_id, c.status, c.order_id, c.version,
       to_char(c.date, 'YYYY-MM-DD') as date, c.venue, c.city,
       case when l.id is null then 'missing'
            when l.user_id <> r.user_id then 'forbidden'
            when l.show_id is not null then 'place'
            when l.status <> 'available' then l.status
            when f.ordinal is not null and c.id is not null then 'done'
            when f.ordinal is not null or r.if_version <> coalesce(c.version, l.version) then 'changed'
            else 'again' end as verdict
  from req r
  left join locked l on l.id = r.id
  left join first f on f.ordinal = r.ordinal
  left join changed c on c.id = r.id
 order by r.ordinal
