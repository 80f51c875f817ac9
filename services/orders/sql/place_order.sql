-- Places orders. What an item gets is its `verdict`:
--     placed       here is the order
--     repeated     the same Idempotency-Key again: here is the order of that time; 'other body': it was for another ticket
--     missing      no such ticket, or not yet
--     own, withdrawn, sold, reserved, limit
--     crowded, lapsed HOLDS SECONDS, fewer MOST  by who asks and from where (judge_origins.sql)
--     dearer, changed  it costs more than the buyer is ready to pay; it is not of the version that he saw. 'behind': not yet, here
--     place        it is a place of a show: place_purchase.sql is to place it
--     again        a rival request on its way decides (or the same one, with its key, in this batch): ask again
-- The unique indexes have the last word; a row that one of them refuses is told 'again', and the next snapshot shows why.
--
-- Nothing here can deadlock with its like on another connection. Of two that want a ticket one waits for the other; as rows go in
-- by ticket id, nobody waits for a ticket while he holds one behind it. For slots and keys nobody waits at all: a buyer's requests
-- are let in on one connection at a time, and elsewhere told 'again'.
with req as (
    select *, ($12::int4[])[1] > 0 and (select true from lapses l where l.user_id = r.user_id limit 1) as has_lapsed
      from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::int4[], $7::int4[], $8::int4[], $9::int8[],
                  $10::int4[], $11::int8[], $14::uuid[], $15::text[], $16::text[])
        with ordinality as r (id, user_id, ticket_id, key, traceparent, hold_seconds, grace_seconds, most, max_price, version, network,
                              session_id, address, near, ordinal)
), crowded as ( -- networks from which too many tickets are held, with what is asked for here
    select n.network
      from (select network, ($13::int4[])[1] as most, (sum(count(*)) over (partition by network | 65535))::bigint as more
              from req where network is not null group by network) n
     cross join lateral held_from(n.network, n.most) h
     where is_crowded(h.here, h.near, h.far, n.more, n.most)
), seen as (
    select r.*, t.user_id as seller_id, t.title, t.price, t.currency, t.version as ticket_version, k.id as known_id,
           case when k.ticket_id = r.ticket_id and k.purchase_size = 1 then 'repeated'
                when k.id is not null then 'other body'
                when t.id is null then 'missing'
                when t.version < r.version then 'behind'
                when t.show_id is not null and t.version = coalesce(r.version, t.version) then 'place'
                when t.user_id = r.user_id then 'own'
                when t.status = 'cancelled' then 'withdrawn'
                when t.status = 'sold' or h.status = 'complete' then 'sold'
                when h.id is not null then 'reserved'
                when r.max_price > 0 and thousandths(t.price, t.currency) > r.max_price then 'dearer'
                when t.version > r.version then 'changed'
                when r.network is not null and r.network in (select network from crowded) then 'crowded'
                else coalesce(case when r.has_lapsed then judge_lapses(r.user_id, array[r.ticket_id], ($12::int4[])[1]) end,
                              case when not pg_try_advisory_xact_lock(uuid_hash_extended(r.user_id, 0)) then 'again' end) end as refusal
      from req r
      left join tickets t on t.id = r.ticket_id
      left join orders h on h.ticket_id = r.ticket_id and h.status <> 'cancelled'
      left join orders k on k.user_id = r.user_id and k.idempotency_key = r.key
), ranked as ( -- of a buyer's requests the nth takes his nth free slot
    select s.*, row_number() over (partition by user_id order by ordinal) as nth,
           case when has_lapsed then holds_allowed(user_id, most) else most end as allowed,
           array(select hold_slot from orders o where o.user_id = s.user_id and o.hold_slot is not null) as taken
      from seen s
     where refusal is null
), able as (
    select *, case taken when '{}' then nth - 1
                   else (select slot from generate_series(0, most - 1) slot where slot <> all (taken)
                          order by slot offset nth - 1 limit 1) end as slot
      from ranked
     where nth <= allowed - cardinality(taken)
), placed as (
    insert into orders (id, version, ticket_id, user_id, seller_id, status, expires_at, grace_ends_at, price, currency, title,
                        ticket_version, hold_slot, idempotency_key, network)
    select distinct on (ticket_id)
           id, 1, ticket_id, user_id, seller_id, 'created',
           date_trunc('milliseconds', now()) + hold_seconds * interval '1 s',
           date_trunc('milliseconds', now()) + (hold_seconds + grace_seconds) * interval '1 s',
           price, currency, title, ticket_version, slot, key, network
      from able
     order by ticket_id, ordinal
        on conflict do nothing
    returning *
), event as (
    insert into order_events (type, id, ticket_id, version, user_id, seller_id, status, expires_at, price, currency, title,
                              ticket_version, traceparent, purchase_id, purchase_size, session_id, address, network)
    select 'OrderCreated', p.id, p.ticket_id, p.version, p.user_id, p.seller_id, p.status, p.expires_at, p.price, p.currency,
           p.title, p.ticket_version, r.traceparent, p.id, 1, r.session_id, r.address, r.near
      from placed p join req r on r.id = p.id
)
select s.ordinal,
       coalesce(p.id, k.id) as id,
       coalesce(p.status, k.status) as status,
       coalesce(p.expires_at, k.expires_at) as expires_at,
       coalesce(p.user_id, k.user_id) as user_id,
       coalesce(p.version, k.version) as version,
       coalesce(p.ticket_id, k.ticket_id) as ticket_id,
       coalesce(p.title, k.title) as title,
       coalesce(p.price, k.price) as price,
       coalesce(p.currency, k.currency) as currency,
       coalesce(p.ticket_version, k.ticket_version) as ticket_version,
       coalesce(p.reason, k.reason) as reason,
       coalesce(p.show_id, k.show_id) as show_id,
       case when p.id = s.id then 'placed'
            when s.refusal is not null then s.refusal
            when (p.user_id, p.idempotency_key) is distinct from (s.user_id, s.key) and p.id is not null then 'reserved'
            when cardinality(a.taken) >= a.most then 'limit'
            when cardinality(a.taken) >= a.allowed then 'fewer ' || a.allowed
            else 'again' end as verdict
  from seen s
  left join ranked a on a.ordinal = s.ordinal
  left join placed p on p.ticket_id = s.ticket_id
  left join orders k on k.id = s.known_id
 order by s.ordinal
