-- What the public sends in: questions with their answers, the crises that they may tell of, and what moderators did.
-- depends: 0005_privacy, 0101_content

-- To go back to the release before, nothing is to be done: its servers do not know these tables.

create function ugc_may_become(p_from text, p_to text) returns boolean
language sql immutable parallel safe as $$
    select (p_from, p_to) in (
        ('new', 'in_review'), ('in_review', 'answered'), ('in_review', 'rejected'),
        ('answered', 'published'), ('answered', 'rejected'),
        -- What was published can be taken back.
        ('published', 'rejected')
    )
$$;

create table ugc_items (
    business_id uuid not null references businesses (id),
    id uuid not null,
    topic_id uuid,
    locale text not null,
    status text not null default 'new',
    -- 0 like any other, 1 escalated by staff, 2 may tell of a crisis.
    urgency smallint not null default 0,
    version integer not null default 1,
    -- What was asked, and where its answer is to be told; both sealed.
    text envelope not null,
    email envelope,
    email_index blind_index,
    -- An id of staff: of a user or of an API key.
    assigned_to uuid,
    -- What staff have written and approved for everybody to read.
    public_text text,
    public_answer text,
    consented_at timestamptz not null default clock_timestamp(),
    created_at timestamptz not null default clock_timestamp(),
    -- Until when somebody should have answered or rejected it; and when that was done first.
    due_at timestamptz not null,
    resolved_at timestamptz,
    published_at timestamptz,
    primary key (business_id, id),
    constraint ugc_items_topic foreign key (business_id, topic_id) references topics (business_id, id),
    constraint ugc_items_status_known check (status in ('new', 'in_review', 'answered', 'published', 'rejected')),
    constraint ugc_items_urgency_known check (urgency in (0, 1, 2)),
    constraint ugc_items_locale_shape check (locale ~ '^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$' and length(locale) <= 35),
    constraint ugc_items_email_found check ((email is null) = (email_index is null)),
    constraint ugc_items_taken_on check (status in ('new', 'rejected') or assigned_to is not null),
    constraint ugc_items_resolved check ((resolved_at is null) = (status in ('new', 'in_review'))),
    -- Everything that the public reads is there, and nothing of it is where it may not be read.
    constraint ugc_items_public check (
        num_nonnulls(public_text, public_answer, published_at) = case when status = 'published' then 3 else 0 end
    ),
    constraint ugc_items_public_length check (
        length(public_text) between 1 and 5000 and length(public_answer) between 1 and 20000
    )
);
create index ugc_items_queue on ugc_items (business_id, status, created_at, id);
create index ugc_items_urgent on ugc_items (business_id, status, urgency desc, created_at, id);
create index ugc_items_published on ugc_items (business_id, published_at, id) where status = 'published';
create index ugc_items_by_topic on ugc_items (business_id, topic_id) where topic_id is not null;
create index ugc_items_by_email on ugc_items (business_id, email_index) where email_index is not null;

-- A question is new when it comes; from there it goes along the transitions, and each change but sealing anew raises its
-- version by one.
create function guard_ugc_item() returns trigger
language plpgsql as $$
declare
    v_otherwise ugc_items;
begin
    if tg_op = 'INSERT' then
        if new.status <> 'new' then
            raise exception 'question % begins as %', new.id, new.status
                using errcode = 'check_violation', constraint = 'ugc_items_transition';
        end if;
        return new;
    end if;
    if new.status <> old.status and not ugc_may_become(old.status, new.status) then
        raise exception 'question % cannot go from % to %', old.id, old.status, new.status
            using errcode = 'check_violation', constraint = 'ugc_items_transition';
    end if;
    v_otherwise := new;
    v_otherwise.text := old.text;
    v_otherwise.email := old.email;
    v_otherwise.email_index := old.email_index;
    if v_otherwise is distinct from old and new.version <> old.version + 1 then
        raise exception 'a change of question % must raise its version by one', old.id
            using errcode = 'check_violation', constraint = 'ugc_items_version_step';
    end if;
    return new;
end $$;
create trigger guard_ugc_item before insert or update on ugc_items
    for each row execute function guard_ugc_item();

-- The last one counts; those before it were corrected.
create table ugc_answers (
    business_id uuid not null,
    id uuid not null,
    item_id uuid not null,
    text envelope not null,
    author uuid not null,
    created_at timestamptz not null default clock_timestamp(),
    primary key (business_id, id),
    constraint ugc_answers_item foreign key (business_id, item_id) references ugc_items (business_id, id)
);
create index ugc_answers_by_item on ugc_answers (business_id, item_id, created_at);

-- That a text may tell of a crisis, and of which kind; never the words that did.
create table ugc_triggers (
    business_id uuid not null,
    item_id uuid not null,
    category text not null,
    matched_at timestamptz not null default clock_timestamp(),
    primary key (business_id, item_id, category),
    constraint ugc_triggers_item foreign key (business_id, item_id) references ugc_items (business_id, id),
    constraint ugc_triggers_category_known check (
        category in ('suicide', 'self_harm', 'violence', 'abuse', 'eating_disorder', 'substances')
    )
);

create table moderation_actions (
    business_id uuid not null,
    id uuid not null,
    item_id uuid not null,
    -- The version of the question that it made.
    version integer not null,
    action text not null,
    from_status text not null,
    to_status text not null,
    actor uuid not null,
    reason text,
    comment envelope,
    occurred_at timestamptz not null default clock_timestamp(),
    primary key (business_id, id),
    constraint moderation_actions_item foreign key (business_id, item_id) references ugc_items (business_id, id),
    constraint moderation_actions_once unique (business_id, item_id, version),
    constraint moderation_actions_known check (action in ('assign', 'answer', 'publish', 'reject', 'escalate')),
    constraint moderation_actions_reason_known check (
        reason in ('spam', 'abusive', 'off_topic', 'duplicate', 'personal_data', 'crisis_handled', 'withdrawn', 'other')
    ),
    constraint moderation_actions_reasoned check ((reason is not null) = (action = 'reject'))
);

select isolate('ugc_items');
select isolate('ugc_answers');
select isolate('ugc_triggers');
select isolate('moderation_actions');

grant select, insert, update on ugc_items to holdfast_app;
-- What was done stays as it was done; ciphertext may be replaced.
grant select, insert, update (text) on ugc_answers to holdfast_app;
grant select, insert on ugc_triggers to holdfast_app;
grant select, insert, update (comment) on moderation_actions to holdfast_app;
