/* SQLite, in memory: inserts, an index, joins, aggregates, text functions. */
#include "program.h"
#include "sqlite3.h"

/* A system without files: databases live in memory only. */
static int no_file(sqlite3_vfs *v, const char *n, sqlite3_file *f, int flags, int *out) { return SQLITE_CANTOPEN; }
static int no_delete(sqlite3_vfs *v, const char *n, int sync) { return SQLITE_IOERR; }
static int no_access(sqlite3_vfs *v, const char *n, int flags, int *out) { return *out = 0, SQLITE_OK; }
static int same_path(sqlite3_vfs *v, const char *n, int room, char *out) { return sqlite3_snprintf(room, out, "%s", n), SQLITE_OK; }
static int fixed_random(sqlite3_vfs *v, int len, char *out) { return memset(out, 42, (size_t)len), len; }
static int no_sleep(sqlite3_vfs *v, int us) { return us; }
static int fixed_time(sqlite3_vfs *v, double *out) { return *out = 2460000.5, SQLITE_OK; }
static sqlite3_vfs no_files = {1, sizeof(sqlite3_file), 64, 0, "none", 0, no_file, no_delete, no_access, same_path,
  0, 0, 0, 0, fixed_random, no_sleep, fixed_time, 0};

int sqlite3_os_init(void) { return sqlite3_vfs_register(&no_files, 1); }
int sqlite3_os_end(void) { return SQLITE_OK; }

static int row(void *sum, int columns, char **values, char **names) {
  for (int i = 0; i < columns; i++)
    if (values[i]) *(uint64_t *)sum = mix_bytes(*(uint64_t *)sum, values[i], strlen(values[i]));
  return 0;
}

EXPORT uint64_t run(uint32_t n) {
  sqlite3 *db;
  uint64_t sum = 0;
  char sql[512];
  CHECK(sqlite3_open(":memory:", &db) == SQLITE_OK);
  const char *before[] = {
    "CREATE TABLE item(id INTEGER PRIMARY KEY, kind INTEGER, name TEXT, price REAL)",
    "CREATE TABLE kind(id INTEGER PRIMARY KEY, name TEXT)",
    "BEGIN",
    "WITH RECURSIVE k(i) AS (SELECT 0 UNION ALL SELECT i+1 FROM k WHERE i<19) INSERT INTO kind SELECT i, 'kind-'||i FROM k",
  };
  for (int i = 0; i < 4; i++) CHECK(sqlite3_exec(db, before[i], row, &sum, 0) == SQLITE_OK);
  sqlite3_stmt *insert;
  CHECK(sqlite3_prepare_v2(db, "INSERT INTO item(kind,name,price) VALUES(?,?,?)", -1, &insert, 0) == SQLITE_OK);
  for (uint32_t i = 0; i < n * 10; i++) {
    sqlite3_snprintf(sizeof sql, sql, "name-%u", (i * 7919) % 1009);
    sqlite3_bind_int(insert, 1, i * 31 % 20);
    sqlite3_bind_text(insert, 2, sql, -1, SQLITE_TRANSIENT);
    sqlite3_bind_double(insert, 3, i * 1.25);
    CHECK(sqlite3_step(insert) == SQLITE_DONE);
    sqlite3_reset(insert);
  }
  sqlite3_finalize(insert);
  const char *after[] = {
    "COMMIT",
    "CREATE INDEX by_name ON item(name)",
    "SELECT k.name, count(*), round(avg(price),2), max(i.name) FROM item i JOIN kind k ON k.id=i.kind GROUP BY k.name ORDER BY 2 DESC, 1",
    "SELECT count(*) FROM item WHERE name LIKE '%99%' OR upper(name)='NAME-7'",
    "UPDATE item SET price=price*1.1 WHERE kind IN (SELECT id FROM kind WHERE id%3=0)",
    "SELECT a.id, b.id FROM item a JOIN item b ON a.name=b.name AND a.id<b.id WHERE a.kind=3 LIMIT 50",
    "DELETE FROM item WHERE id%5=2",
    "SELECT sum(price), group_concat(substr(name,-2)) FROM (SELECT * FROM item ORDER BY price DESC, name LIMIT 40)",
  };
  for (int i = 0; i < 8; i++) CHECK(sqlite3_exec(db, after[i], row, &sum, 0) == SQLITE_OK);
  CHECK(sqlite3_close(db) == SQLITE_OK);
  return sum;
}
