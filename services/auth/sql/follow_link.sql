-- Follows links of letters: kind 'verify', or 'reset' with a new password, of which another letter tells. `followed`: false for a link that is
-- used, over or void. Users are changed in the order of their ids, so batches never deadlock.
with req as (
    select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) with ordinality
        as r (link_id, kind, password_hash, language, traceparent, address, ordinal)
), first as (
    select distinct on (link_id, kind) * from req order by link_id, kind, ordinal
), followed as (
    select r.ordinal, r.kind, r.language, r.traceparent, f.*
      from (select f.*, l.user_id as whose from first f join links l on l.id = f.link_id order by l.user_id, f.ordinal) r
     cross join lateral follow_link(r.link_id, r.kind, r.password_hash) f
), done as (
    select * from followed where user_id is not null
), event as (
    insert into user_events (type, id, version, email, session_version, traceparent)
    select 'UserUpdated', user_id, version, email, session_version, traceparent from done order by ordinal
), letter as (
    insert into letter_events (type, id, user_id, expires_at, email, language, traceparent)
    select 'PasswordChanged', gen_random_uuid(), user_id, now() + interval '1 day', email, language, traceparent from done where kind = 'reset'
), audit as (
    insert into audit_events (type, outcome, reason, user_id, session_id, subject_id, address, network, traceparent)
    select case when r.kind = 'reset' then 'PasswordReset' else 'Verify' end, case when d.user_id is null then 'Refused' else 'Done' end,
           case when d.user_id is null then 'link' end, d.user_id, null::uuid, r.link_id, r.address, network_of(r.address), r.traceparent
      from req r left join done d using (ordinal) order by r.ordinal
)
select r.ordinal, d.user_id is not null as followed
  from req r
  left join done d using (ordinal)
 order by r.ordinal
