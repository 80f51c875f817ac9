-- Plans areas of drafts; making their tickets is for make_places. `rows` is null for standing places, or a JSON array of
-- {"n": name, "f": first seat, "p": places}. The price comes in hundredths, because the show knows its currency: 'price' where that has
-- no such price. Keys are as in create_show. Shows are locked, so that none is announced or cancelled meanwhile, and so that each area
-- without a rank gets one of its own.
with req as (
    select r.*, case when key is not null then hashtextextended(concat_ws(chr(1), show_id, name, hundredths, rank, accessible, rows, blocks,
               places), 0) end as hash
      from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::int8[], $6::int4[], $7::bool[], $8::text[], $9::int4[], $10::int4[],
                  $11::text[], $12::text[]) with ordinality
        as r (id, show_id, user_id, name, hundredths, rank, accessible, rows, blocks, places, key, traceparent, ordinal)
), locked as (
    select s.* from shows s where s.id in (select show_id from req) order by s.id for update of s
), known as (
    select r.ordinal, a.* from req r join areas a on a.user_id = r.user_id and a.idempotency_key = r.key
), judged as (
    select r.*, l.area_count, case l.decimals when 0 then r.hundredths / 100 else r.hundredths end as price,
           row_number() over (partition by r.show_id order by r.ordinal) as number,
           case when l.id is null or (l.user_id <> r.user_id and l.status <> 'announced') then 'missing'
                when l.user_id <> r.user_id then 'forbidden'
                when k.id is not null then 'known'
                when l.status <> 'draft' then l.status
                when l.decimals = 0 and (r.hundredths % 100 <> 0 or r.hundredths < 5000) or l.decimals = 2 and r.hundredths > 99999999
                then 'price' || l.decimals
                when l.area_count + row_number() over (partition by r.show_id order by r.ordinal) > 200 then 'full' end as failure
      from req r
      left join locked l on l.id = r.show_id
      left join known k on k.ordinal = r.ordinal
), placed as (
    insert into areas (id, show_id, user_id, name, price, seated, accessible, rank, blocks, places, traceparent, idempotency_key,
                       idempotency_hash)
    select id, show_id, user_id, name, price, rows is not null, accessible, coalesce(rank, area_count + number - 1), blocks, places,
           traceparent, key, hash
      from judged where failure is null order by id
        on conflict (user_id, idempotency_key) where idempotency_key is not null do nothing
    returning *
), seats as (
    insert into area_rows (area_id, block, name, first_seat, places)
    select p.id, seat_row.block - 1, seat_row.n, seat_row.f, seat_row.p
      from placed p
      join req r on r.id = p.id
     cross join lateral rows from (json_to_recordset(r.rows::json) as (n text, f int, p int)) with ordinality
        as seat_row (n, f, p, block)
), counted as (
    update shows s set area_count = s.area_count + n.areas, place_count = s.place_count + n.places
      from (select show_id, count(*)::int as areas, sum(places)::int as places from placed group by show_id) n
     where s.id = n.show_id
), found as (
    select * from known
     union all
    select r.ordinal, p.* from req r join placed p on p.id = r.id
     union all
    select r.ordinal, p.* from req r join placed p on p.user_id = r.user_id and p.idempotency_key = r.key and p.id <> r.id
)
select j.ordinal, f.id, f.name, f.price, l.currency, f.seated, f.accessible, f.rank, f.places, f.made, f.known,
       (select coalesce(sum(bit_count(free::bit(64))), 0) from seat_rows w where w.area_id = f.id)::int8 as free,
       case when j.failure <> 'known' then j.failure
            when f.id is null then 'again'
            when f.id <> j.id and f.idempotency_hash <> j.hash then 'other'
            else 'done' end as verdict
  from judged j
  left join found f on f.ordinal = j.ordinal
  left join locked l on l.id = j.show_id
 order by j.ordinal
