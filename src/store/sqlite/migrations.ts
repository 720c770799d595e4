// The schema of the store as a numbered list of steps, each applied once and in one transaction with its number
// (`user_version`). It refuses a store that a newer Sluice wrote, and a database that belongs to something else;
// steps that were released are never edited, only followed by another.
import type { Database } from 'better-sqlite3'
import { SluiceError } from '../../base/errors.ts'
import { VERSION } from '../../base/node/version.ts'

/** `SLUI`: marks the file as ours. */
export const APPLICATION_ID = 0x53_4c_55_49

const FIRST = `
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES ('epoch', 0), ('sessions_made', 0);

CREATE TABLE keys (
  principal TEXT NOT NULL, method TEXT NOT NULL, key TEXT NOT NULL,
  params_hash TEXT NOT NULL, outcome TEXT NOT NULL, created_at_ms INTEGER NOT NULL,
  PRIMARY KEY (principal, method, key)
) STRICT;

CREATE TABLE events (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL, payload TEXT NOT NULL
) STRICT;

CREATE TABLE sessions (
  key TEXT PRIMARY KEY, agent_id TEXT NOT NULL, session_id TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL, updated_at_ms INTEGER NOT NULL,
  input_tokens INTEGER NOT NULL DEFAULT 0, output_tokens INTEGER NOT NULL DEFAULT 0,
  last_message TEXT, model TEXT
) STRICT;
CREATE INDEX sessions_newest ON sessions (updated_at_ms, key);

CREATE TABLE runs (
  id INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT NOT NULL UNIQUE,
  session_key TEXT NOT NULL REFERENCES sessions (key), session_id TEXT NOT NULL, echo_key TEXT NOT NULL,
  agent_id TEXT NOT NULL, source TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'ok', 'failed', 'aborted', 'timed-out')),
  attempt INTEGER NOT NULL DEFAULT 0, losses INTEGER NOT NULL DEFAULT 0, epoch INTEGER NOT NULL DEFAULT 0,
  model TEXT, extra_prompt TEXT, timeout_ms INTEGER, job_id TEXT, occurrence TEXT, fresh_session INTEGER NOT NULL DEFAULT 0,
  created_at_ms INTEGER NOT NULL, started_at_ms INTEGER, ended_at_ms INTEGER, reply TEXT, error TEXT
) STRICT;
CREATE INDEX runs_live ON runs (session_key, id) WHERE state IN ('queued', 'running');

CREATE TABLE inbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT, session_key TEXT NOT NULL REFERENCES sessions (key),
  run_id TEXT NOT NULL UNIQUE REFERENCES runs (run_id), text TEXT NOT NULL, created_at_ms INTEGER NOT NULL,
  state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'consumed', 'closed')), entry_id INTEGER
) STRICT;

CREATE TABLE entries (
  id INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT REFERENCES runs (run_id),
  session_key TEXT NOT NULL, session_id TEXT NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL, answers_entry INTEGER, answers_ordinal INTEGER
) STRICT;
CREATE INDEX entries_of_session ON entries (session_id, id);
CREATE INDEX entries_of_run ON entries (run_id, id) WHERE run_id IS NOT NULL;
CREATE UNIQUE INDEX entries_one_result ON entries (answers_entry, answers_ordinal) WHERE answers_entry IS NOT NULL;

CREATE TABLE outbox (
  id TEXT PRIMARY KEY, session_key TEXT NOT NULL, text TEXT NOT NULL, source TEXT NOT NULL, job_id TEXT,
  at_ms INTEGER NOT NULL, created_at_ms INTEGER NOT NULL, read_at_ms INTEGER,
  state TEXT NOT NULL DEFAULT 'unread' CHECK (state IN ('unread', 'read'))
) STRICT;
CREATE INDEX outbox_unread ON outbox (session_key) WHERE state = 'unread';

CREATE TABLE jobs (
  id TEXT PRIMARY KEY, body TEXT NOT NULL, enabled INTEGER NOT NULL, revision INTEGER NOT NULL DEFAULT 1,
  kind TEXT NOT NULL, at_ms INTEGER, equal_key TEXT NOT NULL, owner TEXT NOT NULL,
  next_run_at_ms INTEGER, order_ms INTEGER NOT NULL GENERATED ALWAYS AS (ifnull(next_run_at_ms, 0)) VIRTUAL,
  last_run_at_ms INTEGER, last_status TEXT, last_error TEXT, last_duration_ms INTEGER,
  CHECK (enabled OR next_run_at_ms IS NULL)
) STRICT;
CREATE INDEX jobs_order ON jobs (order_ms, id);
CREATE INDEX jobs_order_enabled ON jobs (order_ms, id) WHERE enabled = 1;
CREATE INDEX jobs_due ON jobs (next_run_at_ms, id) WHERE enabled = 1 AND next_run_at_ms IS NOT NULL;
CREATE INDEX jobs_equal ON jobs (equal_key, owner) WHERE enabled = 1;

CREATE TABLE occurrences (
  id INTEGER PRIMARY KEY AUTOINCREMENT, job_id TEXT NOT NULL, occurrence TEXT NOT NULL, nominal_at_ms INTEGER,
  state TEXT NOT NULL, claimed_at_ms INTEGER NOT NULL, ended_at_ms INTEGER, run_id TEXT, error TEXT, summary TEXT,
  to_ms INTEGER, count INTEGER NOT NULL DEFAULT 1, epoch INTEGER NOT NULL,
  UNIQUE (job_id, occurrence)
) STRICT;
CREATE INDEX occurrences_of_job ON occurrences (job_id, id);
CREATE INDEX occurrences_running ON occurrences (job_id, id) WHERE state = 'running';
`

