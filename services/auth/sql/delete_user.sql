-- Deletes accounts: 'done', 'code' (that of the second factor was wrong, or taken before), 'stale' (no longer the password that was checked) or 'gone'.
-- An event ends all sessions, then a tombstone lets the topic forget the account. Users are locked in the order of their ids, so batches never deadlock.
with req as (
    select * from unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::text[], $6::int8[], $7::bytea[], $8::bytea[]) with ordinality
        as r (id, checked_hash, traceparent, session_id, address, step, recovery, sealed, ordinal)
), coded as materialized (
    select r.*, c.code
      from (select * from req order by id, ordinal) r
     cross join lateral take_code(r.id, null, r.step, r.recovery, r.sealed) c (code)
), deleted as (
    select r.ordinal, r.id, r.traceparent, r.session_id, r.address, r.recovery, d.*
      from (select * from coded where code in ('taken', 'none') order by id, ordinal) r
     cross join lateral delete_account(r.id, r.checked_hash) d
), event as (
    insert into user_events (type, id, version, email, session_version, deleted, tombstone, traceparent)
    select 'UserUpdated', id, version, '', session_version, true, tombstone, traceparent
      from deleted cross join (values (false), (true)) as t (tombstone)
     where verdict = 'done' order by ordinal, tombstone
), audit as (
    insert into audit_events (type, outcome, reason, user_id, session_id, subject_id, address, network, traceparent)
    select 'AccountDelete', case when verdict = 'done' then 'Done' else 'Refused' end,
           case when verdict <> 'done' then verdict when recovery is not null then 'recovery code' end, id, session_id, null::uuid, address,
           network_of(address), traceparent
      from deleted where verdict <> 'gone' order by ordinal
)
select c.ordinal, coalesce(d.verdict, 'code') as verdict
  from coded c
  left join deleted d using (ordinal)
 order by c.ordinal
