-- Writes to those who have lost their password: a link to a new one. Nobody else learns whether an address has an account: a row of links is
-- written in any case, so that the answer takes as long. One letter a user, and none to whom too many went.
with req as (
    select r.*, u.id as user_id, u.email as known_email
      from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[]) with ordinality as r (letter_id, email, language, traceparent, address, ordinal)
      left join users u on lower(u.email) = lower(r.email)
), wanted as (
    select distinct on (user_id) letter_id, user_id, known_email, language, traceparent
      from req where user_id is not null and letters_left(user_id) order by user_id, ordinal
), link as (
    insert into links (id, kind, user_id, email, expires_at)
    select letter_id, case when w.user_id is null then 'none' else 'reset' end, coalesce(w.user_id, letter_id), r.email,
           now() + interval '1 hour'
      from req r left join wanted w using (letter_id)
), letter as (
    insert into letter_events (type, id, user_id, expires_at, email, language, traceparent)
    select 'ResetPassword', letter_id, user_id, now() + interval '1 hour', known_email, language, traceparent from wanted
), audit as (
    insert into audit_events (type, outcome, reason, user_id, session_id, subject_id, address, network, traceparent)
    select 'PasswordResetRequest', case when w.letter_id is null then 'Refused' else 'Done' end,
           case when r.user_id is null then 'no account' when w.letter_id is null then 'too many' end, r.user_id, null::uuid, r.letter_id, r.address,
           network_of(r.address), r.traceparent
      from req r left join wanted w using (letter_id) order by r.ordinal
), swept as ( -- a few that are over, at least as many as this statement adds
    delete from links where id = any (array(
        select id from links where expires_at < now() order by expires_at limit 10 + 2 * (select count(*) from req) for update skip locked))
)
select ordinal from req order by ordinal