/** Turns that ask for turns and are told how they ended, and questions to people. */
const SECOND = `
ALTER TABLE runs ADD COLUMN parent TEXT;
ALTER TABLE runs ADD COLUMN hops INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN label TEXT;
ALTER TABLE runs ADD COLUMN tells TEXT;
ALTER TABLE runs ADD COLUMN handover TEXT NOT NULL DEFAULT 'none' CHECK (handover IN ('none', 'open', 'taken'));
ALTER TABLE runs ADD COLUMN taken_by TEXT;
CREATE INDEX runs_telling ON runs (tells, id) WHERE state IN ('queued', 'running') AND tells IS NOT NULL;
CREATE INDEX runs_untaken ON runs (parent, id) WHERE handover = 'open';

CREATE TABLE approvals (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
  run_id TEXT NOT NULL REFERENCES runs (run_id), call_id TEXT NOT NULL, agent_id TEXT NOT NULL,
  session_key TEXT NOT NULL, asked_in TEXT NOT NULL, tool TEXT NOT NULL, text TEXT NOT NULL, request TEXT NOT NULL,
  what_hash TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('pending', 'allowed', 'denied', 'expired', 'cancelled', 'used')),
  decision TEXT CHECK (decision IN ('allow-once', 'allow-always', 'deny')), decided_by TEXT, note TEXT,
  created_at_ms INTEGER NOT NULL, expires_at_ms INTEGER NOT NULL, decided_at_ms INTEGER,
  UNIQUE (run_id, call_id)
) STRICT;
CREATE INDEX approvals_pending ON approvals (asked_in, seq) WHERE state = 'pending';
CREATE INDEX approvals_always ON approvals (agent_id, what_hash) WHERE decision = 'allow-always';
`

/**
 * Texts on their way to a chat of a channel. A line is one order of sends: a target's control answers are one, all its
 * other texts another. Only the head of a line is due or under way, and only one send of a target is under way.
 */
