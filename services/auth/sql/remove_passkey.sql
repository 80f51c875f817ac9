-- Removes passkeys. Not `removed`: there is none of this id, or it is somebody else's. Letters tell of it. Users are locked in the order of their ids, so
-- batches never deadlock.
with req as (
    select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::uuid[], $6::text[]) with ordinality
        as r (user_id, passkey_id, language, traceparent, session_id, address, ordinal)
), done as (
    select r.*, d.*
      from (select * from req order by user_id, ordinal) r
     cross join lateral remove_passkey(r.user_id, r.passkey_id) d
), audit as (
    insert into audit_events (type, outcome, reason, user_id, session_id, subject_id, address, network, traceparent)
    select 'PasskeyRemove', 'Done', null, user_id, session_id, passkey_id, address, network_of(address), traceparent from done where removed order by ordinal
), letter as (
    insert into letter_events (type, id, user_id, expires_at, email, language, traceparent)
    select 'PasskeyRemoved', gen_random_uuid(), user_id, now() + interval '1 day', email, language, traceparent from done where removed
)
select ordinal, removed from done order by ordinal
