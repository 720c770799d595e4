// What must be so after any number of kills. `atAnyTime` holds while work goes on; `whenQuiet` adds what must have become
// of it. Each finding is a sentence with the key of the work; none means that all is well.

import type { Evidence, RunEvidence, SendEvidence } from './evidence.ts'
import { repeated } from './evidence.ts'
import { answersIn, answerTo, EFFECTS } from './model.ts'
import type { Ack, Work } from './works.ts'

/** The engine gives a turn up that was there at so many deaths, and says so. */
const LOSSES_MAX = 3

export interface Asked {
  readonly work: Work
  ack?: Ack
  /** Why it was not acknowledged when it was asked last. */
  trouble?: string
}

export interface Expected {
  readonly asked: readonly Asked[]
  readonly dailyJobId: string
  readonly tickerJobId: string
  readonly tickerEveryMs: number
  /** Keys of turns that died between their first effect and its result. */
  readonly interrupted: readonly string[]
}

/** Queries whose every answer is a fault. */
const NEVER: readonly { readonly fault: string; readonly sql: string }[] = [
  {
    fault: 'a message was taken twice',
    sql: "SELECT text FROM inbox WHERE text NOT LIKE '[cron:%' GROUP BY text HAVING count(*) > 1",
  },
  {
    fault: 'a message stands twice in a transcript',
    sql: `SELECT json_extract(body, '$.text') AS text FROM entries WHERE kind = 'input' AND text NOT LIKE '[cron:%'
      GROUP BY text HAVING count(*) > 1`,
  },
  {
    fault: 'a turn ended twice',
    sql: "SELECT run_id FROM entries WHERE kind = 'end' GROUP BY run_id HAVING count(*) > 1",
  },
  {
    fault: 'an answer stands twice in a transcript',
    sql: `SELECT json_extract(body, '$.text') AS text FROM entries WHERE kind = 'message' AND text LIKE 'answer %'
      GROUP BY session_id, text HAVING count(*) > 1`,
  },
  {
    fault: 'an end was announced twice',
    // A turn that is gone on with is told under its run's id with a number.
    sql: `SELECT substr(id, 1, instr(id || '~', '~') - 1) AS run FROM
      (SELECT json_extract(payload, '$.runId') AS id, event, payload FROM events)
      WHERE event = 'chat' AND json_extract(payload, '$.state') IN ('final', 'error') GROUP BY run HAVING count(*) > 1`,
  },
  {
    fault: 'a call has no result, and its turn is past it',
    sql: `SELECT m.run_id || ' ' || m.id || ':' || c.key FROM entries m, json_each(m.body, '$.calls') c, runs r
      WHERE m.kind = 'message' AND r.run_id = m.run_id
      AND (r.state NOT IN ('queued', 'running', 'failed', 'aborted')
        OR EXISTS (SELECT 1 FROM entries l WHERE l.run_id = m.run_id AND l.kind = 'message' AND l.id > m.id))
      AND NOT EXISTS (SELECT 1 FROM entries x WHERE x.answers_entry = m.id AND x.answers_ordinal = c.key)`,
  },
  {
    fault: 'a result has no call',
    sql: `SELECT x.id FROM entries x WHERE x.kind = 'result' AND NOT EXISTS (SELECT 1 FROM entries m
      WHERE m.id = x.answers_entry AND m.run_id = x.run_id AND json_array_length(m.body, '$.calls') > x.answers_ordinal)`,
  },
  {
    fault: 'an occurrence has two runs',
    sql: `SELECT job_id || ' ' || occurrence FROM runs WHERE occurrence IS NOT NULL
      GROUP BY job_id, occurrence HAVING count(*) > 1`,
  },
  {
    fault: 'an occurrence is in the ledger twice',
    sql: "SELECT job_id || ' ' || occurrence FROM occurrences GROUP BY job_id, occurrence HAVING count(*) > 1",
  },
  {
    fault: 'a text was told twice',
    sql: "SELECT text FROM outbox WHERE text LIKE 'text k%' GROUP BY text HAVING count(*) > 1",
  },
  {
    fault: 'a job was made twice',
    sql: "SELECT json_extract(body, '$.name') AS name FROM jobs GROUP BY name HAVING count(*) > 1",
  },
]