const THIRD = `
CREATE TABLE routes (
  session_key TEXT PRIMARY KEY REFERENCES sessions (key), channel_id TEXT NOT NULL, chat_id TEXT NOT NULL,
  text_length_max INTEGER NOT NULL, updated_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sends (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, text_id TEXT NOT NULL, session_key TEXT NOT NULL,
  channel_id TEXT NOT NULL, chat_id TEXT NOT NULL, source TEXT NOT NULL,
  is_control INTEGER NOT NULL GENERATED ALWAYS AS (source = 'control') VIRTUAL,
  text TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT 'queued'
    CHECK (state IN ('queued', 'sending', 'sent', 'unconfirmed', 'failed', 'expired')),
  attempt INTEGER NOT NULL DEFAULT 0, epoch INTEGER NOT NULL DEFAULT 0,
  due_at_ms INTEGER CHECK (due_at_ms IS NULL OR state = 'queued'),
  sent_id TEXT, error TEXT,
  created_at_ms INTEGER NOT NULL, expires_at_ms INTEGER NOT NULL, ended_at_ms INTEGER
) STRICT;
CREATE INDEX sends_due ON sends (channel_id, due_at_ms, seq) WHERE due_at_ms IS NOT NULL;
CREATE INDEX sends_line ON sends (channel_id, chat_id, is_control, seq) WHERE state = 'queued';
CREATE UNIQUE INDEX sends_head ON sends (channel_id, chat_id, is_control)
  WHERE due_at_ms IS NOT NULL OR state = 'sending';
CREATE UNIQUE INDEX sends_under_way ON sends (channel_id, chat_id) WHERE state = 'sending';
CREATE INDEX sends_open ON sends (seq) WHERE state <> 'sent';
CREATE INDEX sends_of_text ON sends (text_id);
`

/** What a message does to a turn that runs already, and the run in which it then has its answer. */
const QUEUE_MODES = `
ALTER TABLE runs ADD COLUMN queue_mode TEXT NOT NULL DEFAULT 'followup';
ALTER TABLE runs ADD COLUMN merged_into TEXT;
CREATE INDEX runs_merged ON runs (merged_into, id) WHERE merged_into IS NOT NULL;
`

/** What was set for one session, and sessions that were deleted: they are named again when somebody writes to them. */
const SESSION_SETTINGS = `
ALTER TABLE sessions ADD COLUMN settings TEXT NOT NULL DEFAULT '{}';
ALTER TABLE sessions ADD COLUMN label TEXT;
ALTER TABLE sessions ADD COLUMN deleted_at_ms INTEGER;
CREATE UNIQUE INDEX sessions_label ON sessions (label) WHERE label IS NOT NULL;
`

/** Devices that were let in, their tokens (what proves one, never one), and those that wait to be let in. */
const DEVICES = `
CREATE TABLE devices (
  device_id TEXT PRIMARY KEY, public_key TEXT NOT NULL, display_name TEXT, platform TEXT NOT NULL,
  client_id TEXT NOT NULL, client_mode TEXT NOT NULL, role TEXT NOT NULL, remote_ip TEXT,
  created_at_ms INTEGER NOT NULL, approved_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE device_tokens (
  device_id TEXT NOT NULL REFERENCES devices (device_id), role TEXT NOT NULL, scopes TEXT NOT NULL,
  salt TEXT NOT NULL, hash TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL, rotated_at_ms INTEGER, revoked_at_ms INTEGER, last_used_at_ms INTEGER,
  PRIMARY KEY (device_id, role)
) STRICT, WITHOUT ROWID;

CREATE TABLE pairings (
  request_id TEXT PRIMARY KEY, device_id TEXT NOT NULL UNIQUE, public_key TEXT NOT NULL, display_name TEXT,
  platform TEXT NOT NULL, client_id TEXT NOT NULL, client_mode TEXT NOT NULL, role TEXT NOT NULL, scopes TEXT NOT NULL,
  remote_ip TEXT, is_repair INTEGER NOT NULL, created_at_ms INTEGER NOT NULL, expires_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`

/**
 * Files that come with messages: each once, by its content, and named by the inbox row that brings it and then by the
 * entry that shows it. And summaries of transcripts, of which the newest is looked for.
 */
const BLOBS_AND_COMPACTIONS = `
CREATE TABLE blobs (
  hash TEXT PRIMARY KEY, kept_at_ms INTEGER NOT NULL, content BLOB NOT NULL
) STRICT;
CREATE TABLE blob_names (
  hash TEXT NOT NULL REFERENCES blobs (hash), entry_id INTEGER NOT NULL, PRIMARY KEY (hash, entry_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX blob_names_of_entry ON blob_names (entry_id);
ALTER TABLE inbox ADD COLUMN attachments TEXT;
CREATE INDEX inbox_with_attachments ON inbox (id) WHERE state = 'waiting' AND attachments IS NOT NULL;
CREATE INDEX entries_compactions ON entries (session_id, id) WHERE kind = 'compaction';
`

