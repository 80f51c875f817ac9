-- Lists a ticket. An Idempotency-Key that this seller used before gives the ticket of that time, and says in
-- `same_body` whether the body is the one of that time. No id in a row: a rival request with the same key committed behind
-- this statement's snapshot; ask again.
with req as (
    select *, case when key is not null then hashtextextended(concat_ws(' ', price, title, date, E'\n' || venue, E'\t' || city), 0) end as hash
      from unnest($1::uuid[], $2::uuid[], $3::text[], $4::int8[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[],
                  $11::uuid[], $12::text[], $13::text[])
        with ordinality as r (id, user_id, title, price, currency, key, traceparent, date, venue, city, session_id, address, near, ordinal)
), placed as (
    insert into tickets (id, version, user_id, title, price, currency, status, date, venue, city, idempotency_key, idempotency_hash)
    select id, 1, user_id, title, price, currency, 'available', date::date, venue, city, key, hash from req order by id
        on conflict (user_id, idempotency_key) where idempotency_key is not null do nothing
    returning *
), event as (
    insert into ticket_events (type, id, version, user_id, title, price, currency, status, date, venue, city, traceparent, session_id, address,
                               network)
    select 'TicketCreated', p.id, p.version, p.user_id, p.title, p.price, p.currency, p.status, r.date, p.venue, p.city, r.traceparent,
           r.session_id, r.address, r.near
      from placed p join req r using (id)
), known as ( -- of those whose key was taken: by an earlier request, or by a neighbour in this batch
    select r.ordinal, t.* from req r join tickets t on t.user_id = r.user_id and t.idempotency_key = r.key
     union all
    select r.ordinal, p.* from req r join placed p on p.user_id = r.user_id and p.idempotency_key = r.key
     where p.id <> r.id
)
select r.ordinal,
       coalesce(p.id, k.id) as id,
       coalesce(p.title, k.title) as title,
       coalesce(p.price, k.price) as price,
       coalesce(p.currency, k.currency) as currency,
       coalesce(p.user_id, k.user_id) as user_id,
       coalesce(p.status, k.status) as status,
       coalesce(p.order_id, k.order_id) as order_id,
       coalesce(p.version, k.version) as version,
       to_char(coalesce(p.date, k.date), 'YYYY-MM-DD') as date,
       coalesce(p.venue, k.venue) as venue,
       coalesce(p.city, k.city) as city,
       p.id is not null or k.idempotency_hash = r.hash as same_body
  from req r
  left join placed p on p.id = r.id
  left join known k on k.ordinal = r.ordinal
 order by r.ordinal
