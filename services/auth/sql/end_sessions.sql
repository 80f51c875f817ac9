-- Ends a session of a user, or all of them (`everywhere`). True: done, or nobody's any more. False: another request of this batch
-- changed the user: ask again. Those for the same session are done at once, and all of a user's by one for everywhere.
with req as (
    select * from unnest($1::uuid[], $2::uuid[], $3::bool[], $4::text[]) with ordinality as r (user_id, session_id, everywhere, traceparent, ordinal)
), first as (
    select distinct on (user_id) * from req order by user_id, everywhere desc, ordinal
), locked as materialized (
    select u.* from users u where u.id in (select user_id from first) order by u.id for update
), changed as (
    update users u
       set version = next_version(u.version), session_version = u.session_version + case when f.everywhere then 1 else 0 end
      from locked l join first f on f.user_id = l.id
     where u.id = l.id
    returning u.id, u.version, u.email, u.session_version, f.session_id, f.traceparent
), event as (
    insert into user_events (type, id, version, email, session_version, session_id, traceparent)
    select 'UserUpdated', id, version, email, session_version, session_id, traceparent from changed order by id
)
select r.ordinal, f.everywhere or f.session_id is not distinct from r.session_id or l.id is null as done
  from req r
  join first f using (user_id)
  left join locked l on l.id = r.user_id
 order by r.ordinal
