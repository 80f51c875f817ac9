-- From which network the present attempt was made (common/http/req_network.c); null: from none of the Internet.
alter table charges add column network bigint;
-- squawk-ignore require-concurrent-index-creation
create index charges_declined on charges ((network >> 16), id) where network is not null and (state = 'failed' or attempt > 1);
