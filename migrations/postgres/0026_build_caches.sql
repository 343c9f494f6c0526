-- The deployment that was asked to build without any cache, and with which the caches of its application begin: what earlier builds have
-- left in theirs is not looked at any more.
ALTER TABLE applications ADD COLUMN caches_since UUID NULL;
