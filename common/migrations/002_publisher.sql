-- The publisher's epoch. A slot is named onsale_SERVICE_EPOCH; a new one is made when that slot is gone, and the retained
-- log is published again before the slot is read (republished turns true when that is done).
create table publisher_epoch (
    only_row    boolean primary key default true check (only_row),
    epoch       bigint  not null,
    republished boolean not null,
    since       timestamptz not null default now()
);
insert into publisher_epoch (epoch, republished) values (0, true);
