-- What each node was last seen to serve. No reference to applications: the report of one that is gone does no harm.
CREATE TABLE observed_routes (
    node_id UUID NOT NULL REFERENCES nodes (id) ON DELETE CASCADE,
    application_id UUID NOT NULL,
    revision_in_force TEXT NULL,
    problem TEXT NULL,
    PRIMARY KEY (node_id, application_id)
);
