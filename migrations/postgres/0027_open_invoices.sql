-- Every turn of the billing cycle looks for what is to be paid; of all invoices that is few.
CREATE INDEX invoices_open ON invoices (organization_id) WHERE status = 'open';
