-- The version that follows. A standby that was promoted may lack the last changes of the primary, while their events are on the topic
-- already. It writes a timeline of its own, and goes on from a number that none of those changes had: the timeline's, less one, times
-- 100,000. So an event of a version is said in one way, and what is said after a promotion counts.
create or replace function next_version(version int) returns int language sql as $$
    select greatest(version + 1, (('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int - 1) % 20000 * 100000)
$$;
