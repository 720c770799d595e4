// What must hold at the end of all commands and questions: what a model was told of its command is what became of it, no
// question is open or shown any more, and a message that was an answer is nothing else.
import { type Evidence, resultsOf, type Told } from './evidence.ts'

interface ApprovalRecord {
  readonly id: string
  readonly run_id: string
  readonly call_id: string
  readonly state: string
}

export function auditCommands(evidence: Evidence): void {
  const { reader, runs, seen } = evidence
  const approvals = reader.prepare('SELECT id, run_id, call_id, state FROM approvals').all() as ApprovalRecord[]
  const states = new Map(approvals.map(row => [`${row.run_id} ${row.call_id}`, row.state]))
  for (const { id, state, run_id } of approvals) {
    if (state === 'pending') seen.violate('zero', `question ${id} of ${run_id} is open at rest`)
  }
  const shown = reader.prepare("SELECT id FROM outbox WHERE source = 'approval' AND state = 'unread'").pluck().all()
  for (const id of shown) seen.violate('zero', `question ${id} is still shown at rest`)
  for (const runId of runs.keys()) {
    for (const { callId, name, told } of resultsOf(evidence, runId)) {
      if (name === 'exec')
        auditResult(evidence, { told, name: `${runId} ${callId}`, state: states.get(`${runId} ${callId}`) })
    }
  }
  const answers = "SELECT key FROM keys WHERE method = 'chat.send' AND outcome ->> 'approval' IS NOT NULL"
  for (const key of reader.prepare(answers).pluck().all() as string[])
    if (runs.has(key)) seen.violate('once', `the message ${key} is an answer and a turn`)
}

/** `name`: run and call; `state`: of its question, where there was one. */
function auditResult({ seen }: Evidence, call: { told: Told; name: string; state: string | undefined }): void {
  const { told, name, state } = call
  const began = seen.commands.some(run => `${run.runId} ${run.callId}` === name)
  const wrong = (what: string) => seen.violate('truth', `exec ${name} was told ${what}`)
  const error = told.error ?? ''
  if (told.exitCode !== undefined && !began) wrong('how a command ended that nobody ran')
  if (told.outcome === 'not-started' && began) wrong('that nothing was run, and it was')
  if (error.includes('said no') && state !== 'denied') wrong(`of a no, and its question is ${state}`)
  if (error.includes('nobody said yes') && state !== 'expired')
    wrong(`that time was over, and its question is ${state}`)
  if (error.startsWith('interrupted') && state !== 'used' && state !== undefined)
    wrong(`that its outcome is unknown, and its question is ${state}`)
}
