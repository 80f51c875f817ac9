-- Turns second factors off: 'done', 'off' (none was on), 'code' (it was wrong, or taken before) or 'stale' (no longer the password that was checked). Letters
-- tell of it. Users are locked in the order of their ids, so batches never deadlock.
with req as (
    select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::uuid[], $6::text[], $7::int8[], $8::bytea[], $9::bytea[]) with ordinality
        as r (id, checked_hash, language, traceparent, session_id, address, step, recovery, sealed, ordinal)
), coded as materialized (
    select r.*, c.code
      from (select * from req order by id, ordinal) r
     cross join lateral take_code(r.id, null, r.step, r.recovery, r.sealed) c (code)
), turned as (
    select r.ordinal, r.id, r.language, r.traceparent, r.session_id, r.address, r.recovery, t.*
      from (select * from coded where code in ('taken', 'none') order by id, ordinal) r
     cross join lateral turn_off_second_factor(r.id, r.checked_hash) t
), audit as (
    insert into audit_events (type, outcome, reason, user_id, session_id, subject_id, address, network, traceparent)
    select 'SecondFactorOff', case when verdict = 'done' then 'Done' else 'Refused' end,
           case when verdict <> 'done' then verdict when recovery is not null then 'recovery code' end, id, session_id, null::uuid, address,
           network_of(address), traceparent
      from turned where verdict <> 'off' order by ordinal
), letter as (
    insert into letter_events (type, id, user_id, expires_at, email, language, traceparent)
    select 'SecondFactorTurnedOff', gen_random_uuid(), id, now() + interval '1 day', email, language, traceparent from turned where verdict = 'done'
)
select c.ordinal, coalesce(t.verdict, 'code') as verdict
  from coded c
  left join turned t using (ordinal)
 order by c.ordinal
