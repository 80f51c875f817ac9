-- Makes codes for sellers. Verdicts: made; repeated (the same Idempotency-Key again) with the salt of that time; other body; missing;
-- forbidden; cancelled; too many; again (the same key is on its way).
with req as (
    select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::int4[], $6::int4[], $7::uuid[], $8::text[]) with ordinality
        as r (id, show_id, user_id, key, count, uses, salt, hashes, ordinal)
), judged as (
    select r.*, k.salt as known_salt,
           case when k.id is not null
                then case when (k.show_id, k.count, k.uses) = (r.show_id, r.count, r.uses) then 'repeated' else 'other body' end
                when w.id is null or (w.user_id <> r.user_id and w.status <> 'announced') then 'missing'
                when w.user_id <> r.user_id then 'forbidden'
                when w.status = 'cancelled' then 'cancelled'
                when (select coalesce(sum(b.count), 0) from code_batches b where b.show_id = r.show_id) + r.count > 100000
                then 'too many' end as failure
      from req r
      left join code_batches k on k.user_id = r.user_id and k.key = r.key
      left join shows w on w.id = r.show_id
), batch as (
    insert into code_batches (id, user_id, key, show_id, count, uses, salt)
    select id, user_id, key, show_id, count, uses, salt from judged where failure is null order by user_id, key, id
        on conflict do nothing
    returning *
), code as (
    insert into codes (hash, show_id, uses)
    select h.hash, b.show_id, b.uses
      from batch b join req r on r.id = b.id cross join lateral unnest(r.hashes::uuid[]) as h (hash)
     order by h.hash
)
select j.ordinal, coalesce(j.failure, case when b.id is null then 'again' else 'made' end) as verdict, coalesce(b.salt, j.known_salt) as salt
  from judged j
  left join batch b on b.id = j.id
 order by j.ordinal
