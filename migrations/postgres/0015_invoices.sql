-- Invoices. A number is given when one is issued, in the same transaction that counts it, so that there are no gaps.
CREATE TABLE invoices (
    id UUID NOT NULL PRIMARY KEY,
    organization_id UUID NOT NULL REFERENCES organizations (id),
    number BIGINT NULL UNIQUE,
    status TEXT NOT NULL,
    customer TEXT NOT NULL,
    period_start TIMESTAMPTZ NOT NULL,
    period_end TIMESTAMPTZ NOT NULL,
    currency TEXT NOT NULL,
    total_nanos BIGINT NOT NULL,
    layout JSONB NOT NULL,
    issued_at TIMESTAMPTZ NULL,
    voided_at TIMESTAMPTZ NULL,
    created_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX invoices_of_organization ON invoices (organization_id, created_at, id);
-- A month is drafted once at a time.
CREATE UNIQUE INDEX invoices_drafted ON invoices (organization_id, period_start) WHERE status = 'draft';
CREATE INDEX ledger_entries_on_invoice ON ledger_entries (invoice_id) WHERE invoice_id IS NOT NULL;
-- What waits for one: little, most of the time.
CREATE INDEX ledger_entries_unbilled ON ledger_entries (organization_id, period_end)
    WHERE invoice_id IS NULL AND (debit = 'wallet' OR credit = 'wallet');

CREATE TABLE invoice_numbers (
    last BIGINT NOT NULL
);
INSERT INTO invoice_numbers (last) VALUES (0);

-- Amounts of a calendar month at whose reaching an organization's people are told.
CREATE TABLE spending_alerts (
    id UUID NOT NULL PRIMARY KEY,
    organization_id UUID NOT NULL REFERENCES organizations (id),
    application_id UUID NULL REFERENCES applications (id) ON DELETE CASCADE,
    threshold_nanos BIGINT NOT NULL CHECK (threshold_nanos > 0),
    -- The first day of the last month in which it was reached.
    reached_in TIMESTAMPTZ NULL,
    created_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX spending_alerts_of_organization ON spending_alerts (organization_id, created_at, id);

-- See 0009.
DO $$
DECLARE
    guarded RECORD;
    everything CONSTANT TEXT := '(SELECT COALESCE(current_setting(''slipway.organizations'', true), '''')) = ''''';
    own CONSTANT TEXT := 'ANY ((SELECT NULLIF(current_setting(''slipway.organizations'', true), '''')::UUID[])::UUID[])';
BEGIN
    FOR guarded IN SELECT unnest(ARRAY['invoices', 'spending_alerts']) AS name LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', guarded.name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', guarded.name);
        EXECUTE format('CREATE POLICY of_the_caller ON %I USING (%s OR organization_id = %s)', guarded.name, everything, own);
    END LOOP;
END;
$$;
