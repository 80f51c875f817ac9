-- Turns second factors on. Not `done`: it is on already, or another one was begun meanwhile. Letters tell of it. Users are locked in the order of their ids, so
-- batches never deadlock.
with req as (
    select * from unnest($1::uuid[], $2::bytea[], $3::int8[], $4::bytea[], $5::text[], $6::text[], $7::uuid[], $8::text[]) with ordinality
        as r (id, sealed, step, hashes, language, traceparent, session_id, address, ordinal)
), turned as (
    select r.ordinal, r.id, r.language, r.traceparent, r.session_id, r.address, t.*
      from (select * from req order by id, ordinal) r
     cross join lateral turn_on_second_factor(r.id, r.sealed, r.step, r.hashes) t
), audit as (
    insert into audit_events (type, outcome, reason, user_id, session_id, subject_id, address, network, traceparent)
    select 'SecondFactorOn', case when done then 'Done' else 'Refused' end, case when not done then 'stale' end, id, session_id, null::uuid, address,
           network_of(address), traceparent
      from turned order by ordinal
), letter as (
    insert into letter_events (type, id, user_id, expires_at, email, language, traceparent)
    select 'SecondFactorTurnedOn', gen_random_uuid(), id, now() + interval '1 day', email, language, traceparent from turned where done
)
select ordinal, done from turned order by ordinal
