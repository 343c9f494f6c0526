-- PostgreSQL alone has row security: see the file of this name there. SQLite serves one process, whose statements say whose rows they are.
SELECT 1;
