-- Why no visitor can come in at a node: the proxy that is asked for is not there, or cannot be run.
ALTER TABLE nodes ADD COLUMN ingress_problem TEXT NULL;
