-- What a business writes to its clients: texts with placeholders, which are filled when a message is sent.
-- depends: 0005_privacy

create table message_templates (
    business_id uuid not null references businesses (id),
    kind text not null,
    locale text not null,
    channel text not null,
    -- From 1; the greatest is in use, the others are what was written before.
    version integer not null,
    subject text,
    body text not null,
    written_at timestamptz not null default clock_timestamp(),
    primary key (business_id, kind, locale, channel, version),
    constraint message_templates_kind_shape check (kind ~ '^[a-z][a-z0-9_]{0,63}$'),
    constraint message_templates_locale_known check (locale in ('en', 'ru')),
    constraint message_templates_channel_known check (channel in ('email', 'email_html', 'sms')),
    constraint message_templates_version_positive check (version > 0),
    constraint message_templates_subject_where_shown check ((subject is not null) = (channel in ('email', 'email_html'))),
    constraint message_templates_subject_length check (length(subject) between 1 and 200),
    constraint message_templates_body_length check (length(body) between 1 and 20000)
);
-- A version that was sent stays as it was.
grant select, insert on message_templates to holdfast_app;
select isolate('message_templates');
