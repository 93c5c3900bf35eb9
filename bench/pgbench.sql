begin;
update schedules set taken = taken + 1 where id = 1;
insert into places (schedule_id, party) values (1, 1);
commit;
