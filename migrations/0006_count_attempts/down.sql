DROP VIEW token_pairs;
DROP TABLE throttle;
