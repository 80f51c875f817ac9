-- Adds passkeys: 'done', 'known', 'full', 'code' (that of the second factor was wrong, or taken before) or 'stale' (add_passkey). Letters tell of it. Users are
-- locked in the order of their ids, so batches never deadlock, unless two of them add the same credentials crosswise: one is sent again then.
with req as (
    select * from unnest($1::uuid[], $2::text[], $3::bytea[], $4::int4[], $5::bytea[], $6::int8[], $7::text[], $8::text[], $9::text[], $10::uuid[], $11::text[],
                         $12::int8[], $13::bytea[], $14::bytea[]) with ordinality
        as r (user_id, checked_hash, credential, algorithm, public_key, sign_count, name, language, traceparent, session_id, address,
              step, recovery, sealed, ordinal)
), coded as materialized (
    select r.*, c.code
      from (select * from req order by user_id, ordinal) r
     cross join lateral take_code(r.user_id, null, r.step, r.recovery, r.sealed) c (code)
), added as (
    select r.ordinal, r.user_id, r.language, r.traceparent, r.session_id, r.address, r.recovery, a.*
      from (select * from coded where code in ('taken', 'none') order by user_id, ordinal) r
     cross join lateral add_passkey(r.user_id, r.checked_hash, r.credential, r.algorithm, r.public_key, r.sign_count, r.name) a
), audit as (
    insert into audit_events (type, outcome, reason, user_id, session_id, subject_id, address, network, traceparent)
    select 'PasskeyAdd', case when verdict = 'done' then 'Done' else 'Refused' end,
           case when verdict <> 'done' then verdict when recovery is not null then 'recovery code' end, user_id, session_id, passkey_id, address,
           network_of(address), traceparent
      from added order by ordinal
), letter as (
    insert into letter_events (type, id, user_id, expires_at, email, language, traceparent)
    select 'PasskeyAdded', gen_random_uuid(), user_id, now() + interval '1 day', email, language, traceparent from added where verdict = 'done'
)
select c.ordinal, coalesce(a.verdict, 'code') as verdict, a.passkey_id, a.added_at
  from coded c
  left join added a using (ordinal)
 order by c.ordinal
