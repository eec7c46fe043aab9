-- Work for Debian's sqlite3 on a database file: create, insert 10,000 rows, index, join,
-- aggregate, update, delete, read back; journal and locks go through the file system.
CREATE TABLE person(id INTEGER PRIMARY KEY, name TEXT NOT NULL, city INTEGER, born INTEGER);
CREATE TABLE city(id INTEGER PRIMARY KEY, name TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50)
INSERT INTO city SELECT i, 'city-' || i FROM n;
BEGIN;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
INSERT INTO person SELECT i, 'name-' || ((i * 7919) % 10007), 1 + (i * 31) % 50, 1900 + (i * 17) % 120 FROM n;
COMMIT;
CREATE INDEX person_city ON person(city, born);
SELECT count(*), min(name), max(name), sum(born) FROM person;
SELECT city.name, count(*) AS c, avg(born) FROM person JOIN city ON person.city = city.id
 GROUP BY city.id ORDER BY c DESC, city.id LIMIT 5;
UPDATE person SET born = born + 1 WHERE city = 7;
DELETE FROM person WHERE born % 10 = 3;
SELECT count(*), sum(id), sum(born) FROM person;
SELECT id, name FROM person WHERE city = 7 AND born > 2000 ORDER BY id LIMIT 5;
PRAGMA integrity_check;
VACUUM;
SELECT count(*) FROM person a JOIN person b ON a.born = b.born AND a.id < b.id;
