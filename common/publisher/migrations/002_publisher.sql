-- The publisher's epoch. A slot is named onsale_SERVICE_EPOCH; a new one is made when that slot is gone, and the retained
-- log is published again before the slot is read (republished turns true when that is done). Epochs after the first
-- are the moment they began, in milliseconds: a database that was restored or made anew does not come upon one that its
-- topic has seen already.
create table publisher_epoch (
    only_row    boolean primary key default true check (only_row),
    epoch       bigint  not null,
    republished boolean not null,
    since       timestamptz not null default now()
);
insert into publisher_epoch (epoch, republished) values (0, true);