/** What models used: a row for each scope, day and model. */
const USAGE = `
CREATE TABLE usage (
  id INTEGER PRIMARY KEY AUTOINCREMENT, scope TEXT NOT NULL, day TEXT NOT NULL, model TEXT NOT NULL,
  answers INTEGER NOT NULL, unpriced INTEGER NOT NULL,
  input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL,
  cache_read_tokens INTEGER NOT NULL, cache_write_tokens INTEGER NOT NULL,
  cost_micro_usd INTEGER NOT NULL, created_at_ms INTEGER NOT NULL,
  UNIQUE (scope, day, model)
) STRICT;
`

/** When a session was last written to. */
const RUNS_OF_SESSION = `
CREATE INDEX runs_of_session ON runs (session_key, id);
`

/** How jobs go on and stop, and what their ledger keeps of each run beyond the run's own row. */
const JOB_POLICIES = `
ALTER TABLE jobs ADD COLUMN runs INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN alerted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN paused_because TEXT;
ALTER TABLE occurrences ADD COLUMN listener TEXT;
ALTER TABLE occurrences ADD COLUMN text_id TEXT;
ALTER TABLE occurrences ADD COLUMN started_at_ms INTEGER;
ALTER TABLE occurrences ADD COLUMN attempt INTEGER;
ALTER TABLE occurrences ADD COLUMN session_key TEXT;
ALTER TABLE occurrences ADD COLUMN model TEXT;
ALTER TABLE occurrences ADD COLUMN input_tokens INTEGER;
ALTER TABLE occurrences ADD COLUMN output_tokens INTEGER;
ALTER TABLE occurrences ADD COLUMN cost_micro_usd INTEGER;
`

/** Who may talk on a channel beside those whom the config names, and strangers who have a code. */
const PEOPLE = `
CREATE TABLE people (
  channel_id TEXT NOT NULL, person_id TEXT NOT NULL, name TEXT, handle TEXT,
  let_in_at_ms INTEGER NOT NULL, let_in_by TEXT NOT NULL, PRIMARY KEY (channel_id, person_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE strangers (
  channel_id TEXT NOT NULL, person_id TEXT NOT NULL, name TEXT, handle TEXT, code TEXT NOT NULL UNIQUE,
  chat_id TEXT NOT NULL, message_id TEXT NOT NULL, created_at_ms INTEGER NOT NULL, expires_at_ms INTEGER NOT NULL,
  PRIMARY KEY (channel_id, person_id)
) STRICT, WITHOUT ROWID;
`

/** What a job lets its runs have, which of them are tried again, and indexes for what few rows are: rare ends, jobs of one maker. */
const JOB_RETRIES = `
ALTER TABLE runs ADD COLUMN rules TEXT;
ALTER TABLE runs ADD COLUMN retries INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN retry_at_ms INTEGER;
ALTER TABLE occurrences ADD COLUMN failure TEXT;
CREATE INDEX occurrences_of_state ON occurrences (state, claimed_at_ms);
CREATE INDEX occurrences_of_job_state ON occurrences (job_id, state, claimed_at_ms);
ALTER TABLE jobs ADD COLUMN maker TEXT GENERATED ALWAYS AS (json_extract(body, '$.madeBy.kind')) VIRTUAL;
CREATE INDEX jobs_of_maker ON jobs (maker, order_ms, id);
`

/** Jobs after jobs, and what their commands ended with. */
const TRIGGERS = `
CREATE TABLE triggers (
  id INTEGER PRIMARY KEY AUTOINCREMENT, job_id TEXT NOT NULL, occurrence TEXT NOT NULL, at_ms INTEGER NOT NULL,
  hops INTEGER NOT NULL, UNIQUE (job_id, occurrence)
) STRICT;
CREATE INDEX jobs_after ON jobs (json_extract(body, '$.schedule.job')) WHERE kind = 'after';
ALTER TABLE occurrences ADD COLUMN exit_code INTEGER;
`

