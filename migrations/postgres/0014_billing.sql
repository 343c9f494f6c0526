-- What is metered is an instance or a database: `subject_id` is the application, or the database itself. A record is settled when it
-- has ended and stands in the ledger up to its end, no less and no more.
ALTER TABLE usage_records RENAME COLUMN application_id TO subject_id;
ALTER TABLE usage_records RENAME COLUMN instance_id TO resource_id;
ALTER TABLE usage_records ADD COLUMN kind TEXT NOT NULL DEFAULT 'instance';
ALTER TABLE usage_records ADD COLUMN settled BOOLEAN NOT NULL DEFAULT FALSE;
UPDATE usage_records SET settled = TRUE WHERE ended_at IS NOT NULL AND rated_until = ended_at;
CREATE INDEX usage_records_due ON usage_records (settled, organization_id, rated_until, id);

-- A ledger entry takes from one account and gives to another, so that both sides are one row. What was rated before there were
-- wallets was charged to nobody. `sequence` counts an organization's entries.
ALTER TABLE ledger_entries RENAME COLUMN application_id TO subject_id;
ALTER TABLE ledger_entries RENAME COLUMN instance_id TO resource_id;
ALTER TABLE ledger_entries ADD COLUMN debit TEXT NOT NULL DEFAULT 'waived';
ALTER TABLE ledger_entries ADD COLUMN credit TEXT NOT NULL DEFAULT 'revenue';
ALTER TABLE ledger_entries ADD COLUMN balance_after_nanos BIGINT NOT NULL DEFAULT 0;
ALTER TABLE ledger_entries ADD COLUMN sequence BIGINT NOT NULL DEFAULT 0;
ALTER TABLE ledger_entries ADD COLUMN quantity_micros BIGINT NULL;
ALTER TABLE ledger_entries ADD COLUMN hourly_rate_nanos BIGINT NULL;
ALTER TABLE ledger_entries ADD COLUMN used_before_micros BIGINT NULL;
-- The one on which it stands. Nothing else of an entry ever changes.
ALTER TABLE ledger_entries ADD COLUMN invoice_id UUID NULL;
UPDATE ledger_entries SET amount_nanos = -amount_nanos WHERE amount_nanos < 0;
UPDATE ledger_entries SET sequence = numbered.number FROM
    (SELECT id, ROW_NUMBER() OVER (PARTITION BY organization_id ORDER BY created_at, id) AS number FROM ledger_entries) AS numbered
    WHERE numbered.id = ledger_entries.id;
CREATE UNIQUE INDEX ledger_entries_in_sequence ON ledger_entries (organization_id, sequence);
CREATE INDEX ledger_entries_of_period ON ledger_entries (organization_id, period_start);
CREATE INDEX ledger_entries_of_resource ON ledger_entries (resource_id, period_end);

-- The wallet of an organization: what its entries come to, written with them.
CREATE TABLE billing_accounts (
    organization_id UUID NOT NULL PRIMARY KEY REFERENCES organizations (id),
    balance_nanos BIGINT NOT NULL,
    credit_limit_nanos BIGINT NOT NULL CHECK (credit_limit_nanos >= 0),
    sequence BIGINT NOT NULL,
    status TEXT NOT NULL,
    status_since TIMESTAMPTZ NOT NULL,
    grace_ends_at TIMESTAMPTZ NULL
);
INSERT INTO billing_accounts (organization_id, balance_nanos, credit_limit_nanos, sequence, status, status_since)
    SELECT organization_id, 0, 0, COUNT(*), 'active', MAX(created_at) FROM ledger_entries GROUP BY organization_id;

-- What each subject used and was charged a day (UTC), written with the entries it sums up: for trends and for the month so far.
CREATE TABLE usage_days (
    organization_id UUID NOT NULL REFERENCES organizations (id),
    subject_id UUID NOT NULL,
    kind TEXT NOT NULL,
    day TIMESTAMPTZ NOT NULL,
    micros BIGINT NOT NULL,
    amount_nanos BIGINT NOT NULL,
    PRIMARY KEY (organization_id, day, subject_id, kind)
);

-- Applications that are held back. Their data stays.
CREATE TABLE suspensions (
    application_id UUID NOT NULL PRIMARY KEY REFERENCES applications (id) ON DELETE CASCADE,
    organization_id UUID NOT NULL REFERENCES organizations (id),
    reason TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX suspensions_of_organization ON suspensions (organization_id);

-- See 0009.
DO $$
DECLARE
    guarded RECORD;
    everything CONSTANT TEXT := '(SELECT COALESCE(current_setting(''slipway.organizations'', true), '''')) = ''''';
    own CONSTANT TEXT := 'ANY ((SELECT NULLIF(current_setting(''slipway.organizations'', true), '''')::UUID[])::UUID[])';
BEGIN
    FOR guarded IN SELECT unnest(ARRAY['billing_accounts', 'usage_days', 'suspensions']) AS name LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', guarded.name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', guarded.name);
        EXECUTE format('CREATE POLICY of_the_caller ON %I USING (%s OR organization_id = %s)', guarded.name, everything, own);
    END LOOP;
END;
$$;
