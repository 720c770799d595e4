// A store as an older Sluice left it that died with work in hand: turns that wait, turns that ended, a job. What it holds
// was acknowledged by that one, and is this one's to answer.
import Database from 'better-sqlite3'
import { APPLICATION_ID, MIGRATIONS } from '../../src/store/sqlite/migrations.ts'
import type { Prng } from '../simulation/prng.ts'
import type { Asked } from './checks.ts'
import { farJob } from './model.ts'
import { stateDirOf } from './signs.ts'

const WAITING = 3
const ENDED = 60

/** Writes it, in a schema version that is drawn, and answers what it had acknowledged. */
export function writeOldStore(folder: string, random: Prng): Asked[] {
  const db = new Database(`${stateDirOf(folder)}/sluice.db`)
  const version = random.int(1, MIGRATIONS.length - 1)
  try {
    for (const step of MIGRATIONS.slice(0, version)) db.exec(step)
    db.pragma(`application_id = ${APPLICATION_ID}`)
    db.pragma(`user_version = ${version}`)
    return [...writeTurns(db), writeJob(db)]
  } finally {
    db.close()
  }
}

function writeTurns(db: Database.Database): Asked[] {
  const nowMs = Date.now()
  const session = db.prepare(
    'INSERT INTO sessions (key, agent_id, session_id, created_at_ms, updated_at_ms) VALUES (?, ?, ?, ?, ?)',
  )
  session.run('agent:main:old', 'main', 'old-1', nowMs, nowMs)
  const run = db.prepare(
    `INSERT INTO runs (run_id, session_key, session_id, echo_key, agent_id, source, state, reply, created_at_ms)
      VALUES (?, 'agent:main:old', 'old-1', 'old', 'main', 'chat', ?, ?, ?)`,
  )
  const inbox = db.prepare(
    "INSERT INTO inbox (session_key, run_id, text, created_at_ms) VALUES ('agent:main:old', ?, ?, ?)",
  )
  for (let n = 0; n < ENDED; n += 1) run.run(`ended-${n}`, 'ok', 'r'.repeat(500), nowMs)
  return Array.from({ length: WAITING }, (_, n) => {
    const key = `kold-${n}`
    run.run(key, 'queued', null, nowMs)
    inbox.run(key, `say ${key}`, nowMs)
    return { work: { key, kind: 'chat', session: 'old', verb: 'say' }, ack: { id: key } }
  })
}

function writeJob(db: Database.Database): Asked {
  const nowMs = Date.now()
  const key = 'kold-job'
  const body = { id: key, ...farJob(key), createdAtMs: nowMs, updatedAtMs: nowMs }
  db.prepare(
    `INSERT INTO jobs (id, body, enabled, kind, equal_key, owner, next_run_at_ms) VALUES (?, ?, 1, 'every', ?, '', ?)`,
  ).run(key, JSON.stringify(body), key, nowMs + 86_400_000)
  return { work: { key, kind: 'far-job' }, ack: { id: key } }
}
