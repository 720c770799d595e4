// A run that is a job's command and asks no model. It keeps the journal of a turn with one call: the call is there before
// the command starts and its result after it, so that a command whose end nobody saw is never run again by itself (T1).
import { asSluiceError } from '../base/errors.ts'
import type { Entry, JobCommand } from '../store/rows.ts'
import { INTERRUPTED } from './context.ts'
import { type CallResult, callId } from './loop.ts'
import type { TurnLink, TurnOutcome } from './runner.ts'

/** The tool that runs it, which no model has. */
export const COMMAND_TOOL = 'command'
/** How much of the end of its output an error and the ledger show, in UTF-16 units. */
const SHOWN_LENGTH_MAX = 2_000

export interface CommandRun {
  readonly command: JobCommand
  /** The run's journal so far. */
  readonly entries: readonly Entry[]
  readonly link: Pick<TurnLink, 'message' | 'invoke'>
  readonly signal: AbortSignal
}

export async function performCommand({ command, entries, link, signal }: CommandRun): Promise<TurnOutcome> {
  const { decides, ...args } = command
  const known = entries.find(({ body }) => body.kind === 'message')?.id
  const result = entries.map(({ body }) => body).find(body => body.kind === 'result')
  if (result) return outcomeOf(command, result, signal)
  const call = { name: COMMAND_TOOL, args }
  const made = [{ id: '', ...call }]
  const entry = known ?? (await link.message({ text: '', calls: made, model: COMMAND_TOOL })).entry ?? 0
  if (signal.aborted) return { state: 'aborted', reply: '' }
  const resumed = known !== undefined && { resumed: true }
  const ran = await link.invoke({ ...call, id: callId(entry, 0), entry, ordinal: 0, ...resumed })
  return outcomeOf(command, ran, signal)
}

interface Said {
  readonly exitCode?: number | null
  readonly signal?: string
  readonly output?: string
  readonly timedOut?: boolean
  readonly error?: string
  readonly code?: string
}

function outcomeOf({ decides }: JobCommand, { text, isError }: CallResult, signal: AbortSignal): TurnOutcome {
  if (text === INTERRUPTED) {
    const error =
      'the gateway stopped while its command ran; how it ended is unknown, and it is not run again by itself'
    return { state: 'failed', outcome: 'unknown', reply: '', error }
  }
  const said = read(text)
  const { output = '', exitCode, timedOut } = said
  const shown = { reply: output, summary: output.slice(-SHOWN_LENGTH_MAX), ...(exitCode != null && { exitCode }) }
  if (timedOut)
    return { state: 'timed-out', ...shown, error: withEnd('its command was stopped at its time-out', output) }
  if (signal.aborted) return { state: 'aborted', ...shown }
  if (isError) {
    const failure = said.code === 'FORBIDDEN' ? 'refused' : 'permanent'
    return { state: 'failed', failure, ...shown, error: said.error ?? text }
  }
  if (exitCode === 0) return { state: 'ok', ...shown }
  if (decides && exitCode != null) {
    const error = withEnd(`its when command ended with exit code ${exitCode}`, output)
    return { state: 'ok', outcome: 'skipped', ...shown, error }
  }
  const ended = exitCode == null ? `was ended by ${said.signal ?? 'a signal'}` : `ended with exit code ${exitCode}`
  return { state: 'failed', failure: 'permanent', ...shown, error: withEnd(`its command ${ended}`, output) }
}

function withEnd(what: string, output: string): string {
  const end = output.trim().slice(-SHOWN_LENGTH_MAX)
  return end === '' ? what : `${what}: ${end}`
}

function read(text: string): Said {
  try {
    return JSON.parse(text)
  } catch (error) {
    return { error: `what its command answered cannot be read: ${asSluiceError(error).message}` }
  }
}
