-- Whether an area is kept for people who need its accessibility: a queue does not count its places as left.
alter table stock_events add column accessible boolean not null default false;
