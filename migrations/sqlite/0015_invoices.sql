-- Invoices. A number is given when one is issued, in the same transaction that counts it, so that there are no gaps.
CREATE TABLE invoices (
    id BLOB NOT NULL PRIMARY KEY,
    organization_id BLOB NOT NULL REFERENCES organizations (id),
    number INTEGER NULL UNIQUE,
    status TEXT NOT NULL,
    customer TEXT NOT NULL,
    period_start TEXT NOT NULL,
    period_end TEXT NOT NULL,
    currency TEXT NOT NULL,
    total_nanos INTEGER NOT NULL,
    layout TEXT NOT NULL,
    issued_at TEXT NULL,
    voided_at TEXT NULL,
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX invoices_of_organization ON invoices (organization_id, created_at, id);
-- A month is drafted once at a time.
CREATE UNIQUE INDEX invoices_drafted ON invoices (organization_id, period_start) WHERE status = 'draft';
CREATE INDEX ledger_entries_on_invoice ON ledger_entries (invoice_id) WHERE invoice_id IS NOT NULL;
-- What waits for one: little, most of the time.
CREATE INDEX ledger_entries_unbilled ON ledger_entries (organization_id, period_end)
    WHERE invoice_id IS NULL AND (debit = 'wallet' OR credit = 'wallet');

CREATE TABLE invoice_numbers (
    last INTEGER NOT NULL
) STRICT;
INSERT INTO invoice_numbers (last) VALUES (0);

-- Amounts of a calendar month at whose reaching an organization's people are told.
CREATE TABLE spending_alerts (
    id BLOB NOT NULL PRIMARY KEY,
    organization_id BLOB NOT NULL REFERENCES organizations (id),
    application_id BLOB NULL REFERENCES applications (id) ON DELETE CASCADE,
    threshold_nanos INTEGER NOT NULL CHECK (threshold_nanos > 0),
    -- The first day of the last month in which it was reached.
    reached_in TEXT NULL,
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX spending_alerts_of_organization ON spending_alerts (organization_id, created_at, id);
