-- Consents: what a person agreed to, and took back (D-8).
-- depends: 0005_privacy

-- Nothing here is ever changed: to give and to withdraw are rows of their own, and the last word that counts is what
-- stands. Whose it is, is told by the blind index of what reaches the person; that is all that has to be known.
create table consents (
    business_id uuid not null references businesses (id),
    id uuid not null default uuidv7(),
    subject blind_index not null,
    kind text not null,
    act text not null,
    -- Of the document that was agreed to; a withdrawal needs none.
    document_version text,
    -- booking: who acted had the token of a booking with this contact; staff: staff wrote down what they were told;
    -- claimed: anybody can say so.
    proof text not null,
    locale text,
    acted_at timestamptz not null default clock_timestamp(),
    primary key (business_id, id),
    constraint consents_kind_known check (kind in ('privacy_policy', 'terms', 'health_data', 'marketing')),
    constraint consents_act_known check (act in ('given', 'withdrawn')),
    constraint consents_proof_known check (proof in ('booking', 'staff', 'claimed')),
    constraint consents_version_given check (act = 'withdrawn' or document_version is not null),
    constraint consents_version_shape check (document_version ~ '^[A-Za-z0-9._-]{1,50}$'),
    constraint consents_locale_shape check (length(locale) <= 35)
);
create index consents_of_subject on consents (business_id, subject, acted_at);
select isolate('consents');
grant select, insert on consents to holdfast_app;