/** A send may be a file, which is named as an attachment is; and a text may have buttons under it. */
const FILES_AND_BUTTONS_OF_SENDS = `
ALTER TABLE sends ADD COLUMN file TEXT;
ALTER TABLE sends ADD COLUMN buttons TEXT;
CREATE INDEX sends_with_file ON sends (file ->> '$.blob') WHERE file IS NOT NULL;
`

/** People who may let others in, with the chat in which they are asked; and strangers who were denied. */
const OWNERS = `
ALTER TABLE people ADD COLUMN owner_chat_id TEXT;
ALTER TABLE strangers ADD COLUMN denied_by TEXT;
`

/** By how much a run was put off because others that do work were due at its instant. */
const STAGGERED_OCCURRENCES = `
ALTER TABLE occurrences ADD COLUMN staggered_ms INTEGER;
`

/** The chat that hears of a job's failures where no chat made it. */
const ALERTS_TO_CHATS = `
ALTER TABLE occurrences ADD COLUMN alert_to TEXT;
`

/** The step at index n brings a store from version n to n + 1. */
export const MIGRATIONS: readonly string[] = [
  FIRST,
  SECOND,
  THIRD,
  QUEUE_MODES,
  SESSION_SETTINGS,
  DEVICES,
  BLOBS_AND_COMPACTIONS,
  USAGE,
  RUNS_OF_SESSION,
  JOB_POLICIES,
  PEOPLE,
  JOB_RETRIES,
  TRIGGERS,
  FILES_AND_BUTTONS_OF_SENDS,
  OWNERS,
  STAGGERED_OCCURRENCES,
  ALERTS_TO_CHATS,
]
export const SCHEMA_VERSION = MIGRATIONS.length

export function versionOf(db: Database): number {
  return Number(db.pragma('user_version', { simple: true }))
}

/** Throws STORE_FAILED for a database that this code must not touch. Only reads. */
export function refuseForeign(db: Database, file: string): void {
  const version = versionOf(db)
  const owner = Number(db.pragma('application_id', { simple: true }))
  const tables = Number(db.prepare('SELECT count(*) FROM sqlite_schema').pluck().get())
  if (tables > 0 && owner !== APPLICATION_ID) {
    throw new SluiceError(
      'STORE_FAILED',
      `${file} is a database of another program. Nothing was changed. Move it away, or use another state folder.`,
      { details: { file }, outcome: 'not-started' },
    )
  }
  if (version > SCHEMA_VERSION) {
    const needed = appVersionOf(db)
    throw new SluiceError(
      'STORE_FAILED',
      `${file} has schema version ${version}, this Sluice (${VERSION}) knows up to ${SCHEMA_VERSION}. Nothing was changed. ` +
        `Start Sluice ${needed ?? 'in the version that wrote it'} or newer, or restore a backup made before the upgrade ` +
        '(sluice backup restore <file> --force).',
      {
        details: { file, version, known: SCHEMA_VERSION, ...(needed !== undefined && { needed }) },
        outcome: 'not-started',
      },
    )
  }
}

/** `1.2.3` as one number, as the meta table has no texts: three digits for each part. */
function versionNumber(version: string): number {
  return version
    .split(/[.+-]/)
    .slice(0, 3)
    .reduce((sum, part) => sum * 1_000 + Number(part), 0)
}

/** The Sluice that last changed the schema; undefined where it was not written down. */
function appVersionOf(db: Database): string | undefined {
  const hasMeta = db.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'meta'").get()
  const value = hasMeta && db.prepare("SELECT value FROM meta WHERE name = 'app_version'").pluck().get()
  if (typeof value !== 'number') return undefined
  return [value / 1_000_000, (value / 1_000) % 1_000, value % 1_000].map(Math.floor).join('.')
}

/** The steps that a database still needs, in the caller's transaction. */
export function applySteps(db: Database): void {
  for (const step of MIGRATIONS.slice(versionOf(db))) db.exec(step)
  db.prepare("INSERT OR REPLACE INTO meta VALUES ('app_version', ?)").run(versionNumber(VERSION))
  db.pragma(`application_id = ${APPLICATION_ID}`)
  db.pragma(`user_version = ${SCHEMA_VERSION}`)
}

/** Brings a database that was not refused to this code's schema, whole or not at all. */
export function migrate(db: Database): void {
  db.transaction(() => applySteps(db)).immediate()
}
