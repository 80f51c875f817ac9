-- The timeline of the server's WAL at which the epoch began. A standby that was promoted, and a server that was recovered to a point
-- in time, write one of their own: positions from there on stand for other events, whatever slots came along.
alter table publisher_epoch add column timeline text;
update publisher_epoch set timeline = left(pg_walfile_name(pg_current_wal_lsn()), 8);
alter table publisher_epoch alter column timeline set not null;