export function atAnyTime(evidence: Evidence, { asked }: Expected): string[] {
  return [
    ...NEVER.flatMap(({ fault, sql }) => evidence.names(sql).map(name => `${fault}: ${name}`)),
    ...repeated(evidence.effects()).map(name => `an effect was done twice: ${name}`),
    ...(['dedupes', 'plain'] as const).flatMap(channel =>
      repeated(evidence.seen(channel).map(({ id }) => id)).map(id => `a person saw a text twice: ${id}`),
    ),
    ...asked.flatMap(one => missing(evidence, one)),
  ]
}

/** What was acknowledged and is not there. */
function missing(evidence: Evidence, { work, ack }: Asked): string[] {
  if (ack?.id === undefined) return []
  const { id } = ack
  if (work.kind === 'far-job') {
    const there = evidence.number('SELECT count(*) FROM jobs WHERE id = ?', id)
    return there === 1 ? [] : [`an acknowledged job is not there: ${work.key}`]
  }
  if (work.kind === 'one-shot') {
    const there = evidence.number(
      'SELECT (SELECT count(*) FROM jobs WHERE id = :id) + (SELECT count(*) FROM occurrences WHERE job_id = :id)',
      { id },
    )
    return there > 0 ? [] : [`an acknowledged one-shot is neither there nor in the ledger: ${work.key}`]
  }
  return evidence.run(id) ? [] : [`an acknowledged message has no turn: ${work.key}`]
}

export function whenQuiet(evidence: Evidence, expected: Expected): string[] {
  const { asked, dailyJobId } = expected
  const manual = asked.flatMap(({ work, ack }) => (work.kind === 'manual-run' && ack?.id ? [ack.id] : []))
  const ran = evidence.ledger(dailyJobId).flatMap(row => (row.occurrence.startsWith('manual:') ? [row.run_id] : []))
  return [
    ...asked.flatMap(one => becameOf(evidence, one)),
    ...sendFaults(evidence),
    ...ran.filter(id => !manual.includes(id as string)).map(id => `a run by hand that nobody was told of: ${id}`),
    ...manual.filter(id => !ran.includes(id)).map(id => `a run by hand is not in the ledger: ${id}`),
    ...ledgerGaps(evidence, expected),
    ...expected.interrupted.flatMap(key => killedTooLate(evidence, key)),
  ]
}

function becameOf(evidence: Evidence, { work, ack }: Asked): string[] {
  if (ack?.id === undefined) return []
  if (work.kind === 'far-job') return []
  if (work.kind === 'one-shot') return firedOnce(evidence, work, ack.id)
  const run = evidence.answering(ack.id)
  if (!run) return [`an acknowledged message has no turn: ${work.key}`]
  return run.state === 'ok' ? answerFaults(evidence, work, run) : reported(evidence, run)
}

function answerFaults(evidence: Evidence, work: Work, run: RunEvidence): string[] {
  const answer = answerTo(work.kind === 'manual-run' ? 'kdaily' : work.key)
  const answers = answersIn(run.reply ?? '').filter(one => one === answer)
  const faults = answers.length === 1 ? [] : [`${work.key} was answered: ${run.reply}`]
  if ('verb' in work && work.verb === 'effect') faults.push(...effectFaults(evidence, work.key))
  if ('verb' in work && work.verb === 'job') {
    const made = evidence.number("SELECT count(*) FROM jobs WHERE json_extract(body, '$.name') = ?", work.key)
    if (made !== 1) faults.push(`the turn ${work.key} has made ${made} jobs`)
  }
  const isOwed = evidence.sends().some(({ id }) => id === `reply:${run.run_id}#1`)
  return work.kind !== 'inbound' || isOwed ? faults : [...faults, `nothing was owed to the chat for ${work.key}`]
}

