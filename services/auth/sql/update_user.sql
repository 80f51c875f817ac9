-- Changes users: 'done', 'taken' (somebody else has the e-mail) or 'stale' (no longer the password that was checked). Letters tell of it where the
-- account's mail went so far; with `verify` another one, with a link, goes to a new address. Links of before are void.
-- Who changes it has a session afterwards: a new one where all of before ended, otherwise his own, for longer.
with req as (
    select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bool[], $8::uuid[],
                         $9::uuid[], $10::int4[], $11::text[], $12::text[]) with ordinality
        as r (id, checked_hash, email, password_hash, traceparent, language, verify, letter_id, session_id, seconds, address, browser, ordinal)
), changed as (
    select r.ordinal, r.id, r.traceparent, r.language, r.letter_id, r.password_hash is not null as other_password,
           r.session_id, r.seconds, r.address, r.browser, c.*
      from (select * from req order by id, ordinal) r
     cross join lateral write_account(r.id, r.checked_hash, r.email, r.password_hash, r.verify) c
), done as (
    select * from changed where verdict = 'done'
), event as (
    insert into user_events (type, id, version, email, session_version, traceparent)
    select 'UserUpdated', id, version, email, session_version, traceparent from done order by ordinal
), ended as (
    delete from sessions where user_id in (select id from done where other_password or unverified)
), begun as (
    insert into sessions (id, user_id, version, expires_at, address, browser)
    select session_id, id, session_version, now() + seconds * interval '1 s', address, browser from done where other_password or unverified
), kept as (
    update sessions s set expires_at = now() + d.seconds * interval '1 s'
      from done d where s.id = d.session_id and not (d.other_password or d.unverified)
), audit as (
    insert into audit_events (type, outcome, reason, user_id, session_id, subject_id, address, network, traceparent)
    select 'AccountChange', case when verdict = 'done' then 'Done' else 'Refused' end,
           case when verdict <> 'done' then verdict when other_password and moved then 'password and address' when other_password then 'password'
                when moved then 'address' end,
           id, session_id, null::uuid, address, network_of(address), traceparent
      from changed order by ordinal
), void as (
    delete from links where user_id in (select id from done)
), link as (
    insert into links (id, kind, user_id, email, expires_at)
    select letter_id, 'verify', id, email, now() + interval '1 hour' from done where unverified
), letter as (
    insert into letter_events (type, id, user_id, expires_at, email, language, traceparent)
    select 'PasswordChanged', gen_random_uuid(), id, now() + interval '1 day', old_email, language, traceparent from done where other_password
     union all
    select 'AddressChanged', gen_random_uuid(), id, now() + interval '1 day', old_email, language, traceparent from done where moved
     union all
    select 'VerifyAddress', letter_id, id, now() + interval '1 hour', email, language, traceparent from done where unverified
)
select ordinal, verdict, email
  from changed
 order by ordinal
