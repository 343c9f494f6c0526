-- The lists of the API by keyset, `(created_at, id)`: each has an index that gives it in that order.

CREATE INDEX applications_by_age ON applications (created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX organizations_by_age ON organizations (created_at, id);
CREATE INDEX operations_by_age ON operations (created_at, id);
CREATE INDEX operations_in_state_by_age ON operations (status, created_at, id);
CREATE INDEX events_of_application_by_age ON events (application_id, created_at, id);
CREATE INDEX events_of_organization_by_age ON events (organization_id, created_at, id);
CREATE INDEX instances_of_deployment_by_age ON instances (deployment_id, created_at, id);
CREATE INDEX instances_on_node_by_age ON instances (node_id, created_at, id);

DROP INDEX instances_of_deployment;