/** No reply is right only where the turn was given up after too many deaths, and said so. */
function reported(evidence: Evidence, run: RunEvidence): string[] {
  const told = evidence.number(
    `SELECT count(*) FROM events WHERE event = 'chat' AND json_extract(payload, '$.state') = 'error'
      AND json_extract(payload, '$.runId') || '~' LIKE ? || '~%'`,
    run.run_id,
  )
  const isRight = run.state === 'failed' && run.losses >= LOSSES_MAX && told === 1
  return isRight ? [] : [`${run.run_id} ended ${run.state} (${run.error}), ${run.losses} deaths, told ${told} times`]
}

/** A call that says it was done left its line; one that was interrupted may have. */
function effectFaults(evidence: Evidence, key: string): string[] {
  const lines = evidence.effects()
  return EFFECTS.flatMap(name => {
    const line = `${key}:${name}`
    const [call, ...others] = evidence.callsOf(line)
    if (!call || others.length > 0) return [`${others.length + (call ? 1 : 0)} calls for the effect ${line}`]
    return call.failed || lines.includes(line) ? [] : [`an effect is told as done and was not: ${line}`]
  })
}

/** Not the gateway's fault but this run's: what it reports as such a kill was none. */
function killedTooLate(evidence: Evidence, key: string): string[] {
  const isWhole = evidence.callsOf(`${key}:${EFFECTS[0]}`).some(({ failed }) => failed === 0)
  return isWhole ? [`the turn ${key} was not killed before its effect's result`] : []
}

function firedOnce(evidence: Evidence, work: Extract<Work, { kind: 'one-shot' }>, jobId: string): string[] {
  const rows = evidence.ledger(jobId)
  const [row] = rows
  if (rows.length !== 1 || row?.occurrence !== `at:${work.atMs}`) {
    return [`the one-shot ${work.key} has the ledger ${JSON.stringify(rows)}`]
  }
  if (row.state !== 'ok') {
    const run = row.run_id === null ? undefined : evidence.run(row.run_id)
    return run && run.losses >= LOSSES_MAX ? [] : [`the one-shot ${work.key} ended ${row.state}`]
  }
  const text = work.payload === 'message' ? `text ${work.key}` : answerTo(work.key)
  const told = evidence.number('SELECT count(*) FROM outbox WHERE text = ? AND job_id = ?', text, jobId)
  return told === 1 ? [] : [`the one-shot ${work.key} was told ${told} times`]
}

function sendFaults(evidence: Evidence): string[] {
  const sends = evidence.sends()
  const doubts = new Set(sends.flatMap(({ source, id }) => (source === 'doubt' ? [id.replace(/:\d+#1$/, '')] : [])))
  const seen = { dedupes: countsOf(evidence, 'dedupes'), plain: countsOf(evidence, 'plain') }
  return sends.flatMap(send => sendFault(send, seen[send.channel_id].has(send.id), doubts))
}

function countsOf(evidence: Evidence, channel: 'dedupes' | 'plain'): ReadonlySet<string> {
  return new Set(evidence.seen(channel).map(({ id }) => id))
}

function sendFault({ id, channel_id, source, state }: SendEvidence, isSeen: boolean, doubts: ReadonlySet<string>) {
  if (state === 'sent') return isSeen ? [] : [`marked as sent and never seen: ${id}`]
  if (state !== 'unconfirmed' || channel_id === 'dedupes') return [`a text is left ${state}: ${id}`]
  // A doubt about a doubt is shown to who asks, and to nobody else.
  return source === 'doubt' || doubts.has(`doubt:${id}`) ? [] : [`nobody was told that a text is in doubt: ${id}`]
}

/** L3: from its first instant on, each instant of the ticker is in the ledger, by itself or in a range. */
function ledgerGaps(evidence: Evidence, { tickerJobId, tickerEveryMs }: Expected): string[] {
  const rows = evidence.ledger(tickerJobId)
  return rows.slice(1).flatMap((row, index) => {
    const before = rows[index]
    const lastMs = before?.to_ms ?? before?.nominal_at_ms ?? 0
    return row.nominal_at_ms === lastMs + tickerEveryMs
      ? []
      : [`the ledger has a gap after ${lastMs}: ${row.occurrence}`]
  })
}
