-- The second lock. The program leaves out what its caller may not see; where a statement forgets to, the database does it: in a
-- transaction that was begun for a caller (slipway.organizations holds their organizations, as an array), rows of other organizations
-- are not there. Without that setting the platform itself is at work, and sees everything.
--
-- FORCE, because the program owns its tables, and owners are let through otherwise. Superusers are always let through: do not be one.
DO $$
DECLARE
    guarded RECORD;
    -- In a subquery each, so that they are looked up once a statement and not once a row.
    everything CONSTANT TEXT := '(SELECT COALESCE(current_setting(''slipway.organizations'', true), '''')) = ''''';
    own CONSTANT TEXT := 'ANY ((SELECT NULLIF(current_setting(''slipway.organizations'', true), '''')::UUID[])::UUID[])';
BEGIN
    FOR guarded IN
        SELECT * FROM (VALUES
            ('organizations', 'id'),
            ('memberships', 'organization_id'),
            ('invitations', 'organization_id'),
            ('organization_quotas', 'organization_id'),
            ('applications', 'organization_id'),
            ('variables', 'organization_id'),
            ('uploads', 'organization_id'),
            ('deployments', 'organization_id'),
            ('releases', 'organization_id'),
            ('instances', 'organization_id'),
            ('operations', 'organization_id'),
            ('tasks', 'organization_id'),
            ('events', 'organization_id'),
            ('usage_records', 'organization_id'),
            ('ledger_entries', 'organization_id'),
            ('idempotency', 'organization_id'),
            ('audit_events', 'organization_id')
        ) AS tables (name, organization)
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', guarded.name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', guarded.name);
        EXECUTE format('CREATE POLICY of_the_caller ON %I USING (%s OR %I = %s)', guarded.name, everything, guarded.organization, own);
    END LOOP;
    -- What was done is written down whatever it was done to, and of it each sees what is theirs.
    EXECUTE 'CREATE POLICY written_for_everybody ON audit_events FOR INSERT WITH CHECK (TRUE)';
    FOR guarded IN SELECT unnest(ARRAY['deployment_steps', 'build_log_lines']) AS name LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', guarded.name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', guarded.name);
        -- Their deployment is guarded itself.
        EXECUTE format(
            'CREATE POLICY of_the_caller ON %I USING (%s OR EXISTS (SELECT 1 FROM deployments d WHERE d.id = deployment_id))',
            guarded.name, everything
        );
    END LOOP;
END;
$$;
