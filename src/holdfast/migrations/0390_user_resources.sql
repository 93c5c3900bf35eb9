-- Which resources a user is: the practitioner who comes in as a user is the one who is booked (D-7).
-- depends: 0010_users, 0301_catalog

create table user_resources (
    business_id uuid not null,
    user_id uuid not null,
    resource_id uuid not null,
    primary key (business_id, user_id, resource_id),
    constraint user_resources_user foreign key (business_id, user_id) references users (business_id, id),
    constraint user_resources_resource foreign key (business_id, resource_id) references resources (business_id, id)
);
create index user_resources_by_resource on user_resources (business_id, resource_id);
select isolate('user_resources');
grant select, insert, delete on user_resources to holdfast_app;
