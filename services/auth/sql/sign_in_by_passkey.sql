-- Signs people in by passkeys: begins a session each. Not `begun`: what was signed is `wrong` by now (take_passkey); or ask again, as the account has changed
-- since it was looked up. Users are locked in the order of their ids, so batches never deadlock.
with req as (
    select * from unnest($1::uuid[], $2::int4[], $3::uuid[], $4::int4[], $5::text[], $6::text[], $7::text[], $8::bytea[], $9::int8[], $10::bytea[])
        with ordinality as r (user_id, version, session_id, seconds, address, browser, traceparent, credential, signed, nonce, ordinal)
), taken as materialized (
    select r.*, t.verdict
      from (select * from req order by user_id, ordinal) r
     cross join lateral take_passkey(r.user_id, r.version, r.credential, r.signed, r.nonce) t (verdict)
), begun as (
    select r.ordinal, r.user_id, r.version as session_version, r.session_id, r.address, r.traceparent, b.*
      from (select * from taken where verdict = 'taken' order by user_id, ordinal) r
     cross join lateral begin_session(r.user_id, r.version, r.session_id, r.seconds, r.address, r.browser, null, null) b
), event as ( -- of those for which there was no room any more
    insert into user_events (type, id, version, email, session_version, session_id, traceparent)
    select 'UserUpdated', user_id, version, email, session_version, ended, traceparent from begun where ended is not null order by version
), audit as (
    insert into audit_events (type, outcome, reason, user_id, session_id, subject_id, address, network, traceparent)
    select 'SignIn', 'Done', 'passkey', user_id, session_id, null::uuid, address, network_of(address), traceparent from begun where begun order by ordinal
), swept as ( -- a few that are over, at least as many as this statement adds
    delete from used_challenges where (user_id, nonce) in (
        select user_id, nonce from used_challenges where expires_at < now()
         order by expires_at limit 10 + 2 * (select count(*) from req) for update skip locked)
)
select t.ordinal, coalesce(b.begun, false) as begun, t.verdict = 'wrong' as wrong
  from taken t
  left join begun b using (ordinal)
 order by t.ordinal
